"""From a written or missing workflow to steps and stages, and the order of components."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.helpers import SEED, seed
from velapulumi.gate.promotion import missing
from velapulumi.render import Placement, parse
from velapulumi.spec import Component
from velapulumi.workflow.run import Run
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
    assert workflow.stages["prod"].steps == workflow.steps[2:]


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
    assert [(step.name, step.type, step.stage, step.idle) for step in workflow.steps] == [
        ("hello-world-server", "apply-component", None, True),
        ("data-worker", "apply-component", None, True),
    ]
    assert not any(step.acts for step in workflow.steps)
    assert (workflow.stages, workflow.rollouts) == ({}, {})


def test_what_a_step_says_is_kept() -> None:
    def change(document: dict[str, Any]) -> None:
        first, second, _ = document["spec"]["workflow"]["steps"]
        first["properties"]["parallel"] = True
        second["properties"] = {"message": "look at the dashboard"}
        del second["name"]

    first, second, third = workflow_of(seed(change)).steps
    assert (first.parallel, third.parallel) == (True, False)
    assert (second.name, second.message) == ("step-1", "look at the dashboard")


def test_two_steps_for_one_env_are_one_stage() -> None:
    workflow = workflow_of(parse(SEED.replace("env: prod", "env: staging"), "app.yaml"))
    assert [step.stage for step in workflow.steps] == ["staging", None, "staging"]
    (stage,) = workflow.stages.values()
    assert stage.steps == (workflow.steps[0], workflow.steps[2])
    assert [step.name for step in stage.steps] == ["deploy-staging", "deploy-prod"]
    assert list(stage.environments) == ["deploy-staging", "deploy-prod"]


DEPLOYS = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components: [{name: web, type: worker, properties: {image: i}}]
  policies:
  - {name: east, type: topology, properties: {clusters: [east]}}
  - {name: both, type: topology, properties: {clusters: [east, west]}}
  - {name: north, type: topology, properties: {clusters: [north]}}
  - {name: other, type: topology, properties: {clusters: [north], namespace: other}}
  - {name: none, type: topology, properties: {clusters: []}}
"""


def test_without_a_workflow_each_topology_is_a_step() -> None:
    workflow = workflow_of(parse(DEPLOYS, "app.yaml"))
    assert [(step.name, step.type, step.stage, step.parallel) for step in workflow.steps] == [
        ("deploy-east", "deploy", "deploy-east", True),
        ("deploy-both", "deploy", "deploy-east", True),
        ("deploy-north", "deploy", "deploy-north", True),
        ("deploy-other", "deploy", "deploy-other", True),
        ("deploy-none", "deploy", None, True),
    ]
    assert [step.name for step in workflow.steps if step.idle] == ["deploy-none"]
    assert workflow.stages["deploy-east"].clusters == ("east", "west")


def test_a_step_which_shares_places_with_two_stages_makes_them_one() -> None:
    steps = "".join(
        f"    - {{type: deploy, name: s{i}, properties: {{policies: [{name}]}}}}\n"
        for i, name in enumerate(["east", "west", "both"])
    )
    west = "  - {name: west, type: topology, properties: {clusters: [west]}}\n"
    workflow = workflow_of(parse(f"{DEPLOYS}{west}  workflow:\n    steps:\n{steps}", "app.yaml"))
    assert [step.stage for step in workflow.steps] == ["s0", "s0", "s0"]


def test_a_deploy_step_may_wait_for_approval() -> None:
    step = "{type: deploy, name: d, properties: {policies: [east], auto: false, parallelism: 2}}"
    (found,) = workflow_of(parse(f"{DEPLOYS}  workflow: {{steps: [{step}]}}\n", "app.yaml")).steps
    assert (found.gate, found.approval, found.parallelism) == (True, True, 2)
    assert found.message == 'Waiting approval to the deploy step "d"'


def test_a_step_asks_for_approval_even_where_it_delivers_nothing() -> None:
    steps = (
        "[{type: deploy, name: a, properties: {policies: [none], auto: false}}, "
        "{type: deploy, name: b, properties: {policies: [none]}}, "
        "{type: deploy, name: c, properties: {policies: [east]}}]"
    )
    workflow = workflow_of(parse(f"{DEPLOYS}  workflow: {{steps: {steps}}}\n", "app.yaml"))
    assert [(s.name, s.stage, s.gate) for s in workflow.steps] == [
        ("a", None, True),
        ("b", None, False),
        ("c", "c", False),
    ]
    assert [step.idle for step in workflow.steps] == [True, True, False]
    step = workflow.step("c")
    reasons = missing(workflow, step, "shop-v1:0", {}, lambda step: False, Run())
    assert reasons == ("step a is not approved for shop-v1:0",)


def test_stages_are_in_the_order_of_their_first_steps() -> None:
    steps = "".join(
        f"    - {{type: deploy, name: s{i}, properties: {{policies: [{name}]}}}}\n"
        for i, name in enumerate(["east", "north", "both"])
    )
    workflow = workflow_of(parse(f"{DEPLOYS}  workflow:\n    steps:\n{steps}", "app.yaml"))
    assert list(workflow.stages) == ["s0", "s1"]
    assert [step.name for step in workflow.stages["s0"].steps] == ["s0", "s2"]


def test_before_gives_the_steps_ahead_of_one() -> None:
    workflow = workflow_of(seed())
    assert workflow.before("deploy-staging") == ()
    assert workflow.before("deploy-prod") == workflow.steps[:2]


def test_a_cluster_placed_twice_is_one_cluster() -> None:
    stage = workflow_of(seed()).stages["prod"]
    places = [("east", "a"), ("west", "a"), ("east", "b")]
    environment = replace(
        stage.environments["deploy-prod"], placements=tuple(Placement(*p) for p in places)
    )
    assert replace(stage, environments={"deploy-prod": environment}).clusters == ("east", "west")


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
