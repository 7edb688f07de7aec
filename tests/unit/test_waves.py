"""The waves in which a step goes over its clusters: one case a line."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from velapulumi.errors import InvalidApplication
from velapulumi.render import ClusterFacts, Surroundings, parse
from velapulumi.workflow.rollout import Rollout, Wave
from velapulumi.workflow.stages import workflow_of

CLUSTERS = ("a", "b", "c", "d", "e", "f")
FACTS = {
    name: ClusterFacts({"region": "eu" if name in "abc" else "us", "tier": tier})
    for name, tier in zip(CLUSTERS, ("test", "prod") * 3, strict=True)
}
GROUPS: list[dict[str, Any]] = [
    {"groupName": "canary", "clusters": ["d"]},
    {"groupName": "eu", "clusterLabelSelector": {"region": "eu"}},
]


def rollout(
    strategy: dict[str, Any] | None = None,
    groups: list[dict[str, Any]] | None = None,
    clusters: tuple[str, ...] = CLUSTERS,
    **step: Any,
) -> Rollout:
    """How a deploy step goes over its clusters."""
    properties: dict[str, Any] = {"policies": ["all"]}
    if strategy is not None:
        properties["rolloutStrategy"] = strategy
    if groups is not None:
        properties["decisionGroups"] = groups
    document = {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": "shop"},
        "spec": {
            "components": [{"name": "web", "type": "worker", "properties": {"image": "i"}}],
            "policies": [
                {"name": "all", "type": "topology", "properties": {"clusters": list(clusters)}}
            ],
            "workflow": {
                "steps": [{"name": "go", "type": "deploy", "properties": properties, **step}]
            },
        },
    }
    loaded = parse(yaml.safe_dump(document), "app.yaml", Surroundings(clusters=FACTS))
    assert loaded.obstacles == ()
    return workflow_of(loaded).rollouts["go"]


def progressive(**settings: Any) -> dict[str, Any]:
    return {"type": "Progressive", "progressive": settings}


def per_group(**settings: Any) -> dict[str, Any]:
    return {"type": "ProgressivePerGroup", "progressivePerGroup": settings}


def mandatory(*groups: str | int) -> list[dict[str, Any]]:
    return [{"groupName": g} if isinstance(g, str) else {"groupIndex": g} for g in groups]


def described(found: Rollout) -> list[str]:
    """Each wave as ``clusters scope budget``."""
    return [f"{''.join(w.clusters)} [{w.scope}] {w.budget}" for w in found.waves]


ALL = ["abcdef [] 0"]
CASES: list[tuple[str, dict[str, Any] | None, list[dict[str, Any]] | None, list[str]]] = [
    ("nothing said", None, None, ALL),
    ("groups alone", None, GROUPS, ALL),
    ("all", {"type": "All"}, GROUPS, ALL),
    ("all, failures do not count", {"type": "All", "all": {"maxFailures": 2}}, None, ALL),
    ("progressive, no limit", progressive(), None, ["abcdef [rest] 0"]),
    ("one at a time", progressive(maxConcurrency=1), None, [f"{c} [rest] 0" for c in CLUSTERS]),
    ("four", progressive(maxConcurrency=4), None, ["abcd [rest] 0", "ef [rest] 0"]),
    ("more than there are", progressive(maxConcurrency=9), None, ["abcdef [rest] 0"]),
    ("as text", progressive(maxConcurrency="4"), None, ["abcd [rest] 0", "ef [rest] 0"]),
    ("none is one", progressive(maxConcurrency=0), None, [f"{c} [rest] 0" for c in CLUSTERS]),
    (
        "a part is rounded up",
        progressive(maxConcurrency="20%"),
        None,
        ["ab [rest] 0", "cd [rest] 0", "ef [rest] 0"],
    ),
    ("0% is one", progressive(maxConcurrency="0%"), None, [f"{c} [rest] 0" for c in CLUSTERS]),
    ("100%", progressive(maxConcurrency="100%"), None, ["abcdef [rest] 0"]),
    (
        "failures in part are rounded down, over all clusters",
        progressive(maxConcurrency=3, maxFailures="34%"),
        None,
        ["abc [rest] 2", "def [rest] 2"],
    ),
    (
        "a small part is none",
        progressive(maxConcurrency=3, maxFailures="16%"),
        None,
        ["abc [rest] 0", "def [rest] 0"],
    ),
    (
        "group after group, the rest last",
        progressive(maxConcurrency=2, maxFailures=1),
        GROUPS,
        ["da [rest] 1", "bc [rest] 1", "ef [rest] 1"],
    ),
    (
        "a group that comes first tolerates nothing",
        progressive(
            maxConcurrency=2, maxFailures=1, mandatoryDecisionGroups=mandatory("canary")
        ),
        GROUPS,
        ["d [mandatory canary] 0", "ab [rest] 1", "ce [rest] 1", "f [rest] 1"],
    ),
    (
        "parts count over all clusters though some come first",
        progressive(
            maxConcurrency="50%", maxFailures="50%", mandatoryDecisionGroups=mandatory("eu")
        ),
        GROUPS,
        ["abc [mandatory eu] 0", "def [rest] 3"],
    ),
    ("per group without any", per_group(maxFailures=1), None, ["abcdef [group ] 1"]),
    (
        "per group",
        per_group(maxFailures=1),
        GROUPS,
        ["d [group canary] 1", "abc [group eu] 1", "ef [group ] 1"],
    ),
    (
        "a part of each group",
        per_group(maxFailures="34%"),
        GROUPS,
        ["d [group canary] 0", "abc [group eu] 1", "ef [group ] 0"],
    ),
    (
        "several first, in their order, by place too",
        per_group(maxFailures=1, mandatoryDecisionGroups=mandatory("eu", 0)),
        GROUPS,
        ["abc [mandatory eu] 0", "d [mandatory canary] 0", "ef [group ] 1"],
    ),
    (
        "the first group that takes a cluster has it",
        per_group(),
        [
            {"groupName": "eu", "clusterLabelSelector": {"region": "eu"}, "clusters": ["f"]},
            {"groupName": "prod", "clusterLabelSelector": {"tier": "prod"}},
        ],
        ["abcf [group eu] 0", "d [group prod] 0", "e [group ] 0"],
    ),
    (
        "all labels have to fit",
        per_group(),
        [{"groupName": "both", "clusterLabelSelector": {"region": "eu", "tier": "prod"}}],
        ["b [group both] 0", "acdef [group ] 0"],
    ),
    (
        "a group without clusters, or with others, is no wave",
        per_group(mandatoryDecisionGroups=mandatory("none")),
        [{"groupName": "none"}, {"groupName": "other", "clusterLabelSelector": {"region": "mars"}}],
        ["abcdef [group ] 0"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("strategy", "groups", "waves"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_how_a_step_goes_over_its_clusters(
    strategy: dict[str, Any] | None, groups: list[dict[str, Any]] | None, waves: list[str]
) -> None:
    found = rollout(strategy, groups)
    assert described(found) == waves
    assert sorted(found.clusters) == list(CLUSTERS)


def test_a_wave_is_called_as_its_group() -> None:
    first, second, rest = rollout(
        per_group(mandatoryDecisionGroups=mandatory("canary")), GROUPS
    ).waves
    assert (first.name, second.name, rest.name) == ("canary", "eu", "")
    assert [wave.name for wave in rollout(progressive(maxConcurrency=3), GROUPS).waves] == ["", ""]


@pytest.mark.parametrize(
    ("strategy", "bake", "deadline"),
    [
        (None, 0, None),
        ({"type": "All", "all": {"minSuccessTime": "5m", "progressDeadline": "10m"}}, 0, 600),
        (progressive(), 0, None),
        (progressive(minSuccessTime="1m30s", progressDeadline="2h"), 90, 7200),
        (per_group(minSuccessTime="45s"), 45, None),
        (per_group(progressDeadline="None"), 0, math.inf),
        (per_group(progressDeadline="0s"), 0, 0),
    ],
)
def test_how_long_a_cluster_bakes_and_may_take(
    strategy: dict[str, Any] | None, bake: float, deadline: float | None
) -> None:
    found = rollout(strategy)
    assert (found.bake, found.deadline) == (bake, deadline)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (progressive(maxConcurrency="x"), "must be a number of clusters or a part of them"),
        (progressive(maxConcurrency=-1), "must be a number of clusters or a part of them"),
        (progressive(maxFailures="101%"), "must be a number of clusters or a part of them"),
        (progressive(minSuccessTime="soon"), "failed to parse duration soon"),
        (progressive(progressDeadline="soon"), "failed to parse duration soon"),
    ],
)
def test_settings_that_mean_nothing_are_refused(strategy: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidApplication) as caught:
        rollout(strategy)
    assert message in caught.value.message


def test_other_steps_go_everywhere_at_once() -> None:
    document = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components: [{name: web, type: worker, properties: {image: i}}]
  policies: [{name: all, type: topology, properties: {clusters: [a, b]}}]
  workflow:
    steps:
    - {name: one, type: apply-component, properties: {component: web, cluster: c}}
    - {name: two, type: export-data, properties: {topology: all, data: {k: v}}}
"""
    found = workflow_of(parse(document, "app.yaml")).rollouts
    assert found == {"one": Rollout((Wave(("c",)),)), "two": Rollout((Wave(("a", "b")),))}


def test_a_cluster_with_several_places_is_in_one_wave() -> None:
    document = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components: [{name: web, type: worker, properties: {image: i}}]
  policies:
  - {name: one, type: topology, properties: {clusters: [a, b], namespace: x}}
  - {name: two, type: topology, properties: {clusters: [b, a], namespace: y}}
  workflow:
    steps:
    - name: go
      type: deploy
      properties:
        policies: [one, two]
        rolloutStrategy: {type: Progressive, progressive: {maxConcurrency: 1}}
"""
    found = workflow_of(parse(document, "app.yaml")).rollouts["go"]
    assert [wave.clusters for wave in found.waves] == [("a",), ("b",)]


def test_a_group_takes_a_cluster_by_any_of_its_names() -> None:
    facts = {name: ClusterFacts(name=name) for name in ("a", "b", "c")} | {
        "x": ClusterFacts({"tier": "test"}, name="a"),
        "y": ClusterFacts(name="b"),
    }
    document = """
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components: [{name: web, type: worker, properties: {image: i}}]
  policies: [{name: all, type: topology, properties: {clusters: [c, y, x, a]}}]
  workflow:
    steps:
    - name: go
      type: deploy
      properties:
        policies: [all]
        decisionGroups:
        - {groupName: tests, clusterLabelSelector: {tier: test}}
        - {groupName: named, clusters: [y]}
        rolloutStrategy: {type: ProgressivePerGroup}
"""
    loaded = parse(document, "app.yaml", Surroundings(clusters=facts))
    waves = workflow_of(loaded).rollouts["go"].waves
    assert [wave.clusters for wave in waves] == [("a",), ("b",), ("c",)]


amounts = st.one_of(st.integers(0, 8), st.integers(0, 100).map("{}%".format))


@given(
    st.sampled_from(["Progressive", "ProgressivePerGroup"]),
    st.lists(st.sets(st.sampled_from(CLUSTERS)), max_size=3),
    st.sets(st.integers(0, 2)),
    amounts,
    amounts,
)
def test_every_cluster_is_in_exactly_one_wave(
    kind: str,
    members: list[set[str]],
    first: set[int],
    failures: int | str,
    concurrency: int | str,
) -> None:
    groups = [
        {"groupName": f"g{index}", "clusters": sorted(names)} for index, names in enumerate(members)
    ]
    settings: dict[str, Any] = {"maxFailures": failures}
    settings["mandatoryDecisionGroups"] = mandatory(*(i for i in first if i < len(groups)))
    if kind == "Progressive":
        settings["maxConcurrency"] = concurrency
    field = kind[0].lower() + kind[1:]
    found = rollout({"type": kind, field: settings}, groups)
    assert sorted(found.clusters) == list(CLUSTERS)
    assert all(wave.clusters for wave in found.waves)
    leading = [wave for wave in found.waves if wave.scope.startswith("mandatory")]
    assert list(found.waves[: len(leading)]) == leading
    assert all(wave.budget == 0 for wave in leading)
    sizes = [len(wave.clusters) for wave in found.waves if wave.scope == "rest"]
    assert len(set(sizes[:-1])) <= 1
    assert sizes == [] or sizes[-1] <= sizes[0]
