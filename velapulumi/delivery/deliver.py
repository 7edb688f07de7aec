"""``up``: from the Application to running stages, as far as the gates let it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from velapulumi.clusters.health import Service, read_services
from velapulumi.clusters.identity import Reached
from velapulumi.clusters.registry import LOCAL, Registry
from velapulumi.delivery.creation import StackCreation
from velapulumi.errors import EngineFailed, Unhealthy, UsageProblem, VelapulumiError
from velapulumi.plan.changes import ObjectKey, Plan
from velapulumi.program.comparison import compare
from velapulumi.program.prepare import Application, Prepared, prepare, read_application
from velapulumi.program.record import StageRecord
from velapulumi.program.registration import is_rendered
from velapulumi.program.stacks import read_record
from velapulumi.project import Project
from velapulumi.render import RenderedObject
from velapulumi.workflow.stages import WorkflowStep

if TYPE_CHECKING:
    from velapulumi.delivery.engine import Engine

DEFAULT_INTERVAL = 1.0
DEFAULT_TIMEOUT = 300.0


class Reporter(Protocol):
    """Is told how a delivery goes on."""

    def warning(self, text: str) -> None: ...

    def planned(self, stage: str, plan: Plan) -> None: ...

    def progress(self, text: str) -> None: ...

    def unchanged(self, stage: str) -> None: ...

    def delivered(self, stage: str, services: tuple[Service, ...]) -> None: ...

    def approved(self, step: str, by: str) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """How far a delivery came.

    Attributes:
        application: The application as it then was.
        changed: Names of the stages that were changed.
        waiting: The suspend step it stopped at; None when it went through.
    """

    application: Application
    changed: tuple[str, ...]
    waiting: WorkflowStep | None


def deliver(
    project: Project,
    file: Path,
    reporter: Reporter,
    timeout: float | None = None,
    *,
    allow_unknown: bool = False,
) -> Outcome:
    """Deliver an application stage by stage, up to the first gate that is not open.

    Run again it goes on from where it stands; a stage that holds the revision and is healthy is
    left alone.

    Args:
        project: The project.
        file: The Application file.
        reporter: Is told how it goes on.
        timeout: Seconds a stage may take to get healthy; the health policy's when not given.
        allow_unknown: Whether unknown parameters are ignored with a warning.

    Raises:
        VelapulumiError: Why a stage could not be delivered; later stages were not touched.
    """
    application = read_application(project, file, allow_unknown=allow_unknown)
    for warning in (*application.loaded.warnings, *_left_alone(application)):
        reporter.warning(warning)
    _check_placements(application)
    delivery = _Delivery(application, reporter, timeout)
    changed: list[str] = []
    for step in application.workflow.steps:
        if step.gate:
            gate = delivery.application.gate
            approval = gate.approval(step.name, str(application.revision))
            if approval is None:
                delivery.application.begin()
                return Outcome(delivery.application, tuple(changed), step)
            reporter.approved(step.name, approval.by)
        if step.stage is not None and delivery.step(step, step.stage):
            changed.append(step.stage)
    return Outcome(delivery.application, tuple(changed), None)


class _Delivery:
    """One run over the stages of one application."""

    def __init__(self, application: Application, reporter: Reporter, timeout: float | None) -> None:
        self.application = application
        self._reporter = reporter
        health = application.loaded.health
        self._timeout = timeout or (float(health.probe_timeout) if health else DEFAULT_TIMEOUT)
        self._interval = float(health.probe_interval) if health else DEFAULT_INTERVAL
        self._clusters: Mapping[str, Reached | VelapulumiError] = {}
        self._warned: set[str] = set()
        self._engine: Engine | None = None

    def step(self, step: WorkflowStep, name: str) -> bool:
        """Deliver a step to its stage; False when that already was as it shall be.

        Components with inputs follow in further rounds, once there are values for them.
        """
        changed = False
        deadline = time.monotonic() + self._timeout
        while True:
            prepared = prepare(self.application, name, self._clusters, step)
            self._clusters, title = prepared.clusters, prepared.title
            for reached in prepared.check_clusters().values():
                if reached.warning and reached.warning not in self._warned:
                    self._warned.add(reached.warning)
                    self._reporter.warning(reached.warning)
            prepared.check_promotion()
            applied, services = self._round(prepared)
            changed = changed or applied
            self.application = self.application.reread()
            pending = prepared.holding.pending
            if not pending and not (applied and prepared.has_inputs):
                break
            if applied:
                deadline = time.monotonic() + self._timeout
            elif time.monotonic() > deadline:
                reason = "; ".join(pending)
                raise Unhealthy(f"stage {title} is not complete after {self._timeout:g}s: {reason}")
            else:
                self._reporter.progress(f"{title}: {'; '.join(pending)}")
                time.sleep(self._interval)
        if changed:
            self._reporter.delivered(title, services)
        else:
            self._reporter.unchanged(title)
        return changed

    def _round(self, prepared: Prepared) -> tuple[bool, tuple[Service, ...]]:
        """Bring a stage to what can be told now; whether it was changed, and its services."""
        name = prepared.stage.name
        entries = [desired.entry for desired in prepared.desired]
        objects = [(entry.cluster, entry.manifest) for entry in entries if is_rendered(entry)]
        record = self.application.records[name]
        held = [(entry.cluster, entry.manifest) for entry in record.objects] if record else []
        plan = compare(prepared)
        services = read_services(objects, self._clusters, self.application.catalog)
        known = {_place(entry) for entry in held}
        lost = any(
            not s.present and (s.cluster, s.name) in known for s in services
        ) or self._has_lost(entries, held)
        complete = record is not None and (
            record.steps.get(prepared.step.name) == str(self.application.revision)
        )
        mended = lost and self.application.loaded.rules.mends_drift
        applied = bool(plan) or mended or not (complete or prepared.holding.pending)
        if applied:
            prepared.check_namespaces()
            self._reporter.planned(prepared.title, plan)
            self._run_engine(prepared, record, refresh=lost)
            services = read_services(objects, self._clusters, self.application.catalog)
        else:
            self._configure(prepared)
            if prepared.first:
                self.application.begin()
        return applied, self._wait_healthy(prepared.title, objects, services)

    def _has_lost(
        self, entries: Sequence[RenderedObject], held: Sequence[tuple[str, Mapping[str, Any]]]
    ) -> bool:
        """Whether an object that the stack has is in its cluster no more.

        The workloads of the step itself are seen with its services.
        """
        known = {ObjectKey.of(cluster, manifest) for cluster, manifest in held}
        wanted = [
            (reached.client, entry.manifest)
            for entry in entries
            if not (entry.role == "WORKLOAD" and is_rendered(entry))
            if ObjectKey.of(entry.cluster, entry.manifest) in known
            if isinstance(reached := self._clusters.get(entry.cluster), Reached)
        ]
        with ThreadPoolExecutor(8) as pool:
            return any(
                live is None for live in pool.map(lambda each: each[0].read(each[1]), wanted)
            )

    def _configure(self, prepared: Prepared) -> None:
        """Write what the stage's stack configuration must say."""
        self.application.project.configure(
            prepared.stack,
            self.application.file,
            allow_unknown=self.application.loaded.surroundings.allow_unknown,
        )

    def _run_engine(self, prepared: Prepared, record: StageRecord | None, *, refresh: bool) -> None:
        project = self.application.project
        self._configure(prepared)
        creation = StackCreation(project, prepared.stack) if record is None else None
        from velapulumi.delivery.engine import Engine
        from velapulumi.delivery.events import Listener
        from velapulumi.program.stage import deliver_stage

        if creation:
            creation.finish()
        if self._engine is None:
            self._engine = Engine(project, Listener(self._reporter.progress))
        try:
            self._engine.up(
                prepared.stack,
                lambda: deliver_stage(prepared.reread(), self._timeout),
                interrupted=record is not None and record.interrupted,
                refresh=refresh,
                parallel=prepared.step.parallelism,
            )
        except EngineFailed as error:
            after = read_record(project, prepared.stack)
            if after is not None and any(not entry.ready for entry in after.objects):
                objects = [(entry.cluster, entry.manifest) for entry in after.objects]
                raise self._unhealthy(
                    prepared.title,
                    read_services(objects, self._clusters, self.application.catalog),
                ) from error
            raise

    def _wait_healthy(
        self,
        stage: str,
        objects: Sequence[tuple[str, Mapping[str, Any]]],
        services: tuple[Service, ...],
    ) -> tuple[Service, ...]:
        deadline = time.monotonic() + self._timeout
        while not all(service.healthy for service in services):
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._unhealthy(stage, services)
            self._reporter.progress(f"{stage}: {describe_unhealthy(services)}")
            time.sleep(min(self._interval, left))
            services = read_services(objects, self._clusters, self.application.catalog)
        return services

    def _unhealthy(self, stage: str, services: tuple[Service, ...]) -> Unhealthy:
        reason = describe_unhealthy(services) or "the engine saw it fail to get ready"
        return Unhealthy(f"stage {stage} is not healthy after {self._timeout:g}s: {reason}")


def _check_placements(application: Application) -> None:
    """Refuse, before anything is touched, what is placed nowhere or on a cluster not joined.

    Raises:
        UsageProblem: No environment is delivered, or one has no cluster of its own.
        UnknownCluster: One is placed on a cluster that is not joined.
    """
    if not application.workflow.stages:
        raise UsageProblem(
            f"{application.file}: no step delivers to a cluster, so there is nothing to do",
            next_step="Add a topology policy that names joined clusters, or an env-binding policy.",
        )
    registry = Registry(application.project)
    for stage in application.workflow.stages.values():
        for cluster in stage.clusters:
            if cluster == LOCAL:
                raise UsageProblem(
                    f"{application.file}: stage {stage.name} is placed on the control plane's own "
                    "cluster, and there is no control plane here",
                    next_step="Name a joined cluster in its topology policy or env placement.",
                )
            registry.get(cluster)


def _left_alone(application: Application) -> Iterator[str]:
    """What is to be said of stacks which no step delivers to any more and which hold objects."""
    for stack in application.project.stack_names(application.name):
        if stack.stage not in application.workflow.stages:
            record = read_record(application.project, stack)
            if record is not None and record.objects:
                yield (
                    f"no step delivers to stage {stack.stage} any more: what its stack {stack} "
                    "holds stays as it is until the application is deleted"
                )


def describe_unhealthy(services: tuple[Service, ...]) -> str:
    """The services that are not healthy, with what they and their cluster say."""
    return "; ".join(
        f"{service.name} on {service.cluster} "
        + " - ".join(part for part in (service.message, service.reason) if part)
        for service in services
        if not service.healthy
    )


def _place(entry: tuple[str, Mapping[str, Any]]) -> tuple[str, str]:
    cluster, manifest = entry
    metadata = manifest["metadata"]
    return cluster, str((metadata.get("labels") or {}).get("app.oam.dev/component"))
