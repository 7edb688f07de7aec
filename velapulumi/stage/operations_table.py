"""The decision table: what happens to an object, by what is known of it.

The rows are read from above, and the first one that fits counts. ``docs/operations.md`` is printed
from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from velapulumi.plan.document import Cause, Operation


class Wanted(StrEnum):
    """What the application wants of an object."""

    WRITTEN = "written"
    READ_ONLY = "read-only"
    KEPT = "kept as it is"
    NO = "no"


class Recorded(StrEnum):
    """What the stage's stack has of it."""

    HELD = "held"
    READ = "only read"
    NO = "no"


class Presence(StrEnum):
    """What its cluster has of it."""

    PRESENT = "present"
    ABSENT = "absent"
    DELETING = "being deleted"
    UNKNOWN = "unknown"
    FORBIDDEN = "not permitted to read"


class Owner(StrEnum):
    """Whose the live object is."""

    OURS = "this application"
    SIBLING = "another application"
    FOREIGN = "another project"
    NOBODY = "nobody"


class Holder(StrEnum):
    """What another stage of the application does with it."""

    NONE = "no other stage holds it"
    GIVES = "another stage gives it up"
    KEEPS = "another stage keeps it, or wants it too"
    TAKES = "another stage takes it in this delivery"


class Place(StrEnum):
    """Whether its cluster can take it."""

    READY = "ready"
    NO_KIND = "kind not served"
    NO_NAMESPACE = "namespace missing"


class Difference(StrEnum):
    """How what is wanted differs from what is recorded."""

    EQUAL = "equal"
    CHANGED = "changed"
    FIXED = "changed in a field that never changes, which no policy names"
    REPLACED = "changed in a field that never changes"
    CONFLICT = "a new field is held by somebody else with another value"


class Drift(StrEnum):
    """How what is live differs from what was last written."""

    NONE = "none"
    LEFT = "only in fields that are left to others"
    DRIFTED = "drifted"


class Job(StrEnum):
    """What became of a Job."""

    NO = "not a Job, or not ended"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True)
class Situation:
    """All that the decision about one object depends on.

    Attributes:
        wanted: What the application wants.
        recorded: What the stage's stack has.
        presence: What the cluster has.
        owner: Whose the live object is.
        same: Whether the live object is the one that was last written, by its UID.
        holder: What another stage does with it.
        place: Whether the cluster can take it.
        difference: How what is wanted differs from what is recorded.
        drift: How what is live differs from what was last written.
        job: What became of a Job.
        begun: Whether a run had begun to make it and did not finish.
        shared: Whether the policies of all its applications share it.
        take_over: Whether a policy takes it over.
        once: Whether a policy leaves it as it is once it is there.
        absent_is_fine: Whether a policy leaves it away when others have deleted it.
        unready: Whether the engine has not seen it come up.
        never_deleted: Whether a policy leaves it behind for good.
        listed: Whether it names the application among those that share it.
        others: Whether other applications share it, too.
        guests: Whether it is a Namespace or a CRD that holds objects of others.
        restores: Whether a way back is gone, and it had been taken over on the way there.
        contradicts: Whether one policy replaces it and another never deletes it.
        pruned: Whether what is no longer wanted goes now.
    """

    wanted: Wanted = Wanted.WRITTEN
    recorded: Recorded = Recorded.NO
    presence: Presence = Presence.ABSENT
    owner: Owner = Owner.OURS
    same: bool = True
    holder: Holder = Holder.NONE
    place: Place = Place.READY
    difference: Difference = Difference.EQUAL
    drift: Drift = Drift.NONE
    job: Job = Job.NO
    begun: bool = False
    shared: bool = False
    take_over: bool = False
    once: bool = False
    absent_is_fine: bool = False
    unready: bool = False
    never_deleted: bool = False
    listed: bool = False
    others: bool = False
    guests: bool = False
    restores: bool = False
    contradicts: bool = False
    pruned: bool = False


class Reason(StrEnum):
    """Why an object is refused."""

    CONTRADICTION = "two policies contradict each other"
    FORBIDDEN = "not permitted to read"
    MISSING = "an object that is only read does not exist"
    NO_KIND = "the cluster does not serve its kind"
    NO_NAMESPACE = "its namespace does not exist"
    TWO_STAGES = "two stages would own it"
    UNHELD = "it is this application's, and no stack holds it"
    NOT_OURS = "it is somebody else's"
    TAKEN = "somebody else has taken it over"
    JOB_FAILED = "the Job has failed"
    FIXED = "a field cannot be changed, and what it holds would be lost"
    CONFLICT = "somebody else holds a field"
    GUESTS = "it holds objects of others"


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        when: Column and value; a tuple of values stands for any of them.
        operation: What happens then.
        cause: Why, where it does not go without saying.
        reason: Why it is refused.
        note: What people see.
    """

    when: Mapping[str, Any]
    operation: Operation
    cause: Cause | None = None
    reason: Reason | None = None
    note: str = field(default="", compare=False)

    def fits(self, situation: Situation) -> bool:
        """Whether the row says what happens in a situation."""
        return all(
            getattr(situation, name) in value
            if isinstance(value, tuple)
            else getattr(situation, name) == value
            for name, value in self.when.items()
        )


def _refuse(reason: Reason, **when: Any) -> Row:
    return Row(when, Operation.REFUSE, reason=reason, note=str(reason))


def _row(operation: Operation, cause: Cause | None = None, note: str = "", **when: Any) -> Row:
    return Row(when, operation, cause, note=note)


_MADE: dict[str, Any] = {"wanted": Wanted.WRITTEN, "recorded": (Recorded.NO, Recorded.READ)}
_HELD: dict[str, Any] = {"wanted": Wanted.WRITTEN, "recorded": Recorded.HELD}
_GOING: dict[str, Any] = {"wanted": Wanted.NO, "recorded": Recorded.HELD}
_ELSEWHERE = (Owner.SIBLING, Owner.FOREIGN)
_HERE: dict[str, Any] = {"presence": Presence.PRESENT}
_AWAY: dict[str, Any] = {"presence": Presence.ABSENT}

TABLE: tuple[Row, ...] = (
    _refuse(Reason.CONTRADICTION, wanted=Wanted.WRITTEN, contradicts=True),
    _row(
        Operation.OWED,
        note="the cluster does not answer",
        presence=Presence.UNKNOWN,
    ),
    _refuse(Reason.FORBIDDEN, presence=Presence.FORBIDDEN),
    # Wanted, only to be read.
    _row(Operation.READ, note="only read", wanted=Wanted.READ_ONLY, **_HERE),
    _refuse(Reason.MISSING, wanted=Wanted.READ_ONLY, **_AWAY),
    _row(
        Operation.OWED,
        Cause.TAKEN,
        "it is waited for until it has gone",
        wanted=(Wanted.WRITTEN, Wanted.READ_ONLY),
        presence=Presence.DELETING,
    ),
    # Wanted, and the stack does not hold it.
    _refuse(Reason.TWO_STAGES, holder=Holder.KEEPS, **_MADE, **_AWAY),
    _refuse(Reason.NO_KIND, place=Place.NO_KIND, **_MADE, **_AWAY),
    _refuse(Reason.NO_NAMESPACE, place=Place.NO_NAMESPACE, **_MADE, **_AWAY),
    _row(Operation.CREATE, note="created, with its content", **_MADE, **_AWAY),
    _row(
        Operation.HAND_OVER,
        note="from the stage that gives it up",
        owner=Owner.OURS,
        holder=Holder.GIVES,
        **_MADE,
        **_HERE,
    ),
    _refuse(Reason.TWO_STAGES, owner=Owner.OURS, holder=Holder.KEEPS, **_MADE, **_HERE),
    _row(
        Operation.TAKE_OVER,
        Cause.INTERRUPTED,
        "goes on with what an interrupted run has made",
        owner=Owner.OURS,
        begun=True,
        **_MADE,
        **_HERE,
    ),
    _row(
        Operation.TAKE_OVER,
        Cause.OTHERS,
        "inherited from the application that shared it",
        wanted=Wanted.WRITTEN,
        recorded=Recorded.READ,
        owner=Owner.OURS,
        **_HERE,
    ),
    _row(
        Operation.READ,
        note="shared with its owner",
        wanted=Wanted.WRITTEN,
        recorded=Recorded.READ,
        owner=_ELSEWHERE,
        shared=True,
        listed=True,
        **_HERE,
    ),
    _row(
        Operation.SHARE,
        note="shared with its owner from now on",
        owner=Owner.SIBLING,
        shared=True,
        listed=False,
        **_MADE,
        **_HERE,
    ),
    _row(
        Operation.TAKE_OVER,
        note="live fields become what is wanted; the way back restores them",
        take_over=True,
        **_MADE,
        **_HERE,
    ),
    _refuse(Reason.UNHELD, owner=Owner.OURS, **_MADE, **_HERE),
    _refuse(Reason.NOT_OURS, **_MADE, **_HERE),
    # Wanted, and the stack holds it, but the cluster does not.
    _row(
        Operation.NONE,
        Cause.COMPLETED,
        "done",
        job=Job.COMPLETED,
        difference=Difference.EQUAL,
        **_HELD,
        **_AWAY,
    ),
    _row(
        Operation.LEAVE,
        Cause.ABSENT,
        "deleted in the cluster, and a policy leaves that",
        absent_is_fine=True,
        difference=Difference.EQUAL,
        **_HELD,
        **_AWAY,
    ),
    _refuse(Reason.NO_KIND, place=Place.NO_KIND, **_HELD, **_AWAY),
    _refuse(Reason.NO_NAMESPACE, place=Place.NO_NAMESPACE, **_HELD, **_AWAY),
    _row(Operation.CREATE, Cause.LOST, "deleted in the cluster by others", **_HELD, **_AWAY),
    # Wanted, held and there.
    _row(
        Operation.SHARE,
        note="shared with the one who owns it now",
        owner=_ELSEWHERE,
        shared=True,
        **_HELD,
        **_HERE,
    ),
    _row(Operation.TAKE_OVER, owner=_ELSEWHERE, take_over=True, **_HELD, **_HERE),
    _refuse(Reason.TAKEN, owner=_ELSEWHERE, **_HELD, **_HERE),
    _row(Operation.TAKE_OVER, owner=Owner.NOBODY, same=False, take_over=True, **_HELD, **_HERE),
    _refuse(Reason.NOT_OURS, owner=Owner.NOBODY, same=False, **_HELD, **_HERE),
    _row(
        Operation.LEAVE,
        note="a policy leaves it as it is",
        once=True,
        **_HELD,
        **_HERE,
    ),
    _refuse(Reason.JOB_FAILED, job=Job.FAILED, difference=Difference.EQUAL, **_HELD, **_HERE),
    _refuse(Reason.FIXED, difference=Difference.FIXED, **_HELD, **_HERE),
    _row(
        Operation.REPLACE,
        note="deleted and created again",
        difference=Difference.REPLACED,
        **_HELD,
        **_HERE,
    ),
    _refuse(Reason.CONFLICT, difference=Difference.CONFLICT, **_HELD, **_HERE),
    _row(
        Operation.UPDATE,
        note="fields before and after; what has drifted is put back with it",
        difference=Difference.CHANGED,
        **_HELD,
        **_HERE,
    ),
    _row(
        Operation.MEND,
        note="exactly the fields that others have changed are put back",
        drift=Drift.DRIFTED,
        **_HELD,
        **_HERE,
    ),
    _row(
        Operation.NONE,
        Cause.UNREADY,
        "why it did not get ready",
        unready=True,
        **_HELD,
        **_HERE,
    ),
    _row(Operation.LEAVE, note="value and owner", drift=Drift.LEFT, **_HELD, **_HERE),
    _row(Operation.NONE, **_HELD, **_HERE),
    # Not rendered, and a policy or another step keeps it.
    _row(
        Operation.FORGET,
        Cause.UNREAD,
        "only read, and gone",
        wanted=(Wanted.KEPT, Wanted.NO),
        recorded=Recorded.READ,
        **_AWAY,
    ),
    _row(Operation.READ, wanted=Wanted.KEPT, recorded=Recorded.READ),
    _row(Operation.KEEP, note="stays as it is", wanted=Wanted.KEPT, recorded=Recorded.HELD),
    # No longer wanted.
    _row(
        Operation.KEEP,
        Cause.PRUNE,
        "deleted when the workflow has succeeded",
        pruned=False,
        **_GOING,
    ),
    _row(Operation.READ, pruned=False, wanted=Wanted.NO, recorded=Recorded.READ),
    _row(
        Operation.HAND_OVER,
        note="to the stage that takes it; kept until then",
        holder=Holder.TAKES,
        **_GOING,
    ),
    _row(
        Operation.FORGET,
        Cause.TAKEN,
        "another stage of the application holds it",
        holder=(Holder.GIVES, Holder.KEEPS),
        **_GOING,
    ),
    _row(Operation.FORGET, note="nothing to delete", **_GOING, **_AWAY),
    _row(
        Operation.DISOWN,
        Cause.OTHERS,
        "the application no longer shares it",
        owner=_ELSEWHERE,
        shared=True,
        **_GOING,
        **_HERE,
    ),
    _row(Operation.FORGET, Cause.OTHERS, "it is somebody else's now", owner=_ELSEWHERE, **_GOING),
    _row(
        Operation.FORGET,
        Cause.OTHERS,
        "it is not the object that was delivered",
        owner=Owner.NOBODY,
        same=False,
        **_GOING,
    ),
    _row(
        Operation.DISOWN,
        Cause.RESTORED,
        "gets back what it was before it was taken over",
        restores=True,
        others=False,
        **_GOING,
        **_HERE,
    ),
    _row(
        Operation.DISOWN,
        Cause.OTHERS,
        "handed to the next application that shares it",
        others=True,
        **_GOING,
    ),
    _row(
        Operation.DISOWN,
        note="no longer managed; left in the cluster",
        never_deleted=True,
        **_GOING,
    ),
    _refuse(Reason.GUESTS, guests=True, **_GOING),
    _row(Operation.DELETE, note="deleted", **_GOING),
    _row(
        Operation.DISOWN,
        note="inherited; no longer managed, and left in the cluster",
        wanted=Wanted.NO,
        recorded=Recorded.READ,
        owner=Owner.OURS,
        shared=True,
        others=False,
        never_deleted=True,
        **_HERE,
    ),
    _row(
        Operation.DELETE,
        note="inherited from the applications that shared it, and deleted by the last one",
        wanted=Wanted.NO,
        recorded=Recorded.READ,
        owner=Owner.OURS,
        shared=True,
        others=False,
        holder=Holder.NONE,
        guests=False,
        **_HERE,
    ),
    _row(
        Operation.DISOWN,
        Cause.OTHERS,
        "the application no longer shares it",
        wanted=Wanted.NO,
        recorded=Recorded.READ,
        shared=True,
        **_HERE,
    ),
    _row(
        Operation.FORGET,
        Cause.UNREAD,
        "no longer read",
        wanted=Wanted.NO,
        recorded=Recorded.READ,
    ),
)


class NoRow(Exception):
    """No row of the table fits, which a test over all situations rules out."""


def row_for(situation: Situation) -> Row:
    """The row that decides.

    Args:
        situation: What is known of an object that is wanted, or that the stack has.

    Raises:
        NoRow: The object is neither wanted nor held.
    """
    for row in TABLE:
        if row.fits(situation):
            return row
    raise NoRow(situation)


_OPERATIONS: Mapping[Operation, str] = {
    Operation.CREATE: "it is made",
    Operation.UPDATE: "fields that the application has changed are written",
    Operation.MEND: "exactly the fields that others have changed are put back",
    Operation.REPLACE: "it is deleted and made again",
    Operation.TAKE_OVER: "it is there already, and becomes what is wanted and the stage's",
    Operation.HAND_OVER: "it goes from one stage of the application to another",
    Operation.SHARE: "somebody else's object is used, and its annotation says so",
    Operation.READ: "it is only read",
    Operation.LEAVE: "it is left as others have made it",
    Operation.KEEP: "it is no longer wanted, and stays for now",
    Operation.DISOWN: "the stack forgets it; its labels say that it is no longer managed",
    Operation.FORGET: "the stack forgets it; nothing is written",
    Operation.DELETE: "it is deleted",
    Operation.NONE: "nothing",
    Operation.OWED: "it is left to a later run",
    Operation.REFUSE: "nothing of the stage is written, and the run ends with the reason",
}

_FURTHER: Mapping[tuple[str, Any], str] = {
    ("same", False): "others have recreated it",
    ("begun", True): "an interrupted run had begun to make it",
    ("shared", True): "its applications share it",
    ("take_over", True): "a policy takes it over",
    ("once", True): "a policy leaves it as it is once it is there",
    ("absent_is_fine", True): "a policy leaves it away",
    ("unready", True): "it was not seen to get ready",
    ("never_deleted", True): "a policy never deletes it",
    ("listed", True): "it names the application among them",
    ("listed", False): "it does not name the application among them",
    ("others", True): "other applications share it, too",
    ("others", False): "no other application shares it",
    ("guests", True): "it is a Namespace or a CRD with objects of others",
    ("guests", False): "it holds no objects of others",
    ("restores", True): "the delivery that has taken it over is taken back",
    ("contradicts", True): "one policy replaces it, and another never deletes it",
    ("pruned", False): "the workflow has not succeeded yet",
}
"""What a row says of the columns that are true or false."""

_NAMES: Mapping[str, str] = {
    "owner": "it belongs to", "holder": "", "place": "", "difference": "difference:",
    "drift": "drift:", "job": "the Job has",
}  # fmt: skip
"""What stands before the values of the other columns."""


def page() -> Iterator[str]:
    """The table as a page of Markdown."""
    yield "# What happens to an object"
    yield ""
    yield (
        "Of each object three things are known: what the application wants, as its file is "
        "rendered and its policies say; what the stage's stack has recorded of the last delivery; "
        "and what the cluster has. The first row of the table that fits decides what happens. What "
        "a row does not name may be anything. Plans, digests, screens and the engine follow from "
        "it, so all of them say the same."
    )
    yield ""
    yield (
        "*Difference* is how what is wanted differs from what is recorded, *drift* how what is in "
        "the cluster differs from what was last written, both in the fields that the application "
        "names."
    )
    yield ""
    yield (
        "An object is the same one by the cluster's identity, its group and kind, its namespace and"
        " its name. It belongs to this application when its labels name the application and the "
        "project *and* a stack of the project holds it: the labels alone make nobody the owner. "
        "One without the project's label, from an earlier version, belongs to it where the stack "
        "holds it."
    )
    yield ""
    yield "| wanted | in the stack | in the cluster | further | operation | what people see |"
    yield "|---|---|---|---|---|---|"
    for row in TABLE:
        first = (_values(row.when.get(name)) for name in _FIRST)
        further = "; ".join(
            _further(name, value) for name, value in row.when.items() if name not in _FIRST
        )
        because = f" ({row.cause})" if row.cause else ""
        yield f"| {' | '.join(first)} | {further} | {row.operation}{because} | {row.note} |"
    yield ""
    yield "The operations:"
    yield ""
    yield from (f"- **{operation}**: {text}." for operation, text in _OPERATIONS.items())


_FIRST = ("wanted", "recorded", "presence")


def _further(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return _FURTHER[name, value]
    return f"{_NAMES[name]} {_values(value)}".strip()


def _values(value: Any) -> str:
    if value is None:
        return ""
    return " or ".join(map(str, value)) if isinstance(value, tuple) else str(value)
