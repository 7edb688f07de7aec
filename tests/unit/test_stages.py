"""From a written or missing workflow to steps and stages, and the order of components."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.helpers import SEED, seed
from velapulumi.errors import InvalidApplication
from velapulumi.render import Placement, parse
from velapulumi.spec import Component
from velapulumi.workflow.stages import in_delivery_order, workflow_of


def test_the_seed_has_two_stages_with_a_gate_between() -> None:
    workflow = workflow_of(seed())
    assert [(step.name, step.type, step.stage) for step in workflow.steps] == [
        ("deploy-staging", "deploy2env", "staging"),
        ("manual-approval", "suspend", None),
        ("deploy-prod", "deploy2env", "prod"),
    ]
    assert list(workflow.stages) == ["staging", "prod"]
    assert workflow.stages["prod"].clusters == ("cluster-prod",)
    assert workflow.stages["prod"].step is workflow.steps[2]


def without_workflow(document: dict[str, Any]) -> None:
    del document["spec"]["workflow"]


def empty_workflow(document: dict[str, Any]) -> None:
    document["spec"]["workflow"] = {"steps": []}


@pytest.mark.parametrize("change", [without_workflow, empty_workflow])
def test_without_steps_every_env_is_delivered_as_written(change: Any) -> None:
    workflow = workflow_of(seed(change))
    assert [(step.name, step.stage) for step in workflow.steps] == [
        ("deploy-example-multi-env-policy-staging", "staging"),
        ("deploy-example-multi-env-policy-prod", "prod"),
    ]


def test_without_policies_there_is_nothing_to_deliver() -> None:
    def bare(document: dict[str, Any]) -> None:
        del document["spec"]["policies"], document["spec"]["workflow"]

    workflow = workflow_of(seed(bare))
    assert (workflow.steps, workflow.stages) == ((), {})


def test_what_a_step_says_is_kept() -> None:
    def change(document: dict[str, Any]) -> None:
        first, second, _ = document["spec"]["workflow"]["steps"]
        first["properties"]["parallel"] = True
        second["properties"] = {"message": "look at the dashboard"}
        del second["name"]

    first, second, third = workflow_of(seed(change)).steps
    assert (first.parallel, third.parallel) == (True, False)
    assert (second.name, second.message) == ("step-1", "look at the dashboard")


def test_two_steps_for_one_env_are_refused_with_the_line_of_the_second() -> None:
    text = SEED.replace("env: prod", "env: staging")
    line = text.splitlines().index("          env: staging", text.count("\n") - 8) + 1
    with pytest.raises(InvalidApplication) as caught:
        workflow_of(parse(text, "app.yaml"))
    (problem,) = caught.value.problems
    assert problem.line == line
    assert problem.path == "spec.workflow.steps[2].properties.env"
    assert problem.message == "env staging is delivered by an earlier step already"


def test_before_gives_the_steps_ahead_of_a_stage() -> None:
    workflow = workflow_of(seed())
    assert workflow.before("staging") == ()
    assert workflow.before("prod") == workflow.steps[:2]


def test_a_cluster_placed_twice_is_one_cluster() -> None:
    stage = workflow_of(seed()).stages["prod"]
    places = [("east", "a"), ("west", "a"), ("east", "b")]
    environment = replace(stage.environment, placements=tuple(Placement(*p) for p in places))
    assert replace(stage, environment=environment).clusters == ("east", "west")


@st.composite
def components(draw: st.DrawFn) -> list[Component]:
    """Components in any order, each depending on some that a hidden order has before it."""
    names = [f"c{index}" for index in range(draw(st.integers(0, 8)))]
    made = [
        Component(
            name=name,
            type="worker",
            dependsOn=draw(st.lists(st.sampled_from([*names[:index], "elsewhere"]), max_size=3)),
        )
        for index, name in enumerate(names)
    ]
    return draw(st.permutations(made))


@given(components())
def test_each_component_comes_after_those_it_depends_on(given: list[Component]) -> None:
    ordered = in_delivery_order(given)
    assert sorted(item.name for item in ordered) == sorted(item.name for item in given)
    place = {item.name: index for index, item in enumerate(ordered)}
    for item in given:
        for name in item.depends_on:
            assert name == "elsewhere" or place[name] < place[item.name]


@given(components())
def test_an_order_that_holds_already_is_kept(given: list[Component]) -> None:
    ordered = in_delivery_order(given)
    assert in_delivery_order(ordered) == ordered
    free = [item.model_copy(update={"depends_on": ()}) for item in given]
    assert in_delivery_order(free) == tuple(free)
