"""What happens to one object: the only place where that is decided.

It takes what is wanted, what the stack has recorded and what is live, and gives the operation with
its fields. Plan, digest, screens, registration with the engine and the way back are views of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from velapulumi.clusters.secrecy import SECRET
from velapulumi.definitions.rules.fieldpath import (
    MISSING,
    Parts,
    value_at,
    with_value_at,
    without_value_at,
)
from velapulumi.plan.fields import FieldChange, is_order, ordered
from velapulumi.plan.normal import normal, says
from velapulumi.plan.objects import ObjectKey
from velapulumi.plan.operation import Cause, Operation
from velapulumi.plan.places import FieldPlace, located
from velapulumi.render.rules import (
    SHARERS,
    owner_of,
)
from velapulumi.stage.comparison import Comparison
from velapulumi.stage.losses import fields_taken
from velapulumi.stage.operations_table import row_for
from velapulumi.stage.sides import DriftedField, Facts, desired, fields_back, managers_at, owner
from velapulumi.stage.situation import (
    Owner,
    Reason,
)


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
        labels: The labels of revisions that change; nobody else has a right to them.
        moot: The fixed fields that are as wanted already, and that the stack goes on not naming.
    """

    facts: Facts
    operation: Operation
    cause: Cause | None = None
    reason: Reason | None = None
    changes: tuple[FieldChange, ...] = ()
    drift: tuple[DriftedField, ...] = ()
    fixed: tuple[Parts, ...] = ()
    conflicts: tuple[DriftedField, ...] = ()
    labels: tuple[FieldChange, ...] = ()
    moot: tuple[FieldChange, ...] = ()

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
    def replaces_fields(self) -> bool:
        """Whether fields that others have set go with the update of the object."""
        return self.operation is Operation.UPDATE and self.facts.treatment.replaced

    @property
    def done(self) -> tuple[FieldChange, ...]:
        """The fields that change in the stack alone: the cluster has them as wanted already."""
        live = self.facts.live.manifest
        if self.operation is not Operation.UPDATE or live is None or self.key.kind == SECRET:
            return ()
        return tuple(change for change in self.changes if _is_live(change, live))

    @property
    def taken(self) -> tuple[FieldPlace, ...]:
        """The fields that are taken from whoever holds them before the object is written."""
        live = self.facts.live.manifest
        changes = (*self.changes, *filter(self._is_held_by_others, self.labels))
        return fields_taken(live, changes, (*self.drift, *self.conflicts))

    def _is_held_by_others(self, change: FieldChange) -> bool:
        there = located(change.place, self.facts.live.manifest)
        managers = managers_at(self.facts, there) if there is not None else ()
        return any(not manager.is_engine for manager in managers)

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """The object as it is put into the stack.

        What is left to others has its live value in it, so that the stack goes on naming it, and
        the next plan still knows that the application does.
        """
        manifest = desired(self.facts)
        for change in self.moot:
            manifest = without_value_at(change.path, manifest)
        for drifted in self.drift:
            path = located(drifted.place, manifest) if drifted.left else None
            if path is None or drifted.desired is None:
                continue
            if is_order(drifted.live, drifted.desired):
                order = ordered(value_at(path, manifest), drifted.live)
                manifest = with_value_at(path, manifest, order)
            elif drifted.live is None:
                manifest = without_value_at(path, manifest)
            else:
                manifest = with_value_at(path, manifest, drifted.live)
        return manifest


def _is_live(change: FieldChange, live: Mapping[str, Any]) -> bool:
    path = located(change.place, live)
    there = MISSING if path is None else value_at(path, normal(live))
    return there is MISSING if change.after is None else says(there, change.after)


def decide(facts: Facts) -> Decision:
    """Decide what happens to an object.

    Deciding twice without a write in between gives the same.

    Args:
        facts: What is known of it.
    """
    comparison = Comparison(facts)
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
        changes = fields_back(facts)
    elif row.operation is Operation.TAKE_OVER and cause is None:
        changes = (*changes, *_no_longer_shared(facts))
    return Decision(
        facts,
        row.operation,
        cause,
        row.reason,
        changes=changes,
        drift=comparison.drift if row.operation in _WITH_DRIFT else (),
        fixed=comparison.fixed,
        conflicts=comparison.conflicts if row.operation in _WITH_CONFLICTS else (),
        labels=() if facts.treatment.frozen else comparison.labels,
        moot=comparison.moot,
    )


def _no_longer_shared(facts: Facts) -> Iterator[FieldChange]:
    """That those who have shared an object do not share it with who takes it over."""
    said = value_at(SHARERS, facts.live.manifest)
    if said is not MISSING and not facts.treatment.shared:
        yield FieldChange(SHARERS, said, None)


_WITH_CONFLICTS = (Operation.UPDATE, Operation.REFUSE)
_WITH_DRIFT = (
    Operation.UPDATE,
    Operation.MEND,
    Operation.LEAVE,
    Operation.REPLACE,
    Operation.TAKE_OVER,
    Operation.HAND_OVER,
)
