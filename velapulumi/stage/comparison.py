"""How the sides of an object differ, and what its operation is decided by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from velapulumi.clusters.secrecy import SECRET
from velapulumi.definitions.rules.fieldpath import MISSING, Parts, value_at, without_value_at
from velapulumi.plan.fields import FieldChange, differences, is_order, is_revision_label, owned
from velapulumi.plan.fixed import fixed_fields, is_precious
from velapulumi.plan.normal import normal, says
from velapulumi.plan.places import elements_at, located
from velapulumi.render.rules import MARK, SHARERS, TAKEN, sharers_of
from velapulumi.stage.drift import (
    drift,
    kept_by_policy,
    left_to_others,
    lost_with_elements,
    unrecorded,
)
from velapulumi.stage.secret_changes import secret_changes
from velapulumi.stage.secrets import changes_outside_secrets, hidden
from velapulumi.stage.sides import (
    DriftedField,
    Facts,
    back,
    holder,
    is_same,
    is_shared,
    job,
    managers_at,
    owner,
    recorded_as,
    wanted_as,
)
from velapulumi.stage.situation import Difference, Drift, Owner, Situation
from velapulumi.stage.three_way import ThreeWay


class Comparison:
    """How the sides of an object differ.

    Attributes:
        changes: What the application changes.
        labels: The labels of revisions that change.
        moot: The fixed fields that it names for the first time, with their live values.
        drift: What others have changed, and what they lose.
        fixed: The fields that change and never can.
        conflicts: The fields that it names for the first time, and that others hold.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._sides = sides = ThreeWay(facts)
        found = tuple(self._changes())
        self.moot = tuple(self._moot(found)) if facts.recorded is not None else ()
        differing = tuple(each for each in found if each not in self.moot)
        left = tuple(left_to_others(sides, differing))
        places = {each.place for each in left}
        stated = tuple(each for each in differing if each.place not in places)
        beyond = tuple(unrecorded(sides, differing, written=bool(stated)))
        gone = (FieldChange(each.path, each.live, None, each.place) for each in beyond)
        self._all_changes = (*stated, *(() if sides.is_ready else gone))
        self.labels = tuple(c for c in self._all_changes if is_revision_label(c.path))
        self.changes = tuple(c for c in self._all_changes if c not in self.labels)
        drifted = (
            *left,
            *kept_by_policy(sides),
            *(each for each in drift(sides) if each.place not in places),
            *(beyond if sides.is_ready else ()),
        )
        self.drift = (*drifted, *lost_with_elements(sides, self._all_changes, drifted))
        held = facts.recorded is not None and sides.wanted is not None
        begun = facts.begun and sides.wanted is not None and owner(facts) is Owner.OURS
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
        sharers = sharers_of(self._sides.live) if self._sides.live is not None else ()
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
        facts, wanted, live = self._facts, self._sides.wanted, self._sides.live
        if wanted is None:
            return
        recorded = facts.recorded
        if recorded is not None and (recorded.ready or live is None):
            before = without_value_at(TAKEN, recorded.manifest)
            found = changes_outside_secrets(wanted, before, recorded.outputs, self._sides.keys)
        elif live is not None:
            theirs = recorded is None and not self._sides.is_made
            there = owned(live, wanted, self._sides.keys, by_position=theirs)
            found = changes_outside_secrets(
                wanted, there, live, self._sides.keys, by_position=theirs
            )
        else:
            return
        beside_live = not self._sides.is_ready and live is not None  # a map may have more there
        found = map(self._emptied, found)
        for change in self._sides.one_by_one(found, both=beside_live):
            if change.path in (MARK, TAKEN) or self._sides.keeps(change.place):
                continue
            if beside_live and self._is_answered(change):
                continue
            said = value_at(SHARERS, live) if change.path == SHARERS else MISSING
            if said is MISSING or said != change.after:  # who joins says so on the object itself
                yield change
        yield from (c for c in secret_changes(facts, wanted) if not self._sides.keeps(c.place))

    def _emptied(self, change: FieldChange) -> FieldChange:
        """A list that the application names as empty is not one that it no longer names.

        Of a list whose elements a server tells apart, only the application's own go.
        """
        sides, here = self._sides, located(change.place, self._sides.wanted)
        if change.after is not None or here is None or not isinstance(change.before, list):
            return change
        said = value_at(here, sides.wanted)
        if said != [] or elements_at(change.path, change.before, sides.keys):
            return change
        return FieldChange(change.path, change.before, [], change.place)

    def _is_answered(self, change: FieldChange) -> bool:
        """Whether the server has what is wanted, and has only added to it when it was written."""
        sides, recorded = self._sides, self._sides.recorded
        there = located(change.place, sides.live)
        if recorded is None or there is None or not says(change.before, change.after):
            return False
        answered = located(change.place, recorded.outputs)
        now = value_at(there, sides.live)
        return answered is not None and value_at(answered, recorded.outputs) == now

    def _moot(self, changes: Iterable[FieldChange]) -> Iterator[FieldChange]:
        """Fixed fields that the application names for the first time, with their live values.

        The engine would delete the object and create it again for them.
        """
        for change in changes:
            there = located(change.place, self._sides.live)
            if change.before is not None or there is None or not self._fixed_in([change]):
                continue
            if says(value_at(there, normal(self._sides.live or {})), change.after):
                yield change

    def _drift_kind(self) -> Drift:
        if any(not drifted.left for drifted in self.drift):
            return Drift.DRIFTED
        return Drift.LEFT if self.drift else Drift.NONE

    def _fixed(self) -> tuple[Parts, ...]:
        drifted = (self._back(each) for each in self.drift if not each.left)
        return self._fixed_in((*self.changes, *drifted))

    def _fixed_in(self, changes: Iterable[FieldChange]) -> tuple[Parts, ...]:
        recorded = self._sides.recorded
        sides = (self._sides.wanted, self._sides.live, recorded.manifest if recorded else None)
        return fixed_fields(
            (self._facts.key.group, self._facts.key.kind),
            changes,
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
        recorded, live, wanted = self._sides.recorded, self._sides.live, self._sides.wanted
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
            if path is None or there is MISSING or self._sides.is_named(place):
                continue
            there = owned(there, change.after, self._sides.keys, change.path)
            for each in differences(there, change.after, change.path, self._sides.keys):
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
        changes = self.changes if self._sides.live is None else self._all_changes
        if not self.fixed and (facts.recorded is None or not changes):
            return Difference.EQUAL
        if self.fixed:
            named = facts.treatment.recreated
            allowed = all(any(path[: len(n)] == n for n in named) for path in self.fixed)
            precious = is_precious(facts.key.group, facts.key.kind, self._sides.live)
            return Difference.REPLACED if allowed or not precious else Difference.FIXED
        if self.conflicts and not facts.takes_fields:
            return Difference.CONFLICT
        return Difference.CHANGED
