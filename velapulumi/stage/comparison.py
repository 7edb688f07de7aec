"""How the sides of an object differ, and what its operation is decided by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from velapulumi.clusters.secrecy import SECRET
from velapulumi.definitions.rules.fieldpath import MISSING, Parts, value_at, without_value_at
from velapulumi.plan.fields import FieldChange, differences, is_order, is_revision_label, owned
from velapulumi.plan.fixed import fixed_fields, is_precious
from velapulumi.plan.normal import normal
from velapulumi.plan.places import located
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
        drift: What others have changed, and what they lose.
        fixed: The fields that change and never can.
        conflicts: The fields that it names for the first time, and that others hold.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._sides = sides = ThreeWay(facts)
        differing = tuple(self._changes())
        left = tuple(left_to_others(sides, differing))
        places = {each.place for each in left}
        stated = tuple(each for each in differing if each.place not in places)
        beyond = tuple(unrecorded(sides, differing, written=bool(stated)))
        gone = (FieldChange(each.path, each.live, None, each.place) for each in beyond)
        self._all_changes = (*stated, *(() if sides.is_ready else gone))
        self.changes = tuple(
            change for change in self._all_changes if not is_revision_label(change.path)
        )
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
            there = owned(live, wanted, self._sides.keys)
            found = changes_outside_secrets(wanted, there, live, self._sides.keys)
        else:
            return
        beside_live = not self._sides.is_ready and live is not None  # a map may have more there
        for change in self._sides.one_by_one(found, both=beside_live):
            if change.path in (MARK, TAKEN) or self._sides.keeps(change.place):
                continue
            said = value_at(SHARERS, live) if change.path == SHARERS else MISSING
            if said is MISSING or said != change.after:  # who joins says so on the object itself
                yield change
        yield from (c for c in secret_changes(facts, wanted) if not self._sides.keeps(c.place))

    def _drift_kind(self) -> Drift:
        if any(not drifted.left for drifted in self.drift):
            return Drift.DRIFTED
        return Drift.LEFT if self.drift else Drift.NONE

    def _fixed(self) -> tuple[Parts, ...]:
        recorded = self._sides.recorded
        sides = (self._sides.wanted, self._sides.live, recorded.manifest if recorded else None)
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
