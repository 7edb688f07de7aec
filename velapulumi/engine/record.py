"""What a stage's stack holds.

A stack knows a cluster by its *handle*: the name of the provider resource, which never changes
while the stack holds objects there. The provider's ``clusterIdentifier`` tells which cluster that
is, so objects are found again whatever the cluster is called today.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from velapulumi.plan.objects import ObjectKey
from velapulumi.render.rules import owner_of

THEIRS = "%theirs"
"""Ends the name of a resource that reads what is about to be taken over from others."""

BEGUN = "%begun"
"""Ends the name of a resource that reads what an interrupted run had begun to make."""

ONLY_READ = "%read"
"""Ends the name of what is owed and only read."""

UNWATCHED = "status"
"""What the engine is told to ignore of an object that is left and not waited for: a mark."""


DELIVERY = "velapulumi:index:Delivery"
"""The type of the resource that says which approvals a stack is delivered under.

The engine writes it before any object. An output would come too late: the engine keeps the old ones
when an update fails half way.
"""

APPROVAL = "approval"
"""What that resource says it as; earlier versions had an output of this name."""


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
        approval: The entries of the ledger that its last delivery was under; empty for none.
    """

    outputs: Mapping[str, Any]
    objects: tuple[RecordedObject, ...]
    interrupted: bool
    read: tuple[RecordedObject, ...] = ()
    pending: Mapping[ObjectKey, RecordedObject] = field(default_factory=dict)
    begun: bool = False
    listed: bool = False
    approval: Mapping[str, Any] = field(default_factory=dict)

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


def application_of(record: StageRecord) -> str:
    """The application a stack belongs to, ``<namespace>/<name>``; empty when it holds nothing.

    The stack of an update that never finished has no outputs, so what it made says it, or was about
    to make.
    """
    name, namespace = record.outputs.get("application"), record.outputs.get("namespace")
    if name and namespace:
        return f"{namespace}/{name}"
    return next((owner_of(entry.manifest) for entry in record.made), "")
