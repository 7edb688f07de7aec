"""Where a workflow stands: one case a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.helpers import V1, V2, deploy, suspend
from velapulumi.workflow.progress import Phase, StageState, progress
from velapulumi.workflow.stages import WorkflowStep

STEPS = (deploy("staging"), suspend("ask"), deploy("prod"))
DONE, SICK = StageState(V1, True), StageState(V1, False)
OLD, HALF = StageState(V2, True), StageState(None)
BROKEN = StageState(None, failed=True)


@pytest.mark.parametrize(
    ("staging", "approved", "prod", "phases", "phase"),
    [
        (None, False, None, "running", Phase.RUNNING_WORKFLOW),
        (HALF, False, None, "running", Phase.RUNNING_WORKFLOW),
        (OLD, True, OLD, "running", Phase.RUNNING_WORKFLOW),
        (BROKEN, True, DONE, "failed", Phase.FAILED),
        (DONE, False, None, "succeeded succeeded", Phase.SUSPENDING),
        (SICK, False, None, "succeeded succeeded", Phase.SUSPENDING),
        (DONE, True, None, "succeeded succeeded running", Phase.RUNNING_WORKFLOW),
        (DONE, True, BROKEN, "succeeded succeeded failed", Phase.FAILED),
        (DONE, True, OLD, "succeeded succeeded running", Phase.RUNNING_WORKFLOW),
        (DONE, True, DONE, "succeeded succeeded succeeded", Phase.RUNNING),
        (SICK, True, DONE, "succeeded succeeded succeeded", Phase.UNHEALTHY),
        (DONE, True, SICK, "succeeded succeeded succeeded", Phase.UNHEALTHY),
    ],
)
def test_where_it_stands(
    staging: StageState | None, approved: bool, prod: StageState | None, phases: str, phase: Phase
) -> None:
    both = {"deploy-staging": staging, "deploy-prod": prod}
    stages = {name: state for name, state in both.items() if state is not None}
    found = progress(STEPS, V1, stages, lambda step: approved and step == "ask")
    assert [state.phase for state in found.steps] == phases.split()
    assert found.phase is phase
    assert found.waiting == (STEPS[1] if phase is Phase.SUSPENDING else None)


def test_a_workflow_without_steps_runs() -> None:
    assert progress((), V1, {}, lambda step: False).phase is Phase.RUNNING


plans = st.lists(st.booleans(), max_size=6).map(
    lambda gates: [suspend(f"s{i}") if gate else deploy(f"s{i}") for i, gate in enumerate(gates)]
)
states = st.sampled_from([None, DONE, SICK, OLD, HALF, BROKEN])


@given(plans, st.data())
def test_no_step_is_reached_past_one_that_waits_or_is_not_finished(
    steps: list[WorkflowStep], data: st.DataObject
) -> None:
    drawn = {f"deploy-s{index}": data.draw(states) for index in range(len(steps))}
    stages = {name: state for name, state in drawn.items() if state is not None}
    approved = data.draw(st.sets(st.sampled_from([f"s{i}" for i in range(6)])))
    found = progress(steps, V1, stages, approved.__contains__)
    phases = [state.phase for state in found.steps]
    assert set(phases[:-1]) <= {"succeeded"}
    assert found.waiting is None or found.waiting is found.steps[-1].step
    assert found.waiting is None or found.waiting.name not in approved
    if len(phases) < len(steps):
        assert found.waiting is not None or phases[-1] in ("running", "failed")
