from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from velapulumi.errors import InvalidApplication
from velapulumi.render import (
    HealthPolicy,
    Loaded,
    Placement,
    RevisionNames,
    base_environment,
    load,
    parse,
    render_environment,
)

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
    - {name: a, type: suspend, if: always, timeout: 1m, dependsOn: [b]}
    - {name: b, type: suspend, mode: DAG, properties: {duration: 1m}}
    - {name: c, type: notification, inputs: [{from: x}], outputs: [{name: y, valueFrom: z}]}
    - {name: d, type: step-group, subSteps: [{name: e, type: suspend}]}
"""


def test_what_up_cannot_do_yet_is_named_and_does_not_hinder_rendering() -> None:
    loaded = parse(OBSTACLES, "app.yaml")
    assert [f"{p.line}: {p.path}: {p.message}" for p in loaded.obstacles] == [
        "7: spec.workflow.mode.steps: the mode DAG is not supported yet: "
        "the steps run one after the other",
        "9: spec.workflow.steps[0].timeout: a step with a timeout is not supported yet",
        "9: spec.workflow.steps[0].if: a step with a condition (if) is not supported yet",
        "9: spec.workflow.steps[0].dependsOn[0]: waiting for a step which does not come earlier "
        "is not supported yet: put the steps in their order",
        "10: spec.workflow.steps[1].mode: a step with its own mode is not supported yet",
        "11: spec.workflow.steps[2].inputs: a step with inputs is not supported yet",
        "11: spec.workflow.steps[2].outputs: a step with outputs is not supported yet",
        "12: spec.workflow.steps[3].subSteps: a step with subSteps is not supported yet",
        "10: spec.workflow.steps[1].properties.duration: suspend.duration is not supported yet: "
        "leave it out and approve with `velapulumi workflow resume`",
        "11: spec.workflow.steps[2].type: a step of type notification is not supported yet",
        "12: spec.workflow.steps[3].type: a step of type step-group is not supported yet",
    ]


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
