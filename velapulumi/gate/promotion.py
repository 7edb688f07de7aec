"""May this stage get this revision? One pure answer for the command line and the program."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from velapulumi.workflow.progress import StageState
from velapulumi.workflow.stages import SUSPEND, Workflow


def missing(
    workflow: Workflow,
    stage: str,
    revision: str,
    stages: Mapping[str, StageState],
    approved: Callable[[str], bool],
) -> tuple[str, ...]:
    """What still stands between a stage and a revision.

    Args:
        workflow: The application's workflow.
        stage: The stage to deliver.
        revision: What it is to get, ``<application>-v<N>:<hash>``.
        stages: State of the stages before it, by name.
        approved: Whether the suspend step of that name is approved for this very revision.

    Returns:
        One sentence for each unmet condition, in the order of the workflow; empty when it may go.
    """
    reasons = []
    for step in workflow.before(stage):
        if step.type == SUSPEND:
            if not approved(step.name):
                reasons.append(f"step {step.name} is not approved for {revision}")
            continue
        state = stages.get(step.stage or "", StageState())
        if state.revision is None:
            reasons.append(f"stage {step.stage} has not been delivered completely")
        elif state.revision != revision:
            reasons.append(f"stage {step.stage} holds {state.revision}, not {revision}")
        elif not state.healthy:
            reasons.append(f"stage {step.stage} is not healthy")
    return tuple(reasons)
