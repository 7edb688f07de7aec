"""When a step begins, what starts over with it, and what becomes of a group."""

from __future__ import annotations

from typing import Any

import pytest

from velapulumi.spec import GROUP, Input, Output
from velapulumi.workflow.phases import Reason, StepPhase
from velapulumi.workflow.rules import (
    Judgement,
    Verdict,
    group_phase,
    judge,
    members,
    overview,
    starting_over,
    waits_for,
)
from velapulumi.workflow.run import Run, StepRun
from velapulumi.workflow.steps import WorkflowStep

GOOD, BAD, SKIPPED = StepPhase.SUCCEEDED, StepPhase.FAILED, StepPhase.SKIPPED
RUNNING, PENDING = StepPhase.RUNNING, StepPhase.PENDING


def step(name: str, **fields: Any) -> WorkflowStep:
    return WorkflowStep(name=name, type=fields.pop("type", "request"), **fields)


def free(name: str, *needs: str, **fields: Any) -> WorkflowStep:
    """A step of a workflow in mode DAG."""
    return step(name, ordered=False, depends_on=needs, **fields)


def taking(*names: str) -> tuple[Input, ...]:
    return tuple(Input.model_validate({"from": name}) for name in names)


def giving(*names: str) -> tuple[Output, ...]:
    return tuple(Output(name=name, valueFrom="output") for name in names)


def run(values: dict[str, Any] | None = None, /, **phases: StepPhase) -> Run:
    steps = {name: StepRun(phase) for name, phase in phases.items()}
    return Run("shop-v1:0", 1, steps=steps, values=values or {})


def verdict(steps: list[WorkflowStep], now: Run, name: str, **context: Any) -> Judgement:
    found = next(each for each in steps if each.name == name)
    return judge(steps, now, found, waits_for(steps, found), context)


WAIT, GO, SKIP, FAIL = Verdict.WAIT, Verdict.GO, Verdict.SKIP, Verdict.FAIL
ROW = [step("a"), step("b"), step("c")]


@pytest.mark.parametrize(
    ("phases", "name", "expected"),
    [
        ({}, "a", Judgement(GO)),
        ({}, "b", Judgement(WAIT, "Pending on DependsOn: a")),
        ({"a": RUNNING}, "b", Judgement(WAIT, "Pending on DependsOn: a")),
        ({"a": StepPhase.SUSPENDING}, "b", Judgement(WAIT, "Pending on DependsOn: a")),
        ({"a": GOOD}, "b", Judgement(GO)),
        ({"a": SKIPPED}, "b", Judgement(GO)),
        ({"a": BAD}, "b", Judgement(SKIP)),
        ({"a": GOOD}, "c", Judgement(WAIT, "Pending on DependsOn: b")),
        ({"a": BAD, "b": SKIPPED}, "c", Judgement(SKIP)),
        ({"a": SKIPPED, "b": GOOD}, "c", Judgement(GO)),
    ],
)
def test_one_step_goes_after_the_other(
    phases: dict[str, StepPhase], name: str, expected: Judgement
) -> None:
    assert verdict(ROW, run(**phases), name) == expected


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        ({"b": GOOD}, Judgement(WAIT, "Pending on DependsOn: a")),
        ({"a": GOOD, "b": RUNNING}, Judgement(WAIT, "Pending on DependsOn: b")),
        ({"a": GOOD, "b": GOOD}, Judgement(GO)),
        ({"a": GOOD, "b": SKIPPED}, Judgement(SKIP)),
        ({"a": GOOD, "b": BAD}, Judgement(SKIP)),
        ({"a": GOOD, "b": GOOD, "other": BAD}, Judgement(GO)),
    ],
)
def test_with_dependencies_only_these_count(
    phases: dict[str, StepPhase], expected: Judgement
) -> None:
    steps = [free("other"), free("a"), free("b"), free("c", "a", "b")]
    assert verdict(steps, run(**phases), "c") == expected


def test_without_dependencies_steps_go_side_by_side() -> None:
    steps = [free("a"), free("b")]
    assert verdict(steps, run(a=BAD), "b") == Judgement(GO)


def test_what_a_dependency_itself_needed_has_to_have_succeeded_too() -> None:
    """One that went on regardless of what it depends on opens nothing behind it."""
    steps = [free("a"), free("b", "a", condition="always"), free("c", "b")]
    assert verdict(steps, run(a=BAD, b=GOOD), "c") == Judgement(SKIP)
    assert verdict(steps, run(a=GOOD, b=GOOD), "c") == Judgement(GO)


def test_dependencies_in_a_circle_do_not_turn_for_ever() -> None:
    steps = [free("a", "b"), free("b", "a"), free("c", "a")]
    assert verdict(steps, run(a=GOOD, b=GOOD), "c") == Judgement(GO)


@pytest.mark.parametrize(
    ("values", "maker", "expected"),
    [
        ({}, PENDING, Judgement(WAIT, "Pending on Input: x")),
        ({}, RUNNING, Judgement(WAIT, "Pending on Input: x")),
        ({"x": 1}, RUNNING, Judgement(WAIT, "Pending on DependsOn: a")),
        ({"x": 1}, GOOD, Judgement(GO)),
        ({}, BAD, Judgement(SKIP)),
        ({}, SKIPPED, Judgement(SKIP)),
    ],
)
def test_an_input_waits_for_the_step_that_publishes_it(
    values: dict[str, Any], maker: StepPhase, expected: Judgement
) -> None:
    steps = [free("b", inputs=taking("x")), free("a", outputs=giving("x"))]
    assert verdict(steps, run(values, a=maker), "b") == expected


def test_an_input_of_nobody_waits_until_it_is_there() -> None:
    steps = [free("a", inputs=taking("x"))]
    assert verdict(steps, run(), "a") == Judgement(WAIT, "Pending on Input: x")
    assert verdict(steps, run({"x": 1}), "a") == Judgement(GO)


@pytest.mark.parametrize(
    ("condition", "phase", "expected"),
    [
        ("always", BAD, GO),
        ("always", GOOD, GO),
        ("always", RUNNING, WAIT),
        ("status.a.failed", BAD, GO),
        ("status.a.failed", GOOD, SKIP),
        ("status.a.failed", PENDING, WAIT),
        ('status.a.phase == "skipped"', SKIPPED, GO),
        ("!status.a.succeeded", BAD, GO),
        ("status.z.succeeded", GOOD, SKIP),
        ('status.z.phase == "pending"', GOOD, GO),
        ("inputs.x == 1", GOOD, GO),
        ("inputs.x > 1", GOOD, SKIP),
        ("inputs.nosuch == 1", GOOD, SKIP),
        ('context.stage == "prod"', GOOD, GO),
        ('context.stage == "test"', GOOD, SKIP),
        ("context.nosuch", GOOD, SKIP),
        ("context.stage", GOOD, FAIL),
        ('inputs.x < "a"', GOOD, FAIL),
    ],
)
def test_a_condition_decides_once_all_before_it_has_ended(
    condition: str, phase: StepPhase, expected: Verdict
) -> None:
    steps = [step("a"), step("b", condition=condition, inputs=taking("x"))]
    found = verdict(steps, run({"x": 1}, a=phase), "b", stage="prod")
    assert found.verdict is expected
    failed = found.verdict is FAIL
    assert found.message.startswith("its condition cannot be told: ") == failed


@pytest.mark.parametrize(
    ("phase", "reason", "true"),
    [
        (GOOD, None, {"succeeded"}),
        (BAD, Reason.TIMEOUT, {"failed", "timeout"}),
        (BAD, Reason.RETRIES, {"failed", "failedAfterRetries"}),
        (BAD, Reason.TERMINATE, {"failed", "terminate"}),
        (BAD, Reason.ACTION, {"failed"}),
        (SKIPPED, Reason.SKIP, {"skipped"}),
        (RUNNING, None, set()),
    ],
)
def test_what_a_condition_knows_of_a_step(
    phase: StepPhase, reason: Reason | None, true: set[str]
) -> None:
    now = Run(steps={"a": StepRun(phase, reason, "words")})
    found = overview(now, "a")
    assert (found.pop("phase"), found.pop("message")) == (str(phase), "words")
    assert {name for name, value in found.items() if value} == true
    assert set(found.values()) <= {True, False}
    assert overview(now, "z")["phase"] == "pending"


GROUPED = [
    step("a"),
    step("g", type=GROUP),
    step("g1", group="g", ordered=False),
    step("g2", group="g", ordered=False),
    step("b"),
]


@pytest.mark.parametrize(
    ("group", "expected"),
    [(PENDING, WAIT), (RUNNING, GO), (BAD, SKIP), (SKIPPED, SKIP), (GOOD, SKIP)],
)
def test_steps_of_a_group_go_when_it_runs(group: StepPhase, expected: Verdict) -> None:
    assert verdict(GROUPED, run(a=GOOD, g=group), "g1") == Judgement(expected)


def test_steps_of_a_group_have_an_order_of_their_own() -> None:
    ordered = [each.model_copy(update={"ordered": True}) for each in GROUPED]
    now = run(a=GOOD, g=RUNNING)
    assert verdict(GROUPED, now, "g2") == Judgement(GO)
    assert verdict(ordered, now, "g2") == Judgement(WAIT, "Pending on DependsOn: g1")
    assert verdict(GROUPED, now, "b") == Judgement(WAIT, "Pending on DependsOn: g")


def test_the_members_of_a_group() -> None:
    assert [each.name for each in members(GROUPED, GROUPED[1])] == ["g1", "g2"]
    assert members(GROUPED, GROUPED[0]) == ()


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        ([GOOD, GOOD], GOOD),
        ([GOOD, SKIPPED], GOOD),
        ([SKIPPED, SKIPPED], SKIPPED),
        ([GOOD, BAD], BAD),
        ([SKIPPED, BAD], BAD),
        ([GOOD, PENDING], RUNNING),
        ([BAD, RUNNING], RUNNING),
        ([BAD, StepPhase.SUSPENDING], RUNNING),
    ],
)
def test_the_phase_of_a_group(phases: list[StepPhase], expected: StepPhase) -> None:
    assert group_phase([StepRun(phase) for phase in phases]) is expected


@pytest.mark.parametrize(
    ("steps", "name", "expected"),
    [
        (ROW, "c", "c"),
        (ROW, "b", "b c"),
        (ROW, "a", "a b c"),
        ([free("a"), free("b"), free("c", "a")], "a", "a c"),
        ([free("a"), free("b", "a"), free("c", "b"), free("d")], "a", "a b c"),
        ([free("a", outputs=giving("x")), free("b", inputs=taking("x"))], "a", "a b"),
        ([free("a"), free("b", condition="status.a.failed")], "a", "a b"),
        ([free("a"), free("b", condition='status["a"].failed || context.x')], "a", "a b"),
        ([free("a"), free("b", condition="always")], "a", "a"),
        ([free("a"), free("b", condition="context.x")], "a", "a"),
        (GROUPED, "g", "g g1 g2 b"),
        (GROUPED, "g1", "g g1 b"),
        (GROUPED, "b", "b"),
        (
            [free("g", type=GROUP), free("g1", group="g"), free("b", "g"), free("c")],
            "g1",
            "g g1 b",
        ),
        (
            [step("g", type=GROUP), step("g1", group="g"), step("g2", group="g")],
            "g1",
            "g g1 g2",
        ),
    ],
)
def test_what_starts_over_with_a_step(steps: list[WorkflowStep], name: str, expected: str) -> None:
    assert starting_over(steps, name) == tuple(expected.split())


@pytest.mark.parametrize(
    ("steps", "name", "expected"),
    [
        (ROW, "a", ""),
        (ROW, "c", "a b"),
        ([free("a"), free("b"), free("c", "b")], "c", "b"),
        ([free("a"), free("b", "a"), free("c", "b")], "c", "a b"),
        ([free("b", inputs=taking("x")), free("a", outputs=giving("x"))], "b", "a"),
        ([free("a", inputs=taking("nobody"))], "a", ""),
        (GROUPED, "b", "a g g1 g2"),
        (GROUPED, "g2", "a"),
        (GROUPED, "g", "a"),
        ([free("g", type=GROUP), free("g1", group="g"), free("c", "g"), free("d")], "c", "g g1"),
        ([free("a"), free("g", "a", type=GROUP), free("g1", group="g")], "g1", "a"),
    ],
)
def test_what_a_step_waits_for(steps: list[WorkflowStep], name: str, expected: str) -> None:
    found = next(each for each in steps if each.name == name)
    assert waits_for(steps, found) == frozenset(expected.split())


def test_a_long_row_of_steps_is_told_quickly() -> None:
    """Each step stands in relation to all before it; nothing may be gone through twice."""
    steps = [step(f"s{index}") for index in range(200)]
    assert len(waits_for(steps, steps[-1])) == 199
    assert len(starting_over(steps, "s0")) == 200
