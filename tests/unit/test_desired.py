"""What a stage holds after each of its steps."""

from __future__ import annotations

from typing import Any

import pytest

from velapulumi.program.desired import Holding, delivered_elsewhere, desired_objects
from velapulumi.program.record import RecordedObject, StageRecord
from velapulumi.render import Placement, RevisionNames, parse
from velapulumi.workflow.stages import workflow_of

TWICE = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components:
  - {name: web, type: worker, properties: {image: i}}
  - {name: extra, type: worker, properties: {image: i}, dependsOn: [web]}
  policies:
  - {name: east, type: topology, properties: {clusters: [east]}}
  - {name: web-only, type: override, properties: {selector: [web]}}
  - name: new-image
    type: override
    properties: {components: [{name: web, properties: {image: new}}]}
  workflow:
    steps:
    - {name: canary, type: deploy, properties: {policies: [east, web-only]}}
    - {name: all, type: deploy, properties: {policies: [east, new-image]}}
"""
INPUTS = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components:
  - name: web
    type: worker
    properties: {image: i}
    inputs: [{from: host, parameterKey: image}]
  - name: db
    type: worker
    properties: {image: i}
    outputs: [{name: host, valueFrom: output.metadata.name}]
  policies:
  - {name: east, type: topology, properties: {clusters: [east, west]}}
"""
EAST, WEST = Placement("east", "default"), Placement("west", "default")
NAMES = RevisionNames("shop-v1")
Names = list[tuple[str, str, str]]


def holding(text: str, step: int, held: tuple[Any, ...] = (), values: Any = None) -> Holding:
    loaded = parse(text, "app.yaml")
    (stage,) = workflow_of(loaded).stages.values()
    objects = tuple(RecordedObject("east", entry, True) for entry in held)
    record = StageRecord({}, objects, False)
    return desired_objects(loaded, NAMES, stage, stage.steps[step], record, values or {})


def names(found: Holding) -> Names:
    containers = [
        (d.entry, d.entry.manifest["spec"]["template"]["spec"]["containers"][0])
        for d in found.objects
    ]
    return [(entry.cluster, entry.component, c["image"]) for entry, c in containers]


def old(component: str, image: str = "old") -> dict[str, Any]:
    labels = {"app.oam.dev/component": component, "app.oam.dev/resourceType": "WORKLOAD"}
    containers = [{"name": "c", "image": image}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": component, "namespace": "default", "labels": labels},
        "spec": {"template": {"spec": {"containers": containers}}},
    }


def test_a_later_step_has_the_last_word() -> None:
    assert names(holding(TWICE, 0)) == [("east", "web", "i")]
    assert names(holding(TWICE, 1)) == [("east", "web", "new"), ("east", "extra", "i")]


def test_until_the_last_step_nothing_is_taken_away() -> None:
    held = (old("web"), old("extra"), old("gone"))
    first, last = holding(TWICE, 0, held), holding(TWICE, 1, held)
    assert names(first) == [("east", "web", "i"), ("east", "extra", "old"), ("east", "gone", "old")]
    assert names(last) == [("east", "web", "new"), ("east", "extra", "i")]


def test_order_is_that_of_the_step() -> None:
    assert [d.waits_for for d in holding(TWICE, 1).objects] == [frozenset(), frozenset({"web"})]


@pytest.mark.parametrize(
    ("values", "expected", "pending"),
    [
        pytest.param(
            {}, [("east", "db", "i"), ("west", "db", "i"), ("east", "web", "old")],
            ("component web waits for its input host",), id="none",
        ),
        pytest.param(
            {(EAST, "host"): "a", (WEST, "host"): "b"},
            [("east", "db", "i"), ("east", "web", "a"), ("west", "db", "i"), ("west", "web", "b")],
            (), id="own-place",
        ),
    ],
)  # fmt: skip
def test_inputs_come_from_the_same_place_first(
    values: Any, expected: Names, pending: tuple[str, ...]
) -> None:
    found = holding(INPUTS, 0, (old("web"),), values)
    assert names(found) == expected
    assert found.pending == pending


def test_inputs_come_from_elsewhere_when_nobody_here_publishes_them() -> None:
    only_web = """\
  - {name: only-web, type: override, properties: {selector: [web]}}
  workflow:
    steps: [{name: go, type: deploy, properties: {policies: [east, only-web]}}]
"""
    values = {(Placement("north", "default"), "host"): "n"}
    found = holding(INPUTS + only_web, 0, (), values)
    assert names(found) == [("east", "web", "n"), ("west", "web", "n")]
    assert found.pending == ()
    assert names(holding(INPUTS, 0, (), values)) == [("east", "db", "i"), ("west", "db", "i")]


def test_what_moves_to_another_stage_is_not_taken_away_before_it_is_there() -> None:
    moved = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components: [{name: web, type: worker, properties: {image: i}}]
  policies:
  - {name: east, type: topology, properties: {clusters: [east]}}
  - {name: west, type: topology, properties: {clusters: [west]}}
"""
    loaded = parse(moved, "app.yaml")
    workflow = workflow_of(loaded)
    east = workflow.stages["deploy-east"]
    objects = tuple(RecordedObject(cluster, old("web"), True) for cluster in ("east", "west"))
    record = StageRecord({}, (*objects, RecordedObject("west", old("gone"), True)), False)
    elsewhere = delivered_elsewhere(loaded, NAMES, workflow, east)
    found = desired_objects(loaded, NAMES, east, east.steps[0], record, {}, elsewhere)
    assert names(found) == [("east", "web", "i"), ("west", "web", "old")]
