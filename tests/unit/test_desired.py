"""What a stage holds after each of its steps."""

from __future__ import annotations

from typing import Any

import pytest

from velapulumi.engine.record import RecordedObject, StageRecord
from velapulumi.plan.objects import ObjectKey
from velapulumi.render import Placement, RevisionNames, parse
from velapulumi.stage.desired import Holding, Portion, desired_objects
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


def holding(
    text: str,
    step: int,
    held: tuple[Any, ...] = (),
    values: Any = None,
    *,
    spared: frozenset[ObjectKey] | None = None,
    **portion: Any,
) -> Holding:
    """What the one stage shall hold when its steps up to one are delivered."""
    loaded = parse(text, "app.yaml")
    (stage,) = workflow_of(loaded).stages.values()
    objects = tuple(RecordedObject(cluster_of(entry), entry, True) for entry in held)
    record = StageRecord({}, objects, False)
    part = Portion(stage.steps[: step + 1], stage.steps[step], **portion)
    return desired_objects(loaded, NAMES, stage, part, record, values or {}, spared)


def cluster_of(entry: dict[str, Any]) -> str:
    return str(entry["metadata"]["labels"].get("cluster", "east"))


def names(found: Holding) -> Names:
    containers = [
        (d.entry, d.entry.manifest["spec"]["template"]["spec"]["containers"][0])
        for d in found.objects
    ]
    return [(entry.cluster, entry.component, c["image"]) for entry, c in containers]


def old(component: str, image: str = "old", cluster: str = "east") -> dict[str, Any]:
    labels = {
        "app.oam.dev/component": component,
        "app.oam.dev/resourceType": "WORKLOAD",
        "cluster": cluster,
    }
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


def test_no_step_takes_anything_away() -> None:
    held = (old("web"), old("extra"), old("gone"))
    first, last = holding(TWICE, 0, held), holding(TWICE, 1, held)
    assert names(first) == [("east", "web", "i"), ("east", "extra", "old"), ("east", "gone", "old")]
    assert names(last) == [("east", "web", "new"), ("east", "extra", "i"), ("east", "gone", "old")]


def test_collecting_takes_away_all_but_what_is_spared() -> None:
    held = (old("web"), old("gone"), old("spared"))
    spared = frozenset({ObjectKey.of("east", old("spared"))})
    assert names(holding(TWICE, 1, held, spared=frozenset())) == [
        ("east", "web", "new"),
        ("east", "extra", "i"),
    ]
    assert names(holding(TWICE, 1, held, spared=spared)) == [
        ("east", "web", "new"),
        ("east", "extra", "i"),
        ("east", "spared", "old"),
    ]


def test_collecting_spares_what_a_policy_keeps() -> None:
    kept = """\
  - name: keep
    type: garbage-collect
    properties: {keepLegacyResource: true}
"""
    text = TWICE.replace("  policies:\n", f"  policies:\n{kept}")
    found = holding(text, 1, (old("gone"),), spared=frozenset())
    assert ("east", "gone", "old") in names(found)


def test_collecting_spares_what_waits_for_its_inputs() -> None:
    held = (old("web"), old("web", cluster="west"), old("gone"))
    found = holding(INPUTS, 0, held, {(WEST, "host"): "b"}, spared=frozenset())
    assert names(found) == [
        ("east", "db", "i"),
        ("west", "db", "i"),
        ("west", "web", "b"),
        ("east", "web", "old"),
    ]


BOTH = TWICE.replace("clusters: [east]", "clusters: [east, west]")


def test_a_step_goes_only_to_some_of_its_clusters() -> None:
    """Those of an earlier step keep what they have of that."""
    found = holding(BOTH, 1, only=frozenset({"west"}))
    assert sorted(names(found)) == [
        ("east", "web", "i"),
        ("west", "extra", "i"),
        ("west", "web", "new"),
    ]


def test_a_cluster_that_is_left_out_keeps_what_it_has() -> None:
    held = (old("web", cluster="west"), old("gone", cluster="west"), old("gone"))
    wanted = [("east", "web", "new"), ("east", "extra", "i")]
    west = [("west", "web", "old"), ("west", "gone", "old")]
    for only in (None, frozenset({"east", "west"})):
        found = holding(BOTH, 1, held, only=only, without=frozenset({"west"}), spared=frozenset())
        assert names(found) == [*wanted, *west]


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
    portion = Portion(east.steps, east.steps[0])
    found = desired_objects(loaded, NAMES, east, portion, record, {})
    assert names(found) == [("east", "web", "i"), ("west", "web", "old"), ("west", "gone", "old")]
    elsewhere = frozenset({ObjectKey.of("west", old("web"))})
    found = desired_objects(loaded, NAMES, east, portion, record, {}, elsewhere)
    assert names(found) == [("east", "web", "i"), ("west", "web", "old")]
