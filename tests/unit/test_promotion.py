"""What stands between a delivering step and a revision; the laws of it are in tests/laws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.helpers import V1, V2, deploy, suspend
from velapulumi.gate.promotion import missing
from velapulumi.spec import GROUP
from velapulumi.workflow.phases import StepPhase
from velapulumi.workflow.progress import StageState
from velapulumi.workflow.run import Run, StepRun
from velapulumi.workflow.stages import Workflow
from velapulumi.workflow.steps import SUSPEND, WorkflowStep

GOOD, SICK = StageState(V1, True), StageState(V1, False)


@given(
    st.lists(st.booleans(), min_size=1, max_size=6),
    st.data(),
)
def test_spoiling_any_one_fact_closes_an_open_gate(gates: list[bool], data: st.DataObject) -> None:
    ahead = [suspend(f"s{i}") if gate else deploy(f"s{i}") for i, gate in enumerate(gates)]
    workflow = Workflow((*ahead, deploy("last"), suspend("later"), deploy("latest")), {})
    stages = {step.name: GOOD for step in ahead if step.stage is not None}
    last = workflow.steps[len(ahead)]
    approved = {step.name for step in ahead if step.type == SUSPEND}
    assert missing(workflow, last, V1, stages, approved.__contains__, Run()) == ()
    spoiled = data.draw(st.sampled_from(ahead))
    if spoiled.stage is None:
        approved.discard(spoiled.name)
    else:
        bad = data.draw(st.sampled_from([None, SICK, StageState(V2, True), StageState(None, True)]))
        del stages[spoiled.name]
        if bad is not None:
            stages[spoiled.name] = bad
    (reason,) = missing(workflow, last, V1, stages, approved.__contains__, Run())
    assert spoiled.stage is None or f"stage {spoiled.stage} " in reason
    assert spoiled.stage is not None or f"step {spoiled.name} " in reason


def test_each_reason_is_a_sentence_in_the_order_of_the_workflow() -> None:
    steps = (*(deploy(name) for name in "abc"), suspend("ask"), deploy("prod"))
    stages = {
        "deploy-a": StageState(None),
        "deploy-b": StageState(V2, True),
        "deploy-c": SICK,
    }
    assert missing(Workflow(steps, {}), steps[-1], V1, stages, lambda step: False, Run()) == (
        "stage a has not been delivered completely",
        f"stage b holds {V2}, not {V1}",
        "stage c is not healthy",
        f"step ask is not approved for {V1}",
    )


def test_a_deploying_step_may_need_an_approval_of_its_own() -> None:
    step = deploy("prod", approval=True)
    workflow = Workflow((step,), {})
    reason = f"step deploy-prod is not approved for {V1}"
    assert missing(workflow, step, V1, {}, lambda name: False, Run()) == (reason,)
    assert missing(workflow, step, V1, {}, lambda name: name == "deploy-prod", Run()) == ()


def by_hand(name: str, *needs: str, **fields: Any) -> WorkflowStep:
    """An acting step."""
    return WorkflowStep(name=name, type="request", depends_on=needs, **fields)


def reasons(
    *steps: WorkflowStep,
    states: Mapping[str, StageState] | None = None,
    approved: str = "",
    run: Run | None = None,
    phases: Mapping[str, StepPhase] | None = None,
) -> tuple[str, ...]:
    """What is missing before the last of the steps."""
    now = replace(
        run or Run(V1, 1), steps={n: StepRun(phase) for n, phase in (phases or {}).items()}
    )
    workflow = Workflow(steps, {})
    return missing(workflow, steps[-1], V1, states or {}, approved.split().__contains__, now)


def test_only_what_a_step_depends_on_counts() -> None:
    free = {"ordered": False}
    last = deploy("prod", depends_on=("deploy-a",), **free)
    steps = (deploy("a", depends_on=("deploy-b",), **free), deploy("b", **free))
    others = (deploy("other", **free), suspend("ask").model_copy(update=free), by_hand("x", **free))
    assert reasons(*steps, *others, last) == (
        "stage a has not been delivered completely",
        "stage b has not been delivered completely",
    )
    good = {"deploy-a": GOOD, "deploy-b": GOOD}
    assert reasons(*steps, *others, last, states=good) == ()
    assert reasons(*steps, *others, deploy("prod", **free)) == ()


@pytest.mark.parametrize(
    ("phase", "open_"),
    [
        (None, False),
        (StepPhase.RUNNING, False),
        (StepPhase.FAILED, False),
        (StepPhase.SUCCEEDED, True),
        (StepPhase.SKIPPED, True),
    ],
)
def test_an_acting_step_has_to_have_succeeded_by_the_journal(
    phase: StepPhase | None, open_: bool
) -> None:
    phases = {} if phase is None else {"call": phase}
    reason = "step call has not succeeded, `velapulumi up` runs it"
    assert reasons(by_hand("call"), deploy("prod"), phases=phases) == (() if open_ else (reason,))


def test_what_was_skipped_holds_nothing_up() -> None:
    steps = (deploy("a"), suspend("ask"), deploy("b", approval=True), deploy("prod"))
    skipped = dict.fromkeys(("deploy-a", "ask", "deploy-b"), StepPhase.SKIPPED)
    assert reasons(*steps, phases=skipped) == ()
    assert len(reasons(*steps)) == 4
    assert reasons(*steps, phases={**skipped, "deploy-a": StepPhase.PENDING}) == (
        "stage a has not been delivered completely",
    )


def test_a_step_that_was_to_wait_only_for_a_while_needs_no_approval_then() -> None:
    pause = suspend("ask").model_copy(update={"duration": 60.0})
    reason = f"step ask is not approved for {V1}"
    assert reasons(pause, deploy("prod")) == (reason,)
    assert reasons(pause, deploy("prod"), phases={"ask": StepPhase.SUSPENDING}) == (reason,)
    assert reasons(pause, deploy("prod"), phases={"ask": StepPhase.SUCCEEDED}) == ()
    assert reasons(pause, deploy("prod"), approved="ask") == ()
    assert reasons(suspend("ask"), deploy("prod"), phases={"ask": StepPhase.SUCCEEDED}) == (reason,)


@pytest.mark.parametrize(
    ("phase", "open_"),
    [
        (None, False),
        (StepPhase.RUNNING, False),
        (StepPhase.FAILED, True),
        (StepPhase.SUCCEEDED, True),
        (StepPhase.SKIPPED, True),
    ],
)
def test_before_a_condition_steps_need_only_have_ended(
    phase: StepPhase | None, open_: bool
) -> None:
    last = deploy("prod", condition="status.call.failed")
    phases = {} if phase is None else {"call": phase}
    begun = {**phases, "deploy-prod": StepPhase.RUNNING}
    assert (reasons(by_hand("call"), last, phases=begun) == ()) is open_
    # by hand nobody has evaluated the condition
    text = "whether step deploy-prod runs is decided by `velapulumi up`"
    assert text in reasons(by_hand("call"), last, phases=phases)


def test_a_condition_does_not_stand_for_the_steps_own_approval() -> None:
    last = deploy("prod", condition="always", approval=True)
    reason = f"step deploy-prod is not approved for {V1}"
    done = StepPhase.SUCCEEDED
    assert reasons(by_hand("call"), last, phases={"call": done}) == (reason,)
    assert reasons(by_hand("call"), last, phases={"call": done}, approved="deploy-prod") == ()


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (Run(V1, 1), ()),
        (Run(V1, 1, suspended=True), ("the workflow is suspended",)),
        (Run(V1, 1, terminated=True), ("the workflow is terminated",)),
    ],
)
def test_nothing_goes_while_a_run_is_held_or_after_it_was_ended(
    run: Run, expected: tuple[str, ...]
) -> None:
    assert reasons(deploy("a"), deploy("prod"), states={"deploy-a": GOOD}, run=run) == expected
    assert reasons(deploy("prod"), run=run) == expected
    further = (*expected, "stage a is not healthy")
    assert reasons(deploy("a"), deploy("prod"), states={"deploy-a": SICK}, run=run) == further


def test_a_group_is_judged_by_its_steps() -> None:
    group = WorkflowStep(name="both", type=GROUP)
    parts = (deploy("a", group="both", ordered=False), by_hand("call", group="both", ordered=False))
    assert reasons(group, *parts, deploy("prod")) == (
        "stage a has not been delivered completely",
        "step call has not succeeded, `velapulumi up` runs it",
    )
    good = {"deploy-a": GOOD}
    done = {"both": StepPhase.SUCCEEDED, "call": StepPhase.SUCCEEDED}
    assert reasons(group, *parts, deploy("prod"), states=good, phases=done) == ()


def test_a_step_that_leads_to_no_cluster_holds_nothing_up() -> None:
    idle = WorkflowStep(name="none", type="deploy", idle=True)
    assert reasons(idle, deploy("prod")) == ()
