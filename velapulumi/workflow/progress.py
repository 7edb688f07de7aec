"""Where a workflow stands: pure functions of what journal, stacks and approvals say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from velapulumi.spec import ALWAYS, GROUP
from velapulumi.workflow.phases import Phase, StepPhase, WorkflowPhase
from velapulumi.workflow.rules import Verdict, group_phase, judge, members, waits_for
from velapulumi.workflow.run import Run, StepRun
from velapulumi.workflow.steps import SUSPEND, WorkflowStep


@dataclass(frozen=True)
class StageState:
    """What is known of one delivering step.

    Attributes:
        revision: The revision it delivered completely, such as ``app-v1:<hash>``; None when its
            last delivery did not finish or there was none.
        healthy: Whether every service of its stage is healthy now.
        failed: Whether its last delivery of the current revision ended in an error.
    """

    revision: str | None = None
    healthy: bool = False
    failed: bool = False

    def done(self, revision: str) -> bool:
        """Whether the stage runs this revision and runs it well."""
        return self.revision == revision and self.healthy


@dataclass(frozen=True)
class StepState:
    """A step that has been reached, with what has become of it."""

    step: WorkflowStep
    run: StepRun

    @property
    def phase(self) -> StepPhase:
        return self.run.phase


@dataclass(frozen=True)
class Progress:
    """Where a workflow stands.

    Attributes:
        steps: The steps reached so far, in order.
        phase: The application's phase.
        waiting: The steps that wait for approval.
        workflow: The phase of the workflow.
    """

    steps: tuple[StepState, ...]
    phase: Phase
    waiting: tuple[WorkflowStep, ...] = ()
    workflow: WorkflowPhase = WorkflowPhase.INITIALIZING


def progress(
    steps: Sequence[WorkflowStep],
    run: Run,
    states: Mapping[str, StageState],
    approved: Callable[[str], bool],
) -> Progress:
    """Tell where the workflow of a revision stands.

    The journal tells of all steps; where it tells nothing of a delivering step, or the stack
    contradicts it, the stack counts, as plain ``pulumi up`` keeps no journal.

    Args:
        steps: The workflow's steps, in order.
        run: What the journal tells of the run.
        states: State by name of the delivering step; a missing one counts as not delivered.
        approved: Whether the step of that name is approved for this revision.
    """
    seen = run
    for step in steps:
        state = seen.step(step.name)
        seen = seen.with_step(step.name, _as_it_is(steps, seen, step, state, states, approved))
    for step in steps:
        if step.type == GROUP and seen.step(step.name).phase is StepPhase.RUNNING:
            parts = [seen.step(each.name) for each in members(steps, step)]
            group = replace(seen.step(step.name), phase=group_phase(parts))
            seen = seen.with_step(step.name, group)
    reached = tuple(
        StepState(step, state)
        for step in steps
        if (state := seen.step(step.name)).phase is not StepPhase.PENDING
    )
    phases = [state.phase for state in reached]
    waiting = tuple(each.step for each in reached if each.phase is StepPhase.SUSPENDING)
    workflow = _workflow_phase(seen, phases, len(steps))
    return Progress(reached, _application_phase(workflow, states.values()), waiting, workflow)


def _as_it_is(
    steps: Sequence[WorkflowStep],
    run: Run,
    step: WorkflowStep,
    state: StepRun,
    states: Mapping[str, StageState],
    approved: Callable[[str], bool],
) -> StepRun:
    """What has become of a step, by all that is known."""
    stack = states.get(step.name, StageState())
    held = step.stage is not None and stack.revision == run.revision
    if state.phase is StepPhase.PENDING:
        if run.terminated or (step.condition not in ("", ALWAYS) and not held):
            return state
        verdict = judge(steps, run, step, waits_for(steps, step), {}).verdict
        if verdict in (Verdict.WAIT, Verdict.FAIL):
            return state
        if verdict is Verdict.SKIP:
            return replace(state, phase=StepPhase.SKIPPED)
        if step.gate and not approved(step.name):
            return replace(state, phase=StepPhase.SUSPENDING, message=step.message)
        if step.type == SUSPEND or step.idle or held:
            return replace(state, phase=StepPhase.SUCCEEDED)
        failed = step.stage is not None and stack.failed
        return replace(state, phase=StepPhase.FAILED if failed else StepPhase.RUNNING)
    if state.phase is StepPhase.SUSPENDING and approved(step.name):
        done = step.type == SUSPEND
        return replace(state, phase=StepPhase.SUCCEEDED if done else StepPhase.RUNNING, message="")
    if state.phase is StepPhase.SUCCEEDED and step.stage is not None and not held:
        failed = stack.failed
        return replace(state, phase=StepPhase.FAILED if failed else StepPhase.RUNNING)
    return state


def _workflow_phase(run: Run, phases: Sequence[StepPhase], count: int) -> WorkflowPhase:
    if run.terminated:
        return WorkflowPhase.TERMINATED
    if run.suspended:
        return WorkflowPhase.SUSPENDING
    if StepPhase.FAILED in phases and StepPhase.RUNNING not in phases:
        return WorkflowPhase.FAILED
    if StepPhase.SUSPENDING in phases:
        return WorkflowPhase.SUSPENDING
    if len(phases) < count or StepPhase.RUNNING in phases:
        return WorkflowPhase.EXECUTING
    return WorkflowPhase.SUCCEEDED


_APPLICATION = {
    WorkflowPhase.TERMINATED: Phase.TERMINATED,
    WorkflowPhase.SUSPENDING: Phase.SUSPENDING,
    WorkflowPhase.FAILED: Phase.FAILED,
    WorkflowPhase.EXECUTING: Phase.RUNNING_WORKFLOW,
}


def _application_phase(workflow: WorkflowPhase, states: Iterable[StageState]) -> Phase:
    well = all(state.healthy for state in states)
    return _APPLICATION.get(workflow, Phase.RUNNING if well else Phase.UNHEALTHY)
