"""What happens to one object: the only place where that is decided.

It takes what is wanted, what the stack has recorded and what is live, and gives the operation with
its fields. Plan, digest, screens, registration with the engine and the way back are views of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from velapulumi.clusters.managed import Manager, managers_of
from velapulumi.definitions.rules.fieldpath import (
    MISSING,
    Parts,
    value_at,
    with_value_at,
    without_value_at,
)
from velapulumi.engine.record import SEALED, RecordedObject
from velapulumi.plan.document import Cause, Operation
from velapulumi.plan.fields import FieldChange, differences, is_revision_label, owned
from velapulumi.plan.fixed import fixed_fields, is_precious
from velapulumi.plan.normal import changed_fields, normal
from velapulumi.plan.objects import ObjectKey
from velapulumi.render.rules import (
    PROJECT,
    SHARERS,
    Treatment,
    owner_of,
    project_of,
    registered,
    sharers_of,
)
from velapulumi.stage.operations_table import (
    Difference,
    Drift,
    Holder,
    Job,
    Owner,
    Place,
    Presence,
    Reason,
    Recorded,
    Situation,
    Wanted,
    row_for,
)

SECRET = "Secret"
_VALUES = ("data", "stringData")
_HIDDEN, _OTHER = "[secret]", "[another secret]"


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
        mends: Whether the policies have put back what others have deleted or changed.
        takes_fields: Whether fields that others hold are taken from them.
        guests: What objects of others it holds, in words; of a Namespace or a CRD.
        left_behind: Whether the stack says that it is never deleted.
        restores: What it was before it was taken over, where that is taken back: the fields with
            their values then, None for one that was not there.
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
    mends: bool = True
    takes_fields: bool = False
    guests: str = ""
    left_behind: bool = False
    restores: tuple[tuple[Parts, Any], ...] | None = None
    pruned: bool = False

    @property
    def object(self) -> Mapping[str, Any]:
        """The object as far as it is known: rendered, recorded or live."""
        held = self.recorded or self.read
        return self.wanted or (held.manifest if held else self.live.manifest) or {}


@dataclass(frozen=True)
class DriftedField:
    """A field that others have changed in the cluster.

    Attributes:
        path: Where it is.
        live: Its value there; None when it is not there.
        desired: The value it was delivered with.
        managers: Who holds it now.
        left: Whether it is left as it is.
    """

    path: Parts
    live: Any
    desired: Any
    managers: tuple[Manager, ...] = ()
    left: bool = False


@dataclass(frozen=True)
class Decision:
    """What happens to an object.

    Attributes:
        facts: What that follows from.
        operation: What happens.
        cause: Why, where it does not go without saying.
        reason: Why it is refused.
        changes: The fields that the application changes, without revision labels.
        drift: The fields that others have changed.
        fixed: The fields for which it is replaced, or refused.
        conflicts: The fields that somebody else holds with another value.
    """

    facts: Facts
    operation: Operation
    cause: Cause | None = None
    reason: Reason | None = None
    changes: tuple[FieldChange, ...] = ()
    drift: tuple[DriftedField, ...] = ()
    fixed: tuple[Parts, ...] = ()
    conflicts: tuple[DriftedField, ...] = ()

    @property
    def key(self) -> ObjectKey:
        return self.facts.key

    @property
    def owner(self) -> Owner:
        """Whose the live object is."""
        return owner(self.facts)

    @property
    def owner_name(self) -> str:
        """The application that the live object belongs to; empty for none, or ours."""
        live = self.facts.live.manifest
        name = owner_of(live) if live is not None else ""
        return name if self.owner in (Owner.SIBLING, Owner.FOREIGN) else ""

    @property
    def taken(self) -> tuple[Parts, ...]:
        """The fields that are taken from whoever holds them before the object is written."""
        paths = [drifted.path for drifted in self.drift if not drifted.left]
        return (*paths, *(conflict.path for conflict in self.conflicts))

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """The object as it is put into the stack: without what is left to others."""
        manifest = desired(self.facts)
        for drifted in self.drift:
            if drifted.left and value_at(drifted.path, manifest) == drifted.desired:
                manifest = without_value_at(drifted.path, manifest)
        return manifest


def decide(facts: Facts) -> Decision:
    """Decide what happens to an object.

    Deciding twice without a write in between gives the same.

    Args:
        facts: What is known of it.
    """
    comparison = _Comparison(facts)
    situation = comparison.situation()
    row = row_for(situation)
    cause = row.cause
    if row.operation is Operation.UPDATE and not comparison.changes:
        cause = Cause.REVISION
    shows = row.operation not in (
        Operation.CREATE,
        Operation.NONE,
        Operation.MEND,
        Operation.LEAVE,
    )
    restored = tuple(_restored(facts)) if cause is Cause.RESTORED else ()
    return Decision(
        facts,
        row.operation,
        cause,
        row.reason,
        changes=comparison.shown if shows and not restored else restored,
        drift=comparison.drift if row.operation in _WITH_DRIFT else (),
        fixed=comparison.fixed,
        conflicts=comparison.conflicts,
    )


def _restored(facts: Facts) -> Iterator[FieldChange]:
    """The fields that get back the values they had before the object was taken over."""
    for path, value in facts.restores or ():
        now = value_at(path, facts.live.manifest)
        before = None if now is MISSING else now
        if before != value:
            yield FieldChange(path, before, value)


_WITH_DRIFT = (Operation.UPDATE, Operation.MEND, Operation.LEAVE, Operation.REPLACE)


def desired(facts: Facts) -> Mapping[str, Any]:
    """The object as the application wants it in the cluster, policies considered.

    Args:
        facts: What is known of it; it is rendered.
    """
    assert facts.wanted is not None
    live = facts.live.manifest
    if live is None and facts.recorded is not None:
        live = facts.recorded.manifest
    return _with_recorded_template(
        registered(dict(facts.wanted), live, facts.treatment), facts.recorded
    )


def _with_recorded_template(
    manifest: Mapping[str, Any], recorded: RecordedObject | None
) -> Mapping[str, Any]:
    """A Job with the template it has, where only labels of revisions differ: it cannot change."""
    if recorded is None or manifest["kind"] != "Job":
        return manifest
    template = value_at(_TEMPLATE, recorded.manifest)
    if template is MISSING:
        return manifest
    changes = differences(normal(_at(template)), normal(_at(value_at(_TEMPLATE, manifest))))
    if all(is_revision_label(change.path) for change in changes):
        return dict(with_value_at(_TEMPLATE, manifest, template))
    return manifest


_TEMPLATE: Parts = ("spec", "template")


def _at(template: Any) -> dict[str, Any]:
    return {"spec": {"template": template}}


class _Comparison:
    """What is wanted, recorded and live beside each other."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._desired = desired(facts) if facts.wanted is not None else None
        self._live = facts.live.manifest
        self._all_changes = tuple(self._changes())
        self.changes = tuple(
            change for change in self._all_changes if not is_revision_label(change.path)
        )
        self.drift = tuple(self._drift())
        held = facts.recorded is not None and self._desired is not None
        self.fixed = self._fixed() if held else ()
        self.conflicts = tuple(self._conflicts()) if held else ()

    @property
    def shown(self) -> tuple[FieldChange, ...]:
        """The changes without values that nobody may see."""
        return tuple(hidden(self._facts.key.kind, self.changes))

    def situation(self) -> Situation:
        """What the decision depends on."""
        facts, treatment = self._facts, self._facts.treatment
        sharers = sharers_of(self._live) if self._live is not None else ()
        return Situation(
            wanted=self._wanted(),
            recorded=_recorded(facts),
            presence=facts.live.presence,
            owner=owner(facts),
            same=self._is_same(),
            holder=_holder(facts),
            place=facts.place,
            difference=self._difference(),
            drift=self._drift_kind(),
            job=_job(facts),
            begun=facts.begun,
            shared=_is_shared(facts, sharers),
            take_over=treatment.take_over,
            once=treatment.frozen,
            absent_is_fine=not facts.mends,
            unready=facts.recorded is not None and not facts.recorded.ready,
            never_deleted=treatment.never_deleted or facts.left_behind,
            others=any(name != facts.application for name in sharers),
            guests=bool(facts.guests),
            restores=facts.restores is not None,
            contradicts=bool(treatment.recreated) and (treatment.never_deleted or treatment.shared),
            pruned=facts.pruned,
        )

    def _wanted(self) -> Wanted:
        facts = self._facts
        if facts.wanted is not None:
            return Wanted.READ_ONLY if facts.treatment.read_only else Wanted.WRITTEN
        return Wanted.KEPT if facts.stays else Wanted.NO

    def _is_same(self) -> bool:
        facts = self._facts
        if self._live is None or facts.recorded is None or not facts.recorded.uid:
            return True
        return str(self._live["metadata"].get("uid") or "") == facts.recorded.uid

    def _changes(self) -> Iterator[FieldChange]:
        """How what is wanted differs from what was asked for, or from what is live.

        What is not recorded is compared with the live object. So is what the engine has not seen
        come up: it records what it asked for even when the server refused it.
        """
        facts, wanted, live = self._facts, self._desired, self._live
        if wanted is None:
            return
        recorded = facts.recorded
        if recorded is not None and (recorded.ready or live is None):
            found = _secretless(wanted, recorded.manifest, recorded.outputs)
        elif live is not None:
            found = _secretless(wanted, owned(live, wanted), live)
        else:
            return
        for change in found:
            if change.path == _MARK or self._keeps(change.path):
                continue
            said = value_at(SHARERS, live) if change.path == SHARERS else MISSING
            if said is MISSING or said != change.after:  # who joins says so on the object itself
                yield change
        yield from (c for c in self._secret_changes() if not self._keeps(c.path))

    def _secret_changes(self) -> Iterator[FieldChange]:
        """The values of a Secret that change, compared with the cluster: stacks encrypt them."""
        facts, wanted = self._facts, self._desired
        if facts.key.kind != SECRET or wanted is None or not self._is_another_component():
            return
        if self._live is not None:
            yield from _values_changed(self._live, wanted)
        elif facts.recorded is not None:
            yield FieldChange(("data",), _HIDDEN, _OTHER)

    def _is_another_component(self) -> bool:
        """Whether the component has changed since the Secret was last written."""
        recorded = self._facts.recorded
        if recorded is None or not recorded.ready or self._desired is None:
            return True
        before, now = recorded.manifest, self._desired
        return bool(_component_revision(before) != _component_revision(now))

    def _drift(self) -> Iterator[DriftedField]:
        facts, live, recorded = self._facts, self._live, self._facts.recorded
        if live is None or recorded is None or self._desired is None or not recorded.ready:
            return
        before = normal(owned(recorded.outputs, self._desired))
        now = normal(owned(live, self._desired))
        found = list(differences(_without_values(before), _without_values(now)))
        tells = facts.key.kind == SECRET and not _has_sealed_values(self._desired)
        if tells and not self._is_another_component():
            found += (
                FieldChange(change.path, change.after, change.before)
                for change in _values_changed(live, self._desired)
            )
        for change in found:
            if change.path in (_MARK, SHARERS) or is_revision_label(change.path):
                continue
            if self._keeps(change.path):
                continue
            managers = managers_of(live, change.path)
            wanted = value_at(change.path, self._desired)
            yield DriftedField(
                change.path,
                change.after,
                change.before if wanted is MISSING or _is_value(facts, change.path) else wanted,
                managers,
                left=facts.treatment.frozen
                or not facts.mends
                or any(manager.is_controller for manager in managers),
            )

    def _keeps(self, path: Parts) -> bool:
        return any(path[: len(kept)] == kept for kept in self._facts.treatment.kept)

    def _drift_kind(self) -> Drift:
        if any(not drifted.left for drifted in self.drift):
            return Drift.DRIFTED
        return Drift.LEFT if self.drift else Drift.NONE

    def _fixed(self) -> tuple[Parts, ...]:
        recorded = self._facts.recorded
        sides = (self._desired, self._live, recorded.manifest if recorded else None)
        return fixed_fields(
            (self._facts.key.group, self._facts.key.kind),
            self.changes,
            immutable=any(side is not None and side.get("immutable") is True for side in sides),
            recreated=self._facts.treatment.recreated,
        )

    def _conflicts(self) -> Iterator[DriftedField]:
        """The fields that the application names for the first time, and that somebody else holds.

        Their live values are other ones, so writing them would take them from somebody.
        """
        recorded, live = self._facts.recorded, self._live
        if recorded is None or live is None:
            return
        for change in self.changes:
            there = value_at(change.path, normal(live))
            if there is MISSING or value_at(change.path, recorded.manifest) is not MISSING:
                continue
            for each in differences(owned(there, change.after), change.after, change.path):
                managers = tuple(m for m in managers_of(live, each.path) if not m.is_engine)
                if each.before is not None and managers:
                    yield DriftedField(each.path, each.before, each.after, managers)

    def _difference(self) -> Difference:
        facts = self._facts
        if not self._all_changes or facts.recorded is None:
            return Difference.EQUAL
        if self.fixed:
            named = facts.treatment.recreated
            allowed = all(any(path[: len(n)] == n for n in named) for path in self.fixed)
            precious = is_precious(facts.key.group, facts.key.kind, self._live)
            return Difference.REPLACED if allowed or not precious else Difference.FIXED
        if self.conflicts and not facts.takes_fields:
            return Difference.CONFLICT
        return Difference.CHANGED


_MARK: Parts = ("metadata", "labels", PROJECT)
_COMPONENT_REVISION: Parts = ("metadata", "labels", "app.oam.dev/revision")


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
        return Owner.OURS if project or held is not None or facts.begun else Owner.FOREIGN
    return Owner.SIBLING if project or sharers_of(live) else Owner.FOREIGN


def hidden(kind: str, changes: Iterable[FieldChange]) -> Iterator[FieldChange]:
    """Changes without values that nobody may see.

    Args:
        kind: The kind of the object.
        changes: Its changes.
    """
    for change in changes:
        if kind == SECRET and change.path[0] in _VALUES:
            before = None if change.before is None else _HIDDEN
            after = None if change.after is None else _OTHER if before else _HIDDEN
            yield FieldChange(change.path, before, after)
        else:
            yield change


def _secretless(
    wanted: Mapping[str, Any], recorded: Mapping[str, Any], outputs: Mapping[str, Any]
) -> Iterator[FieldChange]:
    """The changes outside the values of Secrets and of what a stack has encrypted."""
    for change in changed_fields(
        _without_values(wanted), _without_values(recorded), _without_values(outputs)
    ):
        if not _is_sealed(change.before):
            yield change


def _without_values(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    if manifest.get("kind") != SECRET:
        return manifest
    return {key: value for key, value in manifest.items() if key not in _VALUES}


def _values_changed(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[FieldChange]:
    before, after = (
        normal(each).get("data") or {} for each in (owned(live, _merged(wanted)), wanted)
    )
    yield from differences(before, after, ("data",))


def _merged(secret: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Secret with all its values where the cluster keeps them."""
    return {**secret, "data": normal(secret).get("data") or {}}


def _has_sealed_values(manifest: Mapping[str, Any]) -> bool:
    """Whether the values of a Secret are encrypted, as a stack has them."""
    return any(_is_sealed(manifest.get(key)) for key in _VALUES)


def _is_value(facts: Facts, path: Parts) -> bool:
    return facts.key.kind == SECRET and path[0] == "data"


def _is_sealed(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {SEALED}


def _component_revision(manifest: Mapping[str, Any]) -> Any:
    return value_at(_COMPONENT_REVISION, manifest)


def _recorded(facts: Facts) -> Recorded:
    if facts.recorded is not None:
        return Recorded.HELD
    return Recorded.READ if facts.read is not None else Recorded.NO


def _holder(facts: Facts) -> Holder:
    if facts.other is None:
        return Holder.NONE
    if facts.other.takes:
        return Holder.TAKES
    return Holder.KEEPS if facts.other.keeps else Holder.GIVES


def _is_shared(facts: Facts, sharers: tuple[str, ...]) -> bool:
    """Whether all who have the object share it; what is no longer wanted, whether we share it."""
    if facts.wanted is None:
        return facts.application in sharers
    return facts.treatment.shared and bool(sharers)


def _job(facts: Facts) -> Job:
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
