"""What a stage's stack holds, read from its deployment document; needs no engine."""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from velapulumi.plan.changes import ObjectKey

_PROVIDER = "pulumi:providers:"
_STACK = "pulumi:pulumi:Stack"
_SECRET_KEY = "4dabf18193072939515e22adb298388d"

UNWATCHED = "status"
"""What the engine is told to ignore of an object that is left and not waited for: a mark."""

SEALED = "secret"
"""Key of the map that stands for a value the stack holds encrypted."""


@dataclass(frozen=True)
class RecordedObject:
    """One Kubernetes object of a stack.

    Attributes:
        cluster: The cluster it is on.
        manifest: What was asked for; what was found there for an object that is only read.
        ready: Whether the engine saw it come up.
        retained: Whether the engine leaves it behind instead of deleting it.
        frozen: Whether the last update left it as it was.
    """

    cluster: str
    manifest: Mapping[str, Any]
    ready: bool
    retained: bool = False
    frozen: bool = False

    @property
    def revision(self) -> str:
        """Name of the revision it belongs to, such as ``shop-v2``; empty when it has none."""
        labels = self.manifest["metadata"].get("labels") or {}
        return str(labels.get("app.oam.dev/appRevision") or "")


@dataclass(frozen=True)
class StageRecord:
    """What one stack holds.

    Attributes:
        outputs: What the program exported when it last finished.
        objects: The objects it manages.
        interrupted: Whether an operation was under way when the engine last stopped.
        read: The objects of others that it only reads.
    """

    outputs: Mapping[str, Any]
    objects: tuple[RecordedObject, ...]
    interrupted: bool
    read: tuple[RecordedObject, ...] = ()

    @cached_property
    def steps(self) -> Mapping[str, str]:
        """The revision that each step delivered completely, by the step's name.

        Outputs alone do not tell: the engine keeps the old ones when an update fails half way. Then
        there are objects of a revision which no step is said to have delivered, and nothing counts.
        """
        steps = self.outputs.get("steps")
        if not isinstance(steps, dict) or self.interrupted:
            return {}
        held = {step: text for step, text in steps.items() if isinstance(text, str)}
        names = {revision.partition(":")[0] for revision in held.values()}
        for entry in self.objects:
            current = entry.frozen or entry.revision in names
            if not entry.ready or not current:
                return {}
        return held

    @property
    def revision(self) -> str | None:
        """The one revision it holds completely, or None when there is no such."""
        held = set(self.steps.values())
        return held.pop() if len(held) == 1 else None


def record_of(deployment: Mapping[str, Any]) -> StageRecord:
    """Read a deployment, as a checkpoint's ``latest`` or ``pulumi stack export`` gives it.

    Args:
        deployment: The mapping with ``resources`` and ``pending_operations``.

    Raises:
        ValueError: It is not of the form the engine writes.
    """
    try:
        return _record(deployment)
    except (AttributeError, KeyError, TypeError, IndexError) as error:
        raise ValueError(f"not a deployment as the engine writes it: {error!r}") from error


def without(deployment: Mapping[str, Any], objects: Container[ObjectKey]) -> dict[str, Any]:
    """A deployment without some objects, and without what others say of depending on them."""
    gone, kept = set(), []
    for resource in deployment.get("resources") or ():
        if _is_object(resource) and _key(resource) in objects:
            gone.add(resource["urn"])
        else:
            kept.append(resource)
    return {**deployment, "resources": [_independent(resource, gone) for resource in kept]}


def without_pending(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """A deployment without the operations that a killed run left open.

    What they have made is found in the clusters and taken over.
    """
    return {key: value for key, value in deployment.items() if key != "pending_operations"}


def settled(deployment: Mapping[str, Any], clusters: Container[str]) -> dict[str, Any]:
    """A deployment in which nothing on some clusters is to be waited for any more.

    The engine would update what it has not seen get ready, whatever else it is told, and that fails
    on a cluster which does not answer.
    """
    resources = [
        {key: value for key, value in resource.items() if key != "initErrors"}
        if _is_object(resource) and _provider_name(resource.get("provider", "")) in clusters
        else resource
        for resource in deployment.get("resources") or ()
    ]
    return {**deployment, "resources": resources}


def _is_object(resource: Mapping[str, Any]) -> bool:
    kind: str = resource.get("type", "")
    return kind.startswith("kubernetes:")


def _key(resource: Mapping[str, Any]) -> ObjectKey:
    manifest = _manifest(resource.get("inputs") or resource.get("outputs") or {})
    return ObjectKey.of(_provider_name(resource.get("provider", "")), manifest)


def _independent(resource: Mapping[str, Any], gone: Container[str]) -> dict[str, Any]:
    """A resource that depends on nothing that is gone."""
    changed = dict(resource)
    if "dependencies" in changed:
        changed["dependencies"] = [urn for urn in changed["dependencies"] if urn not in gone]
    if changed.get("propertyDependencies"):
        changed["propertyDependencies"] = {
            name: [urn for urn in urns or () if urn not in gone]
            for name, urns in changed["propertyDependencies"].items()
        }
    return changed


def _record(deployment: Mapping[str, Any]) -> StageRecord:
    outputs: Mapping[str, Any] = {}
    objects: list[RecordedObject] = []
    read: list[RecordedObject] = []
    for resource in deployment.get("resources") or ():
        kind = resource.get("type", "")
        if kind == _STACK:
            outputs = dict((resource.get("outputs") or {}).items())
        elif _is_object(resource) and not resource.get("delete"):
            external = bool(resource.get("external"))
            (read if external else objects).append(
                RecordedObject(
                    cluster=_provider_name(resource.get("provider", "")),
                    manifest=_manifest(resource.get("outputs" if external else "inputs") or {}),
                    ready=not resource.get("initErrors"),
                    retained=bool(resource.get("retainOnDelete")),
                    frozen=not {"*", UNWATCHED}.isdisjoint(resource.get("ignoreChanges") or ()),
                )
            )
    pending = bool(deployment.get("pending_operations"))
    places = {name: index for index, name in enumerate(_order(outputs))}
    objects.sort(key=lambda entry: places.get(_name(entry), len(places)))
    return StageRecord(outputs, tuple(objects), pending, tuple(read))


def _order(outputs: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The objects as the program exported them: in the order of components, not of completion."""
    for entry in outputs.get("objects") or ():
        yield tuple(entry.get(key) or "" for key in ("cluster", "kind", "namespace", "name"))


def _name(entry: RecordedObject) -> tuple[Any, ...]:
    metadata = entry.manifest["metadata"]
    namespace = metadata.get("namespace") or ""
    return entry.cluster, entry.manifest["kind"], namespace, metadata["name"]


def _provider_name(reference: str) -> str:
    """Cluster of a provider reference ``urn:…::<cluster>::<id>``."""
    return reference.split("::")[-2] if "::" in reference else ""


def _manifest(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Inputs as the program gave them: numbers back to integers, secrets left sealed."""
    value: Mapping[str, Any] = plain(inputs)
    metadata = value["metadata"]
    if not all(isinstance(e, str) for e in (value["apiVersion"], value["kind"], metadata["name"])):
        raise TypeError("an object without apiVersion, kind or name")
    return value


def plain(value: Any) -> Any:
    """A value as it was before the engine carried it: whole numbers are integers again."""
    if isinstance(value, dict):
        if _SECRET_KEY in value:
            return {SEALED: json.dumps(value, sort_keys=True)}
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
