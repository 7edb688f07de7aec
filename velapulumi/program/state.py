"""The state of what is delivered, by its stack and, this moment, its clusters."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace

from velapulumi.clusters.health import Service, read_services
from velapulumi.clusters.identity import Reached
from velapulumi.definitions import Catalog
from velapulumi.engine.record import StageRecord, completed
from velapulumi.errors import (
    VelapulumiError,
)
from velapulumi.workflow.progress import StageState

Clusters = Mapping[str, Reached | VelapulumiError]
"""Clusters by name: reached, or why not."""


def step_state(
    record: StageRecord | None,
    step: str,
    clusters: Clusters,
    catalog: Catalog,
    lost: Container[str] = (),
) -> StageState:
    """The state of a delivering step by its stage's stack and, this moment, its clusters.

    What a later step of the stage once delivered and has still to deliver again does not count.

    Args:
        record: What the stack holds.
        step: Name of the step.
        clusters: The clusters by name.
        catalog: The definitions whose health rules count.
        lost: Clusters the step has failed on, which its failure budget allows.
    """
    if record is None:
        return StageState()
    record = replace(record, objects=tuple(e for e in record.objects if e.cluster not in lost))
    revision = record.steps.get(step)
    name = (revision or "").partition(":")[0]
    delivered = [entry for entry in record.objects if entry.revision == name]
    services = stage_services(replace(record, objects=tuple(delivered)), clusters, catalog)
    return StageState(revision, all(service.healthy for service in services))


def stage_services(
    record: StageRecord, clusters: Clusters, catalog: Catalog
) -> tuple[Service, ...]:
    """The services of a stage as its clusters show them this moment."""
    objects = ((entry.cluster, entry.manifest) for entry in record.objects)
    return read_services(objects, clusters, catalog, completed(record))
