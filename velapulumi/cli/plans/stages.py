"""A plan stage by stage and cluster by cluster, part by part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from velapulumi.cli.plans.objects import (
    fields_of,
    is_listed,
    object_parts,
    order,
    reverse_parts,
)
from velapulumi.cli.plans.part import Level, Part
from velapulumi.plan.document import ClusterPlan, PlanDocument, PlannedObject, StagePlan
from velapulumi.plan.operation import Cause, Operation

_COUNTED = {
    Operation.REFUSE: "refused",
    Operation.CREATE: "created",
    Operation.UPDATE: "updated",
    Operation.MEND: "put back",
    Operation.REPLACE: "replaced",
    Operation.TAKE_OVER: "taken over",
    Operation.HAND_OVER: "handed over",
    Operation.SHARE: "shared",
    Operation.DELETE: "deleted",
    Operation.DISOWN: "no longer managed",
    Operation.FORGET: "forgotten",
    Operation.OWED: "waiting for a cluster",
    Operation.KEEP: "kept",
}


def plan_parts(plan: PlanDocument, *, full: bool) -> Iterator[Part]:
    """All that a plan says after its name."""
    shown = 0
    for stage in plan.stages:
        for part in stage_parts(stage, full=full):
            shown += part.fields
            yield part
    if not plan.stages:
        yield Part(Level.TITLE, "It delivers nothing.")
    total = sum(fields_of(cluster) for stage in plan.stages for cluster in stage.clusters)
    if shown < total or (full and total):
        rest = "" if full else "; all with plan --full"
        yield Part(Level.TITLE, f"{shown} of {total} fields shown{rest}", dim=True)


def stage_parts(stage: StagePlan, *, full: bool) -> Iterator[Part]:
    """What happens to a stage; its title is the first part."""
    title = "; ".join(filter(None, (f"Stage {stage.stage}: {summary(stage)}", _holds(stage))))
    yield Part(Level.TITLE, title, bold=True)
    for phrase in stage.requires:
        yield Part(Level.NOTE, f"requires {phrase}", dim=True)
    groups = grouped(stage)
    for text in _irreversible(groups):
        yield Part(Level.NOTE, f"cannot be taken back: {text}", "!", "red", bold=True)
    for names, cluster in groups:
        for part in _cluster_parts(names, cluster, full=full):
            yield replace(part, fields=part.fields * len(names))
    for text in (*_late(stage), *stage.pending):
        yield Part(Level.NOTE, f"not known yet: {text}", colour="yellow")
    if back := way_back(stage):
        yield Part(Level.NOTE, f"way back: {back}", dim=True)


def _holds(stage: StagePlan) -> str:
    if stage.broken:
        parts = ", ".join(map(name_of, stage.broken))
        return f"the last delivery did not finish: it holds parts of {parts}"
    if stage.before:
        return f"it holds {name_of(stage.before)}"
    held = any(each.base.recorded for cluster in stage.clusters for each in cluster.objects)
    return "" if held else "it holds nothing yet"


def _irreversible(groups: list[tuple[list[str], ClusterPlan]]) -> Iterator[str]:
    for names, cluster in groups:
        for each in sorted(cluster.objects, key=order):
            for phrase in each.irreversible:
                yield f"{each.title} on {', '.join(names)}: {phrase}"


def _late(stage: StagePlan) -> Iterator[str]:
    for name in stage.late:
        yield f"component {name} gets values that the delivery itself brings"


def _cluster_parts(names: list[str], cluster: ClusterPlan, *, full: bool) -> Iterator[Part]:
    left = " (no longer part of this stage)" if cluster.left else ""
    yield Part(Level.CLUSTER, f"{', '.join(names)}{left}")
    if not cluster.reached:
        text = "does not answer; compared with what its stack holds"
        yield Part(Level.OBJECT, text, colour="yellow")
    listed = _listed(cluster, full=full)
    for remark in dict.fromkeys(_unanswered(listed)):
        yield Part(Level.OBJECT, remark, colour="yellow")
    for each in listed:
        yield from object_parts(each, full=full)
    if not listed:
        yield Part(Level.OBJECT, "no change", dim=True)
    for step in cluster.reverse if full else ():
        if step.fields:
            yield from reverse_parts(step)


def _unanswered(listed: Sequence[PlannedObject]) -> Iterator[str]:
    """Why nothing is known of objects; it is the same for most of a cluster."""
    for each in listed:
        if each.operation is Operation.OWED and each.cause is None:
            yield from each.remarks


def _listed(cluster: ClusterPlan, *, full: bool) -> list[PlannedObject]:
    """The objects of a cluster that there is something to say about, in the order it is said."""
    return sorted((each for each in cluster.objects if is_listed(each, full=full)), key=order)


def summary(stage: StagePlan) -> str:
    """How much a stage changes, in words."""
    objects = [each for cluster in stage.clusters for each in cluster.objects]
    operations = [Operation.REFUSE if each.is_refused else each.operation for each in objects]
    parts = [
        f"{count} {word}"
        for operation, word in _COUNTED.items()
        if (count := operations.count(operation))
    ]
    if unchanged := sum(operation not in _COUNTED for operation in operations):
        parts.append(f"{unchanged} unchanged")
    number = len(stage.clusters)
    places = f"{number} cluster{'s' if number != 1 else ''}"
    return f"{', '.join(parts) or 'no change'} on {places}"


def plan_title(stage: StagePlan) -> str:
    """How much is about to change in a stage, in a few words."""
    objects = [each for cluster in stage.clusters for each in cluster.objects]
    if count := sum(not each.operation.is_quiet for each in objects):
        return f"{count} change{'s' if count != 1 else ''}"
    unfinished = stage.broken or any(each.cause is Cause.UNREADY for each in objects)
    return "goes on with what did not finish" if unfinished else "no change"


def grouped(stage: StagePlan) -> list[tuple[list[str], ClusterPlan]]:
    """The clusters of a stage, those with equal changes together: their names, and one of them."""
    groups: list[tuple[list[str], ClusterPlan, object]] = []
    for cluster in stage.clusters:
        shown = _shown(cluster)
        for names, _, other in groups:
            if other == shown:
                names.append(cluster.cluster)
                break
        else:
            groups.append(([cluster.cluster], cluster, shown))
    return [(names, cluster) for names, cluster, _ in groups]


def _shown(cluster: ClusterPlan) -> object:
    """All that is said of a cluster, in its full form."""
    objects = [
        (
            each.title, each.operation, each.cause, bool(each.desired), bool(each.base.live),
            each.fields, each.drift, each.content, each.other, each.images, each.irreversible,
            each.refusal, each.notes, each.remarks,
        )
        for each in _listed(cluster, full=True)
    ]  # fmt: skip
    return cluster.reached, cluster.left, objects, [s for s in cluster.reverse if s.fields]


def way_back(stage: StagePlan) -> str:
    """What brings a stage back, in words; empty when nothing changes."""
    steps = [step for cluster in stage.clusters for step in cluster.reverse]
    if not steps:
        return ""
    to = f"to {name_of(stage.before)} by " if stage.before else ""
    text = f"{to}{len(steps)} change{'s' if len(steps) != 1 else ''}"
    lost = list(dict.fromkeys(phrase for step in steps for phrase in step.irreversible))
    return f"{text}, of which not all comes back: {'; '.join(lost)}" if lost else text


def plan_refuses(plan: PlanDocument) -> bool:
    """Whether objects of a plan cannot be delivered, or a cluster would not take them."""
    return any(
        each.is_refused
        for stage in plan.stages
        for cluster in stage.clusters
        for each in cluster.objects
    )


def name_of(revision: str) -> str:
    """A revision without its hash, such as ``shop-v2``."""
    return revision.partition(":")[0]
