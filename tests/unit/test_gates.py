"""Which gate guards which delivering step."""

from __future__ import annotations

import pytest

from tests.unit.helpers import deploy, suspend
from velapulumi.workflow.gates import guarded, guards, healthy_since, opened
from velapulumi.workflow.run import Run, StepRun
from velapulumi.workflow.steps import WorkflowStep

STAGING, ASK, PROD = deploy("staging"), suspend(), deploy("prod")
AGAIN, LATE = suspend("again"), deploy("late")


def names(steps: tuple[WorkflowStep, ...]) -> list[str]:
    return [step.name for step in steps]


@pytest.mark.parametrize(
    ("steps", "step", "expected"),
    [
        ((STAGING, ASK, PROD), STAGING, []),
        ((STAGING, ASK, PROD), PROD, ["ask"]),
        ((ASK, PROD, LATE), LATE, ["ask"]),
        ((ASK, PROD, AGAIN, LATE), LATE, ["again"]),
        ((ASK, AGAIN, PROD), PROD, ["again"]),
        ((ASK, deploy("prod", approval=True)), deploy("prod", approval=True), ["deploy-prod"]),
        ((ASK, deploy("prod", approval=True), LATE), LATE, ["deploy-prod"]),
    ],
)
def test_the_last_gate_before_a_step_guards_it(
    steps: tuple[WorkflowStep, ...], step: WorkflowStep, expected: list[str]
) -> None:
    assert names(guards(steps, step)) == expected
    for gate in expected:
        assert step.name in names(opened(steps, gate))


def test_side_by_side_all_gates_guard_what_waits_for_them() -> None:
    one, two = (suspend(name).model_copy(update={"ordered": False}) for name in ("one", "two"))
    both = deploy("prod", depends_on=("one", "two"), ordered=False)
    assert names(guards((one, two, both), both)) == ["one", "two"]
    alone = deploy("late", depends_on=("two",), ordered=False)
    assert names(guards((one, two, alone), alone)) == ["two"]
    assert names(opened((one, two, both, alone), "two")) == ["deploy-prod", "deploy-late"]


def test_a_stage_under_a_policy_is_never_reached_without_a_gate() -> None:
    free = guarded((STAGING, PROD), lambda stage, _: stage == "prod")
    assert [step.gate for step in free] == [False, True]
    gated = guarded((STAGING, ASK, PROD), lambda stage, _: stage == "prod")
    assert gated == (STAGING, ASK, PROD)
    nobody = guarded((STAGING, ASK, PROD), lambda *_: False)
    assert nobody == (STAGING, ASK, PROD)


def test_a_gate_that_may_be_skipped_or_opens_in_time_is_none_under_a_policy() -> None:
    skipped = ASK.model_copy(update={"condition": "false"})
    assert guarded((skipped, PROD), lambda *_: True)[1].gate
    group = WorkflowStep(name="group", type="step-group", condition="false")
    inside = ASK.model_copy(update={"group": "group"})
    assert guarded((group, inside, PROD), lambda *_: True)[2].gate
    timed = ASK.model_copy(update={"duration": 5.0})
    assert guarded((timed, PROD), lambda *_: True)[0].duration is None
    assert guarded((timed, PROD), lambda *_: False)[0].duration == 5


def test_a_stage_is_known_by_its_clusters_too() -> None:
    there = PROD.model_copy(update={"clusters": ("east", "west")})
    found = guarded((STAGING, there), lambda stage, clusters: "west" in clusters)
    assert [step.gate for step in found] == [False, True]


def test_health_counts_from_the_last_step_that_got_healthy() -> None:
    steps = (STAGING, LATE, ASK, PROD)
    run = Run(steps={"deploy-staging": StepRun(ended=5.0), "deploy-late": StepRun(ended=9.0)})
    assert healthy_since(steps, run, "ask") == 9
    assert healthy_since(steps, Run(steps={"deploy-late": StepRun(ended=9.0)}), "ask") is None
    assert healthy_since((ASK, PROD), run, "ask") is None
    assert healthy_since(steps, run, "nothing") is None
