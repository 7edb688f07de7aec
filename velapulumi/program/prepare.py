"""Everything that is known before a stage is touched, and whether it may be.

The command line and the Pulumi program both start here, so both decide alike. Finding
out writes nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from velapulumi import files
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
from velapulumi.gate.decision import Decision, Subject
from velapulumi.gate.file import Gate, read_gate, update_gate
from velapulumi.gate.journal import told
from velapulumi.gate.promotion import missing
from velapulumi.plan.changes import ObjectKey
from velapulumi.program.authority import ANCHOR, Authority, read_authority
from velapulumi.program.desired import (
    Desired,
    Holding,
    Portion,
    desired_objects,
)
from velapulumi.program.record import StageRecord
from velapulumi.program.stacks import read_record
from velapulumi.program.surroundings import read_surroundings
from velapulumi.program.values import read_values
from velapulumi.project import Project, StackName
from velapulumi.render import Loaded, load, parse, render_environment
from velapulumi.workflow.gates import clusters_of, healthy_since, opened
from velapulumi.workflow.phases import StepPhase
from velapulumi.workflow.progress import StageState
from velapulumi.workflow.revision import Revision, revision_of
from velapulumi.workflow.rules import waits_for
from velapulumi.workflow.run import Run, run_of
from velapulumi.workflow.stages import Stage, Workflow, workflow_of
from velapulumi.workflow.steps import WorkflowStep

NAMESPACE = "Namespace"
Clusters = Mapping[str, Reached | VelapulumiError]


@dataclass(frozen=True)
class Application:
    """An application beside what the project has recorded of it.

    Attributes:
        project: The project.
        file: The Application file.
        plain: Its content, checked, without the values its steps publish.
        loaded: Its content with those values, as far as there are any.
        workflow: Its steps and stages.
        gate: Its gate file.
        records: What each stage's stack holds; None for a stage without one.
        revision: The revision the content is.
        run: What its journal tells of the current run of the revision.
        authority: Its approvals, and the policy they are judged by.
    """

    project: Project
    file: Path
    plain: Loaded
    loaded: Loaded
    workflow: Workflow
    gate: Gate
    records: Mapping[str, StageRecord | None]
    revision: Revision
    run: Run
    authority: Authority

    @property
    def name(self) -> str:
        return self.plain.application.name

    def stack(self, stage: str) -> StackName:
        """The stack of a stage."""
        return StackName(self.name, stage)

    def taken_up(self, run: Run) -> Application:
        """The application with what a run has come to, its published values filled in.

        Raises:
            InvalidApplication: A value does not fit the parameter it is for.
        """
        if run.values == self.run.values or not any(s.inputs for s in self.workflow.steps):
            return replace(self, run=run)
        surroundings = replace(self.plain.surroundings, values=run.values)
        loaded = parse(self.plain.text, str(self.file), surroundings)
        workflow = workflow_of(loaded, self.authority.governs)
        return replace(self, run=run, loaded=loaded, workflow=workflow)

    def approved(self, step: str) -> bool:
        """Whether a gate is open for this run of the revision."""
        return self.decision(step).open

    def decision(self, gate: str) -> Decision:
        """How a gate stands in this run of the revision."""
        since = healthy_since(self.workflow.steps, self.run, gate)
        return self.authority.decide(self.subject(gate), since)

    def subject(self, gate: str) -> Subject:
        """What is to be decided at a gate."""
        return subject_of(self.name, self.workflow.steps, gate, str(self.revision), self.run.number)

    def held_elsewhere(self, stage: str) -> frozenset[ObjectKey]:
        """What the stacks of all other stages hold."""
        return frozenset(
            ObjectKey.of(entry.cluster, entry.manifest)
            for name, record in self.records.items()
            if name != stage and record
            for entry in record.objects
        )

    @property
    def succeeded(self) -> bool:
        """Whether all steps have come to their end, delivering ones by what the stacks hold."""
        return all(self._has_succeeded(step) for step in self.workflow.steps)

    def _has_succeeded(self, step: WorkflowStep) -> bool:
        phase = self.run.step(step.name).phase
        if phase is StepPhase.SKIPPED:
            return True
        if step.stage is not None:
            record = self.records[step.stage]
            return record is not None and record.steps.get(step.name) == str(self.revision)
        if step.gate:
            return phase is StepPhase.SUCCEEDED or self.approved(step.name)
        return phase is StepPhase.SUCCEEDED or not step.acts

    def lost(self, step: str) -> frozenset[str]:
        """The clusters a step has failed on in this run."""
        clusters = self.run.step(step).clusters.items()
        return frozenset(name for name, cluster in clusters if cluster.phase.lost)

    @property
    def catalog(self) -> Catalog:
        """The definitions it may use."""
        return self.plain.surroundings.catalog

    def begin(self) -> None:
        """Record the revision as the current one in the gate file; a no-op when it already is.

        Its Application file is kept beside, so that one can go back to it.
        """
        kept = self.project.revision_file(self.name, self.revision.name)
        if not kept.exists():
            files.write(kept, self.plain.text)
        update_gate(
            self.project.gate_file(self.name),
            self.name,
            lambda gate: gate.begin(self.revision, self.workflow.steps),
        )

    def reread(self) -> Application:
        """The same application with the gate file, the journal and the stacks as they are now.

        Published values that are not written anywhere, as they may be secret, are kept.
        """
        fresh = _with_records(self.project, self.file, self.plain)
        values = {**fresh.run.values, **self.run.values}
        return fresh.taken_up(replace(fresh.run, values=values))


@dataclass(frozen=True)
class Prepared:
    """One step of a stage, ready to be delivered or refused.

    Attributes:
        application: The application.
        stage: The stage.
        step: The step.
        clusters: The stage's clusters and those of the stages before it, or before the later step
            which the stage has come to already, and of all that its steps wait for.
        only: The clusters that shall have what the step delivers now; None for all of them.
        without: Clusters that are left as they are, as they cannot be used.
        collecting: Whether what the application does not deliver any more is to be deleted.
    """

    application: Application
    stage: Stage
    step: WorkflowStep
    clusters: Clusters
    only: frozenset[str] | None = None
    without: frozenset[str] = frozenset()
    collecting: bool = False

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
        """What the stage shall hold after the step."""
        application = self.application
        names = application.revision.names
        values = read_values(
            application.loaded, names, application.workflow, self.included, self.clusters
        )
        return desired_objects(
            application.loaded,
            names,
            self.stage,
            Portion(self.included, self.step, self.only, self.without),
            application.records[self.stage.name],
            values,
            self._spared if self.collecting else None,
        )

    @property
    def included(self) -> tuple[WorkflowStep, ...]:
        """The steps whose objects the stage shall hold: this one, and those that have delivered.

        A later step that has once delivered this very revision, and waits for this one again, does
        not count.
        """
        application, steps = self.application, self.stage.steps
        record = application.records[self.stage.name]
        held = record.steps if record else {}
        revision = str(application.revision)
        place = steps.index(self.step)
        after = itertools.takewhile(
            lambda later: held.get(later.name) == revision and held.get(self.step.name) == revision,
            steps[place + 1 :],
        )
        before = (step for step in steps[:place] if held.get(step.name) == revision)
        return (*before, self.step, *(step for step in after if self._is_open(step)))

    def _is_open(self, step: WorkflowStep) -> bool:
        return not step.gate or self.application.approved(step.name)

    @property
    def _spared(self) -> frozenset[ObjectKey]:
        """What the stage goes on holding when it is collected.

        That is what steps have that have not delivered this revision, and what another stage has
        taken over, since deleting it here would delete it there.
        """
        application, names = self.application, self.application.revision.names
        return application.held_elsewhere(self.stage.name) | frozenset(
            ObjectKey.of(entry.cluster, entry.manifest)
            for step in self.stage.steps
            if step not in self.included
            for entry in render_environment(
                application.loaded.application,
                self.stage.environments[step.name],
                names,
                application.loaded.surroundings,
            )
        )

    @property
    def has_inputs(self) -> bool:
        """Whether a component of the stage, as it is after the step, gets values from others."""
        return any(
            component.inputs
            for step in self.included
            for component in self.stage.environments[step.name].components
        )

    @property
    def desired(self) -> tuple[Desired, ...]:
        """The objects the stage shall hold after the step, in the order they are applied."""
        return self.holding.objects

    @property
    def complete(self) -> bool:
        """Whether the step is delivered on all clusters, but those left out, once it is applied."""
        clusters = {p.cluster for p in self.stage.environments[self.step.name].placements}
        reached = clusters if self.only is None else self.only
        return not self.holding.pending and clusters <= reached | self.without

    @property
    def delivered(self) -> dict[str, str]:
        """The revision each step of the stage has delivered once this one is applied, by name.

        A later step that has once delivered this very revision has to do it again.
        """
        record = self.application.records[self.stage.name]
        held = record.steps if record else {}
        revision = str(self.application.revision)
        done = [step for step in self.included if step is not self.step or self.complete]
        return {step.name: revision for step in done} | {
            step.name: held[step.name]
            for step in self.stage.steps
            if step not in self.included and held.get(step.name, revision) != revision
        }

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """What still stands between the stage and the revision, a sentence each."""
        application = self.application
        reasons = missing(
            application.workflow,
            self.step,
            str(application.revision),
            {
                step.name: step_state(
                    application.records[step.stage or ""],
                    step.name,
                    self.clusters,
                    application.catalog,
                    application.lost(step.name),
                )
                for step in _delivering_before(application.workflow, self.step)
            },
            application.approved,
            application.run,
        )
        return (*reasons, *self._skipped, *self._waves)

    @property
    def _is_held(self) -> bool:
        """Whether the stage holds what the step delivers of this revision already."""
        record = self.application.records[self.stage.name]
        held = record.steps.get(self.step.name) if record else None
        return held == str(self.application.revision)

    @property
    def _skipped(self) -> tuple[str, ...]:
        """That the run has skipped the step."""
        skipped = self.application.run.step(self.step.name).phase is StepPhase.SKIPPED
        if not skipped or self._is_held:
            return ()
        return (f"step {self.step.name} is skipped in this run",)

    @property
    def _waves(self) -> tuple[str, ...]:
        """That the step goes over its clusters in waves, where all shall have it at once."""
        waves = self.application.workflow.rollouts[self.step.name].waves
        if self.only is not None or len(waves) < 2 or self._is_held:
            return ()
        return (f"step {self.step.name} goes in waves, `velapulumi up` does that",)

    def check_clusters(self) -> dict[str, Reached]:
        """The clusters of the stage itself, but those left out.

        Raises:
            UnknownCluster, ClusterUnreachable, WrongCluster: The first that cannot be used.
        """
        reached = {}
        for name in self.stage.clusters:
            if name in self.without:
                continue
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
    return _with_records(project, file, loaded)


def prepare(
    application: Application,
    stage: str,
    known: Clusters | None = None,
    step: WorkflowStep | None = None,
    *,
    only: frozenset[str] | None = None,
    without: frozenset[str] = frozenset(),
    collecting: bool = False,
) -> Prepared:
    """Find out all that decides whether a stage may be delivered, contacting its clusters.

    Args:
        application: The application.
        stage: The stage.
        known: Clusters that were reached already.
        step: The step to deliver; the stage's first that has not delivered the revision yet, or
            its last, when not given. One that the run has skipped is passed over.
        only: The clusters that shall have what the step delivers now; None for all of them.
        without: Clusters that are left as they are.
        collecting: Whether what the application does not deliver any more is to be deleted.

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
    names = set(stages[stage].clusters) - without
    last = stages[stage].steps[-1]
    needed = [
        *(each for each in application.workflow.before(last.name) if each.stage is not None),
        *_delivering_before(application.workflow, *stages[stage].steps),
    ]
    names |= {name for each in needed for name in stages[each.stage or ""].clusters}
    clusters: dict[str, Reached | VelapulumiError] = dict(known or {})
    clusters |= reach(application.project, names - clusters.keys())
    return Prepared(application, stages[stage], step, clusters, only, without, collecting)


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
    return read_services(objects, clusters, catalog)


def _has_namespace(reached: Reached, name: str) -> bool:
    manifest = {"apiVersion": "v1", "kind": NAMESPACE, "metadata": {"name": name}}
    try:
        return reached.client.read(manifest) is not None
    except ClusterUnreachable:
        return True


def _delivering_before(workflow: Workflow, *steps: WorkflowStep) -> tuple[WorkflowStep, ...]:
    """The delivering steps that some wait for; in the mode DAG the file may have them later."""
    names = frozenset[str]().union(*(waits_for(workflow.steps, step) for step in steps))
    return tuple(each for each in workflow.steps if each.stage and each.name in names)


def _next_step(application: Application, stage: Stage) -> WorkflowStep:
    record = application.records[stage.name]
    held = record.steps if record else {}
    revision = str(application.revision)
    run = application.run
    going = [s for s in stage.steps if run.step(s.name).phase is not StepPhase.SKIPPED]
    pending = (step for step in going if held.get(step.name) != revision)
    return next(pending, (going or stage.steps)[-1])


def subject_of(
    application: str, steps: Sequence[WorkflowStep], gate: str, revision: str, run: int
) -> Subject:
    """What is to be decided at a gate.

    Args:
        application: The application.
        steps: The steps of its workflow.
        gate: The gate's name.
        revision: The revision, ``<application>-v<N>:<hash>``.
        run: The run of it.
    """
    stages = tuple(dict.fromkeys(step.stage for step in opened(steps, gate) if step.stage))
    clusters = {stage: clusters_of(steps, stage) for stage in stages}
    return Subject(application, gate, stages, revision, run, clusters)


def _with_records(project: Project, file: Path, loaded: Loaded) -> Application:
    name = loaded.application.name
    gate = read_gate(project.gate_file(name), name)
    stages = workflow_of(loaded).stages
    records = {stage: read_record(project, StackName(name, stage)) for stage in stages}
    held: list[Any] = [record.outputs.get("revision") for record in records.values() if record]
    revision = revision_of(loaded, gate.known, [text for text in held if isinstance(text, str)])
    number = gate.run if gate.current == str(revision) else gate.run + 1
    authority = read_authority(project, name, number)
    workflow = workflow_of(loaded, authority.governs)
    fresh = Run(str(revision), number)
    anchors = {stage: r.outputs.get(ANCHOR) for stage, r in records.items() if r}
    application = Application(
        project,
        file,
        loaded,
        loaded,
        workflow,
        gate,
        records,
        revision,
        fresh,
        authority.anchored(anchors),
    )
    entries = told(project.journal_file(name))
    return application.taken_up(run_of(entries, str(revision), number))
