"""An application beside what the project has recorded of it: gate, journal, stacks, approvals."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from velapulumi import files
from velapulumi.definitions import Catalog
from velapulumi.engine.record import StageRecord, application_of
from velapulumi.engine.stacks import read_record
from velapulumi.errors import InvalidApplication, UsageProblem
from velapulumi.gate.decision import Decision, Subject
from velapulumi.gate.file import Gate, read_gate, update_gate
from velapulumi.gate.journal import told
from velapulumi.plan.objects import ObjectKey
from velapulumi.program.authority import Authority, read_authority
from velapulumi.program.identity import project_id
from velapulumi.program.surroundings import read_surroundings
from velapulumi.project import Project, StackName
from velapulumi.render import Loaded, load, parse, render_environment
from velapulumi.workflow.gates import clusters_of, healthy_since, opened
from velapulumi.workflow.phases import StepPhase
from velapulumi.workflow.revision import Revision, revision_of
from velapulumi.workflow.run import Run, run_of, unfinished
from velapulumi.workflow.stages import Workflow, workflow_of
from velapulumi.workflow.steps import WorkflowStep


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
        unfinished: The steps whose last apply, of whichever revision, did not end well.
        authority: Its approvals, and the policy they are judged by.
        project_id: The identity of the project; empty before its first delivery.
        abandoned: What the stacks hold that no step delivers to any more, by stage.
        takes_fields: Whether new fields that others hold are taken from them.
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
    project_id: str = ""
    abandoned: Mapping[str, StageRecord] = field(default_factory=dict)
    unfinished: frozenset[str] = frozenset()
    takes_fields: bool = False

    @property
    def name(self) -> str:
        return self.plain.application.name

    @property
    def full_name(self) -> str:
        """``<namespace>/<name>``, as labels and annotations name it."""
        return f"{self.plain.application.namespace}/{self.name}"

    @property
    def all_records(self) -> Mapping[str, StageRecord | None]:
        """What all its stacks hold, those of stages without steps last."""
        return {**self.records, **self.abandoned}

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

    def delivered_keys(self, stage: str) -> frozenset[ObjectKey]:
        """The objects that the steps of a stage deliver; none of one that no step delivers to."""
        return frozenset(self._rendered.get(stage, ()))

    def brought(self, stages: Collection[str]) -> Collection[tuple[str, str, str]]:
        """What some stages bring to clusters: namespaces, and kinds by their definitions.

        Each is cluster, ``Namespace`` and name, or cluster, group and kind.

        Args:
            stages: The stages.
        """
        found = set()
        for stage in stages:
            for key, manifest in self._rendered.get(stage, {}).items():
                if key.kind == "Namespace":
                    found.add((key.cluster, key.kind, key.name))
                elif key.kind == "CustomResourceDefinition":
                    spec = manifest.get("spec") or {}
                    kind = (spec.get("names") or {}).get("kind")
                    found.add((key.cluster, str(spec.get("group")), str(kind)))
        return frozenset(found)

    @cached_property
    def _rendered(self) -> Mapping[str, Mapping[ObjectKey, Mapping[str, Any]]]:
        """What the steps of each stage deliver, as far as it is known without published values."""
        return {
            name: {
                ObjectKey.of(entry.cluster, entry.manifest): entry.manifest
                for step, environment in stage.environments.items()
                if self.run.step(step).phase is not StepPhase.SKIPPED
                for entry in render_environment(
                    self.loaded.application,
                    environment,
                    self.revision.names,
                    self.loaded.surroundings,
                )
            }
            for name, stage in self.workflow.stages.items()
        }

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
        fresh = replace(fresh, takes_fields=self.takes_fields)
        values = {**fresh.run.values, **self.run.values}
        return fresh.taken_up(replace(fresh.run, values=values))


def read_application(
    project: Project, file: Path, *, allow_unknown: bool = False, takes_fields: bool = False
) -> Application:
    """Load an application and what the project has recorded of it.

    Args:
        project: The project.
        file: The Application file.
        allow_unknown: Whether unknown parameters are ignored with a warning.
        takes_fields: Whether new fields that others hold are taken from them.

    Raises:
        InvalidApplication: The file has problems, or asks for what cannot be done yet.
        InvalidFile: The gate file or a stack is damaged.
    """
    loaded = load(file, read_surroundings(project, file, allow_unknown=allow_unknown))
    if loaded.obstacles:
        raise InvalidApplication(str(file), loaded.obstacles)
    return replace(_with_records(project, file, loaded), takes_fields=takes_fields)


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
    abandoned = {
        stack.stage: record
        for stack in project.stack_names(name)
        if stack.stage not in stages
        if (record := read_record(project, stack)) is not None
    }
    known = {stage: record for stage, record in records.items() if record} | abandoned
    _check_namespace(loaded, list(known.values()))
    held: list[Any] = [record.outputs.get("revision") for record in records.values() if record]
    revision = revision_of(loaded, gate.known, [text for text in held if isinstance(text, str)])
    number = gate.run if gate.current == str(revision) else gate.run + 1
    authority = read_authority(project, name, number).with_stacks(known)
    workflow = workflow_of(loaded, authority.governs)
    fresh = Run(str(revision), number)
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
        authority,
        project_id(project, known.values()),
        abandoned,
    )
    entries = told(project.journal_file(name))
    application = replace(application, unfinished=unfinished(entries))
    return application.taken_up(run_of(entries, str(revision), number))


def _check_namespace(loaded: Loaded, records: Sequence[StageRecord]) -> None:
    """Refuse an application that has the name of another one in another namespace.

    Both would have the same stacks, so each delivery would delete what the other one has delivered.

    Raises:
        UsageProblem: The stacks are of the other one.
    """
    described = loaded.application
    for record in records:
        held = application_of(record)
        if held and held != f"{described.namespace}/{described.name}":
            raise UsageProblem(
                f"the stacks of {described.name} hold application {held}, "
                f"and {described.file} describes {described.namespace}/{described.name}",
                next_step="Give one of the two another name, or delete the delivered one first: "
                f"velapulumi delete {described.name}",
            )
