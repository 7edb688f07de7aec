"""What was shown before a delivery, so that nothing else is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from velapulumi.definitions.rules.fieldpath import Parts
from velapulumi.errors import PlanChanged
from velapulumi.plan.fields import written
from velapulumi.plan.objects import ObjectKey
from velapulumi.plan.operation import Operation
from velapulumi.stage.operations import Decision

Shown = Mapping[ObjectKey, tuple[Operation, frozenset[Parts]]]
"""The operation of each object that is written, and the fields that it changes."""


_HARMLESS = (Operation.CREATE, Operation.UPDATE, Operation.MEND)


def shown_of(decisions: Iterable[Decision]) -> Shown:
    """What is shown of decisions.

    Args:
        decisions: What was decided about the objects of a stage.
    """
    return {
        each.key: (each.operation, _paths(each))
        for each in decisions
        if not each.operation.is_quiet
    }


def check_shown(decisions: Sequence[Decision], shown: Shown | None) -> None:
    """Refuse what was not shown: something has changed in the moment between.

    Fewer changes than shown are fine, and so is an object that is created all the same. Of what
    was owed, as its cluster did not answer, nothing was known: it may be created or changed, and
    nothing of it may go.

    Args:
        decisions: What is about to be done.
        shown: What was shown; None where nothing was.

    Raises:
        PlanChanged: Something else would be done; all of it is named.
    """
    if shown is None:
        return
    lines = []
    for each in decisions:
        if each.operation.is_quiet:
            continue
        operation, paths = shown.get(each.key, (Operation.NONE, frozenset[Parts]()))
        if operation is Operation.OWED and each.operation in _HARMLESS:
            continue
        if each.operation is Operation.OWED and not operation.goes:
            continue
        if operation is not each.operation:
            lines.append(_told(each, operation))
        elif more := _paths(each) - paths:
            fields = ", ".join(sorted(map(written, more)))
            lines.append(f"  - {each.key} on {each.key.cluster}: {fields} would change, too")
    _raise(lines)


def check_deleted(decisions: Sequence[Decision], shown: Shown) -> None:
    """Refuse to delete what was not shown to be deleted.

    What does less than was shown is fine: what has gone meanwhile is only forgotten.

    Args:
        decisions: What is about to be done to the objects of a stack that is deleted.
        shown: What was shown.

    Raises:
        PlanChanged: Something else would be deleted; all of it is named.
    """
    lines = []
    for each in decisions:
        operation, _ = shown.get(each.key, (Operation.NONE, frozenset[Parts]()))
        if each.operation is Operation.DELETE and operation is not Operation.DELETE:
            lines.append(_told(each, operation))
    _raise(lines)


def _told(each: Decision, operation: Operation) -> str:
    """That an operation is not the one that was shown."""
    where = f"{each.key} on {each.key.cluster}"
    return f"  - {where}: shown was {operation}, now it is {each.operation}"


def _raise(lines: Sequence[str]) -> None:
    if lines:
        told = "\n".join(lines)
        raise PlanChanged(f"the clusters have changed since the plan was shown:\n{told}")


def _paths(each: Decision) -> frozenset[Parts]:
    drifted = (field.path for field in (*each.drift, *each.conflicts) if not field.left)
    return frozenset((*(change.path for change in each.changes), *drifted))
