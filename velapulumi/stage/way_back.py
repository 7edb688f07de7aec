"""The inverse of what happens to an object, as the plan document shows it."""

from __future__ import annotations

from collections.abc import Iterator

from velapulumi.clusters.secrecy import SECRET, VALUES
from velapulumi.definitions.rules.fieldpath import MISSING, value_at
from velapulumi.plan.document import PlannedField, PlannedObject, ReverseStep
from velapulumi.plan.fixed import losses
from velapulumi.plan.operation import Operation
from velapulumi.stage.operations import Decision
from velapulumi.stage.sides import is_undone
from velapulumi.stage.situation import Owner
from velapulumi.stage.taken import Taken, kept_of, taken_over

_INVERSE = {
    Operation.CREATE: Operation.DELETE,
    Operation.DELETE: Operation.CREATE,
    Operation.UPDATE: Operation.UPDATE,
    Operation.REPLACE: Operation.REPLACE,
    Operation.TAKE_OVER: Operation.DISOWN,
    Operation.HAND_OVER: Operation.HAND_OVER,
    Operation.SHARE: Operation.DISOWN,
    Operation.DISOWN: Operation.UPDATE,
}


def way_back(each: Decision, planned: PlannedObject) -> ReverseStep | None:
    """What the way back does with an object; None if it does nothing with it.

    Args:
        each: What happens to the object.
        planned: The same, as the plan document has it.
    """
    if planned.operation not in _INVERSE or is_undone(each.facts):
        return None
    operation, facts = _INVERSE[planned.operation], each.facts
    return ReverseStep(
        object=f"{facts.object['apiVersion']} {each.key}",
        operation=operation,
        desired=planned.base.recorded,
        fields=tuple(
            PlannedField(path=field.path, before=field.after, after=field.before)
            for field in planned.fields
            if planned.operation is Operation.TAKE_OVER and _comes_back(each, field)
        ),
        irreversible=tuple(_losses_back(planned.operation, operation, each)),
    )


def is_too_large(each: Decision) -> bool:
    """Whether an object is taken over that is too large for what it was to be kept."""
    live = each.facts.live.manifest
    if each.operation is not Operation.TAKE_OVER or each.cause is not None or live is None:
        return False
    return _said_before(each) is None and kept_of(live, each.manifest) is None


def _said_before(each: Decision) -> Taken | None:
    """What an object that a run has taken over half way says of what it was."""
    live = each.facts.live.manifest
    return taken_over(live) if live is not None and each.owner is Owner.OURS else None


def _comes_back(each: Decision, field: PlannedField) -> bool:
    """Whether the way back restores a field of an object that is taken over."""
    path, said = field.path, _said_before(each)
    if said is not None:
        was = value_at(path, said.before or {})
        if said.before is None or (None if was is MISSING else was) != field.before:
            return False
    unkept = path[0] in VALUES or path[:2] == ("metadata", "annotations")
    return not is_too_large(each) and not (each.key.kind == SECRET and unkept)


def _losses_back(forward: Operation, back: Operation, each: Decision) -> Iterator[str]:
    """What does not come back on the way back: what goes now, and what that way destroys."""
    if forward in (Operation.DELETE, Operation.REPLACE):
        yield from losses_of(forward, each)
    if is_too_large(each):
        yield "it is too large for what it was to be kept: the way back leaves it as it is then"
    elif forward is Operation.TAKE_OVER and each.key.kind == SECRET:
        yield "its values and annotations before are not kept"
    if back is not forward:
        yield from losses_of(back, each)


def losses_of(operation: Operation, each: Decision) -> Iterator[str]:
    """What of an operation on an object cannot be taken back."""
    if operation in (Operation.DELETE, Operation.REPLACE, Operation.CREATE):
        yield from losses(operation, each.key.group, each.key.kind, each.fixed)
