"""Where an application stands: from its stacks, its gate file and its clusters, at this moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from velapulumi.clusters.health import Service
from velapulumi.clusters.identity import Reached, reach
from velapulumi.definitions import Catalog
from velapulumi.errors import UnknownApplication, VelapulumiError
from velapulumi.extensions import catalog_of
from velapulumi.gate.file import Gate, read_gate
from velapulumi.program.prepare import stage_services
from velapulumi.program.record import StageRecord
from velapulumi.program.stacks import read_record
from velapulumi.project import Project, StackName
from velapulumi.workflow.progress import Progress, StageState, progress


@dataclass(frozen=True)
class StageService:
    """A service of a stage, with the traits it was delivered with."""

    stage: str
    service: Service
    traits: tuple[str, ...]


@dataclass(frozen=True)
class Status:
    """Where an application stands.

    Attributes:
        application: Its name.
        namespace: Its namespace.
        health: Name of its health policy; empty without one.
        created: When its first revision was delivered, RFC 3339; empty when not recorded.
        gate: Its gate file.
        progress: Where its workflow stands.
        services: Its services, in the order of stages and components.
    """

    application: str
    namespace: str
    health: str
    created: str
    gate: Gate
    progress: Progress
    services: tuple[StageService, ...]


def read_status(project: Project, application: str, *, contact: bool = True) -> Status:
    """Read the status of an application.

    Args:
        project: The project.
        application: Its name.
        contact: Whether to ask the clusters; without, health is unknown and counts as unhealthy.

    Raises:
        UnknownApplication: The project has no stacks of it.
        InvalidFile: The gate file or a stack is damaged.
    """
    gate = read_gate(project.gate_file(application), application)
    recorded = gate.recorded(gate.current)
    names = [name.stage for name in project.stack_names(application)]
    if recorded is None:
        raise UnknownApplication(f"no application {application} has been delivered here")
    planned = [step.stage for step in recorded.steps if step.stage is not None]
    records = {
        stage: record
        for stage in dict.fromkeys((*planned, *names))
        if (record := read_record(project, StackName(application, stage))) is not None
    }
    clusters = reach(project, _clusters(records)) if contact else {}
    catalog = catalog_of(project.root)
    services = tuple(
        service
        for stage, record in records.items()
        for service in _services(stage, record, clusters, catalog)
    )
    states = {
        step.name: StageState(
            revision=records[step.stage].steps.get(step.name),
            healthy=all(entry.service.healthy for entry in services if entry.stage == step.stage),
            failed=_failed(records[step.stage]),
        )
        for step in recorded.steps
        if step.stage in records
    }
    outputs = next((record.outputs for record in records.values() if record.outputs), {})
    return Status(
        application=application,
        namespace=str(outputs.get("namespace") or "default"),
        health=str(outputs.get("health") or ""),
        created=gate.revisions[0].created,
        gate=gate,
        progress=progress(recorded.steps, gate.current, states, gate.approver(gate.current)),
        services=services,
    )


def _failed(record: StageRecord) -> bool:
    """Whether the last delivery to a stage ended in an error."""
    return not record.steps and bool(record.objects) and not record.interrupted


def _clusters(records: Mapping[str, StageRecord]) -> set[str]:
    return {entry.cluster for record in records.values() for entry in record.objects}


def _services(
    stage: str,
    record: StageRecord,
    clusters: Mapping[str, Reached | VelapulumiError],
    catalog: Catalog,
) -> list[StageService]:
    traits = {
        (entry.get("cluster"), entry.get("namespace"), entry.get("name")): tuple(entry["traits"])
        for entry in record.outputs.get("services") or ()
        if isinstance(entry, Mapping) and isinstance(entry.get("traits"), list)
    }
    return [
        StageService(
            stage,
            service,
            traits.get((service.cluster, service.namespace, service.name), ()),
        )
        for service in stage_services(record, clusters, catalog)
    ]
