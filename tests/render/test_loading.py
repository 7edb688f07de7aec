from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from velapulumi.definitions import StepDefinition, types_of
from velapulumi.definitions.refused import REFUSED_STEPS
from velapulumi.errors import InvalidApplication
from velapulumi.render import (
    HealthPolicy,
    Loaded,
    Placement,
    RevisionNames,
    Surroundings,
    base_environment,
    load,
    parse,
    render_environment,
    shown_environments,
)
from velapulumi.render.steps import parameters_of

SEED = Path(__file__).parents[2] / "examples/01-seed/app.yaml"

LoadEnvs = Callable[..., Loaded]


def seed_deployment(name: str, kind: str, cluster: str, **spec: Any) -> dict[str, Any]:
    """A Deployment of the seed application."""
    replicas = {"replicas": spec.pop("replicas")} if "replicas" in spec else {}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": {
                "app.oam.dev/name": "example-app",
                "app.oam.dev/namespace": "default",
                "app.oam.dev/component": name,
                "app.oam.dev/appRevision": "example-app-v1",
                "app.oam.dev/revision": f"{name}-v1",
                "app.oam.dev/resourceType": "WORKLOAD",
                "workload.oam.dev/type": kind,
                "app.oam.dev/cluster": cluster,
            },
        },
        "spec": {
            **replicas,
            "selector": {"matchLabels": {"app.oam.dev/component": name}},
            "template": {
                "metadata": {
                    "labels": {
                        "app.oam.dev/name": "example-app",
                        "app.oam.dev/component": name,
                    }
                },
                "spec": {"containers": [{"name": name, **spec}]},
            },
        },
    }


SERVER = {"image": "crccheck/hello-world", "ports": [{"containerPort": 8000}]}
WORKER = {"image": "busybox", "command": ["sleep", "1000000"]}


def test_seed_gives_exactly_the_expected_objects() -> None:
    loaded = load(SEED)
    revision = RevisionNames("example-app-v1")
    rendered = {
        name: render_environment(loaded.application, environment, revision)
        for name, environment in loaded.environments.items()
    }
    server, staging, prod = "hello-world-server", "cluster-staging", "cluster-prod"
    assert list(rendered) == ["staging", "prod"]
    assert [item.manifest for item in rendered["staging"]] == [
        seed_deployment(server, "webservice", staging, replicas=1, **SERVER)
    ]
    assert [item.manifest for item in rendered["prod"]] == [
        seed_deployment(server, "webservice", prod, replicas=3, **SERVER),
        seed_deployment("data-worker", "worker", prod, **WORKER),
    ]
    first = rendered["prod"][0]
    assert (first.cluster, first.namespace, first.component) == (prod, "default", server)
    assert (first.component_type, first.role, first.trait, first.key) == (
        "webservice",
        "WORKLOAD",
        None,
        "",
    )


def test_seed_has_its_health_policy_and_no_warnings() -> None:
    loaded = load(SEED)
    assert loaded.health == HealthPolicy("health-policy-demo", 5, 10)
    assert loaded.warnings == ()


def test_health_policy_has_defaults() -> None:
    text = SEED.read_text("utf-8").replace("probeInterval: 5", "").replace("probeTimeout: 10", "")
    assert parse(text, "app.yaml").health == HealthPolicy("health-policy-demo", 30, 10)


def test_placement_defaults_to_the_local_cluster_and_the_namespace_of_the_application(
    load_envs: LoadEnvs,
) -> None:
    selectors = {"clusterSelector": {"name": "c"}, "namespaceSelector": {"name": "n"}}
    loaded = load_envs(
        {"name": "here", "placement": {"clusterSelector": {"name": ""}}},
        {"name": "there", "placement": selectors},
        namespace="own",
    )
    assert loaded.environments["here"].placements == (Placement("local", "own"),)
    assert loaded.environments["there"].placements == (Placement("c", "n"),)
    revision = RevisionNames("app-v1")
    here = render_environment(loaded.application, loaded.environments["here"], revision)
    there = render_environment(loaded.application, loaded.environments["there"], revision)
    assert "app.oam.dev/cluster" not in here[0].manifest["metadata"]["labels"]
    assert there[0].manifest["metadata"]["labels"]["app.oam.dev/cluster"] == "c"
    assert there[0].manifest["metadata"]["labels"]["app.oam.dev/namespace"] == "own"
    assert (there[0].namespace, there[0].manifest["metadata"]["namespace"]) == ("n", "n")


def test_added_component_and_empty_environment_are_warned_about(load_envs: LoadEnvs) -> None:
    added = {"name": "extra", "type": "worker", "properties": {"image": "i"}}
    loaded = load_envs(
        {"name": "one", "patch": {"components": [added]}},
        {"name": "two", "selector": {"components": []}},
    )
    assert loaded.warnings == (
        'the patch of "extra" adds a new component in env one',
        "env two has no components",
    )


def test_required_parameter_may_come_from_the_patch(load_envs: LoadEnvs) -> None:
    patch = {"name": "express-server", "properties": {"image": "new"}}
    loaded = load_envs({"name": "one", "patch": {"components": [patch]}})
    text = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: app}
spec:
  components: [{name: express-server, type: webservice}]
  policies: [{name: p, type: env-binding, properties: {envs: [{name: one, patch: PATCH}]}}]
"""
    given = parse(text.replace("PATCH", "{components: [{properties: {image: new}}]}"), "app.yaml")
    assert given.environments["one"].components[0].properties == {"image": "new"}
    assert loaded.environments["one"].components[0].properties == {"image": "new", "port": 8000}


def test_problem_of_a_patch_is_told_at_the_patch() -> None:
    text = SEED.read_text("utf-8").replace("replicas: 3", "replicas: three")
    with pytest.raises(InvalidApplication) as refused:
        parse(text, "app.yaml")
    (problem,) = refused.value.problems
    line = 1 + text[: text.index("three")].count("\n")
    place = "spec.policies[0].properties.envs[1].patch.components[0].traits[0].properties.replicas"
    assert (problem.line, problem.path) == (line, place)


def test_deprecated_scopes_and_unused_envs_are_warned_about() -> None:
    text = SEED.read_text("utf-8")
    text = text.replace("      traits:\n", "      scopes: {health: x}\n      traits:\n", 1)
    text = text[: text.index("      # deploy to prod env")]
    assert set(parse(text, "app.yaml").warnings) == {
        "spec.components[0].scopes: is deprecated and has no effect",
        "env prod of policy example-multi-env-policy is in no workflow step",
    }


def test_step_without_policy_uses_the_first_env_binding() -> None:
    name = "          policy: example-multi-env-policy\n"
    text = SEED.read_text("utf-8")
    assert name in text
    assert list(parse(text.replace(name, ""), "app.yaml").environments) == ["staging", "prod"]


def test_two_environments_cannot_own_the_same_object(load_envs: LoadEnvs) -> None:
    with pytest.raises(InvalidApplication, match="location local/default conflict with env one"):
        load_envs({"name": "one"}, {"name": "two"})


def test_application_labels_and_annotations_are_copied_unless_filtered(load_envs: LoadEnvs) -> None:
    loaded = load_envs(
        labels={"team": "a", "secret": "x"},
        annotations={
            "owner": "me",
            "note": "hidden",
            "filter.oam.dev/label-keys": "secret, other",
            "filter.oam.dev/annotation-keys": "note",
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
        },
    )
    environment = base_environment(loaded)
    (item,) = render_environment(loaded.application, environment, RevisionNames("app-v1"))
    metadata = item.manifest["metadata"]
    assert metadata["labels"]["team"] == "a"
    assert "secret" not in metadata["labels"]
    assert metadata["annotations"] == {"owner": "me"}


def test_revision_names_are_written(load_envs: LoadEnvs) -> None:
    loaded = load_envs()
    application = loaded.application
    revision = RevisionNames("app-v7", {"express-server": "express-server-v3"})
    (item,) = render_environment(application, base_environment(loaded), revision)
    labels = item.manifest["metadata"]["labels"]
    assert labels["app.oam.dev/appRevision"] == "app-v7"
    assert labels["app.oam.dev/revision"] == "express-server-v3"


def test_rendering_gives_fresh_objects(load_envs: LoadEnvs) -> None:
    loaded = load_envs()
    application = loaded.application
    environment, revision = base_environment(loaded), RevisionNames("app-v1")
    (first,) = render_environment(application, environment, revision)
    first.manifest["spec"]["template"]["spec"]["containers"].clear()
    (second,) = render_environment(application, environment, revision)
    assert second.manifest["spec"]["template"]["spec"]["containers"] != []


OBSTACLES = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: app}
spec:
  components: [{name: web, type: worker, properties: {image: i}}]
  workflow:
    mode: {steps: DAG}
    steps:
    - {name: a, type: suspend, if: always, timeout: 1m, dependsOn: [b], inputs: [{from: y}]}
    - {name: b, type: suspend, outputs: [{name: x, valueFrom: len(output)}]}
    - {name: c, type: suspend, outputs: [{name: y, valueFrom: context.name}]}
"""


def test_what_up_cannot_do_yet_is_named_and_does_not_hinder_rendering() -> None:
    loaded = parse(OBSTACLES, "app.yaml")
    assert [f"{p.line}: {p.path}: {p.message}" for p in loaded.obstacles] == [
        "10: spec.workflow.steps[1].outputs[0].valueFrom: this expression is not supported yet: "
        '"len" is not known, it must begin with output, outputs, value, response, body, context, '
        "parameter, code, message (at character 1)",
    ]


STEPS = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: app}
spec:
  components:
  - {name: web, type: worker, properties: {image: i}}
  - {name: api, type: worker, properties: {image: i}}
  policies:
  - {name: east, type: topology, properties: {clusters: [east]}}
  workflow:
    steps:
"""


def with_steps(*steps: str, allow_unknown: bool = False) -> Loaded:
    text = STEPS + "".join(f"    - {step}\n" for step in steps)
    return parse(text, "app.yaml", Surroundings(allow_unknown=allow_unknown))


@pytest.mark.parametrize("kind", REFUSED_STEPS)
def test_a_step_that_is_not_run_here_says_what_to_use_instead(kind: str) -> None:
    loaded = with_steps(f"{{name: a, type: {kind}, properties: {{any: thing}}}}")
    (obstacle,) = loaded.obstacles
    assert (obstacle.line, obstacle.path) == (12, "spec.workflow.steps[0].type")
    advice = REFUSED_STEPS[kind]
    assert obstacle.message == f"a step of type {kind} is not run here: {advice}"


@pytest.mark.parametrize("kind", types_of(StepDefinition))
def test_a_step_that_is_run_here_is_not_refused(kind: str) -> None:
    assert kind not in REFUSED_STEPS


OBJECT = "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}"


@pytest.mark.parametrize(
    ("step", "field", "word"),
    [
        ("type: apply-component, properties: {component: web}", "cluster", "no control plane"),
        (f"type: apply-object, properties: {{value: {OBJECT}}}", "cluster", "no control plane"),
        ("type: export-data, properties: {data: {a: b}}", "topology", "no topology policy"),
    ],
)
def test_a_step_without_a_cluster_is_named_and_does_not_hinder_rendering(
    step: str, field: str, word: str
) -> None:
    loaded = with_steps(f"{{name: a, {step}}}")
    (obstacle,) = loaded.obstacles
    assert obstacle.path == f"spec.workflow.steps[0].properties.{field}"
    assert word in obstacle.message
    (base, *others) = shown_environments(loaded)
    assert (base.name, [c.name for c in base.components]) == ("", ["web", "api"])
    assert [place for other in others for place in other.placements] == []


def test_components_that_no_step_delivers_are_shown_beside_what_steps_make() -> None:
    made = f"{{name: a, type: apply-object, properties: {{cluster: east, value: {OBJECT}}}}}"
    base, objects = shown_environments(with_steps(made))
    assert (base.name, [c.name for c in base.components]) == ("", ["web", "api"])
    assert (objects.name, [place.cluster for place in objects.placements]) == ("a", ["east"])
    deploy = "{name: b, type: deploy, properties: {policies: [east]}}"
    assert [each.name for each in shown_environments(with_steps(made, deploy))] == ["a", "b"]
    applied = "{name: c, type: apply-component, properties: {component: web, cluster: east}}"
    assert [each.name for each in shown_environments(with_steps(made, applied))] == ["a", "c"]
    assert [each.name for each in shown_environments(with_steps("{name: s, type: suspend}"))] == [
        ""
    ]


def test_unknown_parameters_of_a_step_are_refused_or_ignored_with_a_warning() -> None:
    step = "{name: a, type: suspend, properties: {mesage: x}}"
    with pytest.raises(InvalidApplication) as caught:
        with_steps(step)
    (problem,) = caught.value.problems
    assert problem.path == "spec.workflow.steps[0].properties.mesage"
    loaded = with_steps(step, allow_unknown=True)
    assert loaded.warnings == ("step a: properties.mesage is unknown and ignored",)
    parameters = parameters_of(loaded, loaded.steps[0])
    assert parameters is not None
    assert not hasattr(parameters, "mesage")


TWINS = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: app}
spec:
  components:
  - name: a
    type: k8s-objects
    properties: {objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {k: v}}]}
  - name: b
    type: k8s-objects
    properties: {objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {k: v}}]}
"""


def test_two_components_may_make_the_same_object_but_not_different_ones() -> None:
    assert parse(TWINS, "app.yaml").warnings == (
        "component b: ConfigMap x is rendered twice, the one of b counts",
    )
    with pytest.raises(InvalidApplication) as caught:
        parse(TWINS[: TWINS.rindex("k: v")] + "k: w}}]}\n", "app.yaml")
    (problem,) = caught.value.problems
    assert problem.message == "ConfigMap x is rendered by component a too"
    assert problem.path == "spec.components[1]"


def test_whether_somebody_must_approve_is_no_value_of_a_step() -> None:
    text = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components: [{name: web, type: worker, properties: {image: i}}]
  policies: [{name: east, type: topology, properties: {clusters: [east]}}]
  workflow:
    steps:
    - {name: say, type: run, properties: {command: [echo]}, outputs: [{name: x, valueFrom: code}]}
    - name: go
      type: deploy
      inputs: [{from: x, parameterKey: auto}]
      properties: {policies: [east]}
"""
    with pytest.raises(InvalidApplication) as caught:
        parse(text, "app.yaml")
    assert [problem.message for problem in caught.value.problems] == [
        "whether somebody must approve has to stand in the file"
    ]


def test_a_decision_group_names_clusters_of_its_step() -> None:
    text = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components: [{name: web, type: worker, properties: {image: i}}]
  policies: [{name: all, type: topology, properties: {clusters: [east, west]}}]
  workflow:
    steps:
    - name: go
      type: deploy
      properties:
        policies: [all]
        decisionGroups: [{groupName: canary, clusters: [east, wets]}]
"""
    with pytest.raises(InvalidApplication) as caught:
        parse(text, "app.yaml")
    (problem,) = caught.value.problems
    assert (problem.line, problem.message) == (
        13,
        'the step does not deliver to "wets", did you mean "west"?',
    )
