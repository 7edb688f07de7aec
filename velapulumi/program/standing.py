"""Where an application stands, told from its files alone or together with its clusters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from velapulumi.clusters.identity import reach
from velapulumi.definitions import Catalog
from velapulumi.engine.record import StageRecord
from velapulumi.engine.stacks import read_record
from velapulumi.errors import UnknownApplication
from velapulumi.extensions import catalog_of
from velapulumi.gate.decision import Decision
from velapulumi.gate.file import Gate, RecordedRevision, read_gate
from velapulumi.gate.journal import told
from velapulumi.program.application import subject_of
from velapulumi.program.authority import Authority, read_authority
from velapulumi.program.state import Clusters, step_state
from velapulumi.project import Project, StackName
from velapulumi.workflow.entries import Entry
from velapulumi.workflow.gates import guarded, healthy_since
from velapulumi.workflow.progress import Progress, StageState, progress
from velapulumi.workflow.run import Run, run_of
from velapulumi.workflow.steps import WorkflowStep


@dataclass(frozen=True)
class Standing:
    """Where an application stands.

    Attributes:
        application: Its name.
        gate: Its gate file.
        recorded: The revision that is current, with its workflow.
        entries: Its journal.
        run: What the journal tells of the current run.
        records: What the stacks hold, by stage: those of the workflow first, in its order.
        clusters: The clusters that were asked, by name.
        catalog: The definitions of the project.
        authority: Its approvals, and the policy they are judged by.
    """

    application: str
    gate: Gate
    recorded: RecordedRevision
    entries: tuple[Entry, ...]
    run: Run
    records: Mapping[str, StageRecord]
    clusters: Clusters
    catalog: Catalog
    authority: Authority

    @cached_property
    def progress(self) -> Progress:
        """Where its workflow stands."""
        return progress(self.steps, self.run, self._states(), lambda s: self.decision(s).open)

    @cached_property
    def steps(self) -> tuple[WorkflowStep, ...]:
        """The steps of its workflow, with the gates that the policy in force makes."""
        return guarded(self.recorded.steps, self.authority.governs)

    def decision(self, gate: str) -> Decision:
        """How a gate stands."""
        subject = subject_of(self.application, self.steps, gate, self.gate.current, self.gate.run)
        return self.authority.decide(subject, healthy_since(self.steps, self.run, gate))

    def _states(self) -> dict[str, StageState]:
        states = {}
        for step in self.steps:
            record = self.records.get(step.stage or "")
            if record is None:
                continue
            gone = self.run.step(step.name).clusters.items()
            lost = {name for name, cluster in gone if cluster.phase.lost}
            state = step_state(record, step.name, self.clusters, self.catalog, lost)
            failed = not record.steps and bool(record.objects) and not record.interrupted
            states[step.name] = StageState(state.revision, state.healthy, failed)
        return states


def read_standing(project: Project, application: str, *, contact: bool = True) -> Standing:
    """Read where an application stands.

    Args:
        project: The project.
        application: Its name.
        contact: Whether to ask the clusters; without, health is unknown and counts as unhealthy.

    Raises:
        UnknownApplication: Nothing of it has been delivered.
        InvalidFile: The gate file, the journal or a stack is damaged.
    """
    gate = read_gate(project.gate_file(application), application)
    recorded = gate.recorded(gate.current)
    if recorded is None:
        raise UnknownApplication(f"no application {application} has been delivered here")
    entries = told(project.journal_file(application))
    planned = [step.stage for step in recorded.steps if step.stage is not None]
    names = [name.stage for name in project.stack_names(application)]
    records = {
        stage: record
        for stage in dict.fromkeys((*planned, *names))
        if (record := read_record(project, StackName(application, stage))) is not None
    }
    wanted = {entry.cluster for record in records.values() for entry in record.objects}
    return Standing(
        application=application,
        gate=gate,
        recorded=recorded,
        entries=entries,
        run=run_of(entries, gate.current, gate.run),
        records=records,
        clusters=reach(project, wanted) if contact else {},
        catalog=catalog_of(project.root),
        authority=read_authority(project, application, gate.run).with_stacks(records),
    )
