"""How what is there now differs from what was approved: two plan documents beside each other."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

from velapulumi.plan.document import (
    ClusterPlan,
    PlanDocument,
    PlannedObject,
    StagePlan,
)
from velapulumi.plan.operation import Operation


def differences(
    approved: PlanDocument,
    now: PlanDocument,
    stage: str,
    begun: Container[str] = (),
    only: Container[str] | None = None,
) -> Iterator[str]:
    """What of a stage is not as it was approved, a sentence each.

    On a cluster where the delivery has begun, what it was before counts no more; what it shall be
    still does.

    Args:
        approved: The plan that was approved.
        now: The plan as it is made of what is there now.
        stage: The stage.
        begun: Names of the clusters where the delivery of the approved plan has begun.
        only: Names of the clusters that are looked into; None for all of them.
    """
    for name, label in (
        ("application", "the application"),
        ("namespace", "the application's namespace"),
        ("revision", "the revision"),
        ("trust", "the gate policy or the signers in force"),
    ):
        yield from _changed(label, getattr(approved, name), getattr(now, name))
    for name in ("velapulumi", "engine", "provider"):
        before, after = getattr(approved.tools, name), getattr(now.tools, name)
        yield from _changed(f"the version of {name}", before, after)
    if approved.key and now.key and approved.key != now.key:
        yield "secret values are hidden with another key, so they cannot be compared"
        return
    then, here = approved.stage(stage), now.stage(stage)
    if then is None or here is None:
        yield f"stage {stage} is not part of what was approved"
        return
    yield from _changed(f"the steps of stage {stage}", list(then.steps), list(here.steps))
    yield from _changed(f"what stage {stage} requires", list(then.requires), list(here.requires))
    yield from _changed(f"the late components of {stage}", list(then.late), list(here.late))
    known = dict(_by_cluster(then))
    for cluster in here.clusters:
        before = _counterpart(cluster, known)
        if before is None:
            yield f"cluster {cluster.cluster} has come to stage {stage}"
        elif only is None or cluster.cluster in only:
            yield from _cluster_differences(before, cluster, cluster.cluster in begun, then.late)
    has_begun = any(name in begun for name in (cluster.cluster for cluster in here.clusters))
    for cluster in known.values():
        if not (has_begun and all(each.operation.goes for each in cluster.objects)):
            yield f"cluster {cluster.cluster} is gone from stage {stage}"
    if not has_begun:
        yield from _changed(f"the revision that stage {stage} held", then.before, here.before)
        if not then.late:
            before, after = list(then.pending), list(here.pending)
            yield from _changed(f"what stage {stage} waits for", before, after)


def differences_back(
    approved: PlanDocument, now: PlanDocument, stage: str, only: Container[str] | None = None
) -> Iterator[str]:
    """What of going back is not what a stage was before an approved plan, a sentence each.

    Args:
        approved: The plan whose way back was approved.
        now: The plan of going back, as it is made of what is there now.
        stage: The stage.
        only: Names of the clusters that are looked into; None for all of them.
    """
    then, here = approved.stage(stage), now.stage(stage)
    if then is None or here is None:
        yield f"stage {stage} is not part of what was approved"
        return
    yield from _changed("the revision to go back to", then.before, now.revision)
    known = dict(_by_cluster(then))
    for cluster in here.clusters:
        if only is not None and cluster.cluster not in only:
            continue
        before = _counterpart(cluster, known)
        if before is None:
            yield f"cluster {cluster.cluster} has come to stage {stage}"
            continue
        yield from _changed(f"the identity of cluster {cluster.cluster}", before.uid, cluster.uid)
        objects = {_key(each): each for each in before.objects}
        for each in cluster.objects:
            where = f"{each.title} on {cluster.cluster}"
            was = objects.pop(_key(each), None)
            if was is None and not each.operation.is_quiet:
                yield f"{where} is not part of what was approved"
            elif was is not None and (each.normalised or each.desired) != was.base.recorded:
                yield f"what {where} shall be is not what it was before"
        for was in objects.values():
            if was.base.recorded:
                yield f"{was.title} on {cluster.cluster} would not come back"


def _by_cluster(stage: StagePlan) -> Iterator[tuple[str, ClusterPlan]]:
    for cluster in stage.clusters:
        yield cluster.uid or cluster.cluster, cluster


def _counterpart(cluster: ClusterPlan, known: dict[str, ClusterPlan]) -> ClusterPlan | None:
    """The plan of the same cluster, or of one that had its name; it is taken out."""
    if (identity := cluster.uid or cluster.cluster) in known:
        return known.pop(identity)
    same = next((uid for uid, other in known.items() if other.cluster == cluster.cluster), None)
    return None if same is None else known.pop(same)


def _cluster_differences(
    then: ClusterPlan, now: ClusterPlan, begun: bool, late: Container[str]
) -> Iterator[str]:
    name = now.cluster
    yield from _changed(f"the identity of cluster {name}", then.uid, now.uid)
    yield from _changed(f"the certificate authority of cluster {name}", then.ca, now.ca)
    if then.reached and not now.reached and not begun:
        yield f"cluster {name} does not answer any more"
        return
    known = {_key(each): each for each in then.objects}
    for each in now.objects:
        before = known.pop(_key(each), None)
        where = f"{each.title} on {name}"
        if each.component in late and not each.operation.goes:
            continue
        if before is None:
            if not (begun and each.operation.is_quiet):
                yield f"{where} is not part of what was approved"
        elif each.desired != before.desired:
            yield f"what {where} shall be has changed"
        elif begun:
            if each.operation.goes and before.operation != each.operation:
                yield f"that {where} goes is not part of what was approved"
        elif then.reached and now.reached:
            yield from _object_differences(where, before, each)
        elif now.reached and each.operation in _SEEN_ONLY_LIVE:
            yield f"what happens to {where} ({each.operation}) was not known when it was approved"
    for each in known.values():
        if each.component not in late and (not each.operation.goes or not begun):
            yield f"{each.title} on {name} was part of what was approved and is not any more"


def _object_differences(where: str, then: PlannedObject, now: PlannedObject) -> Iterator[str]:
    if then.base.live != now.base.live:
        verb = _what_happened(then.base.live, now.base.live)
        yield f"{where} has been {verb} in the cluster"
    if then.base.recorded != now.base.recorded:
        verb = _what_happened(then.base.recorded, now.base.recorded)
        yield f"{where} has been {verb} in the stack"
    yield from _changed(f"what happens to {where}", then.operation, now.operation)
    if then.base == now.base and _written(then) != _written(now):
        yield f"what changes in {where} is not what was approved"
    yield from _changed(f"the images of {where}", list(then.images), list(now.images))


_SEEN_ONLY_LIVE = (
    Operation.REPLACE,
    Operation.TAKE_OVER,
    Operation.HAND_OVER,
    Operation.DISOWN,
    Operation.DELETE,
)
"""What follows from the live object, and that nobody can approve who has not seen it."""


def _written(each: PlannedObject) -> list[dict[str, Any]]:
    """The fields that change or are put back, as far as they are approved.

    An approved plan has been read from its file, which does not say who has changed a field.
    """
    put_back = (field for field in each.drift if not field.left)
    return [field.model_dump(mode="json") for field in (*each.fields, *put_back)]


def _what_happened(before: str, after: str) -> str:
    if not before:
        return "made"
    return "changed" if after else "deleted"


def _key(each: PlannedObject) -> tuple[str, str, str, str]:
    return each.api_version.rpartition("/")[0], each.kind, each.namespace, each.name


def _changed(label: str, before: object, after: object) -> Iterator[str]:
    if before != after:
        yield f"{label}: approved was {_words(before)}, now it is {_words(after)}"


def _words(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nothing"
    text = str(value)
    if not text:
        return "nothing"
    return f"{text[:12]}…" if len(text) == 64 and text.isalnum() else text
