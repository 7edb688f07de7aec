"""What kind of change a plan is, so that a policy can say which kinds need nobody's approval.

Kinds are told by typed paths: a key of a ConfigMap may be called ``metadata.labels.script`` and is
data all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from velapulumi.definitions.rules.fieldpath import Parts
from velapulumi.plan.document import PlannedField, PlannedObject, StagePlan
from velapulumi.plan.operation import Operation

IMAGE_DIGEST, IMAGE, REPLICAS, RESOURCES, ENV, LABELS = (
    "image-digest", "image", "replicas", "resources", "env", "labels",
)  # fmt: skip

_REPLICAS = frozenset({("spec", "replicas"), ("spec", "minReplicas"), ("spec", "maxReplicas")})
_TEMPLATES: tuple[Parts, ...] = (
    (),
    ("spec", "template"),
    ("spec", "jobTemplate"),
    ("spec", "jobTemplate", "spec", "template"),
)
"""What has metadata and a spec: the object itself and the templates in it."""


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
        and all(not kinds_of(field).isdisjoint(kinds) for field in _written(each))
        for each in changed
    )


def _written(each: PlannedObject) -> Iterator[PlannedField]:
    """The fields that are written, those that others have changed included."""
    yield from each.fields
    yield from (field for field in each.drift if not field.left)


def kinds_of(field: PlannedField) -> frozenset[str]:
    """The kinds of change a field is; none when it is of no known kind."""
    path = field.path
    if path in _REPLICAS:
        return frozenset({REPLICAS})
    if _is_label(path):
        return frozenset({LABELS})
    inside = _in_container(path)
    if inside == ("image",):
        tags = {_tag(field.before), _tag(field.after)}
        pinned = all("@sha256:" in str(image) for image in (field.before, field.after))
        return frozenset({IMAGE, IMAGE_DIGEST} if pinned and len(tags) == 1 else {IMAGE})
    if inside[:1] == ("resources",):
        return frozenset({RESOURCES})
    return frozenset({ENV}) if inside[:1] == ("env",) else frozenset()


def _in_container(path: Parts) -> Parts:
    """The path of a field inside its container; empty when it is in none."""
    for template in _TEMPLATES:
        rest = path[len(template) :]
        if path[: len(template)] != template or len(rest) < 3:
            continue
        if rest[:2] in _CONTAINERS and isinstance(rest[2], int):
            return rest[3:]
    return ()


_CONTAINERS = (("spec", "containers"), ("spec", "initContainers"))


def _is_label(path: Parts) -> bool:
    """Whether a field is a label or an annotation, or all of them where there were none."""
    return any(
        path[: len(template)] == template
        and path[len(template) :][:2] in _METADATA
        and len(path) <= len(template) + 3
        for template in _TEMPLATES
    )


_METADATA = (("metadata", "labels"), ("metadata", "annotations"))


def _tag(image: object) -> str:
    """An image's name and tag, without its digest."""
    return str(image).partition("@")[0]
