"""Where a workflow stands: one case a line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.helpers import V1, V2, deploy, suspend
from velapulumi.spec import GROUP
from velapulumi.workflow.entries import Entry, Kind
from velapulumi.workflow.phases import Phase, StepPhase, WorkflowPhase
from velapulumi.workflow.progress import Progress, StageState, progress
from velapulumi.workflow.run import Run, advance
from velapulumi.workflow.steps import WorkflowStep

STEPS = (deploy("staging"), suspend("ask"), deploy("prod"))
DONE, SICK = StageState(V1, True), StageState(V1, False)
OLD, HALF = StageState(V2, True), StageState(None)
BROKEN = StageState(None, failed=True)
FRESH = Run(V1, 1)


def nobody(step: str) -> bool:
    return False


@pytest.mark.parametrize(
    ("staging", "approved", "prod", "phases", "phase"),
    [
        (None, False, None, "running", Phase.RUNNING_WORKFLOW),
        (HALF, False, None, "running", Phase.RUNNING_WORKFLOW),
        (OLD, True, OLD, "running", Phase.RUNNING_WORKFLOW),
        (BROKEN, True, DONE, "failed skipped skipped", Phase.FAILED),
        (DONE, False, None, "succeeded suspending", Phase.SUSPENDING),
        (SICK, False, None, "succeeded suspending", Phase.SUSPENDING),
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
    found = progress(STEPS, FRESH, stages, lambda step: approved and step == "ask")
    assert phases_of(found) == phases.split()
    assert found.phase is phase
    assert found.waiting == ((STEPS[1],) if phase is Phase.SUSPENDING else ())


def phases_of(found: Progress) -> list[str]:
    return [str(state.phase) for state in found.steps]


def test_a_workflow_without_steps_runs() -> None:
    found = progress((), FRESH, {}, nobody)
    assert (found.phase, found.workflow) == (Phase.RUNNING, WorkflowPhase.SUCCEEDED)


def after(*entries: dict[str, Any]) -> Run:
    """The run after some entries of its journal."""
    run = FRESH
    for at, fields in enumerate(entries, 1):
        run = advance(run, Entry(at=at, **fields))
    return run


def start(step: str, **fields: Any) -> dict[str, Any]:
    return {"kind": Kind.START, "step": step, **fields}


def end(step: str, phase: StepPhase, **fields: Any) -> dict[str, Any]:
    return {"kind": Kind.END, "step": step, "phase": phase, **fields}


ACTING = (
    WorkflowStep(name="call", type="request"),
    deploy("prod"),
    WorkflowStep(name="tell", type="notification", condition="always"),
)


@pytest.mark.parametrize(
    ("entries", "phases", "workflow", "phase"),
    [
        ([], "running", WorkflowPhase.EXECUTING, Phase.RUNNING_WORKFLOW),
        ([start("call")], "running", WorkflowPhase.EXECUTING, Phase.RUNNING_WORKFLOW),
        (
            [end("call", StepPhase.SUCCEEDED)],
            "succeeded succeeded running",
            WorkflowPhase.EXECUTING,
            Phase.RUNNING_WORKFLOW,
        ),
        (
            [end("call", StepPhase.FAILED), end("tell", StepPhase.SUCCEEDED)],
            "failed skipped succeeded",
            WorkflowPhase.FAILED,
            Phase.FAILED,
        ),
        (
            [end("call", StepPhase.SUCCEEDED), end("tell", StepPhase.SUCCEEDED)],
            "succeeded succeeded succeeded",
            WorkflowPhase.SUCCEEDED,
            Phase.RUNNING,
        ),
        (
            [end("call", StepPhase.SKIPPED), end("tell", StepPhase.SUCCEEDED)],
            "skipped succeeded succeeded",
            WorkflowPhase.SUCCEEDED,
            Phase.RUNNING,
        ),
        (
            [start("call"), {"kind": Kind.SUSPEND}],
            "running",
            WorkflowPhase.SUSPENDING,
            Phase.SUSPENDING,
        ),
        (
            [start("call"), {"kind": Kind.TERMINATE}],
            "failed",
            WorkflowPhase.TERMINATED,
            Phase.TERMINATED,
        ),
    ],
)
def test_what_the_journal_tells_of_acting_steps_counts(
    entries: list[dict[str, Any]], phases: str, workflow: WorkflowPhase, phase: Phase
) -> None:
    found = progress(ACTING, after(*entries), {"deploy-prod": DONE}, nobody)
    assert phases_of(found) == phases.split()
    assert (found.workflow, found.phase, found.waiting) == (workflow, phase, ())


@pytest.mark.parametrize(
    ("state", "phases"),
    [
        (DONE, "succeeded"),
        (SICK, "succeeded"),
        (OLD, "running"),
        (HALF, "running"),
        (BROKEN, "failed"),
        (None, "running"),
    ],
)
def test_a_stack_counts_more_than_what_the_journal_says_was_delivered(
    state: StageState | None, phases: str
) -> None:
    run = after(end("deploy-prod", StepPhase.SUCCEEDED))
    states = {} if state is None else {"deploy-prod": state}
    assert phases_of(progress((deploy("prod"),), run, states, nobody)) == phases.split()


@pytest.mark.parametrize("approved", [False, True])
def test_a_deploying_step_that_waits_tells_what_for(approved: bool) -> None:
    step = deploy("prod", approval=True, message="look")
    entry = start("deploy-prod", phase=StepPhase.SUSPENDING, message="look")
    for run in (FRESH, after(entry)):
        found = progress((step,), run, {}, lambda name: approved)
        (state,) = found.steps
        assert state.phase is (StepPhase.RUNNING if approved else StepPhase.SUSPENDING)
        assert state.run.message == ("" if approved else "look")
        assert found.waiting == (() if approved else (step,))


def test_a_group_is_where_its_steps_are() -> None:
    group = WorkflowStep(name="both", type=GROUP)
    parts = tuple(deploy(name, group="both", ordered=False) for name in ("a", "b"))
    steps = (group, *parts)
    for states, phases in (
        ({}, "running running running"),
        ({"deploy-a": DONE}, "running succeeded running"),
        ({"deploy-a": DONE, "deploy-b": BROKEN}, "failed succeeded failed"),
        ({"deploy-a": DONE, "deploy-b": DONE}, "succeeded succeeded succeeded"),
    ):
        assert phases_of(progress(steps, FRESH, states, nobody)) == phases.split()


def test_steps_side_by_side_may_wait_together() -> None:
    steps = (
        deploy("a", approval=True, ordered=False),
        deploy("b", approval=True, ordered=False),
        deploy("c", depends_on=("deploy-a",), ordered=False),
    )
    found = progress(steps, FRESH, {}, nobody)
    assert found.waiting == steps[:2]
    assert phases_of(found) == ["suspending", "suspending"]
    assert found.phase is Phase.SUSPENDING


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
    found = progress(steps, FRESH, stages, approved.__contains__)
    phases = [state.phase for state in found.steps]
    well = [phase for phase in phases if phase is StepPhase.SUCCEEDED]
    assert phases[: len(well)] == well
    rest = phases[len(well) :]
    if rest[:1] == [StepPhase.FAILED]:
        assert set(rest[1:]) <= {StepPhase.SKIPPED}
        assert len(phases) == len(steps)
    else:
        assert len(rest) <= 1
        assert (len(rest) == 0) == (len(phases) == len(steps) == len(well))
    waits = phases[-1:] == [StepPhase.SUSPENDING]
    assert found.waiting == ((found.steps[-1].step,) if waits else ())
    assert all(step.name not in approved for step in found.waiting)
