"""What the engine tells while it works, turned into a few plain facts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

# What Kubernetes says on the way of every rollout, and what nobody needs to read.
_NOISE = ("ScalingReplicaSet:", "[MinimumReplicasUnavailable]", "Skipping await logic")


class Listener:
    """Collects errors and passes on progress; called from the engine's own threads.

    Args:
        progress: Is told of each step in one line.
    """

    def __init__(self, progress: Callable[[str], None]) -> None:
        self._progress = progress
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
        """The errors of a cluster's objects; with an empty name those of nothing else."""
        return "\n".join(dict.fromkeys(t for name, t in self._errors if name == cluster))

    def heard(self) -> float:
        """When the engine was last heard of, on the monotonic clock."""
        return self._heard

    def on_event(self, event: Any) -> None:
        """Take one engine event."""
        self._heard = time.monotonic()
        diagnostic = event.diagnostic_event
        if diagnostic is not None:
            text = diagnostic.message.strip()
            if diagnostic.severity == "error" and text and not _is_echo(text):
                self._errors.append((_cluster(diagnostic.urn or ""), text))
            elif diagnostic.ephemeral and diagnostic.urn and text and not text.startswith(_NOISE):
                self._progress(f"{_subject(diagnostic.urn)}: {text}")
        for step, words in ((event.resource_pre_event, _DOING), (event.res_outputs_event, _DONE)):
            if step is not None:
                metadata = step.metadata
                operation = str(getattr(metadata.op, "value", metadata.op))
                if operation in words and metadata.type.startswith("kubernetes:"):
                    given_up = operation == "delete" and getattr(
                        getattr(metadata, "old", None), "retain_on_delete", False
                    )
                    word = _GIVEN_UP if given_up else words[operation]
                    if not given_up or words is _DONE:
                        self._progress(f"{_subject(metadata.urn)}: {word}")


# What is replaced is told of by its creation: the plan has said that it is deleted before.
_DOING = {
    "create": "creating",
    "create-replacement": "creating",
    "update": "updating",
    "delete": "deleting",
}
_GIVEN_UP = "no longer in the stack"
_DONE = {
    "create": "created",
    "create-replacement": "created",
    "update": "updated",
    "delete": "deleted",
}


def _is_echo(text: str) -> bool:
    """Whether an error only repeats that there was one."""
    said_before = ("update failed", "an unhandled error occurred", "preview failed")
    return text.startswith(said_before) or text.endswith("failed to register")


def _subject(urn: str) -> str:
    """``<kind> <name> on <cluster>`` from an object's URN, whose name is ``<cluster>/…/<name>``."""
    head, _, full_name = urn.rpartition("::")
    cluster, _, name = full_name.partition("/")
    kind = head.rpartition(":")[2]
    return f"{kind} {name.rpartition('/')[2]} on {cluster}" if name else cluster


def _cluster(urn: str) -> str:
    """The cluster of an object's URN; empty for anything else."""
    kind, _, full_name = urn.rpartition("::")
    return full_name.partition("/")[0] if "kubernetes:" in kind else ""
