"""The report on an application: where its workflow stands and how its services are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from velapulumi.clusters.health import Service
from velapulumi.engine.record import StageRecord
from velapulumi.gate.file import Gate
from velapulumi.program.standing import Standing, read_standing
from velapulumi.program.state import stage_services
from velapulumi.project import Project
from velapulumi.status.drift import Drifted, read_drift
from velapulumi.workflow.progress import Progress


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
        standing: What files and clusters tell.
        namespace: Its namespace.
        health: Name of its health policy; empty without one.
        created: When its first revision was delivered, RFC 3339.
        services: Its services, in the order of stages and components.
        drift: What others have changed or deleted of what was delivered.
    """

    standing: Standing
    namespace: str
    health: str
    created: str
    services: tuple[StageService, ...]
    drift: tuple[Drifted, ...] = ()

    @property
    def application(self) -> str:
        return self.standing.application

    @property
    def gate(self) -> Gate:
        return self.standing.gate

    @property
    def progress(self) -> Progress:
        return self.standing.progress


def read_status(project: Project, application: str) -> Status:
    """Read the status of an application, asking its clusters.

    Args:
        project: The project.
        application: Its name.

    Raises:
        UnknownApplication: Nothing of it has been delivered.
        InvalidFile: The gate file, the journal or a stack is damaged.
    """
    standing = read_standing(project, application)
    records = standing.records
    outputs: Mapping[str, object] = next(
        (record.outputs for record in records.values() if record.outputs), {}
    )
    return Status(
        standing=standing,
        namespace=str(outputs.get("namespace") or "default"),
        health=str(outputs.get("health") or ""),
        created=standing.gate.revisions[0].created,
        services=tuple(
            service
            for stage, record in records.items()
            for service in _services(stage, record, standing)
        ),
        drift=read_drift(project, standing),
    )


def _services(stage: str, record: StageRecord, standing: Standing) -> list[StageService]:
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
        for service in stage_services(record, standing.clusters, standing.catalog)
    ]
