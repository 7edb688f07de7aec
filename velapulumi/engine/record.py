"""What a stage's stack holds, read from its deployment document; needs no engine.

A stack knows a cluster by its *handle*: the name of the provider resource, which never changes
while the stack holds objects there. The provider's ``clusterIdentifier`` tells which cluster that
is, so objects are found again whatever the cluster is called today.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from velapulumi.definitions.rules.fieldpath import with_value_at
from velapulumi.engine.values import answer_of, plain
from velapulumi.errors import InvalidFile
from velapulumi.plan.objects import ObjectKey
from velapulumi.render.rules import TAKEN, owner_of

_PROVIDER = "pulumi:providers:"
_STACK = "pulumi:pulumi:Stack"
_CREATING, _READING = "creating", "reading"

THEIRS = "%theirs"
"""Ends the name of a resource that reads what is about to be taken over from others."""

BEGUN = "%begun"
"""Ends the name of a resource that reads what an interrupted run had begun to make."""

ONLY_READ = "%read"
"""Ends the name of what is owed and only read."""

UNWATCHED = "status"
"""What the engine is told to ignore of an object that is left and not waited for: a mark."""

NameOf = Callable[[str, str], str]
"""Gives the canonical name of a cluster by its handle in a stack and its identity."""


def handle_itself(handle: str, uid: str) -> str:
    """The name of a cluster where nothing tells what it is called today."""
    return handle


@dataclass(frozen=True)
class RecordedObject:
    """One Kubernetes object of a stack.

    Attributes:
        cluster: The canonical name of its cluster; made of the handle when none is joined.
        manifest: What was asked for; what was found there for an object that is only read.
        ready: Whether the engine saw it come up.
        retained: Whether the engine leaves it behind instead of deleting it.
        frozen: Whether the last update left it as it was.
        handle: What the stack calls its cluster.
        outputs: The object as the server answered with it when it was last written.
        errors: Why it did not come up, in the engine's words.
        trigger: How often it was created again after others had deleted it.
        found: Whether the manifest is what was found there, not what was asked for.
        mark: Ends its name where it is owed: whether others had it then, or it is only read.
    """

    cluster: str
    manifest: Mapping[str, Any]
    ready: bool
    retained: bool = False
    frozen: bool = False
    handle: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict, compare=False)
    errors: tuple[str, ...] = ()
    trigger: int = 0
    found: bool = False
    mark: str = ""

    @property
    def key(self) -> ObjectKey:
        """What identifies it."""
        return ObjectKey.of(self.cluster, self.manifest)

    @property
    def full_name(self) -> str:
        """It over all clusters, as a stack writes it: by the handle of its cluster."""
        return f"{self.handle} {self.manifest['apiVersion']} {self.key}"

    @property
    def owed_name(self) -> str:
        """What a stack calls it that leaves it to a later run."""
        return f"{self.full_name}{self.mark}"

    @property
    def uid(self) -> str:
        """The UID of the live object that was last written; empty when it is not recorded."""
        return str((self.outputs.get("metadata") or {}).get("uid") or "")

    @property
    def manager(self) -> str:
        """The field manager that the engine's provider writes it as; empty when not recorded."""
        return str(self.outputs.get("__fieldManager") or "")

    @property
    def revision(self) -> str:
        """Name of the revision it belongs to, such as ``shop-v2``; empty when it has none."""
        # Of what did not come up the stack keeps what was asked for before.
        said = self.manifest if self.ready or "metadata" not in self.outputs else self.outputs
        labels = said["metadata"].get("labels") or {}
        return str(labels.get("app.oam.dev/appRevision") or "")


@dataclass(frozen=True)
class StageRecord:
    """What one stack holds.

    Attributes:
        outputs: What the program exported when it last finished.
        objects: The objects it manages.
        interrupted: Whether an operation was under way when the engine last stopped, which neither
            a later run has ended nor is owed.
        read: The objects of others that it only reads.
        pending: What it does not hold, though it was being made or taken over then, or is deleted
            already to be made anew.
        begun: Whether the engine has ever worked on it; a stack that was only made holds nothing.
        listed: Whether the engine lists any operation as under way, over or not.
    """

    outputs: Mapping[str, Any]
    objects: tuple[RecordedObject, ...]
    interrupted: bool
    read: tuple[RecordedObject, ...] = ()
    pending: Mapping[ObjectKey, RecordedObject] = field(default_factory=dict)
    begun: bool = False
    listed: bool = False

    @cached_property
    def keys(self) -> frozenset[ObjectKey]:
        """The objects it manages, by what identifies them."""
        return frozenset(entry.key for entry in self.objects)

    @property
    def made(self) -> tuple[RecordedObject, ...]:
        """The objects it has made, and those it was about to make."""
        begun = (entry for entry in self.pending.values() if not entry.found)
        return (*self.objects, *begun)

    @property
    def entries(self) -> tuple[RecordedObject, ...]:
        """All objects it knows of."""
        return (*self.objects, *self.pending.values(), *self.read)

    @cached_property
    def doubles(self) -> tuple[RecordedObject, ...]:
        """Objects that it holds once more under another name of their cluster.

        Earlier versions took two names of a cluster for two clusters.
        """
        seen: set[ObjectKey] = set()
        found = []
        for entry in self.objects:
            if entry.key in seen:
                found.append(entry)
            seen.add(entry.key)
        return tuple(found)

    @cached_property
    def handles(self) -> Mapping[str, str]:
        """What the stack calls each cluster it holds objects on, by canonical name."""
        return {entry.cluster: entry.handle for entry in self.entries}

    @cached_property
    def steps(self) -> Mapping[str, str]:
        """The revision that each step delivered completely, by the step's name.

        Outputs alone do not tell: the engine keeps the old ones when an update fails half way. Then
        there are objects of a revision which no step is said to have delivered, and nothing counts.
        """
        steps = self.outputs.get("steps")
        if not isinstance(steps, dict) or self.interrupted or self._open:
            return {}
        held = {step: text for step, text in steps.items() if isinstance(text, str)}
        names = {revision.partition(":")[0] for revision in held.values()}
        for entry in self.objects:
            current = entry.frozen or entry.revision in names
            if not entry.ready or not current:
                return {}
        return held

    @property
    def _open(self) -> bool:
        """Whether something was begun and not ended, that was not left to a later run."""
        owed = self.outputs.get(OWED) or ()
        return any(entry.owed_name not in owed for entry in self.pending.values())

    @property
    def revision(self) -> str | None:
        """The one revision it holds completely, or None when there is no such."""
        held = set(self.steps.values())
        return held.pop() if len(held) == 1 else None


def words(entry: RecordedObject) -> tuple[str, ...]:
    """Why an object did not come up, in the cluster's words, without the provider's frame.

    Args:
        entry: The object.
    """
    return tuple(error.partition(_FRAME)[2].lstrip(": ") or error for error in entry.errors)


_FRAME = "failed to fully initialize or become live"


OWED = "owed"
"""The output of a stack that names what is left to a later run.

That is what an interrupted run had begun, and what is only read on a cluster that does not answer.
The engine drops what is not read again, and its name is all that is known of it then.
"""

FORMAT = "format"
"""The output of a stack that names the version of its outputs."""

FORMAT_VERSION = 2
"""The version that is written; version 1 had no such output."""


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


def completed(record: StageRecord | None) -> Callable[[str, Mapping[str, Any]], bool]:
    """Tells the Jobs that had completed when they were last seen: they may have been removed since.

    Args:
        record: What a stack holds.
    """
    done = {entry.key for entry in record.objects if _is_complete(entry)} if record else set()
    return lambda cluster, manifest: ObjectKey.of(cluster, manifest) in done


def _is_complete(entry: RecordedObject) -> bool:
    conditions = (entry.outputs.get("status") or {}).get("conditions") or ()
    return entry.key.kind == "Job" and any(
        condition.get("type") == "Complete" and condition.get("status") == "True"
        for condition in conditions
    )


def is_object(resource: Mapping[str, Any]) -> bool:
    """Whether a resource of a deployment is a Kubernetes object."""
    kind: str = resource.get("type", "")
    return kind.startswith("kubernetes:")


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


def _record(deployment: Mapping[str, Any], name_of: NameOf) -> StageRecord:
    outputs: Mapping[str, Any] = {}
    objects: list[RecordedObject] = []
    read: list[RecordedObject] = []
    pending: list[RecordedObject] = []
    names = Names(deployment, name_of)
    for resource in deployment.get("resources") or ():
        kind = resource.get("type", "")
        if kind == _STACK:
            outputs = dict((resource.get("outputs") or {}).items())
        elif is_object(resource) and not resource.get("delete"):
            # The engine has deleted what is pending replacement, and only creates it yet.
            replaced, external = resource.get("pendingReplacement"), resource.get("external")
            before = external and resource["urn"].endswith((THEIRS, BEGUN))
            group = pending if replaced or before else read if external else objects
            group.append(_object(resource, names))
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


def application_of(record: StageRecord) -> str:
    """The application a stack belongs to, ``<namespace>/<name>``; empty when it holds nothing.

    The stack of an update that never finished has no outputs, so what it made says it, or was about
    to make.
    """
    name, namespace = record.outputs.get("application"), record.outputs.get("namespace")
    if name and namespace:
        return f"{namespace}/{name}"
    return next((owner_of(entry.manifest) for entry in record.made), "")
