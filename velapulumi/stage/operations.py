"""What happens to one object: the only place where that is decided.

It takes what is wanted, what the stack has recorded and what is live, and gives the operation with
its fields. Plan, digest, screens, registration with the engine and the way back are views of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
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
from velapulumi.plan.fields import (
    FieldChange,
    FieldPlace,
    differences,
    is_revision_label,
    located,
    owned,
    place_of,
)
from velapulumi.plan.fixed import fixed_fields, is_precious
from velapulumi.plan.normal import changed_fields, normal
from velapulumi.plan.objects import ObjectKey
from velapulumi.render.rules import (
    MARK,
    SHARERS,
    TAKEN,
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
        restores: What it was before it was taken over, where that is taken back.
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
    restores: Mapping[str, Any] | None = None
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
    def taken(self) -> tuple[FieldPlace, ...]:
        """The fields that are taken from whoever holds them before the object is written."""
        drifted = [each.place for each in (*self.drift, *self.conflicts) if not each.left]
        written = (change for change in self.changes if change.after is not None)
        changed = [place_of(change.path, self.manifest) for change in written]
        return tuple(dict.fromkeys((*drifted, *changed)))

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """The object as it is put into the stack.

        What is left to others has its live value in it, so that the stack goes on naming it, and
        the next plan still knows that the application does.
        """
        manifest = desired(self.facts)
        for drifted in self.drift:
            path = located(drifted.place, manifest) if drifted.left else None
            if path is None or drifted.desired is None:
                continue
            if drifted.live is None:
                manifest = without_value_at(path, manifest)
            else:
                manifest = with_value_at(path, manifest, drifted.live)
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
        Operation.SHARE,
        Operation.READ,
    )
    changes = comparison.shown if shows else ()
    if row.operation is Operation.SHARE:
        changes = tuple(change for change in comparison.shown if change.path == SHARERS)
    elif cause is Cause.RESTORED:
        changes = tuple(_restored(facts))
    return Decision(
        facts,
        row.operation,
        cause,
        row.reason,
        changes=changes,
        drift=comparison.drift if row.operation in _WITH_DRIFT else (),
        fixed=comparison.fixed,
        conflicts=comparison.conflicts if row.operation in _WITH_CONFLICTS else (),
    )


def _restored(facts: Facts) -> Iterator[FieldChange]:
    """The fields that get back the values they had before the object was taken over."""
    live, before = facts.live.manifest or {}, facts.restores or {}
    now = normal(_without_values(without_value_at(TAKEN, live)))
    yield from differences(now, normal(_without_values(before)))


_WITH_CONFLICTS = (Operation.UPDATE, Operation.REFUSE)
_WITH_DRIFT = (Operation.UPDATE, Operation.MEND, Operation.LEAVE, Operation.REPLACE)


def desired(facts: Facts) -> Mapping[str, Any]:
    """The object as the application wants it in the cluster, policies considered.

    Args:
        facts: What is known of it; it is rendered.
    """
    assert facts.wanted is not None
    # What is left as it is once it is there is never written, so what the file says is shown.
    treatment = replace(facts.treatment, frozen=False)
    manifest = registered(dict(facts.wanted), facts.live.manifest, treatment)
    return _with_recorded_template(manifest, facts.recorded)


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
        differing = tuple(self._changes())
        left = tuple(self._left(differing))
        places = {each.path for each in left}
        self._all_changes = tuple(each for each in differing if each.path not in places)
        self.changes = tuple(
            change for change in self._all_changes if not is_revision_label(change.path)
        )
        self.drift = (
            *left,
            *self._kept(),
            *(each for each in self._drift() if each.path not in places),
        )
        held = facts.recorded is not None and self._desired is not None
        self.fixed = self._fixed() if held else ()
        self.conflicts = tuple(self._conflicts()) if held else ()

    @property
    def shown(self) -> tuple[FieldChange, ...]:
        """The changes without values that nobody may see, and without what somebody else holds."""
        held = {conflict.path for conflict in self.conflicts}
        changes = (change for change in self.changes if change.path not in held)
        return tuple(hidden(self._facts.key.kind, changes))

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
            listed=facts.application in sharers,
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
            before = without_value_at(TAKEN, recorded.manifest)
            found = _secretless(wanted, before, recorded.outputs)
        elif live is not None:
            found = chain(_secretless(wanted, owned(live, wanted), live), self._gone())
        else:
            return
        for change in _one_by_one(found):
            if change.path in (MARK, TAKEN) or self._keeps(change.path):
                continue
            said = value_at(SHARERS, live) if change.path == SHARERS else MISSING
            if said is MISSING or said != change.after:  # who joins says so on the object itself
                yield change
        yield from (c for c in self._secret_changes() if not self._keeps(c.path))

    def _gone(self) -> Iterator[FieldChange]:
        """What the stack names of an unready object and the application no longer does."""
        wanted, live, recorded = self._desired, self._live, self._facts.recorded
        if wanted is None or recorded is None:
            return
        before = without_value_at(TAKEN, recorded.manifest)
        for change in _secretless(wanted, before, recorded.outputs):
            path = located(place_of(change.path, before), live)
            if change.after is None and path is not None and value_at(path, live) is not MISSING:
                yield change

    def _secret_changes(self) -> Iterator[FieldChange]:
        """The values of a Secret that change, compared with the cluster: stacks encrypt them."""
        facts, wanted = self._facts, self._desired
        if facts.key.kind != SECRET or wanted is None or not self._is_another_component():
            return
        if self._live is not None:
            changes = _values_changed(self._live, wanted)
            yield from (change for change in changes if not self._is_set_by_others(change.path))
            yield from self._secret_keys_gone(wanted)
        elif facts.recorded is not None:
            yield FieldChange(("data",), _HIDDEN, _OTHER)

    def _is_set_by_others(self, path: Parts) -> bool:
        """Whether somebody else has set a value of a Secret since the stack delivered it."""
        live, recorded = self._live, self._facts.recorded
        if live is None or recorded is None or not recorded.ready:
            return False
        return any(not manager.is_engine for manager in managers_of(live, path))

    def _secret_keys_gone(self, wanted: Mapping[str, Any]) -> Iterator[FieldChange]:
        """The keys of a Secret that only the engine holds, and the application no longer names.

        The stack has them encrypted, so who manages them tells.
        """
        live = self._live or {}
        names = normal(wanted).get("data") or {}
        for key in sorted((live.get("data") or {}).keys() - names.keys()):
            managers = managers_of(live, ("data", key))
            if managers and all(manager.is_engine for manager in managers):
                yield FieldChange(("data", key), live["data"][key], None)

    def _is_another_component(self) -> bool:
        """Whether the component has changed since the Secret was last written."""
        recorded = self._facts.recorded
        if recorded is None or not recorded.ready or self._desired is None:
            return True
        before, now = recorded.manifest, self._desired
        return bool(_component_revision(before) != _component_revision(now))

    def _left(self, changes: Iterable[FieldChange]) -> Iterator[DriftedField]:
        """The changes of fields that a controller keeps as it wants them.

        The stack names them already. A field that is named for the first time is a conflict.
        """
        live = self._live
        if live is None or self._facts.recorded is None or self._facts.takes_fields:
            return
        for change in changes:
            side = self._desired if change.after is not None else self._facts.recorded.manifest
            place = place_of(change.path, side)
            path = located(place, live)
            if path is None or is_revision_label(change.path) or not self._is_recorded(place):
                continue
            managers = managers_of(live, path)
            value = value_at(path, live)
            if value is MISSING or value == change.after or self._facts.key.kind == SECRET:
                continue
            # What the application gives up stays with whoever else holds it.
            stays = change.after is None and any(not manager.is_engine for manager in managers)
            if stays or any(manager.is_controller for manager in managers):
                yield DriftedField(change.path, value, change.after, managers, True, place)

    def _kept(self) -> Iterator[DriftedField]:
        """The fields whose live values a policy keeps, where the file says something else."""
        wanted, live = self._facts.wanted, self._live
        if wanted is None or live is None or self._facts.recorded is None:
            return
        for path in self._facts.treatment.kept:
            value, said = value_at(path, live), value_at(path, wanted)
            if MISSING not in (value, said) and normal({"x": value}) != normal({"x": said}):
                yield DriftedField(path, value, said, managers_of(live, path), True, path)

    def _is_recorded(self, place: FieldPlace) -> bool:
        """Whether the stack names a field already."""
        recorded = self._facts.recorded
        if recorded is None:
            return False
        path = located(place, recorded.manifest)
        return path is not None and value_at(path, recorded.manifest) is not MISSING

    def _drift(self) -> Iterator[DriftedField]:
        facts, live, recorded, wanted = self._facts, self._live, self._facts.recorded, self._desired
        if live is None or recorded is None or wanted is None or not recorded.ready:
            return
        if recorded.manifest["apiVersion"] != wanted["apiVersion"]:
            return  # what was recorded is of another form, so nothing can be told
        before, now = normal(owned(recorded.outputs, wanted)), normal(owned(live, wanted))
        found = differences(_without_values(before), _without_values(now))
        for change in _one_by_one(found):  # who holds some of a map need not hold all of it
            place = place_of(change.path, now if change.after is not None else before)
            if self._is_recorded(place):
                yield from self._drifted(change, place)
        if facts.key.kind == SECRET and not _has_sealed_values(wanted):
            changed = self._is_another_component()
            for change in _values_changed(live, wanted):
                if not changed or self._is_set_by_others(change.path):
                    back = FieldChange(change.path, change.after, change.before)
                    yield from self._drifted(back, change.path)

    def _drifted(self, change: FieldChange, place: FieldPlace) -> Iterator[DriftedField]:
        """A field that is not as it was delivered: before is what was, after what is."""
        facts, live = self._facts, self._live
        path = change.path
        if path in (MARK, TAKEN, SHARERS) or is_revision_label(path) or self._keeps(path):
            return
        here, there = located(place, self._desired), located(place, live)
        managers = managers_of(live, there) if live is not None and there is not None else ()
        wanted = MISSING if here is None else value_at(here, self._desired)
        controlled = any(manager.is_controller for manager in managers) and not facts.takes_fields
        yield DriftedField(
            path if here is None else here,
            change.after,
            change.before if wanted is MISSING or _is_value(facts, path) else wanted,
            managers,
            facts.treatment.frozen or not facts.mends or controlled,
            place,
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
            (*self.changes, *(self._back(each) for each in self.drift if not each.left)),
            immutable=any(side is not None and side.get("immutable") is True for side in sides),
            recreated=self._facts.treatment.recreated,
        )

    def _back(self, drifted: DriftedField) -> FieldChange:
        """The change that puts a field back."""
        return FieldChange(drifted.path, drifted.live, drifted.desired)

    def _conflicts(self) -> Iterator[DriftedField]:
        """The fields that the application names for the first time, and that somebody else holds.

        Their live values are other ones, so writing them would take them from somebody.
        """
        recorded, live, wanted = self._facts.recorded, self._live, self._desired
        if recorded is None or live is None or wanted is None or self._facts.key.kind == SECRET:
            return
        if recorded.manifest["apiVersion"] != wanted["apiVersion"]:
            return
        for change in (each for each in self.changes if each.after is not None):
            place = place_of(change.path, wanted)
            path = located(place, live)
            there = MISSING if path is None else value_at(path, normal(live))
            if path is None or there is MISSING or self._is_recorded(place):
                continue
            for each in differences(owned(there, change.after), change.after, change.path):
                inner = place_of(each.path, wanted)
                where = located(inner, live)
                if each.before is None or where is None:
                    continue
                managers = tuple(m for m in managers_of(live, where) if not m.is_engine)
                if managers:
                    yield DriftedField(each.path, each.before, each.after, managers, place=inner)

    def _difference(self) -> Difference:
        facts = self._facts
        if facts.recorded is None or not (self._all_changes or self.fixed):
            return Difference.EQUAL
        if self.fixed:
            named = facts.treatment.recreated
            allowed = all(any(path[: len(n)] == n for n in named) for path in self.fixed)
            precious = is_precious(facts.key.group, facts.key.kind, self._live)
            return Difference.REPLACED if allowed or not precious else Difference.FIXED
        if self.conflicts and not facts.takes_fields:
            return Difference.CONFLICT
        return Difference.CHANGED


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
        return Owner.OURS if project or held is not None else Owner.FOREIGN
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


def _one_by_one(changes: Iterable[FieldChange]) -> Iterator[FieldChange]:
    """Changes in which a map that goes is the fields that go: others may hold some of them."""
    for change in changes:
        if change.after is None and isinstance(change.before, Mapping) and change.before:
            below = (
                FieldChange((*change.path, key), value, None)
                for key, value in change.before.items()
            )
            yield from _one_by_one(below)
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
