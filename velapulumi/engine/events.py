"""What the engine tells while it works, turned into a few plain facts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from velapulumi.clusters.secrecy import hiding
from velapulumi.plan.objects import ObjectKey

# What Kubernetes says on the way of every rollout, and what nobody needs to read.
_NOISE = ("ScalingReplicaSet:", "[MinimumReplicasUnavailable]", "Skipping await logic")


class Listener:
    """Collects errors and passes on progress; called from the engine's own threads.

    Args:
        progress: Is told of each step in one line.
        names: The canonical names of clusters, by what the stack calls them. The engine knows the
            stack's names only, and what is told here never speaks of them.
        present: The objects that are live already, so that the engine does not create them.
        written: The objects that are written; the values of Secrets among them are not told.
        deleted: The objects that are deleted beside the engine, which only forgets them.
    """

    def __init__(
        self,
        progress: Callable[[str], None],
        names: Mapping[str, str],
        present: Iterable[ObjectKey] = (),
        written: Iterable[Mapping[str, Any] | None] = (),
        deleted: Iterable[ObjectKey] = (),
    ) -> None:
        self.hide = hiding(written)
        self._progress = progress
        self._names = names
        self._present = set(map(_short, present))
        self._deleted = set(map(_short, deleted))
        self._heard = time.monotonic()
        self._errors: list[tuple[str, str]] = []

    def clear(self) -> None:
        """Forget the errors of an operation before."""
        self._errors = []

    @property
    def errors(self) -> str:
        """The errors so far, each once, a line each."""
        return "\n".join(dict.fromkeys(text for _, text in self._errors))

    def errors_of(self, cluster: str) -> str:
        """The errors of a cluster's objects; with an empty name those of nothing else.

        Args:
            cluster: Its canonical name.
        """
        return "\n".join(dict.fromkeys(t for name, t in self._errors if name == cluster))

    def heard(self) -> float:
        """When the engine was last heard of, on the monotonic clock."""
        return self._heard

    def on_event(self, event: Any) -> None:
        """Take one engine event."""
        self._heard = time.monotonic()
        diagnostic = event.diagnostic_event
        if diagnostic is not None:
            text = self.hide(diagnostic.message.strip())
            if diagnostic.severity == "error" and text and not _is_echo(text):
                self._errors.append((self._cluster(diagnostic.urn or ""), text))
            elif diagnostic.ephemeral and diagnostic.urn and text and not text.startswith(_NOISE):
                self._progress(f"{self._subject(diagnostic.urn)}: {text}")
        for step, words in ((event.resource_pre_event, _DOING), (event.res_outputs_event, _DONE)):
            if step is not None and step.metadata.type.startswith("kubernetes:"):
                self._tell(step.metadata, words)

    def _tell(self, metadata: Any, words: dict[str, str]) -> None:
        """Tell of one step with an object: that it begins or that it is done."""
        step = str(getattr(metadata.op, "value", metadata.op))
        place = self._place(metadata.urn)
        if step in ("create", "create-replacement") and place in self._present:
            step = "take-over"
        elif step == "delete" and getattr(
            getattr(metadata, "old", None), "retain_on_delete", False
        ):
            step = "delete" if place in self._deleted else "forget"
        if word := words.get(step):
            self._progress(f"{self._subject(metadata.urn)}: {word}")

    def _subject(self, urn: str) -> str:
        """``<kind> <name> on <cluster>`` from an object's URN."""
        cluster, _, kind, name = self._place(urn)
        return f"{kind} {name} on {cluster}" if name else cluster

    def _place(self, urn: str) -> tuple[str, str, str, str]:
        """Cluster, namespace, kind and name from a URN, which ends in ``<handle>/…/<name>``."""
        head, _, full_name = urn.rpartition("::")
        handle, _, path = full_name.partition("/")
        namespace, _, name = path.rpartition("/")
        return self._names.get(handle, handle), namespace, head.rpartition(":")[2], name

    def _cluster(self, urn: str) -> str:
        """The cluster of an object's URN; empty for anything else."""
        return self._place(urn)[0] if "kubernetes:" in urn.rpartition("::")[0] else ""


def _short(key: ObjectKey) -> tuple[str, str, str, str]:
    """What a URN tells of an object."""
    return key.cluster, key.namespace, key.kind, key.name


# What is replaced is told of by its creation: the plan has said that it is deleted before.
_DOING = {
    "create": "creating",
    "create-replacement": "creating",
    "update": "updating",
    "delete": "deleting",
    "take-over": "taking over",
}
_DONE = {
    "create": "created",
    "create-replacement": "created",
    "update": "updated",
    "delete": "deleted",
    "take-over": "taken over",
    "forget": "no longer in the stack",
}


def _is_echo(text: str) -> bool:
    """Whether an error only repeats that there was one."""
    said_before = ("update failed", "an unhandled error occurred", "preview failed")
    return text.startswith(said_before) or text.endswith("failed to register")
