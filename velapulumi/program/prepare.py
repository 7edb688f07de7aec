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
from velapulumi.definitions import Catalog
from velapulumi.errors import (
    ClusterUnreachable,
    InvalidApplication,
    ObjectMissing,
    PromotionRefused,
    UsageProblem,
    VelapulumiError,
)
from velapulumi.gate.file import Gate, read_gate, update_gate
from velapulumi.gate.promotion import missing
from velapulumi.plan.changes import ObjectKey
from velapulumi.program.desired import (
    Desired,
    Holding,
    delivered_elsewhere,
    desired_objects,
)
from velapulumi.program.record import StageRecord
from velapulumi.program.stacks import read_record
from velapulumi.program.surroundings import read_surroundings
from velapulumi.program.values import read_values
from velapulumi.project import Project, StackName
from velapulumi.render import Loaded, load
from velapulumi.workflow.progress import StageState
from velapulumi.workflow.revision import Revision, revision_of
from velapulumi.workflow.stages import (
    Stage,
    Workflow,
    WorkflowStep,
    workflow_of,
)

NAMESPACE = "Namespace"
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

    @property
    def catalog(self) -> Catalog:
        """The definitions it may use."""
        return self.loaded.surroundings.catalog

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
    """One step of a stage, ready to be delivered or refused.

    Attributes:
        application: The application.
        stage: The stage.
        step: The step.
        clusters: The stage's clusters and those of the stages before it, or before the later step
            which the stage has come to already.
    """

    application: Application
    stage: Stage
    step: WorkflowStep
    clusters: Clusters

    @property
    def stack(self) -> StackName:
        return self.application.stack(self.stage.name)

    @property
    def title(self) -> str:
        """How people call it: as the stage, or as the step where the stage has several."""
        return self.stage.name if len(self.stage.steps) == 1 else self.step.name

    @property
    def first(self) -> bool:
        """Whether no step delivers before this one."""
        return not any(s.stage for s in self.application.workflow.before(self.step.name))

    @cached_property
    def holding(self) -> Holding:
        """What the stage shall hold after the step, or the later one it has come to already."""
        application = self.application
        names = application.revision.names
        values = read_values(
            application.loaded, names, application.workflow, self._reached, self.clusters
        )
        record = application.records[self.stage.name]
        elsewhere = frozenset[ObjectKey]()
        if record is not None and record.objects:
            elsewhere = delivered_elsewhere(
                application.loaded, names, application.workflow, self.stage
            )
        return desired_objects(
            application.loaded, names, self.stage, self._reached, record, values, elsewhere
        )

    @property
    def _reached(self) -> WorkflowStep:
        return _reached_step(self.application, self.stage, self.step)

    @property
    def has_inputs(self) -> bool:
        """Whether a component of the stage, as it is after the step, gets values from others."""
        return any(
            component.inputs
            for step in self.stage.until(self._reached.name)
            for component in self.stage.environments[step.name].components
        )

    @property
    def desired(self) -> tuple[Desired, ...]:
        """The objects the stage shall hold after the step, in the order they are applied."""
        return self.holding.objects

    @property
    def delivered(self) -> dict[str, str]:
        """The revision each step of the stage has delivered once this one is applied, by name.

        A later step that has once delivered this very revision has to do it again.
        """
        record = self.application.records[self.stage.name]
        held = record.steps if record else {}
        revision = str(self.application.revision)
        done = [step.name for step in self.stage.until(self._reached.name)]
        if self.holding.pending:
            done.pop()
        later = self.stage.steps[len(self.stage.until(self._reached.name)) :]
        return dict.fromkeys(done, revision) | {
            step.name: held[step.name]
            for step in later
            if held.get(step.name, revision) != revision
        }

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """What still stands between the stage and the revision, a sentence each."""
        application = self.application
        revision = str(application.revision)
        return missing(
            application.workflow,
            self.step,
            revision,
            {
                step.name: step_state(
                    application.records[step.stage], step.name, self.clusters, application.catalog
                )
                for step in application.workflow.before(self.step.name)
                if step.stage is not None
            },
            application.gate.approver(revision),
        )

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

    def check_namespaces(self) -> None:
        """Refuse what would go to a namespace that is not there and is not made by the stage.

        Raises:
            ObjectMissing: A namespace is missing; where the credentials do not allow to look, it
                counts as there.
        """
        record = self.application.records[self.stage.name]
        held = {ObjectKey.of(e.cluster, e.manifest) for e in record.objects} if record else set()
        entries = [desired.entry for desired in self.desired]
        made = {
            (entry.cluster, entry.manifest["metadata"]["name"])
            for entry in entries
            if entry.manifest["kind"] == NAMESPACE
        }
        wanted = {
            (entry.cluster, entry.namespace)
            for entry in entries
            if entry.namespace and ObjectKey.of(entry.cluster, entry.manifest) not in held
        }
        for cluster, name in sorted(wanted - made):
            reached = self.clusters.get(cluster)
            if isinstance(reached, Reached) and not _has_namespace(reached, name):
                raise ObjectMissing(
                    f"namespace {name} does not exist on {cluster}",
                    next_step=f"Create it there: kubectl create namespace {name}",
                )

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


def read_application(project: Project, file: Path, *, allow_unknown: bool = False) -> Application:
    """Load an application and what the project has recorded of it.

    Args:
        project: The project.
        file: The Application file.
        allow_unknown: Whether unknown parameters are ignored with a warning.

    Raises:
        InvalidApplication: The file has problems, or asks for what cannot be done yet.
        InvalidFile: The gate file or a stack is damaged.
    """
    loaded = load(file, read_surroundings(project, file, allow_unknown=allow_unknown))
    if loaded.obstacles:
        raise InvalidApplication(str(file), loaded.obstacles)
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
                application_now = read_application(
                    project, file, allow_unknown=config is not None and config.allow_unknown
                )
                return str(application_now.revision) != revision
            except InvalidApplication:
                return True
    return False


def prepare(
    application: Application,
    stage: str,
    known: Clusters | None = None,
    step: WorkflowStep | None = None,
) -> Prepared:
    """Find out all that decides whether a stage may be delivered, contacting its clusters.

    Args:
        application: The application.
        stage: The stage.
        known: Clusters that were reached already.
        step: The step to deliver; the stage's first that has not delivered the revision yet, or
            its last, when not given.

    Raises:
        UsageProblem: The application has no such stage.
    """
    stages = application.workflow.stages
    if stage not in stages:
        raise UsageProblem(
            f"{application.file}: no step of its workflow delivers stage {stage}",
            next_step=f"Its stages are: {', '.join(stages) or 'none'}.",
        )
    step = step or _next_step(application, stages[stage])
    reached = _reached_step(application, stages[stage], step)
    names = set(stages[stage].clusters)
    for earlier in application.workflow.before(reached.name):
        if earlier.stage is not None:
            names |= set(stages[earlier.stage].clusters)
    clusters: dict[str, Reached | VelapulumiError] = dict(known or {})
    clusters |= reach(application.project, names - clusters.keys())
    return Prepared(application, stages[stage], step, clusters)


def step_state(
    record: StageRecord | None, step: str, clusters: Clusters, catalog: Catalog
) -> StageState:
    """The state of a delivering step by its stage's stack and, this moment, its clusters.

    What a later step of the stage once delivered and has still to deliver again does not count.
    """
    if record is None:
        return StageState()
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
    return read_services(objects, clusters, catalog)


def _has_namespace(reached: Reached, name: str) -> bool:
    manifest = {"apiVersion": "v1", "kind": NAMESPACE, "metadata": {"name": name}}
    try:
        return reached.client.read(manifest) is not None
    except ClusterUnreachable:
        return True


def _next_step(application: Application, stage: Stage) -> WorkflowStep:
    record = application.records[stage.name]
    held = record.steps if record else {}
    revision = str(application.revision)
    pending = (step for step in stage.steps if held.get(step.name) != revision)
    return next(pending, stage.steps[-1])


def _reached_step(application: Application, stage: Stage, step: WorkflowStep) -> WorkflowStep:
    """The step; when it has delivered the revision, the last one after it that has, too."""
    record = application.records[stage.name]
    held = record.steps if record else {}
    revision = str(application.revision)
    reached = step
    for later in stage.steps[stage.steps.index(step) :]:
        if held.get(later.name) != revision:
            break
        reached = later
    return reached


def _with_records(project: Project, file: Path, loaded: Loaded, workflow: Workflow) -> Application:
    name = loaded.application.name
    gate = read_gate(project.gate_file(name), name)
    records = {stage: read_record(project, StackName(name, stage)) for stage in workflow.stages}
    held: list[Any] = [record.outputs.get("revision") for record in records.values() if record]
    revision = revision_of(loaded, gate.known, [text for text in held if isinstance(text, str)])
    return Application(project, file, loaded, workflow, gate, records, revision)
