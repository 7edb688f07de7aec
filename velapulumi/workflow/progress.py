"""Where a workflow stands and what comes next: pure functions of what stages and approvals say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from velapulumi.workflow.stages import WorkflowStep


class Phase(StrEnum):
    """Phases of an application, in KubeVela's words."""

    RUNNING_WORKFLOW = "runningWorkflow"
    SUSPENDING = "workflowSuspending"
    FAILED = "workflowFailed"
    RUNNING = "running"
    UNHEALTHY = "unhealthy"


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
    """A step that has been reached, with its phase."""

    step: WorkflowStep
    phase: str


@dataclass(frozen=True)
class Progress:
    """Where a workflow stands.

    Attributes:
        steps: The steps reached so far, in order.
        phase: The application's phase.
        waiting: The suspend step it waits at, if it does.
    """

    steps: tuple[StepState, ...]
    phase: Phase
    waiting: WorkflowStep | None = None


def progress(
    steps: Iterable[WorkflowStep],
    revision: str,
    states: Mapping[str, StageState],
    approved: Callable[[str], bool],
) -> Progress:
    """Tell where the workflow of a revision stands.

    A suspend step that waits is ``succeeded`` while the workflow is suspended, as the KubeVela
    releases of the env-binding era show it.

    Args:
        steps: The workflow's steps, in order.
        revision: The revision being delivered.
        states: State by name of the delivering step; a missing one counts as not delivered.
        approved: Whether the step of that name is approved for this revision.
    """
    reached: list[StepState] = []
    for step in steps:
        if step.gate and not approved(step.name):
            phase = "succeeded" if step.stage is None else "running"
            reached.append(StepState(step, phase))
            return Progress(tuple(reached), Phase.SUSPENDING, step)
        if step.stage is None:
            reached.append(StepState(step, "succeeded"))
            continue
        state = states.get(step.name, StageState())
        if state.revision != revision:
            phase = "failed" if state.failed else "running"
            reached.append(StepState(step, phase))
            return Progress(
                tuple(reached), Phase.FAILED if state.failed else Phase.RUNNING_WORKFLOW
            )
        reached.append(StepState(step, "succeeded"))
    well = all(state.healthy for state in states.values())
    return Progress(tuple(reached), Phase.RUNNING if well else Phase.UNHEALTHY)
