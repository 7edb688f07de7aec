"""How a delivery ended, as one value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from velapulumi.cli.progress import words
from velapulumi.errors import WaitingForApproval
from velapulumi.program.application import Application
from velapulumi.workflow.phases import StepPhase, WorkflowPhase
from velapulumi.workflow.rollout import lost
from velapulumi.workflow.run import Run
from velapulumi.workflow.stages import Workflow
from velapulumi.workflow.steps import WorkflowStep


@dataclass(frozen=True)
class Summary:
    """How a delivery ended.

    Attributes:
        phase: The phase of the workflow.
        revision: What was delivered; empty when that was not told.
        changed: Names of the stages that were changed.
        waiting: The steps that wait for approval.
        lost: The clusters that steps have failed on, by step.
        exit_code: What the command ends with.
        sentence: All of it for a person; empty after an error, which tells more.
    """

    phase: WorkflowPhase = WorkflowPhase.INITIALIZING
    revision: str = ""
    changed: tuple[str, ...] = ()
    waiting: tuple[WorkflowStep, ...] = ()
    lost: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    exit_code: int = 0
    sentence: str = ""


def conclude(application: Application, run: Run, changed: Iterable[str]) -> Summary:
    """How a delivery that came to its end, or to where somebody has to decide, ended.

    Args:
        application: The application.
        run: Its run.
        changed: Names of the stages that were changed.
    """
    summary = _summary(application, run, changed)
    held = summary.phase is WorkflowPhase.SUSPENDING
    return replace(
        summary,
        exit_code=WaitingForApproval.exit_code if held else 0,
        sentence=_sentence(application, run, summary),
    )


def break_off(
    application: Application, run: Run, changed: Iterable[str], exit_code: int
) -> Summary:
    """How a delivery that an error has ended stands.

    Args:
        application: The application.
        run: Its run.
        changed: Names of the stages that were changed.
        exit_code: That of the error.
    """
    return replace(_summary(application, run, changed), exit_code=exit_code)


def _summary(application: Application, run: Run, changed: Iterable[str]) -> Summary:
    workflow = application.workflow
    waiting = tuple(
        step
        for step in workflow.steps
        if step.gate and run.step(step.name).phase is StepPhase.SUSPENDING
    )
    return Summary(
        _phase(workflow, run),
        str(application.revision),
        tuple(changed),
        waiting,
        {
            name: names
            for name, rollout in workflow.rollouts.items()
            if (names := lost(rollout, run.step(name)))
        },
    )


def _phase(workflow: Workflow, run: Run) -> WorkflowPhase:
    phases = {run.step(step.name).phase for step in workflow.steps}
    if run.terminated:
        return WorkflowPhase.TERMINATED
    if all(phase.finished for phase in phases):
        failed = StepPhase.FAILED in phases
        return WorkflowPhase.FAILED if failed else WorkflowPhase.SUCCEEDED
    if run.suspended or (StepPhase.SUSPENDING in phases and StepPhase.RUNNING not in phases):
        return WorkflowPhase.SUSPENDING
    if phases == {StepPhase.PENDING}:
        return WorkflowPhase.INITIALIZING
    return WorkflowPhase.EXECUTING


def _sentence(application: Application, run: Run, summary: Summary) -> str:
    subject = f"Application {application.loaded.application.namespace}/{application.name}"
    if summary.phase is not WorkflowPhase.SUSPENDING:
        what = f"runs {summary.revision} in {_places(application.workflow, run)}"
        return f"{subject} {what}." if summary.changed else f"{subject} {what}; no change."
    if run.suspended:
        return f"{subject} is suspended by an operator on the way to {summary.revision}."
    steps = (
        f"{step.name} ({step.message})" if step.message else step.name for step in summary.waiting
    )
    return f"{subject} waits at {words.listed(steps)} to promote {summary.revision}."


def _places(workflow: Workflow, run: Run) -> str:
    """The stages a finished workflow has delivered to."""
    left_out = [
        name
        for name, stage in workflow.stages.items()
        if all(run.step(step.name).phase is StepPhase.SKIPPED for step in stage.steps)
    ]
    return "all stages" + (f" but {words.listed(left_out)} (skipped)" if left_out else "")
