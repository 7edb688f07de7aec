"""Everything that is known before a stage is touched, and whether it may be.

The command line and the Pulumi program both start here, so both decide alike. Finding
out writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from velapulumi.clusters.health import Service, read_services
from velapulumi.clusters.identity import Reached, reach
from velapulumi.errors import InvalidApplication, PromotionRefused, UsageProblem, VelapulumiError
from velapulumi.gate.file import Gate, read_gate, update_gate
from velapulumi.gate.promotion import missing
from velapulumi.plan.changes import ObjectKey
from velapulumi.program.record import StageRecord
from velapulumi.program.stacks import read_record
from velapulumi.project import Project, StackName
from velapulumi.render import Loaded, RenderedObject, load, render_environment
from velapulumi.workflow.progress import StageState
from velapulumi.workflow.revision import Revision, revision_of
from velapulumi.workflow.stages import Stage, Workflow, in_delivery_order, workflow_of

Clusters = Mapping[str, Reached | VelapulumiError]


@dataclass(frozen=True)
class Application:
    """An application beside what the project has recorded of it.

    Attributes:
        project: The project.
        file: The Application file.
        loaded: Its content, checked.
        workflow: Its steps and stages.
        gate: Its gate file.
        records: What each stage's stack holds; None for a stage without one.
        revision: The revision the content is.
    """

    project: Project
    file: Path
    loaded: Loaded
    workflow: Workflow
    gate: Gate
    records: Mapping[str, StageRecord | None]
    revision: Revision

    @property
    def name(self) -> str:
        return self.loaded.application.name

    def stack(self, stage: str) -> StackName:
        """The stack of a stage."""
        return StackName(self.name, stage)

    def objects(self, stage: str) -> tuple[RenderedObject, ...]:
        """The objects a stage shall hold, in the order they are applied."""
        environment = self.workflow.stages[stage].environment
        order = [component.name for component in in_delivery_order(environment.components)]
        rendered = render_environment(self.loaded.application, environment, self.revision.names)
        return tuple(sorted(rendered, key=lambda entry: order.index(entry.component)))

    def begin(self) -> None:
        """Record the revision as the current one in the gate file; a no-op when it already is."""
        update_gate(
            self.project.gate_file(self.name),
            self.name,
            lambda gate: gate.begin(self.revision, self.workflow.steps),
        )

    def reread(self) -> Application:
        """The same application with the gate file and the stacks as they are now."""
        return _with_records(self.project, self.file, self.loaded, self.workflow)


@dataclass(frozen=True)
class Prepared:
    """One stage, ready to be delivered or refused.

    Attributes:
        application: The application.
        stage: The stage.
        clusters: The stage's clusters and those of the stages before it.
    """

    application: Application
    stage: Stage
    clusters: Clusters

    @property
    def stack(self) -> StackName:
        return self.application.stack(self.stage.name)

    @property
    def first(self) -> bool:
        """Whether no stage comes before this one."""
        return next(iter(self.application.workflow.stages)) == self.stage.name

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """What still stands between the stage and the revision, a sentence each."""
        application = self.application
        revision = str(application.revision)
        return missing(
            application.workflow,
            self.stage.name,
            revision,
            {
                step.stage: stage_state(application.records[step.stage], self.clusters)
                for step in application.workflow.before(self.stage.name)
                if step.stage is not None
            },
            application.gate.approver(revision),
        )

    def new_objects(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Cluster and manifest of each object the stage shall hold and its stack does not."""
        record = self.application.records[self.stage.name]
        held = {ObjectKey.of(e.cluster, e.manifest) for e in record.objects} if record else set()
        return [
            (entry.cluster, entry.manifest)
            for entry in self.application.objects(self.stage.name)
            if ObjectKey.of(entry.cluster, entry.manifest) not in held
        ]

    def check_clusters(self) -> dict[str, Reached]:
        """The clusters of the stage itself.

        Raises:
            UnknownCluster, ClusterUnreachable, WrongCluster: The first that cannot be used.
        """
        reached = {}
        for name in self.stage.clusters:
            cluster = self.clusters[name]
            if isinstance(cluster, VelapulumiError):
                raise cluster
            reached[name] = cluster
        return reached

    def check_promotion(self) -> None:
        """Refuse a stage whose turn has not come.

        Raises:
            PromotionRefused: Something is missing; all of it is named.
        """
        if self.missing:
            reasons = "\n".join(f"  - {reason}" for reason in self.missing)
            raise PromotionRefused(
                f"stage {self.stage.name} may not get {self.application.revision}:\n{reasons}",
                next_step=f"See where it stands with: velapulumi status {self.application.name}",
            )

    def reread(self) -> Prepared:
        """The same stage with the gate file and the stacks as they are now."""
        return replace(self, application=self.application.reread())


def read_application(project: Project, file: Path) -> Application:
    """Load an application and what the project has recorded of it.

    Raises:
        InvalidApplication: The file has problems.
        InvalidFile: The gate file or a stack is damaged.
    """
    loaded = load(file)
    return _with_records(project, file, loaded, workflow_of(loaded))


def edited_since(project: Project, application: str, revision: str) -> bool:
    """Whether an application's file has become another revision than the given one.

    Args:
        project: The project.
        application: The application.
        revision: What was delivered, ``<application>-v<N>:<hash>``.
    """
    for stack in project.stack_names(application):
        config = project.stack_config(stack)
        file = project.root / config.application if config else None
        if file and file.is_file():
            try:
                return str(read_application(project, file).revision) != revision
            except InvalidApplication:
                return True
    return False


def prepare(application: Application, stage: str, known: Clusters | None = None) -> Prepared:
    """Find out all that decides whether a stage may be delivered, contacting its clusters.

    Args:
        application: The application.
        stage: The stage.
        known: Clusters that were reached already.

    Raises:
        UsageProblem: The application has no such stage.
    """
    stages = application.workflow.stages
    if stage not in stages:
        raise UsageProblem(
            f"{application.file}: no step of its workflow delivers env {stage}",
            next_step=f"Its stages are: {', '.join(stages) or 'none'}.",
        )
    names = set(stages[stage].clusters)
    for step in application.workflow.before(stage):
        if step.stage is not None:
            names |= set(stages[step.stage].clusters)
    clusters: dict[str, Reached | VelapulumiError] = dict(known or {})
    clusters |= reach(application.project, names - clusters.keys())
    return Prepared(application, stages[stage], clusters)


def stage_state(record: StageRecord | None, clusters: Clusters) -> StageState:
    """The state of a stage by its stack and, this moment, its clusters."""
    if record is None:
        return StageState()
    services = stage_services(record, clusters)
    return StageState(record.revision, all(service.healthy for service in services))


def stage_services(record: StageRecord, clusters: Clusters) -> tuple[Service, ...]:
    """The services of a stage as its clusters show them this moment."""
    return read_services(((entry.cluster, entry.manifest) for entry in record.objects), clusters)


def _with_records(project: Project, file: Path, loaded: Loaded, workflow: Workflow) -> Application:
    name = loaded.application.name
    gate = read_gate(project.gate_file(name), name)
    records = {stage: read_record(project, StackName(name, stage)) for stage in workflow.stages}
    held: list[Any] = [record.outputs.get("revision") for record in records.values() if record]
    revision = revision_of(loaded, gate.known, [text for text in held if isinstance(text, str)])
    return Application(project, file, loaded, workflow, gate, records, revision)
