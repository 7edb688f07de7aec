"""One object of a plan, part by part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from velapulumi.cli.plans.content import content_fields, content_parts
from velapulumi.cli.plans.part import Level, Part
from velapulumi.cli.plans.values import change, difference, short
from velapulumi.definitions.rules.fieldpath import Parts
from velapulumi.plan.document import (
    REFUSED,
    ClusterPlan,
    PlannedField,
    PlannedObject,
    ReverseStep,
)
from velapulumi.plan.fields import written
from velapulumi.plan.operation import Cause, Operation

_SIGNS = {
    Operation.NONE: ("·", ""),
    Operation.CREATE: ("+", "green"),
    Operation.UPDATE: ("~", "yellow"),
    Operation.MEND: ("~", "yellow"),
    Operation.REPLACE: ("±", "red"),
    Operation.TAKE_OVER: ("!", "magenta"),
    Operation.HAND_OVER: ("⇄", "magenta"),
    Operation.SHARE: ("=", "cyan"),
    Operation.READ: ("=", "cyan"),
    Operation.LEAVE: ("=", "cyan"),
    Operation.KEEP: ("=", "cyan"),
    Operation.DISOWN: ("=", "cyan"),
    Operation.FORGET: ("·", ""),
    Operation.DELETE: ("-", "red"),
    Operation.OWED: ("?", "yellow"),
    Operation.REFUSE: ("✗", "red"),
}

_TOLD = (Cause.UNREADY, Cause.COMPLETED, Cause.OTHERS, Cause.ABSENT)
_LOST_WITH_DATA = (
    "PersistentVolumeClaim",
    "PersistentVolume",
    "Namespace",
    "CustomResourceDefinition",
)


def is_listed(each: PlannedObject, *, full: bool) -> bool:
    """Whether there is anything to say about an object."""
    if not each.operation.is_quiet or each.remarks or each.notes or each.drift:
        return True
    match each.operation:
        case Operation.KEEP:
            return full or each.cause is not Cause.PRUNE
        case Operation.READ:
            return full or bool(each.other)
        case _:
            return each.cause in _TOLD


def order(each: PlannedObject) -> tuple[int, int, str]:
    """What is refused comes first, then what is destroyed, volumes before all else."""
    match each.operation:
        case Operation.REFUSE:
            rank = 0
        case Operation.DELETE if each.kind in _LOST_WITH_DATA:
            return 1, _LOST_WITH_DATA.index(each.kind), each.title
        case Operation.DELETE:
            rank = 2
        case Operation.REPLACE:
            rank = 3
        case Operation.TAKE_OVER:
            rank = 4
        case _:
            rank = 6 if each.operation.is_quiet else 5
    return rank, 0, each.title


def object_parts(each: PlannedObject, *, full: bool) -> Iterator[Part]:
    """What happens to an object.

    Args:
        each: The object.
        full: Whether all of its content is to be seen.
    """
    sign, colour = _SIGNS[each.operation]
    if each.cause is Cause.INTERRUPTED and each.operation is Operation.TAKE_OVER:
        sign, colour = _SIGNS[Operation.UPDATE]
    note = note_of(each)
    title = f"{each.title} ({note})" if note else each.title
    bold = each.operation is Operation.REFUSE
    yield Part(Level.OBJECT, title, sign, colour, bold=bold)
    yield from _refusal_parts(each)
    said: list[str] = []
    for part in _value_parts(each, full=full):
        said.append(part.text)
        yield part
    if full or any(field.path[-1:] == ("image",) for field in each.fields):
        for image in each.images:
            if not any(image in text for text in said):
                yield Part(Level.DETAIL, f"image: {image}")
    yield from _remark_parts(each)


def reverse_parts(step: ReverseStep) -> Iterator[Part]:
    """The live values that the way back restores."""
    sign, colour = _SIGNS[step.operation]
    yield Part(Level.OBJECT, f"{step.object} (on the way back)", sign, colour)
    for field in step.fields:
        yield from change(written(field.path), field.before, field.after)


def fields_of(cluster: ClusterPlan) -> int:
    """How many fields there are to show on a cluster."""
    objects = sum(
        len(each.fields) + len(each.drift) - len(_changed_by_both(each)) + content_fields(each)
        for each in cluster.objects
    )
    return objects + sum(len(step.fields) for step in cluster.reverse)


def note_of(each: PlannedObject) -> str:
    """What happens to an object, and why, in words; empty when its sign says it all."""
    other = each.other
    match each.operation, each.cause:
        case Operation.CREATE, Cause.LOST:
            return "create again: deleted in the cluster by others"
        case Operation.UPDATE, Cause.REVISION if not each.fields and not each.drift:
            return "revision labels only"
        case Operation.MEND, _:
            return "put back: changed in the cluster"
        case Operation.REPLACE, Cause.INTERRUPTED:
            return "made by an interrupted run; deleted and created again"
        case Operation.REPLACE, _:
            return "deleted and created again"
        case Operation.TAKE_OVER, Cause.INTERRUPTED:
            return "goes on with what an interrupted run made"
        case Operation.TAKE_OVER, Cause.OTHERS:
            return f"inherited from {other or 'the application that shared it'}"
        case Operation.TAKE_OVER, _:
            return f"taken over from {other}" if other else "taken over"
        case Operation.HAND_OVER, _:
            return f"from {other}" if each.desired else f"handed over to {other}"
        case Operation.SHARE, _:
            return f"shared with {other or 'its owner'}"
        case Operation.READ, _:
            return f"only read; belongs to {other}" if other else "only read"
        case Operation.LEAVE, Cause.ABSENT:
            return "deleted in the cluster by others, and left so by policy"
        case Operation.LEAVE, _:
            return "left as it is"
        case Operation.KEEP, Cause.PRUNE:
            return "kept until the workflow has succeeded"
        case Operation.KEEP, _:
            return "kept by policy"
        case Operation.DELETE, Cause.INTERRUPTED:
            return "made by an interrupted run"
        case Operation.DISOWN, Cause.RESTORED:
            return "gets back what it was before it was taken over; no longer managed"
        case Operation.DISOWN, Cause.FREED:
            return "was taken over and is let go already; left in the cluster"
        case Operation.DISOWN, Cause.UNKNOWN:
            return (
                "was taken over, and what it was is not known; no longer managed, left in the "
                "cluster"
            )
        case Operation.DISOWN, Cause.OTHERS:
            return f"no longer managed; left to {other or 'the others that share it'}"
        case Operation.DISOWN, _:
            return "no longer managed; left in the cluster"
        case Operation.FORGET, Cause.OTHERS:
            return f"belongs to {other or 'others'} now"
        case Operation.FORGET, Cause.TAKEN:
            return f"held by {other or 'another stage'} now"
        case Operation.FORGET, Cause.UNREAD:
            return "no longer read"
        case Operation.FORGET, _:
            return "no longer in the cluster, nothing to delete"
        case Operation.OWED, Cause.TAKEN:
            return _because("waits until it has gone from the cluster", each)
        case Operation.OWED, _:
            return "cluster does not answer"
        case Operation.NONE, Cause.UNREADY:
            return _because("did not get ready", each)
        case Operation.NONE, Cause.COMPLETED:
            return "done"
        case _:
            return ""


def _because(words: str, each: PlannedObject) -> str:
    return f"{words}: {'; '.join(each.remarks)}" if each.remarks else words


def _refusal_parts(each: PlannedObject) -> Iterator[Part]:
    if not each.refusal:
        return
    for number, line in enumerate(each.refusal.message.split("\n")):
        code = "" if number else f"{each.refusal.code}: "
        yield Part(Level.DETAIL, f"{code}{line}", colour="red")
    if each.refusal.next_step:
        yield Part(Level.DETAIL, f"Next: {each.refusal.next_step}", colour="red")


def _value_parts(each: PlannedObject, *, full: bool) -> Iterator[Part]:
    """The fields that change, those that others have changed, and the content.

    One that both have changed is one line, from its live value.
    """
    both = _changed_by_both(each)
    delivered = {field.path: field.before for field in each.fields if _stays(field)}
    for field in each.fields:
        if field.path in both and _stays(field):
            continue
        note = f"held by {', '.join(field.managers)}" if field.managers else ""
        yield from change(written(field.path), field.before, field.after, note)
    for field in each.drift:
        left = field.left or each.operation.is_quiet
        before = delivered.get(field.path) if _stays(field) else None
        yield from _left(field) if left else _drift(field, before)
    if each.content is not None and (full or each.operation is Operation.CREATE):
        yield from content_parts(each, full=full)


def _changed_by_both(each: PlannedObject) -> frozenset[Parts]:
    """The fields that change and that others have changed, too."""
    changed, drifted = (
        frozenset(field.path for field in fields if _stays(field))
        for fields in (each.fields, each.drift)
    )
    return changed & drifted


def _stays(field: PlannedField) -> bool:
    """Whether a field is there afterwards: one that goes may have had another's position."""
    return field.after is not None


def _drift(field: PlannedField, delivered: Any) -> Iterator[Part]:
    who = ", ".join(field.managers)
    note = f"changed by {who}" if who else "changed in the cluster"
    if delivered is not None and (before := short(delivered)):
        note += f"; delivered was {before}"
    yield from change(written(field.path), field.before, field.after, note)


def _left(field: PlannedField) -> Iterator[Part]:
    """A field that keeps the value which others have given it."""
    name = written(field.path)
    owners = f"; owned by {', '.join(field.managers)}" if field.managers else ""
    live, said = short(field.before), short(field.after)
    if live is not None and said is not None:
        text = f"{name}: {live} (the application says {said}{owners})"
        yield Part(Level.DETAIL, text, fields=1)
    else:
        text = f"{name}: as in the cluster (+), not as the application says (-){owners}"
        yield Part(Level.DETAIL, text, fields=1)
        yield from difference(field.after, field.before)


def _remark_parts(each: PlannedObject) -> Iterator[Part]:
    yield from (Part(Level.DETAIL, note) for note in each.notes)
    if each.cause is Cause.UNREADY or each.operation is Operation.OWED:
        return  # its title says them
    for remark in each.remarks:
        if remark.startswith(REFUSED):
            text = f"the cluster refuses it: {remark.removeprefix(REFUSED)}"
            yield Part(Level.DETAIL, text, colour="red")
        else:
            text = f"the cluster says (not part of the plan): {remark}"
            yield Part(Level.DETAIL, text, dim=True)
