"""May this step deliver this revision? One pure answer for the command line and the program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from velapulumi.spec import ALWAYS, GROUP
from velapulumi.workflow.phases import StepPhase
from velapulumi.workflow.progress import StageState
from velapulumi.workflow.rules import waits_for
from velapulumi.workflow.run import Run
from velapulumi.workflow.stages import Workflow
from velapulumi.workflow.steps import WorkflowStep


def missing(
    workflow: Workflow,
    step: WorkflowStep,
    revision: str,
    states: Mapping[str, StageState],
    approved: Callable[[str], bool],
    run: Run,
) -> tuple[str, ...]:
    """What still stands between a delivering step and a revision.

    A delivering step is judged by its stack and its clusters, so it does not matter who ran it; any
    other one by the journal of the run. A step with a condition only needs those before it to have
    ended, as the condition says the rest.

    Args:
        workflow: The application's workflow.
        step: The step that is to deliver.
        revision: What it is to deliver, ``<application>-v<N>:<hash>``.
        states: State of the delivering steps it waits for, by name.
        approved: Whether the step of that name is approved for this very revision.
        run: What the journal tells of the run.

    Returns:
        One sentence for each unmet condition, in the order of the workflow; empty when it may go.
    """
    reasons = []
    if run.terminated:
        reasons.append("the workflow is terminated")
    if run.suspended:
        reasons.append("the workflow is suspended")
    if step.condition not in ("", ALWAYS) and run.step(step.name).phase is StepPhase.PENDING:
        reasons.append(f"whether step {step.name} runs is decided by `velapulumi up`")
    before = waits_for(workflow.steps, step)
    for earlier in workflow.steps:
        if earlier.name == step.name and step.gate and not approved(step.name):
            reasons.append(f"step {step.name} is not approved for {revision}")
        if earlier.name not in before:
            continue
        phase = run.step(earlier.name).phase
        if phase is StepPhase.SKIPPED or (step.condition and phase.finished):
            continue
        state = states.get(earlier.name, StageState())
        reasons += _unmet(earlier, revision, phase, state, approved)
    return tuple(reasons)


def _unmet(
    earlier: WorkflowStep,
    revision: str,
    phase: StepPhase,
    state: StageState,
    approved: Callable[[str], bool],
) -> Iterator[str]:
    """What an earlier step has not come to."""
    if earlier.gate and not approved(earlier.name):
        waited = earlier.duration is not None and phase is StepPhase.SUCCEEDED
        if not waited:
            yield f"step {earlier.name} is not approved for {revision}"
    if earlier.acts and phase is not StepPhase.SUCCEEDED:
        yield f"step {earlier.name} has not succeeded, `velapulumi up` runs it"
    if earlier.stage is None or earlier.type == GROUP:
        return
    if state.revision is None:
        yield f"stage {earlier.stage} has not been delivered completely"
    elif state.revision != revision:
        yield f"stage {earlier.stage} holds {state.revision}, not {revision}"
    elif not state.healthy:
        yield f"stage {earlier.stage} is not healthy"
