"""What is wanted, recorded and live beside each other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from velapulumi.clusters.beyond import elements_beyond, fields_beyond
from velapulumi.clusters.elements import counterpart, element_of, list_keys
from velapulumi.clusters.managed import Manager
from velapulumi.clusters.secrecy import SECRET, is_secret_value
from velapulumi.definitions.rules.fieldpath import (
    MISSING,
    Parts,
    value_at,
    without_value_at,
)
from velapulumi.plan.fields import (
    FieldChange,
    FieldPlace,
    Named,
    as_far_as,
    differences,
    elements_at,
    is_below,
    is_order,
    is_revision_label,
    located,
    one_by_one,
    owned,
    place_of,
)
from velapulumi.plan.fixed import fixed_fields, is_precious
from velapulumi.plan.normal import normal
from velapulumi.render.rules import (
    MARK,
    SHARERS,
    TAKEN,
    sharers_of,
)
from velapulumi.stage.look import CRD
from velapulumi.stage.losses import Losses
from velapulumi.stage.secret_changes import secret_changes, secret_drift
from velapulumi.stage.secrets import changes_outside_secrets, hidden, without_values
from velapulumi.stage.sides import (
    DriftedField,
    Facts,
    as_known,
    back,
    desired,
    holder,
    is_same,
    is_shared,
    job,
    kept_in,
    managers_at,
    owner,
    recorded_as,
    wanted_as,
)
from velapulumi.stage.situation import (
    Difference,
    Drift,
    Owner,
    Situation,
)


class Comparison:
    """What is wanted, recorded and live beside each other."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._desired = desired(facts) if facts.wanted is not None else None
        self._live = facts.live.manifest
        self._keys = list_keys(self._live) if self._live is not None else {}
        self._kept_places = tuple(self._places_kept())
        differing = tuple(self._changes())
        left = tuple(self._left(differing))
        places = {each.place for each in left}
        written = any(each.place not in places for each in differing)
        beyond = tuple(self._beyond(differing, written=written))
        gone = (FieldChange(each.path, each.live, None, each.place) for each in beyond)
        stated = tuple(each for each in differing if each.place not in places)
        self._all_changes = (*stated, *(() if self._is_ready else gone))
        self.changes = tuple(
            change for change in self._all_changes if not is_revision_label(change.path)
        )
        drift = (
            *left,
            *self._kept(),
            *(each for each in self._drift() if each.place not in places),
            *(beyond if self._is_ready else ()),
        )
        self.drift = (*drift, *self._lost(drift))
        held = facts.recorded is not None and self._desired is not None
        begun = facts.begun and self._desired is not None and owner(facts) is Owner.OURS
        self.fixed = self._fixed() if held or begun else ()
        self.conflicts = tuple(self._conflicts()) if held else ()

    @property
    def shown(self) -> tuple[FieldChange, ...]:
        """The changes without values that nobody may see, and without what somebody else holds."""
        held = {conflict.place for conflict in self.conflicts}
        changes = (change for change in self.changes if change.place not in held)
        return tuple(hidden(self._facts.key.kind, changes))

    def situation(self) -> Situation:
        """What the decision depends on."""
        facts, treatment = self._facts, self._facts.treatment
        sharers = sharers_of(self._live) if self._live is not None else ()
        return Situation(
            wanted=wanted_as(facts),
            recorded=recorded_as(facts),
            presence=facts.live.presence,
            owner=owner(facts),
            same=is_same(facts),
            holder=holder(facts),
            place=facts.place,
            difference=self._difference,
            drift=self._drift_kind(),
            job=job(facts),
            begun=facts.begun,
            shared=is_shared(facts, sharers),
            take_over=treatment.take_over,
            once=treatment.frozen,
            absent_is_fine=not facts.mends,
            unready=facts.recorded is not None and not facts.recorded.ready,
            never_deleted=treatment.never_deleted or facts.left_behind,
            listed=facts.application in sharers,
            others=any(name != facts.application for name in sharers),
            guests=bool(facts.guests),
            back=back(facts),
            contradicts=self._contradicts(sharers),
            pruned=facts.pruned,
        )

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
            found = changes_outside_secrets(wanted, before, recorded.outputs, self._keys)
        elif live is not None:
            there = owned(live, wanted, self._keys)
            found = changes_outside_secrets(wanted, there, live, self._keys)
        else:
            return
        beside_live = not self._is_ready and live is not None  # a map may have more there
        for change in self._one_by_one(found, both=beside_live):
            if change.path in (MARK, TAKEN) or self._keeps(change.place):
                continue
            said = value_at(SHARERS, live) if change.path == SHARERS else MISSING
            if said is MISSING or said != change.after:  # who joins says so on the object itself
                yield change
        yield from (c for c in secret_changes(facts, wanted) if not self._keeps(c.place))

    def _one_by_one(
        self, changes: Iterable[FieldChange], *, both: bool = False
    ) -> Iterator[FieldChange]:
        """Changes in which what goes is the fields that go: others may hold some of them.

        So is a list in which others hold something: its elements go.
        """
        for change in one_by_one(changes, both=both):
            if elements := tuple(self._elements_that_go(change)):
                yield from self._one_by_one(elements, both=both)
            else:
                yield change

    def _elements_that_go(self, change: FieldChange) -> Iterator[FieldChange]:
        gone = change.before if change.after is None else None
        if isinstance(gone, list) and self._is_held_by_others(change.place):
            told = elements_at(change.path, gone, self._keys)
            for index, (name, element) in enumerate(told.items()):
                yield FieldChange((*change.path, index), element, None, (*change.place, name))

    def _is_held_by_others(self, place: FieldPlace) -> bool:
        """Whether somebody else has set something in a field."""
        live = self._live
        there = located(place, live)
        if live is None or there is None:
            return False
        return any(not manager.is_engine for manager in managers_at(self._facts, there))

    @property
    def _is_ready(self) -> bool:
        """Whether the stack holds what the engine has seen come up, so that others change it."""
        recorded = self._facts.recorded
        return recorded is not None and recorded.ready

    @cached_property
    def _given_up(self) -> frozenset[Parts]:
        """The list elements that only we hold and no longer want: they are removed whole."""
        live, wanted = self._live, self._desired
        if live is None or wanted is None or not self._is_applied:
            return frozenset()
        return frozenset(elements_beyond(live, wanted, self._is_ours))

    @property
    def _is_applied(self) -> bool:
        """Whether the next write is an apply on top of one of ours."""
        is_known = self._facts.recorded is not None or self._is_made()
        return is_known and self._facts.key.kind != CRD  # a definition is written as a whole

    def _lost(self, drift: Collection[DriftedField]) -> Iterator[DriftedField]:
        """What others have set in list elements that the next write removes."""
        facts, live, wanted, changes = self._facts, self._live, self._desired, self._all_changes
        differs = bool(changes) or any(not each.left for each in drift)
        if live is not None and wanted is not None and differs and not facts.treatment.frozen:
            losses = Losses(facts, live, wanted, changes, drift, self._given_up, self._keys)
            yield from losses.fields()

    def _beyond(self, changes: Iterable[FieldChange], *, written: bool) -> Iterator[DriftedField]:
        """The fields that only the engine holds, and that the application does not name.

        A run that did not end has set them, and the next write takes them away.

        Args:
            changes: What changes.
            written: Whether something does that is not left to others, so that there is a write.
        """
        facts, live, wanted = self._facts, self._live, self._desired
        if live is None or wanted is None or not self._is_applied:
            return
        told = [*self._told(changes, live)]
        for path in fields_beyond(live, wanted, self._is_ours):
            place = place_of(path, live, self._keys)
            if (
                path in (MARK, TAKEN, SHARERS)
                or self._keeps(place)
                or is_secret_value(facts.key.kind, path)
            ):
                continue
            if not self._is_asked_before(path) and not is_below(path, told):
                left = facts.treatment.frozen or not (facts.mends or written)
                managers, value = managers_at(self._facts, path), value_at(path, live)
                here = as_far_as(wanted, place, path)
                yield DriftedField(here, value, None, managers, left, place)

    def _is_asked_before(self, path: Parts) -> bool:
        """Whether the last whole run asked for a live field: then a change tells of it."""
        recorded, live = self._facts.recorded, self._live
        if recorded is None or live is None or not recorded.ready:
            return False
        return counterpart(live, recorded.manifest, path, self._keys) is not MISSING

    def _told(self, changes: Iterable[FieldChange], live: Mapping[str, Any]) -> Iterator[Parts]:
        """Where the live object has the fields that change, whatever their elements are told by.

        With a key field, the whole element changes: the server takes it for another one. Of what
        the last run has asked for, its fields tell that.
        """
        for change in changes:
            path = located(change.place, live)
            if path is not None and not is_order(change.before, change.after):
                element = None if self._is_ready else element_of(self._keys, path)
                yield element or path

    def _is_ours(self, manager: Manager) -> bool:
        """Whether a manager is the one that the engine writes the object as, as far as is known."""
        recorded = self._facts.recorded
        known = as_known(self._facts, manager)
        return known.is_engine if recorded is not None and recorded.manager else known.is_ours

    def _left(self, changes: Iterable[FieldChange]) -> Iterator[DriftedField]:
        """The changes of fields that a controller keeps as it wants them.

        The stack names them already. A field that is named for the first time is a conflict.
        """
        live = self._live
        recorded = self._facts.recorded
        if live is None or (recorded is None and not self._is_made()):
            return
        for change in changes:
            if is_order(change.before, change.after):
                continue  # nobody holds an order
            place = change.place
            path = located(place, live)
            if path is None or is_revision_label(change.path) or not self._is_named(place):
                continue
            managers = managers_at(self._facts, path)
            value = value_at(path, live)
            if value is MISSING or value == change.after or self._facts.key.kind == SECRET:
                continue
            # What the application gives up stays with whoever else holds it, unless the server
            # removes the whole element that it is in.
            if is_below(path, self._given_up):
                continue
            stays = change.after is None and any(not manager.is_engine for manager in managers)
            if stays or any(manager.is_controller for manager in managers):
                yield DriftedField(change.path, value, change.after, managers, True, place)

    def _kept(self) -> Iterator[DriftedField]:
        """The fields whose live values a policy keeps, where the file says something else."""
        wanted, live = self._facts.wanted, self._live
        if wanted is None or live is None or self._facts.recorded is None:
            return
        for path, there in kept_in(self._facts, live):
            value, said = value_at(there, live), value_at(path, wanted)
            if MISSING not in (value, said) and normal({"x": value}) != normal({"x": said}):
                managers, place = (
                    managers_at(self._facts, there),
                    place_of(path, wanted, self._keys),
                )
                yield DriftedField(path, value, said, managers, True, place)

    def _is_made(self) -> bool:
        """Whether the application has made the object, and another stack or none has it."""
        facts = self._facts
        return owner(facts) is Owner.OURS and (facts.begun or facts.other is not None)

    def _is_named(self, place: FieldPlace) -> bool:
        """Whether a field was delivered before, as far as is known."""
        recorded = self._facts.recorded
        if recorded is None:
            return self._is_made()
        path = located(place, recorded.manifest)
        return path is not None and value_at(path, recorded.manifest) is not MISSING

    def _drift(self) -> Iterator[DriftedField]:
        facts, live, recorded, wanted = self._facts, self._live, self._facts.recorded, self._desired
        if live is None or recorded is None or wanted is None or not recorded.ready:
            return
        if recorded.manifest["apiVersion"] != wanted["apiVersion"]:
            return  # what was recorded is of another form, so nothing can be told
        before, now = (
            without_values(normal(owned(side, wanted, self._keys)))
            for side in (recorded.outputs, live)
        )
        found = differences(before, now, keys=self._keys)
        # Who holds some of a map or a list need not hold all of it.
        for change in self._one_by_one(found, both=True):
            place = change.place
            if is_order(change.before, change.after):
                yield from self._reordered(change, place)
            elif self._is_named(place):
                yield from self._drifted(change, place)
        for change in secret_drift(facts, wanted):
            yield from self._drifted(change, change.path)

    def _drifted(self, change: FieldChange, place: FieldPlace) -> Iterator[DriftedField]:
        """A field that is not as it was delivered: before is what was, after what is."""
        facts, live = self._facts, self._live
        path = change.path
        if path in (MARK, TAKEN, SHARERS) or is_revision_label(path) or self._keeps(place):
            return
        here, there = located(place, self._desired), located(place, live)
        managers = managers_at(self._facts, there) if live is not None and there is not None else ()
        wanted = MISSING if here is None else value_at(here, self._desired)
        if (
            wanted is not MISSING
            and wanted == change.after
            and not is_secret_value(facts.key.kind, path)
        ):
            return  # others have set what is wanted by now
        controlled = any(manager.is_controller for manager in managers)
        yield DriftedField(
            path if here is None else here,
            change.after,
            change.before if wanted is MISSING or is_secret_value(facts.key.kind, path) else wanted,
            managers,
            facts.treatment.frozen or not facts.mends or controlled,
            place,
        )

    def _reordered(self, change: FieldChange, place: FieldPlace) -> Iterator[DriftedField]:
        """A list that others have put in another order: whose that is, no managed field tells."""
        here = located(place, self._desired)
        if here is None or self._keeps(place):
            return
        wanted = value_at(here, self._desired)
        order = sorted(change.after, key=lambda each: Named.by_key(each).position(wanted) or 0)
        if order != change.after:
            left = self._facts.treatment.frozen or not self._facts.mends
            yield DriftedField(here, change.after, order, (), left, place)

    def _keeps(self, place: FieldPlace) -> bool:
        return is_below(place, self._kept_places)

    def _places_kept(self) -> Iterator[FieldPlace]:
        """The fields that a policy keeps, by all that elements of lists may be told by."""
        for path in self._facts.treatment.kept:
            yield path
            yield place_of(path, self._facts.object)
            yield place_of(path, self._facts.object, self._keys)

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
        for change in self.changes:
            if change.after is None or is_order(change.before, change.after):
                continue
            place = change.place
            path = located(place, live)
            there = MISSING if path is None else value_at(path, normal(live))
            if path is None or there is MISSING or self._is_named(place):
                continue
            there = owned(there, change.after, self._keys, change.path)
            for each in differences(there, change.after, change.path, self._keys):
                inner = (*place, *each.place[len(change.path) :])
                where = located(inner, live)
                if each.before is None or where is None:
                    continue
                managers = tuple(m for m in managers_at(self._facts, where) if not m.is_engine)
                if managers:
                    yield DriftedField(each.path, each.before, each.after, managers, place=inner)

    def _contradicts(self, sharers: Sequence[str]) -> bool:
        """Whether it would be made anew, and a policy or another application says it must stay."""
        treatment, facts = self._facts.treatment, self._facts
        if treatment.recreated and (treatment.never_deleted or treatment.shared):
            return True
        others = treatment.shared and any(name != facts.application for name in sharers)
        stays = treatment.never_deleted or facts.left_behind or others
        return stays and self._difference is Difference.REPLACED

    @cached_property
    def _difference(self) -> Difference:
        facts = self._facts
        # What is not there has no labels of a revision to change.
        changes = self.changes if self._live is None else self._all_changes
        if not self.fixed and (facts.recorded is None or not changes):
            return Difference.EQUAL
        if self.fixed:
            named = facts.treatment.recreated
            allowed = all(any(path[: len(n)] == n for n in named) for path in self.fixed)
            precious = is_precious(facts.key.group, facts.key.kind, self._live)
            return Difference.REPLACED if allowed or not precious else Difference.FIXED
        if self.conflicts and not facts.takes_fields:
            return Difference.CONFLICT
        return Difference.CHANGED
