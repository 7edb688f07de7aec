"""What speaks for going on: how the stages before a gate have run, by journal and clusters."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from velapulumi.clusters.identity import Reached
from velapulumi.engine.record import StageRecord
from velapulumi.errors import ClusterProblem
from velapulumi.program.application import Application
from velapulumi.program.state import Clusters, step_state
from velapulumi.workflow.rules import waits_for
from velapulumi.workflow.steps import WorkflowStep


@dataclass(frozen=True)
class Evidence:
    """How a step delivered before a gate has run.

    Attributes:
        stage: Its stage.
        revision: The revision it has delivered; None for none, completely.
        healthy: Whether its clusters show it healthy this moment.
        seconds: For how long it has been delivered and healthy, as the journal tells; None when it
            does not.
        samples: How often it has been seen healthy.
        restarts: How often the containers of its pods have restarted.
        images: The images its pods run, by digest where the cluster tells it.
    """

    stage: str
    revision: str | None
    healthy: bool
    seconds: float | None
    samples: int
    restarts: int
    images: tuple[str, ...]


def evidence_before(
    application: Application, gate: WorkflowStep, clusters: Clusters
) -> Iterator[Evidence]:
    """How each step delivered before a gate has run.

    Args:
        application: The application.
        gate: The gate.
        clusters: The clusters by name, reached or not.
    """
    before = waits_for(application.workflow.steps, gate)
    for step in application.workflow.steps:
        record = application.records[step.stage] if step.stage else None
        if step.stage is None or step.name not in before or record is None:
            continue
        run = application.run.step(step.name)
        state = step_state(
            record, step.name, clusters, application.catalog, application.lost(step.name)
        )
        pods = tuple(_pods(record, clusters))
        yield Evidence(
            stage=step.stage,
            revision=state.revision,
            healthy=state.healthy,
            seconds=None if run.ended is None else max(time.time() - run.ended, 0),
            samples=run.samples + state.healthy,
            restarts=sum(map(_restarts, pods)),
            images=tuple(sorted({image for pod in pods for image in _images(pod)})),
        )


def _pods(record: StageRecord, clusters: Clusters) -> Iterator[Mapping[str, Any]]:
    """The pods of a stage's workloads, as far as its clusters can be asked."""
    for entry in record.objects:
        labels = (entry.manifest.get("spec") or {}).get("selector") or {}
        chosen = labels.get("matchLabels") if isinstance(labels, Mapping) else None
        cluster = clusters.get(entry.cluster)
        namespace = entry.manifest["metadata"].get("namespace")
        if chosen and namespace and isinstance(cluster, Reached):
            try:
                yield from cluster.client.pods(namespace, chosen)
            except ClusterProblem:
                continue


def _restarts(pod: Mapping[str, Any]) -> int:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return sum(status.get("restartCount") or 0 for status in statuses)


def _images(pod: Mapping[str, Any]) -> Iterator[str]:
    """The images a pod runs: with their digest where the cluster tells it."""
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        name, digest = str(status.get("image") or ""), str(status.get("imageID") or "")
        _, at, tail = digest.rpartition("@")
        yield f"{name.partition('@')[0]}@{tail}" if at else name
