"""What is known of one object: as it is wanted, recorded and live, and who else has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from velapulumi.clusters.elements import list_keys
from velapulumi.clusters.managed import ENGINE, Manager, managers_of
from velapulumi.definitions.rules.fieldpath import (
    MISSING,
    Parts,
    value_at,
    with_value_at,
)
from velapulumi.engine.record import RecordedObject
from velapulumi.plan.fields import FieldChange, differences, is_revision_label, owned
from velapulumi.plan.normal import normal
from velapulumi.plan.objects import ObjectKey
from velapulumi.plan.places import FieldPlace, located, place_of
from velapulumi.render.rules import (
    TAKEN,
    Treatment,
    owner_of,
    project_of,
    registered,
    sharers_of,
)
from velapulumi.stage.others import held_by_us
from velapulumi.stage.situation import (
    Back,
    Holder,
    Job,
    Owner,
    Place,
    Presence,
    Recorded,
    Wanted,
)
from velapulumi.stage.taken import Taken, restored, restored_fields


@dataclass(frozen=True)
class Live:
    """What a cluster has of an object.

    Attributes:
        presence: Whether it is there.
        manifest: The object, when it is.
        detail: Why that is not known, in the cluster's words.
    """

    presence: Presence
    manifest: Mapping[str, Any] | None = None
    detail: str = ""


@dataclass(frozen=True)
class Other:
    """Another stage of the application that holds the object, or takes it.

    Attributes:
        stage: Its name.
        keeps: Whether it goes on delivering it.
        takes: Whether it does not hold it yet, and will.
    """

    stage: str
    keeps: bool
    takes: bool = False


@dataclass(frozen=True)
class Facts:
    """All that is known of one object.

    Attributes:
        key: What identifies it.
        application: The application, ``<namespace>/<name>``.
        project: The identity of the project; empty before its first delivery.
        live: What its cluster has.
        wanted: The object as it is rendered; None when it is not.
        stays: Whether it stays as it is recorded, where it is not rendered.
        treatment: What the policies say about it.
        recorded: What the stack holds of it.
        read: What the stack has of it as one that it only reads.
        other: Another stage that holds it.
        place: Whether its cluster can take it.
        begun: Whether a run had begun to make it and did not finish.
        pending: What the stack says of it then: as that run was making it, or as it was found.
        mends: Whether the policies have put back what others have deleted or changed.
        takes_fields: Whether fields that others hold are taken from them.
        guests: What would be lost with it, in words, as "it holds …"; of a Namespace or a CRD.
        awaits: The other stages of the application that delete what else it holds, before it.
        left_behind: Whether the stack says that it is never deleted.
        taken: How it was taken over, where that is taken back.
        pruned: Whether what is no longer wanted goes now.
    """

    key: ObjectKey
    application: str
    project: str
    live: Live
    wanted: Mapping[str, Any] | None = None
    stays: bool = False
    treatment: Treatment = field(default_factory=Treatment)
    recorded: RecordedObject | None = None
    read: RecordedObject | None = None
    other: Other | None = None
    place: Place = Place.READY
    begun: bool = False
    pending: RecordedObject | None = None
    mends: bool = True
    takes_fields: bool = False
    guests: str = ""
    awaits: frozenset[str] = frozenset()
    left_behind: bool = False
    taken: Taken | None = None
    pruned: bool = False

    @property
    def object(self) -> Mapping[str, Any]:
        """The object as far as it is known: rendered, recorded, live or as it was being made."""
        held = self.recorded or self.read
        known = self.wanted or (held.manifest if held else self.live.manifest)
        return known or (self.pending.manifest if self.pending else {})

    @property
    def named(self) -> Mapping[str, Any]:
        """The live object as far as the application names it.

        What was only found before an interrupted run took it over does not say that: whoever holds
        a field tells.
        """
        held = self.recorded or self.read or self.pending
        live = self.live.manifest
        if held is not None and not (held is self.pending and held.found):
            return held.manifest
        return held_by_us(live) if live is not None else {}

    @property
    def sides(self) -> tuple[Mapping[str, Any] | None, ...]:
        """The object as the cluster and as the stack has it, as one of its own; None for not."""
        return self.live.manifest, self.recorded.manifest if self.recorded else None


@dataclass(frozen=True)
class DriftedField:
    """A field that others have changed in the cluster.

    Attributes:
        path: Where it is, with the positions of the application's object.
        live: Its value there; None when it is not there.
        desired: The value it was delivered with.
        managers: Who holds it now.
        left: Whether it is left as it is.
        place: Where it is, whatever others have put into its lists.
    """

    path: Parts
    live: Any
    desired: Any
    managers: tuple[Manager, ...] = ()
    left: bool = False
    place: FieldPlace = ()


def owner(facts: Facts) -> Owner:
    """Whose the live object is, by the labels of the application and the mark of the project.

    Without a mark it may be one of an earlier version, so that it is ours where our stack holds it.
    """
    live = facts.live.manifest
    if live is None:
        return Owner.OURS
    name, project = owner_of(live), project_of(live)
    if not name:
        return Owner.NOBODY
    if project and project != facts.project:
        return Owner.FOREIGN
    if name == facts.application:
        held = facts.recorded or facts.read
        return Owner.OURS if project or held is not None else Owner.FOREIGN
    return Owner.SIBLING if project or sharers_of(live) else Owner.FOREIGN


def is_undone(facts: Facts) -> bool:
    """Whether it is what an interrupted run made, no stack holds, and no stage wants.

    It may be that, too, where nobody can tell what is there.
    """
    nowhere = facts.wanted is None and facts.recorded is None and facts.read is None
    there = facts.live.presence is Presence.PRESENT and owner(facts) is Owner.OURS
    unknown = facts.live.presence in (Presence.UNKNOWN, Presence.FORBIDDEN)
    return nowhere and (there or unknown) and facts.begun and facts.other is None


def managers_at(facts: Facts, path: Parts) -> tuple[Manager, ...]:
    """The managers of a field of the live object; none of what is not there.

    Args:
        facts: What is known of it.
        path: The field, with the positions of the live object.
    """
    if facts.live.manifest is None:
        return ()
    return tuple(as_known(facts, each) for each in managers_of(facts.live.manifest, path))


def as_known(facts: Facts, manager: Manager) -> Manager:
    """A manager, and whether it is the engine of somebody else.

    Each object has an engine's manager of its own, which the stack knows: another is somebody's.

    Args:
        facts: What is known of the object.
        manager: One of its managers.
    """
    own = facts.recorded.manager if facts.recorded else ""
    return replace(manager, foreign=bool(own) and manager.is_engine and manager.name != own)


def manager_of(recorded: RecordedObject) -> str:
    """The field manager that the engine's provider writes an object as."""
    return recorded.manager or ENGINE


def wanted_as(facts: Facts) -> Wanted:
    """What the application wants of it."""
    if facts.wanted is not None:
        return Wanted.READ_ONLY if facts.treatment.read_only else Wanted.WRITTEN
    return Wanted.KEPT if facts.stays else Wanted.NO


def is_same(facts: Facts) -> bool:
    """Whether the live object is the one that the stack has written, as far as is known."""
    live, recorded = facts.live.manifest, facts.recorded
    if live is None or recorded is None or not recorded.uid:
        return True
    return str(live["metadata"].get("uid") or "") == recorded.uid


def recorded_as(facts: Facts) -> Recorded:
    """What the stage's stack has of it."""
    if facts.recorded is not None:
        return Recorded.HELD
    return Recorded.READ if facts.read is not None else Recorded.NO


def holder(facts: Facts) -> Holder:
    """What another stage of the application does with it."""
    if facts.other is None:
        return Holder.NONE
    if facts.other.takes:
        return Holder.TAKES
    return Holder.KEEPS if facts.other.keeps else Holder.GIVES


def is_shared(facts: Facts, sharers: tuple[str, ...]) -> bool:
    """Whether all who have the object share it; what is no longer wanted, whether we share it."""
    if facts.wanted is None:
        return facts.application in sharers
    return facts.treatment.shared and bool(sharers)


def back(facts: Facts) -> Back:
    """What the way back does with an object that was taken over.

    One that is not ours any more and does not say that it was taken over is let go already: by a
    run that was killed before its stack forgot it, or by hand.
    """
    taken, live = facts.taken, facts.live.manifest
    if taken is None or live is None:
        return Back.NO
    says_nothing = value_at(TAKEN, live) is MISSING
    is_as_before = taken.before is not None and not fields_back(facts)
    if says_nothing and (is_as_before or owner(facts) is not Owner.OURS):
        return Back.FREED
    return Back.UNKNOWN if taken.before is None else Back.KNOWN


def as_before(facts: Facts) -> Mapping[str, Any]:
    """The live object with what it was before it was taken over.

    Args:
        facts: What is known of it; it is there, and what it was is known.
    """
    return restored(*_taken_sides(facts))


def fields_back(facts: Facts) -> tuple[FieldChange, ...]:
    """The fields that get back the values they had before an object was taken over.

    Args:
        facts: What is known of it; it is there, and what it was is known.
    """
    return tuple(restored_fields(*_taken_sides(facts)))


_Sides = tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any], Callable[[Manager], bool]]


def _taken_sides(facts: Facts) -> _Sides:
    """An object as it is, as it was and as it is asked for, and who of its managers is ours."""
    live, taken = facts.live.manifest, facts.taken
    assert live is not None
    assert taken is not None
    assert taken.before is not None
    return live, taken.before, facts.named, lambda manager: as_known(facts, manager).is_ours


def job(facts: Facts) -> Job:
    """What became of a Job, by its conditions: the live ones, or the last that were recorded."""
    if facts.key.kind != "Job":
        return Job.NO
    recorded = facts.recorded.outputs if facts.recorded else {}
    status = (facts.live.manifest or recorded).get("status") or {}
    held = {
        condition.get("type")
        for condition in status.get("conditions") or ()
        if condition.get("status") == "True"
    }
    if "Complete" in held:
        return Job.COMPLETED
    return Job.FAILED if "Failed" in held else Job.NO


def desired(facts: Facts) -> Mapping[str, Any]:
    """The object as the application wants it in the cluster, policies considered.

    Args:
        facts: What is known of it; it is rendered.
    """
    assert facts.wanted is not None
    # What is left as it is once it is there is never written, so what the file says is shown.
    treatment = replace(facts.treatment, frozen=False)
    live = facts.live.manifest
    manifest: Mapping[str, Any] = registered(dict(facts.wanted), live, treatment)
    for path, there in kept_in(facts, live):
        if (value := value_at(there, live)) is not MISSING:
            manifest = with_value_at(path, manifest, value)
    begun = owned(live, manifest, list_keys(live)) if facts.begun and live else None
    made = facts.recorded.manifest if facts.recorded else begun
    return _with_made_template(manifest, made)


def kept_in(facts: Facts, value: Any) -> Iterator[tuple[Parts, Parts]]:
    """The fields whose live values a policy keeps.

    Args:
        facts: What is known of the object.
        value: Its manifest as somebody else has it, with more elements in its lists perhaps.

    Returns:
        Where the application has each field, and where it is in the value.
    """
    live = facts.live.manifest
    keys = list_keys(live) if live is not None else {}
    for path in facts.treatment.kept:
        there = located(place_of(path, facts.object, keys), value)
        if there is None:  # it may be a key field that others have changed
            there = located(place_of(path, facts.object), value)
        if there is not None:
            yield path, there


def _with_made_template(
    manifest: Mapping[str, Any], made: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """A Job with the template it has, where only labels of revisions differ: it cannot change."""
    if made is None or manifest["kind"] != "Job":
        return manifest
    template = value_at(_TEMPLATE, made)
    if template is MISSING:
        return manifest
    changes = differences(normal(_at(template)), normal(_at(value_at(_TEMPLATE, manifest))))
    if all(is_revision_label(change.path) for change in changes):
        return dict(with_value_at(_TEMPLATE, manifest, template))
    return manifest


_TEMPLATE: Parts = ("spec", "template")


def _at(template: Any) -> dict[str, Any]:
    return {"spec": {"template": template}}
