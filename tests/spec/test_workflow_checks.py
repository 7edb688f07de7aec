"""Rules of workflow steps, over small workflows written in short."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from velapulumi.spec import Application, inspect_application
from velapulumi.spec.checks import check_support
from velapulumi.spec.needs import circle, reaches

WAIT = "comes later and, in the mode StepByStep, waits for this one: put the steps in order or set"
FIELDS = "phase, succeeded, failed, skipped, timeout, failedAfterRetries, terminate, message"


def step(name: str, **fields: Any) -> dict[str, Any]:
    """A suspend step; ``publishes`` and ``takes`` are names of values."""
    outputs = [
        {"name": value, "valueFrom": "context.name"} for value in fields.pop("publishes", ())
    ]
    inputs = [{"from": value} for value in fields.pop("takes", ())]
    step = {"name": name, "type": "suspend", "outputs": outputs, "inputs": inputs}
    return {**step, **{key.rstrip("_"): value for key, value in fields.items()}}


def group(name: str, *steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**step(name, **fields), "type": "step-group", "subSteps": list(steps)}


def read(steps: tuple[dict[str, Any], ...], /, **mode: str) -> tuple[Application, list[str]]:
    """The application, and its problems as place below the workflow and message."""
    document = {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": "app"},
        "spec": {"components": [], "workflow": {"mode": mode or None, "steps": list(steps)}},
    }
    application, problems = inspect_application(yaml.safe_dump(document), "app.yaml")
    return application, [
        f"{problem.path.removeprefix('spec.workflow.')}: {problem.message}" for problem in problems
    ]


def problems(*steps: dict[str, Any], **mode: str) -> list[str]:
    return read(steps, **mode)[1]


@pytest.mark.parametrize(
    ("steps", "mode"),
    [
        pytest.param([step("a", if_="always", timeout="1m")], {}, id="always"),
        pytest.param([step("a"), step("b", if_="status.a.failed")], {}, id="status"),
        pytest.param(
            [step("a-b"), step("c", if_='status["a-b"].message =~ "x" && context.name != "y"')],
            {},
            id="pattern",
        ),
        pytest.param(
            [step("a", publishes=["x"]), step("b", takes=["x"], if_='inputs.x == "y"')],
            {},
            id="input",
        ),
        pytest.param(
            [step("a", dependsOn=["b"], if_="status.b.skipped"), step("b")],
            {"steps": "DAG"},
            id="dag",
        ),
        pytest.param(
            [step("a", takes=["x"]), step("b", if_="status.c.failed"), step("c", publishes=["x"])],
            {"steps": "DAG"},
            id="side-by-side",
        ),
        pytest.param(
            [group("g", step("a", dependsOn=["b"]), step("b"), if_="always"), step("c")],
            {},
            id="group",
        ),
        pytest.param(
            [
                group("g", step("a", publishes=["x"]), mode="StepByStep"),
                group("h", step("b", takes=["x"], if_="status.a.failed || status.g.failed")),
                step("c", takes=["x"], if_="status.b.succeeded"),
            ],
            {},
            id="across-groups",
        ),
        pytest.param(
            [group("g", step("a", dependsOn=["b"]), step("b"), mode="DAG")],
            {"subSteps": "StepByStep"},
            id="mode-of-the-group",
        ),
    ],
)
def test_what_kubevela_can_run_has_no_problems(
    steps: list[dict[str, Any]], mode: dict[str, str]
) -> None:
    assert problems(*steps, **mode) == []


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("Always", '"Always" is not known, it must begin with status, inputs, context (at'),
        ("status.a.failed &&", "it ends too early"),
        ("status", "status must be followed by the name of a step, such as status["),
        ("status.a", f"status.a must be followed by one of {FIELDS}"),
        ("status.a.faild", 'status.a has no field "faild", did you mean "failed"?'),
        ("status.a.phase.x", "status.a.phase has no fields of its own"),
        (
            "status.deplyo.failed",
            'status.deplyo: there is no step "deplyo", did you mean "deploy"?',
        ),
        ("status[0].failed", 'status[0]: there is no step "0"; known: a, deploy, later, wait'),
        ("status.me.failed", "status.me is the status of the step itself, which is not known bef"),
        ("status.later.failed", 'status.later: step "later" waits for this one, so nothing is'),
        ("inputs", "inputs must be followed by the name of an input, such as inputs["),
        ("inputs.y == 1", 'inputs.y: the step has no input "y"; known: x'),
        ("status.a.phase", 'a condition is true or false, not the string ""'),
        ('"always"', 'a condition is true or false, not the string "always"'),
        ("status.a.succeeded > 0", "> compares two numbers or two strings, not false with the"),
        ("!status.a.message", '! stands before what is true or false, not the string ""'),
        ('status.a.phase =~ "("', 'the string "(" is not a regular expression that is understood'),
    ],
)
def test_condition(condition: str, message: str) -> None:
    (found,) = problems(
        step("a", publishes=["x"]),
        step("deploy"),
        step("wait"),
        step("me", takes=["x"], if_=condition),
        step("later"),
    )
    assert found.startswith(f"steps[3].if: {message}")


def test_all_that_is_wrong_in_a_condition_is_told_once() -> None:
    assert problems(step("a", if_="status.b.failed || status.b.failed || inputs.x == 1")) == [
        'steps[0].if: status.b: there is no step "b"',
        'steps[0].if: inputs.x: the step has no input "x": add it to the inputs of the step',
    ]


@pytest.mark.parametrize(
    ("steps", "mode", "places"),
    [
        pytest.param(
            [step("a", if_="status.b.failed"), step("b", dependsOn=["a"])],
            {"steps": "DAG"},
            ["steps[0].if: status.b"],
            id="dependency",
        ),
        pytest.param(
            [step("a", if_="status.b.failed", publishes=["x"]), step("b", takes=["x"])],
            {"steps": "DAG"},
            ["steps[0].if: status.b"],
            id="input",
        ),
        pytest.param(
            [group("g", step("a", if_="status.g.failed"))],
            {},
            ["steps[0].subSteps[0].if: status.g"],
            id="own-group",
        ),
        pytest.param(
            [group("g", step("a"), if_="status.a.failed")],
            {},
            ["steps[0].if: status.a"],
            id="own-sub-step",
        ),
        pytest.param(
            [group("g", step("a", if_="status.b.failed"), step("b"), mode="StepByStep")],
            {"steps": "DAG"},
            ["steps[0].subSteps[0].if: status.b"],
            id="later-sibling",
        ),
        pytest.param(
            [group("g", step("a", if_="status.b.failed")), group("h", step("b"))],
            {},
            ["steps[0].subSteps[0].if: status.b"],
            id="later-group",
        ),
    ],
)
def test_the_status_of_a_step_that_waits_is_not_known(
    steps: list[dict[str, Any]], mode: dict[str, str], places: list[str]
) -> None:
    found = problems(*steps, **mode)
    assert [text.partition(": step ")[0] for text in found] == places
    assert all("waits for this one, so nothing is known of it yet" in text for text in found)


@pytest.mark.parametrize(
    ("steps", "mode", "expected"),
    [
        pytest.param(
            [step("a", timeout="1x"), group("g", step("b", timeout="2m15s"))],
            {},
            [
                f"{place}.timeout: invalid timeout, please use the format of timeout like 1s, 1m, "
                "1h or 1d"
                for place in ("steps[0]", "steps[1].subSteps[0]")
            ],
            id="timeout",
        ),
        pytest.param(
            [step("a", timeout="99999999d")],
            {},
            [
                "steps[0].timeout: failed to parse duration 99999999d: it is too long, at most "
                "292 years can be told"
            ],
            id="timeout-too-long",
        ),
        pytest.param(
            [step("a", publishes=["x", "x"]), group("g", step("b", publishes=["x"]))],
            {},
            [
                'steps[0].outputs[1].name: "x" is published by step a too',
                'steps[1].subSteps[0].outputs[0].name: "x" is published by step a too',
            ],
            id="published-twice",
        ),
        pytest.param(
            [step("a", publishes=["value"]), step("b", takes=["valeu"])],
            {},
            ['steps[1].inputs[0].from: no step publishes "valeu", did you mean "value"?'],
            id="not-published",
        ),
        pytest.param(
            [step("a", publishes=["x"], takes=["x"])],
            {"steps": "DAG"},
            ['steps[0].inputs[0].from: the step publishes "x" itself, which it does when it ends'],
            id="published-by-itself",
        ),
        pytest.param(
            [
                step("a", publishes=["x"]),
                step("b", inputs=[{"from": "x", "parameterKey": "a["}]),
                step("c", inputs=[{"from": "x", "parameterKey": "a.b[0]"}]),
            ],
            {},
            [
                "steps[1].inputs[0].parameterKey: must be the place of a parameter, such as image "
                "or env[0].value, or be left out when only the condition (if) needs the input"
            ],
            id="parameter-key",
        ),
        pytest.param(
            [step("a", dependsOn=["a", "", "d"]), group("b", step("c", dependsOn=["b", "a", "c"]))],
            {"steps": "DAG"},
            [
                "steps[0].dependsOn[0]: a step cannot wait for itself",
                'steps[0].dependsOn[1]: there is no step ""; known: a, b',
                'steps[0].dependsOn[2]: there is no step "d"; known: a, b',
                "steps[1].subSteps[0].dependsOn[0]: a step cannot wait for the group it stands in",
                'steps[1].subSteps[0].dependsOn[1]: "a" is no step of this group: let the group '
                "wait for it",
                "steps[1].subSteps[0].dependsOn[2]: a step cannot wait for itself",
            ],
            id="depends-on",
        ),
        pytest.param(
            [group("g", step("a")), group("h", step("b", dependsOn=["a"]), dependsOn=["a"])],
            {},
            [
                'steps[1].dependsOn[0]: "a" is a step of the group "g": wait for the group',
                'steps[1].subSteps[0].dependsOn[0]: "a" is no step of this group: let the group '
                "wait for it",
            ],
            id="depends-on-another-group",
        ),
        pytest.param(
            [
                step("a", mode="DAG", subSteps=[step("b")]),
                group("c"),
                group("d", {"name": "e", "type": "step-group"}),
            ],
            {},
            [
                "steps[0].subSteps: only a step of type step-group has subSteps: change the type "
                "or make them steps",
                "steps[0].mode: only a step of type step-group has a mode: leave it out",
                "steps[1].subSteps: a step-group needs at least one step in subSteps",
                "steps[2].subSteps[0].type: a group cannot stand inside a group: put its steps "
                "into this one",
            ],
            id="groups",
        ),
        pytest.param(
            [step("a", dependsOn=["b"], takes=["x"]), step("b"), step("c", publishes=["x"])],
            {},
            [
                f'steps[0].dependsOn[0]: step "b" {WAIT} the mode DAG',
                f'steps[0].inputs[0].from: step "c", which publishes "x", {WAIT} the mode DAG',
            ],
            id="later",
        ),
        pytest.param(
            [
                group("g", step("a", dependsOn=["b"]), step("b"), mode="StepByStep"),
                group("h", step("c", takes=["x"]), step("d"), mode="DAG"),
                step("e", publishes=["x"]),
            ],
            {},
            [
                f'steps[0].subSteps[0].dependsOn[0]: step "b" {WAIT} the mode DAG',
                f'steps[1].subSteps[0].inputs[0].from: step "e", which publishes "x", {WAIT} the '
                "mode DAG",
            ],
            id="later-in-groups",
        ),
        pytest.param(
            [group("g", step("a", dependsOn=["b"]), step("b"))],
            {"subSteps": "StepByStep"},
            [f'steps[0].subSteps[0].dependsOn[0]: step "b" {WAIT} the mode DAG'],
            id="later-by-the-workflow",
        ),
        pytest.param(
            [step("c"), step("a", dependsOn=["b"]), step("b", dependsOn=["a", "c"])],
            {"steps": "DAG"},
            ["steps[1].dependsOn: these steps wait for each other: a, b"],
            id="circle",
        ),
        pytest.param(
            [step("a", publishes=["x"], takes=["y"]), step("b", publishes=["y"], takes=["x"])],
            {"steps": "DAG"},
            ["steps[0].inputs: these steps wait for each other: a, b"],
            id="circle-of-inputs",
        ),
        pytest.param(
            [group("g", step("a", takes=["x"])), step("b", dependsOn=["g"], publishes=["x"])],
            {"steps": "DAG"},
            ["steps[0].subSteps[0].inputs: these steps wait for each other: g, a, b"],
            id="circle-through-a-group",
        ),
        pytest.param(
            [group("g", step("a", publishes=["x"]), takes=["x"])],
            {},
            ["steps[0].inputs: these steps wait for each other: g, a"],
            id="group-needs-its-own-step",
        ),
        pytest.param(
            [group("g", step("a", takes=["x"]), publishes=["x"])],
            {},
            ["steps[0].subSteps[0].inputs: these steps wait for each other: g, a"],
            id="step-needs-its-own-group",
        ),
        pytest.param(
            [
                group("g", step("a", takes=["x"]), step("b", publishes=["y"]), mode="StepByStep"),
                step("c", takes=["y"], publishes=["x"]),
            ],
            {"steps": "DAG"},
            ["steps[0].subSteps[0].inputs: these steps wait for each other: a, b, c"],
            id="circle-by-order",
        ),
        pytest.param(
            [step("a", dependsOn=["b"]), step("b"), step("b", if_="status.a.failed")],
            {},
            ['steps[2].name: "b" is the name of an earlier step, each needs its own'],
            id="names-first",
        ),
    ],
)
def test_problems(steps: list[dict[str, Any]], mode: dict[str, str], expected: list[str]) -> None:
    assert problems(*steps, **mode) == expected


def test_outputs_that_are_no_known_expression_only_hinder_running() -> None:
    unknown = [{"name": "x", "valueFrom": "strings.Join(output.list)"}]
    known = [{"name": "y", "valueFrom": 'response.header["a-b"] + body.x'}]
    application, found = read((step("a"), group("g", step("b", outputs=[*unknown, *known]))))
    assert found == []
    ((path, message),) = check_support(application)
    assert path == ("spec", "workflow", "steps", 1, "subSteps", 0, "outputs", 0, "valueFrom")
    assert message.startswith('this expression is not supported yet: "strings" is not known, it')


def test_a_thousand_steps_are_checked_at_once() -> None:
    steps = [step("s-0"), *(step(f"s-{i}", dependsOn=[f"s-{i - 1}"]) for i in range(1, 1000))]
    assert problems(*steps) == []


graphs = st.integers(1, 7).flatmap(
    lambda count: st.fixed_dictionaries(
        {node: st.lists(st.integers(0, count - 1), max_size=3) for node in range(count)}
    )
)


@given(graphs)
def test_a_circle_is_what_lies_between_nodes_that_wait_for_themselves(
    needs: dict[int, list[int]],
) -> None:
    looped = [node for node in needs if reaches(needs, node, node)]
    between = [
        node
        for node in needs
        if any(node == loop or reaches(needs, node, loop) for loop in looped)
        and any(node == loop or reaches(needs, loop, node) for loop in looped)
    ]
    assert circle(needs) == between
