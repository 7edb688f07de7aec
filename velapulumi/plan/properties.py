"""What kind of change a plan is, so that a policy can say which kinds need nobody's approval."""

from __future__ import annotations

import re
from collections.abc import Collection

from velapulumi.plan.document import Operation, PlannedField, StagePlan

IMAGE_DIGEST, IMAGE, REPLICAS, RESOURCES, ENV, LABELS = (
    "image-digest", "image", "replicas", "resources", "env", "labels",
)  # fmt: skip

_IMAGE = re.compile(r"\.(containers|initContainers)\[\d+\]\.image")
_RESOURCES = re.compile(r"\.(containers|initContainers)\[\d+\]\.resources(\..+)?")
_ENV = re.compile(r"\.(containers|initContainers)\[\d+\]\.env(\[\d+\]\..+)?")
_LABELS = re.compile(r"(^|\.)metadata\.(labels|annotations)\..+")
_REPLICAS = frozenset({"spec.replicas", "spec.minReplicas", "spec.maxReplicas"})
_QUIET = (Operation.NONE, Operation.READ)


def changes_only(plan: StagePlan, kinds: Collection[str]) -> bool:
    """Whether a plan changes nothing but fields of some kinds: it makes and deletes no object.

    Args:
        plan: The plan.
        kinds: The kinds, such as ``image-digest``.
    """
    if plan.pending or plan.irreversible:
        return False
    changed = [each for cluster in plan.clusters for each in cluster.changed]
    return all(cluster.reached for cluster in plan.clusters) and all(
        each.operation is Operation.UPDATE
        and all(not kinds_of(field).isdisjoint(kinds) for field in each.fields)
        for each in changed
    )


def kinds_of(field: PlannedField) -> frozenset[str]:
    """The kinds of change a field is; none when it is of no known kind."""
    path = field.path
    if _IMAGE.search(path) and path.endswith(".image"):
        tags = {_tag(field.before), _tag(field.after)}
        pinned = all("@sha256:" in str(image) for image in (field.before, field.after))
        return frozenset({IMAGE, IMAGE_DIGEST} if pinned and len(tags) == 1 else {IMAGE})
    if path in _REPLICAS:
        return frozenset({REPLICAS})
    if _is(_RESOURCES, path):
        return frozenset({RESOURCES})
    if _is(_ENV, path):
        return frozenset({ENV})
    return frozenset({LABELS}) if _is(_LABELS, path) else frozenset()


def _is(form: re.Pattern[str], path: str) -> bool:
    found = form.search(path)
    return found is not None and found.end() == len(path)


def _tag(image: object) -> str:
    """An image's name and tag, without its digest."""
    return str(image).partition("@")[0]
