"""The gate policy: who may say yes to what, when nothing goes, and what needs nobody.

A project has one, ``gates/policy.yaml``. It is in force as the ledger holds it, as JSON.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import rfc8785
from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from velapulumi.documents import read_file
from velapulumi.errors import InvalidFile
from velapulumi.spec.document import Path as Place
from velapulumi.spec.document import format_path
from velapulumi.spec.durations import parse_duration
from velapulumi.spec.model import Many, StrictModel, did_you_mean, explain

Day = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
Change = Literal["image-digest", "image", "replicas", "resources", "env", "labels"]

_DAYS: tuple[Day, ...] = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WHOLE_DAY = "00:00-24:00"


def _duration(text: str) -> str:
    parse_duration(text)
    return text


def _lasting(text: str) -> str:
    if not parse_duration(text):
        raise ValueError("must be longer than 0, else no approval ever counts")
    return text


def _moment(text: str) -> str:
    try:
        if datetime.fromisoformat(text).tzinfo is not None:
            return text
    except ValueError:
        pass
    raise ValueError(f"must be a time with a zone such as 2026-12-20T00:00:00Z, is {text!r}")


def _hours(text: str) -> str:
    try:
        begin, end = _clock(text)
    except ValueError:
        raise ValueError(f"must be hours such as 15:00-24:00 or 22:00-06:00, is {text!r}") from None
    if begin == end:
        raise ValueError(f"must not begin and end at the same time, is {text!r}")
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ValueError, OSError, LookupError):
        raise ValueError(f"must be a time zone such as Europe/Berlin, is {text!r}") from None
    return text


def _word(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


Text = Annotated[str, AfterValidator(_word)]
Duration = Annotated[str, AfterValidator(_duration)]
Moment = Annotated[str, AfterValidator(_moment)]


class Requirement(StrictModel):
    """So many people of a role.

    Attributes:
        role: The role.
        count: How many.
    """

    role: str
    count: int = Field(1, ge=1)


class BreakGlass(StrictModel):
    """Who may go past a rule, alone and with a reason.

    Attributes:
        role: The role.
    """

    role: str


class Auto(StrictModel):
    """What needs nobody's approval.

    Attributes:
        only: The kinds of change; a plan must hold no other, and delete nothing.
    """

    only: Many[Change]

    @model_validator(mode="after")
    def _names_something(self) -> Auto:
        _filled("only", self.only, "at least one kind of change")
        return self


class Freeze(StrictModel):
    """A time in which nothing goes: once from one moment to another, or every week.

    Attributes:
        begin: From when on, RFC 3339.
        end: Until when.
        days: On which days of the week.
        hours: At which hours of them; may pass midnight.
        zone: Whose days and hours, as an IANA name.
        reason: Why, in words.
    """

    begin: Moment = Field("", alias="from")
    end: Moment = Field("", alias="to")
    days: Many[Day] = ()
    hours: Annotated[str, AfterValidator(_hours)] = _WHOLE_DAY
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    reason: str = ""

    @model_validator(mode="after")
    def _is_one_kind(self) -> Freeze:
        once = bool(self.begin or self.end)
        weekly = bool({"days", "hours", "zone"} & self.model_fields_set)
        if once and weekly:
            raise ValueError("must have either from and to, or days with hours and zone")
        if once and not (self.begin and self.end):
            raise ValueError("must have both from and to")
        if not once and not self.days:
            raise ValueError("must have from and to, or days")
        if once and datetime.fromisoformat(self.begin) >= datetime.fromisoformat(self.end):
            raise ValueError("from must be before to")
        return self

    @property
    def title(self) -> str:
        """The reason and the time, for people."""
        if self.begin:
            text = f"from {self.begin} to {self.end}"
        else:
            hours = "" if self.hours == _WHOLE_DAY else f" {self.hours}"
            text = f"{', '.join(self.days)}{hours} {self.zone}"
        return f"{self.reason} ({text})" if self.reason else text

    def holds(self, now: datetime) -> bool:
        """Whether a moment, with its zone, is within it.

        Where the clock is put forward or back at an edge of a weekly one, the longer reading holds.
        """
        if self.begin:
            return datetime.fromisoformat(self.begin) <= now < datetime.fromisoformat(self.end)
        today = now.astimezone(ZoneInfo(self.zone)).date()
        return any(
            _DAYS[day.weekday()] in self.days and self._holds_of(day, now)
            for day in (today - timedelta(days=1), today)
        )

    def _holds_of(self, day: date, now: datetime) -> bool:
        begin, end = _clock(self.hours)
        if end <= begin:
            end += timedelta(days=1)
        first = min(self._moments(day, begin))
        return first <= now.timestamp() < max(self._moments(day, end))

    def _moments(self, day: date, after: timedelta) -> Iterator[float]:
        """When the clock shows a time, in seconds since 1970, in both readings of it."""
        shown = datetime.combine(day, time()) + after
        for fold in (0, 1):
            yield shown.replace(tzinfo=ZoneInfo(self.zone), fold=fold).timestamp()


class StageRule(StrictModel):
    """What some stages ask for.

    Attributes:
        stages: Patterns of their names, as of a shell.
        clusters: Patterns of the names of clusters; a stage on one of them is meant, however it is
            called.
        applications: Patterns of the names of the applications.
        approvals: How many people of which role; each person counts once over all of it.
        requester_may_approve: Whether who asks for a delivery may approve it.
        expires: How long an approval counts.
        bake: How long the stage before must have run the revision in good health; empty for not.
        freeze: When nothing goes.
        break_glass: Who may go past it; None for nobody.
        auto: What needs nobody's approval; None for nothing.
    """

    stages: Many[Text] = ()
    clusters: Many[Text] = ()
    applications: Many[Text] = ("*",)
    approvals: Many[Requirement]
    requester_may_approve: bool = Field(False, alias="requesterMayApprove")
    expires: Annotated[str, AfterValidator(_lasting)] = "24h"
    bake: Duration = ""
    freeze: Many[Freeze] = ()
    break_glass: BreakGlass | None = Field(None, alias="breakGlass")
    auto: Auto | None = None

    @model_validator(mode="after")
    def _names_something(self) -> StageRule:
        if not (self.stages or self.clusters):
            raise ValueError("must have stages or clusters")
        _filled("applications", self.applications, "at least one pattern")
        _filled("approvals", self.approvals, "at least one role")
        return self

    def fits(self, application: str, stage: str, clusters: Collection[str] = ()) -> bool:
        """Whether it is about a stage of an application, by its name or one of its clusters."""
        named = _any_fits(self.stages, stage)
        placed = any(_any_fits(self.clusters, cluster) for cluster in clusters)
        return _any_fits(self.applications, application) and (named or placed)

    def frozen(self, now: datetime) -> str:
        """Why nothing goes at a moment, with its zone; empty when it may."""
        return next((window.title for window in self.freeze if window.holds(now)), "")

    @property
    def lifetime(self) -> timedelta:
        """How long an approval counts."""
        return timedelta(seconds=parse_duration(self.expires))

    @property
    def bake_seconds(self) -> float:
        """How long the stage before must have run the revision in good health."""
        return parse_duration(self.bake) if self.bake else 0.0


class Policy(StrictModel):
    """A gate policy.

    Attributes:
        roles: The people of each role.
        stages: What the stages ask for; all that fit a stage count.
        changes: Who may change policy and signers; None for nobody.
        registries: The image registries that are asked what a tag stands for, such as
            ``registry.example.com``.
    """

    api_version: Literal["velapulumi.dev/v1"] = Field(alias="apiVersion")
    kind: Literal["GatePolicy"]
    roles: dict[str, Many[Text]]
    stages: Many[StageRule] = ()
    changes: Requirement | None = None
    registries: Many[Text] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Policy:
        # Problems with a place of their own, which a plain ValueError could not give them.
        if problems := list(self._problems()):
            raise ValidationError.from_exception_data(
                "Policy",
                [
                    InitErrorDetails(
                        type="value_error", loc=place, input=None, ctx={"error": ValueError(text)}
                    )
                    for place, text in problems
                ],
            )
        return self

    def _problems(self) -> Iterator[tuple[Place, str]]:
        for role, people in self.roles.items():
            if not people:
                yield ("roles", role), "must name at least one person"
        for number, rule in enumerate(self.stages):
            place: Place = ("stages", number)
            yield from self._unmet(rule.approvals, (*place, "approvals"))
            if rule.break_glass and rule.break_glass.role not in self.roles:
                yield (*place, "breakGlass", "role"), self._unknown(rule.break_glass.role)
        if self.changes:
            alone = [
                ((path[0], *path[2:]), text)
                for path, text in self._unmet((self.changes,), ("changes",))
            ]
            yield from alone

    def _unmet(
        self, requirements: Sequence[Requirement], place: Place
    ) -> Iterator[tuple[Place, str]]:
        """What nobody could ever satisfy."""
        found = []
        for number, needed in enumerate(requirements):
            if needed.role not in self.roles:
                found.append(((*place, number, "role"), self._unknown(needed.role)))
            elif needed.count > len(there := self.people(needed.role)):
                text = f"is {needed.count}, but role {needed.role} has only {len(there)}"
                found.append(((*place, number, "count"), f"{text} {_people(len(there))}"))
        yield from found
        if found:
            return
        everybody = sorted({person for each in requirements for person in self.people(each.role)})
        places = sum(each.count for each in requirements)
        if len(self.assign(everybody, requirements)) < places:
            yield place, f"ask for {places} people, but the roles together do not have as many"

    def _unknown(self, role: str) -> str:
        return f"names role {role}, which is not one of roles{did_you_mean(role, self.roles)}"

    def people(self, role: str) -> frozenset[str]:
        """The people of a role; none of one that is not there."""
        return frozenset(self.roles.get(role, ()))

    def rules_for(
        self, application: str, stage: str, clusters: Collection[str] = ()
    ) -> tuple[StageRule, ...]:
        """All rules that a stage of an application, on some clusters, has to meet."""
        return tuple(rule for rule in self.stages if rule.fits(application, stage, clusters))

    def assign(
        self, people: Sequence[str], requirements: Sequence[Requirement]
    ) -> Mapping[str, int]:
        """Have as many requirements met as can be, each person counting for one of them.

        Args:
            people: Different people; where not all are needed, the earlier ones are taken.
            requirements: The requirements.

        Returns:
            For each person that counts the index of the requirement.
        """
        taken: dict[str, int] = {}
        for person in people:
            self._place(person, requirements, taken, set())
        return taken

    def _place(
        self,
        person: str,
        requirements: Sequence[Requirement],
        taken: dict[str, int],
        tried: set[int],
    ) -> bool:
        """Find a requirement for one more person, moving others to other ones if need be."""
        for number, needed in enumerate(requirements):
            if number in tried or person not in self.people(needed.role):
                continue
            tried.add(number)
            here = [other for other, place in taken.items() if place == number]
            if len(here) < needed.count or any(
                self._place(other, requirements, taken, tried) for other in here
            ):
                taken[person] = number
                return True
        return False


def read_policy(path: Path) -> Policy | None:
    """Read a gate policy.

    Args:
        path: The file.

    Returns:
        The policy, or None when there is no such file.

    Raises:
        InvalidFile: It cannot be read or is none; every problem is listed with its line.
    """
    return read_file(path, Policy)


def policy_json(policy: Policy) -> str:
    """A policy as RFC 8785 writes it: equal policies are the same text."""
    value = policy.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return rfc8785.dumps(value).decode()


def policy_of(text: str) -> Policy:
    """The policy of a JSON text.

    Raises:
        InvalidFile: It is none.
    """
    try:
        return Policy.model_validate_json(text)
    except ValidationError as error:
        place, message = explain(Policy, error)[0]
        where = f"{format_path(place)}: " if place else ""
        raise InvalidFile(f"the gate policy in the ledger: {where}{message}") from error


def _clock(hours: str) -> tuple[timedelta, timedelta]:
    """From and until when after midnight; raises ValueError for another form."""
    begin, end = (_after_midnight(text) for text in hours.split("-"))
    if begin >= timedelta(days=1):
        raise ValueError
    return begin, end


def _after_midnight(text: str) -> timedelta:
    if text == "24:00":
        return timedelta(days=1)
    shown = datetime.strptime(text, "%H:%M")
    if len(text) != len("00:00"):
        raise ValueError
    return timedelta(hours=shown.hour, minutes=shown.minute)


def _any_fits(patterns: Collection[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _filled(field: str, values: Collection[object], what: str) -> None:
    if not values:
        raise ValueError(f"{field} must have {what}")


def _people(count: int) -> str:
    return "person" if count == 1 else "people"
