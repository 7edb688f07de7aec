"""Deploy steps: where topologies lead, what overrides change, what replications make."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import Field

from velapulumi.definitions import (
    Catalog,
    ClusterVersion,
    ComponentDefinition,
    Context,
    Health,
    Parameters,
    Rendered,
)
from velapulumi.errors import InvalidApplication
from velapulumi.render import (
    ClusterFacts,
    Loaded,
    RevisionNames,
    Surroundings,
    parse,
    render_environment,
)
from velapulumi.render.defaults import default_steps

CLUSTERS = {
    "east": ClusterFacts({"region": "eu", "tier": "prod"}, ClusterVersion(1, 24)),
    "west": ClusterFacts({"region": "us", "tier": "prod"}),
}
WEB = {"name": "web", "type": "worker", "properties": {"image": "i"}}
DB = {"name": "db", "type": "worker", "properties": {"image": "db"}}


def application(*policies: dict[str, Any], names: list[str] | None = None, **spec: Any) -> str:
    """An application; with names one deploy step takes those policies."""
    if names is not None:
        step = {"name": "go", "type": "deploy", "properties": {"policies": names}}
        spec["workflow"] = {"steps": [step]}
    document = {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": "app", "namespace": "shop"},
        "spec": {"components": [WEB, DB], "policies": list(policies), **spec},
    }
    return yaml.safe_dump(document, sort_keys=False)


def policy(kind: str, name: str = "p", **properties: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "properties": properties}


def load(text: str, clusters: Any = CLUSTERS, **more: Any) -> Loaded:
    return parse(text, "app.yaml", Surroundings(clusters=clusters, **more))


def places(text: str, clusters: Any = CLUSTERS) -> list[tuple[str, str]]:
    (environment,) = load(text, clusters).environments.values()
    return [(place.cluster, place.namespace) for place in environment.placements]


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"clusters": ["west", "north", "west"]}, [("west", "shop"), ("north", "shop")]),
        ({"clusterLabelSelector": {"region": "eu"}}, [("east", "shop")]),
        ({"clusterLabelSelector": {"tier": "prod"}}, [("east", "shop"), ("west", "shop")]),
        ({"clusterLabelSelector": {}}, [("east", "shop"), ("west", "shop")]),
        ({"clusterSelector": {"region": "us"}}, [("west", "shop")]),
        ({"clusters": ["west"], "clusterLabelSelector": {"region": "eu"}}, [("west", "shop")]),
        ({"clusterLabelSelector": {"region": "asia"}, "allowEmpty": True}, []),
        ({"clusters": [], "namespace": "x"}, []),
        ({"namespace": "other"}, [("local", "other")]),
    ],
)
def test_topology(properties: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert places(application(policy("topology", **properties), names=["p"])) == expected


def test_several_topologies_add_up_and_none_is_local() -> None:
    east = policy("topology", "e", clusters=["east"])
    both = policy("topology", "b", clusters=["west", "east"])
    assert places(application(east, both, names=["e", "b"])) == [("east", "shop"), ("west", "shop")]
    assert places(application(names=[])) == [("local", "shop")]


ALIASED = {
    "a-east": ClusterFacts({"nick": "a"}, ClusterVersion(1, 20), "east", "uid-east", "first"),
    "east": ClusterFacts({"region": "eu"}, ClusterVersion(1, 24), "east", "uid-east", "first"),
    "west": ClusterFacts({"region": "us"}, name="west", uid="uid-west", first_name="west"),
}
"""East is called a-east, too, and was once joined under another name."""


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"clusters": ["a-east"]}, ["east"]),
        ({"clusters": ["a-east", "west", "east", "first"]}, ["east", "west", "first"]),
        ({"clusterLabelSelector": {"nick": "a"}}, ["east"]),
        ({"clusterLabelSelector": {"region": "eu"}}, ["east"]),
        ({"clusterLabelSelector": {}}, ["east", "west"]),
        ({"clusterLabelSelector": {"nick": "a", "region": "eu"}, "allowEmpty": True}, []),
    ],
)
def test_two_names_of_a_cluster_are_one_place(
    properties: dict[str, Any], expected: list[str]
) -> None:
    text = application(policy("topology", **properties), names=["p"])
    assert places(text, ALIASED) == [(name, "shop") for name in expected]


def test_topologies_with_two_names_of_a_cluster_lead_to_one_place() -> None:
    one, other = (policy("topology", name, clusters=[name]) for name in ("east", "a-east"))
    text = application(one, other, names=["east", "a-east"])
    (environment,) = load(text, ALIASED).environments.values()
    (place,) = environment.placements
    assert (place.cluster, place.version.minor) == ("east", 24)


def test_an_env_and_a_step_may_name_an_alias() -> None:
    place = {"clusterSelector": {"name": "a-east"}}
    binding = policy("env-binding", envs=[{"name": "prod", "placement": place}])
    assert places(application(binding), ALIASED) == [("east", "shop")]
    step = {
        "name": "go",
        "type": "apply-component",
        "properties": {"component": "web", "cluster": "a-east"},
    }
    assert places(application(workflow={"steps": [step]}), ALIASED) == [("east", "shop")]


def test_envs_on_two_names_of_a_cluster_own_the_same_objects() -> None:
    envs = [
        {"name": name, "placement": {"clusterSelector": {"name": name}}}
        for name in ("east", "a-east")
    ]
    with pytest.raises(InvalidApplication) as caught:
        load(application(policy("env-binding", envs=envs)), ALIASED)
    (problem,) = caught.value.problems
    assert problem.message == (
        "invalid env a-east: location east/shop conflict with env east, both have db, web"
    )


def test_objects_carry_the_first_name_of_their_cluster() -> None:
    text = application(policy("topology", clusters=["a-east"]), names=["p"])
    loaded = load(text, ALIASED)
    (environment,) = loaded.environments.values()
    for entry in render_environment(loaded.application, environment, RevisionNames("app-v1")):
        assert entry.cluster == "east"
        assert entry.manifest["metadata"]["labels"]["app.oam.dev/cluster"] == "first"


def test_a_decision_group_may_name_an_alias() -> None:
    step = {
        "name": "go",
        "type": "deploy",
        "properties": {
            "policies": ["p"],
            "decisionGroups": [{"groupName": "g", "clusters": ["a-east"]}],
        },
    }
    spec = {"workflow": {"steps": [step]}}
    topology = policy("topology", clusters=["east", "west"])
    assert places(application(topology, **spec), ALIASED) == [("east", "shop"), ("west", "shop")]


def test_where_no_cluster_is_known_labels_choose_one_place() -> None:
    text = application(policy("topology", clusterLabelSelector={"a": "b"}), names=["p"])
    assert places(text, None) == [("", "shop")]


@pytest.mark.parametrize(
    ("policies", "names", "message"),
    [
        (
            [policy("topology", clusterLabelSelector={"region": "asia"})],
            ["p"],
            "properties.clusterLabelSelector: failed to find any cluster matches given labels",
        ),
        (
            [policy("topology", clusterSelector={"region": "asia"})],
            ["p"],
            "properties.clusterSelector: failed to find any cluster matches given labels",
        ),
        ([policy("topology", cluster=["x"])], ["p"], 'unknown field, did you mean "clusters"?'),
        ([policy("topology", clusters=["x"])], ["q"], "policies[0]: policy q not found"),
        (
            [policy("health", probeTimeout=3)],
            ["p"],
            "policies[0]: policy p is of type health, a deploy step takes topology, override and",
        ),
        ([policy("topology")], ["p"], "policy topology named p must not have empty properties"),
        ([policy("override")], ["p"], "policy override named p must not have empty properties"),
        ([policy("override", selector=["wep"])], ["p"], 'no component "wep", did you mean "web"?'),
        ([policy("topology", clusters=["x"], namespace="X")], ["p"], "namespace: "),
        (
            [policy("override", components=[{"name": "web", "properties": {"imag": "x"}}])],
            ["p"],
            "spec.policies[0].properties.components[0].properties.imag: is an unknown field, did",
        ),
        (
            [policy("replication", keys=["a", "b"], selector=["web"])],
            ["p"],
            "Deployment web is rendered for several keys",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    policies: list[dict[str, Any]], names: list[str], message: str
) -> None:
    with pytest.raises(InvalidApplication) as caught:
        load(application(*policies, names=names))
    assert message in str(caught.value)


def images(loaded: Loaded) -> dict[str, str]:
    (environment,) = loaded.environments.values()
    return {c.name: c.properties["image"] for c in environment.components}


def test_overrides_follow_each_other() -> None:
    first = policy("override", "a", components=[{"name": "*", "properties": {"image": "x"}}])
    change = {"name": "web", "properties": {"image": "y"}}
    second = policy("override", "b", components=[change], selector=["web"])
    place = policy("topology", "t", clusters=["east"])
    assert images(load(application(first, second, place, names=["t", "a", "b"]))) == {"web": "y"}
    both = images(load(application(first, second, place, names=["a", "t"])))
    assert both == {"web": "x", "db": "x"}


def test_the_version_is_that_of_the_cluster() -> None:
    text = application(policy("topology", clusters=["east", "west", "north"]), names=["p"])
    (environment,) = load(text).environments.values()
    assert [place.version.minor for place in environment.placements] == [24, 30, 30]


class Keyed(Parameters):
    """None but an image."""

    image: str = Field(description="Image.")


def keyed(parameters: Keyed, context: Context) -> Rendered:
    name = f"{context.name}-{context.replica_key}"
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {}}
    return Rendered(manifest)


def test_replication_makes_one_of_each_key() -> None:
    definition = ComponentDefinition(
        type="keyed",
        parameters=Keyed,
        summary="s",
        example={"image": "i"},
        workload=("v1", "ConfigMap"),
        render=keyed,
        health=lambda live: Health(True, ""),
    )
    catalog = Catalog({ComponentDefinition: {"keyed": definition}})
    web = {**WEB, "type": "keyed"}
    text = application(
        policy("replication", keys=["a", "b"], selector=["web"]), names=["p"], components=[web, DB]
    )
    loaded = load(text, catalog=catalog)
    (environment,) = loaded.environments.values()
    objects = render_environment(
        loaded.application, environment, RevisionNames("app-v1"), loaded.surroundings
    )
    assert [(o.manifest["metadata"]["name"], o.replica_key) for o in objects] == [
        ("web-a", "a"),
        ("web-b", "b"),
        ("db", ""),
    ]


ENVS = policy("env-binding", "envs", envs=[{"name": "env-1"}, {"name": "env-2"}])


@pytest.mark.parametrize(
    ("policies", "steps"),
    [
        pytest.param(
            [],
            [
                ("web", "apply-component", {"component": "web"}),
                ("db", "apply-component", {"component": "db"}),
            ],
            id="components",
        ),
        pytest.param(
            [ENVS],
            [
                ("deploy-envs-env-1", "deploy2env", {"policy": "envs", "env": "env-1"}),
                ("deploy-envs-env-2", "deploy2env", {"policy": "envs", "env": "env-2"}),
            ],
            id="env-binding",
        ),
        pytest.param(
            [
                policy("topology", "t1", clusters=["a"]),
                policy("override", "o1", selector=["web"]),
                policy("topology", "t2", clusters=["b"]),
                policy("override", "o2", selector=["web"]),
                ENVS,
            ],
            [
                ("deploy-t1", "deploy", {"policies": ["o1", "o2", "t1"]}),
                ("deploy-t2", "deploy", {"policies": ["o1", "o2", "t2"]}),
            ],
            id="topologies",
        ),
        pytest.param(
            [policy("override", "o", selector=["web"])],
            [("deploy", "deploy", {"policies": ["o"]})],
            id="override",
        ),
    ],
)
def test_default_workflow(policies: list[dict[str, Any]], steps: list[Any]) -> None:
    text = application(*policies)
    from velapulumi.spec import parse_application

    envs = {"envs": ["env-1", "env-2"]} if ENVS in policies else {}
    made = default_steps(parse_application(text, "app.yaml"), envs)
    assert [(step.name, step.type, step.properties) for step in made] == steps


def test_a_name_that_a_made_up_step_cannot_have_is_told_where_it_is_written() -> None:
    text = application(policy("topology", "My_Place", clusters=["east"]))
    with pytest.raises(InvalidApplication) as caught:
        load(text)
    (problem,) = caught.value.problems
    assert problem.path == "spec.policies[0].name"
    assert text.splitlines()[problem.line - 1] == "  - name: My_Place"
    assert '"deploy-My_Place" is not a valid name' in problem.message


def test_made_up_steps_of_one_name_are_refused() -> None:
    def binding(name: str, env: str, cluster: str) -> dict[str, Any]:
        place = {"clusterSelector": {"name": cluster}}
        return policy("env-binding", name, envs=[{"name": env, "placement": place}])

    text = application(binding("a-b", "c", "east"), binding("a", "b-c", "west"))
    with pytest.raises(InvalidApplication) as caught:
        load(text)
    (problem,) = caught.value.problems
    assert problem.path == "spec.policies[1].properties.envs[0].name"
    assert problem.message == 'its step "deploy-a-b-c" is called like an earlier one'


WORKFLOW = """\
---
apiVersion: core.oam.dev/v1alpha1
kind: Workflow
metadata: {name: flow}
steps:
- {name: go, type: deploy, properties: {policies: [place]}}
---
apiVersion: core.oam.dev/v1alpha1
kind: Policy
metadata: {name: place}
type: topology
properties: {clusters: [east]}
---
apiVersion: core.oam.dev/v1alpha1
kind: Policy
metadata: {name: unused}
type: topology
properties: {clusters: [west]}
"""


def test_policy_and_workflow_may_stand_beside_the_application() -> None:
    text = application(workflow={"ref": "flow"}) + WORKFLOW
    loaded = load(text)
    assert [step.name for step in loaded.steps] == ["go"]
    assert places(text) == [("east", "shop")]
    assert "policy unused is not referenced by the application" in loaded.warnings
    assert loaded.application.spec["policies"][0]["name"] == "place"


def test_the_file_may_begin_with_directives() -> None:
    text = "%YAML 1.1\n---\n" + application(workflow={"ref": "flow"})
    assert [step.name for step in load(text + WORKFLOW).steps] == ["go"]
    assert places("%YAML 1.1\n---\n" + application(names=[])) == [("local", "shop")]


def test_a_problem_beside_the_application_has_its_own_line() -> None:
    text = application(workflow={"ref": "flow"}) + WORKFLOW.replace("clusters: [east]", "x: 1")
    with pytest.raises(InvalidApplication) as caught:
        load(text)
    (problem,) = caught.value.problems
    assert problem.path == "Policy place: properties.x"
    assert text.splitlines()[problem.line - 1] == "properties: {x: 1}"


def test_an_own_policy_goes_before_one_beside_it() -> None:
    own = policy("topology", "place", clusters=["west"])
    text = application(own, workflow={"ref": "flow"}) + WORKFLOW
    assert places(text) == [("west", "shop")]
