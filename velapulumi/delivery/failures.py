"""Where a delivery failed, and why, in the words of the cluster that knows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from velapulumi.clusters.elements import list_keys
from velapulumi.clusters.health import Service, read_services
from velapulumi.clusters.identity import Reached, unusable
from velapulumi.engine.record import RecordedObject, words
from velapulumi.engine.stacks import read_record
from velapulumi.errors import (
    ClusterUnreachable,
    EngineFailed,
    ObjectRefused,
    Unhealthy,
    VelapulumiError,
)
from velapulumi.plan.fields import owned
from velapulumi.plan.normal import changed_fields, says
from velapulumi.plan.operation import Operation
from velapulumi.project import Project
from velapulumi.stage.look import Look
from velapulumi.stage.operations import Decision
from velapulumi.stage.prepare import Prepared
from velapulumi.stage.refusals import is_going, still_going
from velapulumi.stage.situation import Presence

if TYPE_CHECKING:
    from velapulumi.engine.events import Listener


def unread(prepared: Prepared, decisions: Sequence[Decision]) -> dict[str, VelapulumiError]:
    """The clusters that fell silent before anything was written to them, and why.

    Args:
        prepared: The stage.
        decisions: What happens to its objects.
    """
    names = set(prepared.stage.clusters) - prepared.without
    return {
        each.key.cluster: ClusterUnreachable(each.facts.live.detail)
        for each in decisions
        if each.key.cluster in names and each.facts.live.presence is Presence.UNKNOWN
    }


def stuck(decisions: Sequence[Decision]) -> dict[str, VelapulumiError]:
    """The clusters on which something is still being deleted that is to be written, and why.

    Args:
        decisions: What happens to the objects of a stage.
    """
    going: dict[str, list[Decision]] = {}
    for each in filter(is_going, decisions):
        going.setdefault(each.key.cluster, []).append(each)
    return {
        cluster: error
        for cluster, here in going.items()
        if (error := still_going((each, each.facts.live) for each in here))
    }


@contextmanager
def named_by_finalizers(project: Project, decisions: Collection[Decision]) -> Iterator[None]:
    """Name what deleted objects wait for: the engine only says that it gave up.

    Args:
        project: The project that their clusters are joined to.
        decisions: What happens to the objects that the engine works on.

    Raises:
        ObjectRefused: An object is being deleted and has not gone.
    """
    try:
        yield
    except EngineFailed as error:
        raise _going(project, decisions) or error from None


def _going(project: Project, decisions: Collection[Decision]) -> ObjectRefused | None:
    """What was to be deleted and has not gone, with what it waits for; None for nothing."""
    look = Look(project)
    deleted = [
        each for each in decisions if each.operation in (Operation.REPLACE, Operation.DELETE)
    ]
    return still_going((each, look.live(each.key, each.facts.object)) for each in deleted)


@dataclass(frozen=True)
class FailedRun:
    """A run of the engine on a stage that failed.

    Attributes:
        prepared: The stage.
        decisions: What was to happen to its objects.
        listener: What the engine said.
        clusters: The clusters by name, reached or not.
        patience: Seconds an object might take to get ready.
        tolerant: Whether the step may fail on some clusters.
    """

    prepared: Prepared
    decisions: Sequence[Decision]
    listener: Listener
    clusters: Mapping[str, Reached | VelapulumiError]
    patience: float
    tolerant: bool

    def places(self, error: EngineFailed) -> dict[str, VelapulumiError]:
        """The clusters that the engine failed on, and why; those left out are none of them.

        Args:
            error: What the engine said.

        Raises:
            EngineFailed: It did not fail on single clusters.
            Unhealthy: An object did not get ready on the only cluster.
        """
        prepared, listener = self.prepared, self.listener
        names = [name for name in prepared.stage.clusters if name not in prepared.without]
        held = self._held()
        broken = [entry for entry in held if not entry.ready and entry.cluster in names]
        # The engine's words for a cluster that is gone are a guess.
        found = unusable(prepared.application.project, names)
        for name in names:
            if name not in found and (why := self._why(name, held, broken)):
                found[name] = why
        if (
            not found
            and not listener.errors_of("")
            and any(map(listener.errors_of, prepared.without))
        ):
            return {}  # a cluster that was left out is told of already
        if not found or (listener.errors_of("") and not broken):
            raise error
        if not self.tolerant:
            raise next(iter(found.values())) from error
        return found

    def _held(self) -> Sequence[RecordedObject]:
        record = read_record(self.prepared.application.project, self.prepared.stack)
        return record.objects if record else ()

    def _why(
        self, cluster: str, held: Sequence[RecordedObject], broken: Sequence[RecordedObject]
    ) -> VelapulumiError | None:
        """Why it failed on one cluster that answers; None when it did not."""
        here = [entry for entry in broken if entry.cluster == cluster]
        decided = [each for each in self.decisions if each.key.cluster == cluster]
        if stuck := _going(self.prepared.application.project, decided):
            return stuck
        if refused := [entry for entry in here if self._is_refused(entry)]:
            return self._refused(cluster, refused)
        if here:
            services = read_services(
                [(e.cluster, e.manifest) for e in held if e.cluster == cluster],
                self.clusters,
                self.prepared.application.catalog,
            )
            return self._unhealthy(services, here)
        if text := self.listener.errors_of(cluster):
            return EngineFailed(f"stack {self.prepared.stack}: {text}")
        return None

    def _is_refused(self, entry: RecordedObject) -> bool:
        """Whether the cluster did not take what was to be written, as it is live without it."""
        reached = self.clusters.get(entry.cluster)
        written = next((each for each in self.decisions if each.key == entry.key), None)
        if not isinstance(reached, Reached) or written is None or written.facts.wanted is None:
            return False
        live = reached.client.read(entry.manifest)
        if live is None:
            return True
        keys = list_keys(live)
        there = owned(live, written.manifest, keys)
        changes = changed_fields(written.manifest, there, live, keys)
        return not all(says(change.before, change.after) for change in changes)

    def _refused(self, cluster: str, entries: Sequence[RecordedObject]) -> ObjectRefused:
        """What a cluster said to the objects that it did not take."""
        return ObjectRefused(
            "\n".join(
                f"{entry.key} on {cluster}: {text}"
                for entry in entries
                for text in map(self.listener.hide, words(entry))
            )
        )

    def _unhealthy(
        self, services: Sequence[Service], broken: Sequence[RecordedObject]
    ) -> Unhealthy:
        sick = [describe(service, place=True) for service in services if not service.healthy]
        said = [
            f"{entry.key} on {entry.cluster}: {text}"
            for entry in broken
            for text in map(self.listener.hide, words(entry))
        ]
        reason = "; ".join(sick or said)
        return Unhealthy(
            f"stage {self.prepared.title} is not healthy after {self.patience:g}s: {reason}"
        )


def describe(service: Service, *, place: bool = False) -> str:
    """A service with what it and its cluster say of it.

    Args:
        service: The service.
        place: Whether to name its cluster.
    """
    said = " - ".join(part for part in (service.message, service.reason) if part)
    where = f" on {service.cluster}" if place else ""
    return f"{service.name}{where} {said}".rstrip()
