"""Reads what a stack holds from its deployment document; needs no engine."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any

from velapulumi.definitions.rules.fieldpath import with_value_at
from velapulumi.engine.record import (
    APPROVAL,
    BEGUN,
    DELIVERY,
    FORMAT,
    FORMAT_VERSION,
    ONLY_READ,
    OWED,
    THEIRS,
    UNWATCHED,
    RecordedObject,
    StageRecord,
)
from velapulumi.engine.values import answer_of, plain
from velapulumi.errors import InvalidFile
from velapulumi.plan.objects import ObjectKey
from velapulumi.render.rules import TAKEN

_PROVIDER = "pulumi:providers:"
_STACK = "pulumi:pulumi:Stack"
_CREATING, _READING = "creating", "reading"

NameOf = Callable[[str, str], str]
"""Gives the canonical name of a cluster by its handle in a stack and its identity."""


def handle_itself(handle: str, uid: str) -> str:
    """The name of a cluster where nothing tells what it is called today."""
    return handle


def record_of(deployment: Mapping[str, Any], name_of: NameOf = handle_itself) -> StageRecord:
    """Read a deployment, as a checkpoint's ``latest`` or ``pulumi stack export`` gives it.

    Args:
        deployment: The mapping with ``resources`` and ``pending_operations``.
        name_of: Gives the canonical name of a cluster.

    Raises:
        ValueError: It is not of the form the engine writes.
        InvalidFile: Its outputs are of another version.
    """
    try:
        record = _record(deployment, name_of)
    except (AttributeError, KeyError, TypeError, IndexError) as error:
        raise ValueError(f"not a deployment as the engine writes it: {error!r}") from error
    version = record.outputs.get(FORMAT, 1)
    if version not in (1, FORMAT_VERSION):
        raise InvalidFile(
            f"the stack was written by another version of velapulumi, in format {version}; this "
            f"one reads 1 and {FORMAT_VERSION}",
            next_step="Use the version of velapulumi that delivered it last, or a newer one.",
        )
    return record


class Names:
    """The canonical names of the clusters that a deployment has providers for.

    Args:
        deployment: The deployment.
        name_of: Gives the canonical name of a cluster.
    """

    def __init__(self, deployment: Mapping[str, Any], name_of: NameOf) -> None:
        self._names: dict[str, str] = {}
        for resource in deployment.get("resources") or ():
            if resource.get("type", "").startswith(_PROVIDER):
                uid = (resource.get("inputs") or {}).get("clusterIdentifier")
                if uid and isinstance(uid, str):
                    handle = resource["urn"].rpartition("::")[2]
                    self._names[handle] = name_of(handle, uid)

    def of_handle(self, handle: str) -> str:
        """The cluster that a stack calls so."""
        return self._names.get(handle, handle)

    def cluster(self, resource: Mapping[str, Any]) -> str:
        """The cluster that a resource is on."""
        return self.of_handle(_handle(resource))

    def key(self, resource: Mapping[str, Any]) -> ObjectKey:
        """What identifies the object that a resource is."""
        manifest = _manifest(resource.get("inputs") or resource.get("outputs") or {})
        return ObjectKey.of(self.cluster(resource), manifest)


def is_object(resource: Mapping[str, Any]) -> bool:
    """Whether a resource of a deployment is a Kubernetes object."""
    kind: str = resource.get("type", "")
    return kind.startswith("kubernetes:")


def _record(deployment: Mapping[str, Any], name_of: NameOf) -> StageRecord:
    outputs: Mapping[str, Any] = {}
    approval: Any = None
    objects: list[RecordedObject] = []
    read: list[RecordedObject] = []
    pending: list[RecordedObject] = []
    names = Names(deployment, name_of)
    for resource in deployment.get("resources") or ():
        kind = resource.get("type", "")
        if kind == _STACK:
            outputs = dict((resource.get("outputs") or {}).items())
        elif kind == DELIVERY:
            approval = (resource.get("inputs") or {}).get(APPROVAL)
        elif is_object(resource) and not resource.get("delete"):
            # The engine has deleted what is pending replacement, and only creates it yet.
            replaced, external = resource.get("pendingReplacement"), resource.get("external")
            before = external and resource["urn"].endswith((THEIRS, BEGUN))
            group = pending if replaced or before else read if external else objects
            group.append(_object(resource, names))
    approval = outputs.get(APPROVAL) if approval is None else approval
    operations = deployment.get("pending_operations") or ()
    under_way = (each.get("resource") or {} for each in operations if each.get("type") != _READING)
    pending.extend(_object(resource, names) for resource in under_way if is_object(resource))
    held = {entry.key for entry in objects}
    left = [entry for entry in _owed(outputs, names) if entry.key not in held]
    known = held | {entry.key for entry in read}
    read.extend(entry for entry in left if entry.mark == ONLY_READ and entry.key not in known)
    pending[:0] = (entry for entry in left if entry.mark != ONLY_READ)
    places = {name: index for index, name in enumerate(_order(outputs))}
    objects.sort(key=lambda entry: places.get(_name(entry), len(places)))
    return StageRecord(
        outputs,
        tuple(objects),
        not all(_is_over(each, names, held, outputs) for each in operations),
        tuple(read),
        {entry.key: entry for entry in pending if entry.key not in held},
        bool(operations or deployment.get("resources")),
        bool(operations),
        approval if isinstance(approval, Mapping) else {},
    )


def _is_over(
    operation: Mapping[str, Any],
    names: Names,
    held: Container[ObjectKey],
    outputs: Mapping[str, Any],
) -> bool:
    """Whether a later run has made what an operation was making, or has left it to another one.

    The engine itself never ends what it was killed in.
    """
    resource = operation.get("resource") or {}
    if operation.get("type") != _CREATING or not is_object(resource):
        return False
    entry = _object(resource, names)
    return entry.key in held or entry.full_name in (outputs.get(OWED) or ())


def _owed(outputs: Mapping[str, Any], names: Names) -> Iterator[RecordedObject]:
    """What is left to a later run, as far as its name tells."""
    for text in outputs.get(OWED) or ():
        handle, api_version, kind, place = str(text).rsplit(" ", 3)
        place, percent, mark = place.partition("%")
        namespace, _, name = place.rpartition("/")
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        manifest = {"apiVersion": api_version, "kind": kind, "metadata": metadata}
        mark = f"{percent}{mark}"
        yield RecordedObject(
            cluster=names.of_handle(handle),
            manifest=_as_found(manifest, mark),
            ready=True,
            handle=handle,
            found=True,
            mark=mark,
        )


def _as_found(manifest: Mapping[str, Any], mark: str) -> Mapping[str, Any]:
    """An object that was found; what was others' has been taken over, and its note says from what.

    Where somebody has taken that off, what it was is not known.
    """
    marked: Mapping[str, Any] = with_value_at(TAKEN, manifest, "") if mark == THEIRS else manifest
    return marked


def _object(resource: Mapping[str, Any], names: Names) -> RecordedObject:
    found = bool(resource.get("external"))
    manifest = _manifest(resource.get("outputs" if found else "inputs") or {})
    mark = ""
    if found:
        ends = (THEIRS, BEGUN)
        mark = next((end for end in ends if resource["urn"].endswith(end)), ONLY_READ)
        manifest = _as_found(manifest, mark)
    return RecordedObject(
        cluster=names.cluster(resource),
        manifest=manifest,
        ready=not resource.get("initErrors"),
        retained=bool(resource.get("retainOnDelete")),
        frozen=not {"*", UNWATCHED}.isdisjoint(resource.get("ignoreChanges") or ()),
        handle=_handle(resource),
        outputs=answer_of(resource),
        errors=tuple(map(str, resource.get("initErrors") or ())),
        trigger=int(resource.get("replacementTrigger") or 0),
        found=found,
        mark=mark,
    )


def _order(outputs: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The objects as the program exported them: in the order of components, not of completion."""
    for entry in outputs.get("objects") or ():
        yield tuple(entry.get(key) or "" for key in ("cluster", "kind", "namespace", "name"))


def _name(entry: RecordedObject) -> tuple[Any, ...]:
    metadata = entry.manifest["metadata"]
    namespace = metadata.get("namespace") or ""
    return entry.handle, entry.manifest["kind"], namespace, metadata["name"]


def _handle(resource: Mapping[str, Any]) -> str:
    """What the stack calls a resource's cluster: its provider is ``urn:…::<handle>::<id>``."""
    reference = str(resource.get("provider") or "")
    return reference.split("::")[-2] if "::" in reference else ""


def _manifest(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Inputs as the program gave them: numbers back to integers, secrets left sealed."""
    value: Mapping[str, Any] = plain(inputs)
    metadata = value["metadata"]
    if not all(isinstance(e, str) for e in (value["apiVersion"], value["kind"], metadata["name"])):
        raise TypeError("an object without apiVersion, kind or name")
    return value
