"""May this step deliver this revision? One pure answer for the command line and the program."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from velapulumi.workflow.progress import StageState
from velapulumi.workflow.stages import Workflow, WorkflowStep


def missing(
    workflow: Workflow,
    step: WorkflowStep,
    revision: str,
    states: Mapping[str, StageState],
    approved: Callable[[str], bool],
) -> tuple[str, ...]:
    """What still stands between a delivering step and a revision.

    Args:
        workflow: The application's workflow.
        step: The step that is to deliver.
        revision: What it is to deliver, ``<application>-v<N>:<hash>``.
        states: State of the delivering steps before it, by name.
        approved: Whether the step of that name is approved for this very revision.

    Returns:
        One sentence for each unmet condition, in the order of the workflow; empty when it may go.
    """
    reasons = []
    for earlier in (*workflow.before(step.name), step):
        if earlier.gate and not approved(earlier.name):
            reasons.append(f"step {earlier.name} is not approved for {revision}")
        if earlier.stage is None or earlier is step:
            continue
        state = states.get(earlier.name, StageState())
        if state.revision is None:
            reasons.append(f"stage {earlier.stage} has not been delivered completely")
        elif state.revision != revision:
            reasons.append(f"stage {earlier.stage} holds {state.revision}, not {revision}")
        elif not state.healthy:
            reasons.append(f"stage {earlier.stage} is not healthy")
    return tuple(reasons)
