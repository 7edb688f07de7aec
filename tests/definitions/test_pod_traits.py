"""What traits of containers and pods refuse, and where they say it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from velapulumi.definitions import Context, TraitDefinition, find, unify
from velapulumi.definitions.pod.template import POD_KINDS
from velapulumi.errors import InvalidApplication, Problem
from velapulumi.render import base_environment, parse

SIDE = {"type": "sidecar", "properties": {"name": "side", "image": "s"}}

ON_CONTAINERS = [
    "command",
    "container-image",
    "container-ports",
    "env",
    "securitycontext",
    "startup-probe",
]
ON_PODS = [
    *ON_CONTAINERS,
    "affinity",
    "hostalias",
    "init-container",
    "lifecycle",
    "node-affinity",
    "podsecuritycontext",
    "resource",
    "service-binding",
    "sidecar",
    "topologyspreadconstraints",
]


def application(*traits: dict[str, Any], component: dict[str, Any] | None = None) -> dict[str, Any]:
    web = component or {"type": "worker", "properties": {"image": "i"}}
    return {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": "app"},
        "spec": {"components": [{"name": "web", **web, "traits": list(traits)}]},
    }


def problem(*traits: dict[str, Any], component: dict[str, Any] | None = None) -> Problem:
    with pytest.raises(InvalidApplication) as refused:
        parse(json.dumps(application(*traits, component=component)), "app.yaml")
    (found,) = refused.value.problems
    return found


def refused(kind: str, properties: dict[str, Any], *before: dict[str, Any]) -> tuple[str, str]:
    """Place below the trait's properties, and message."""
    found = problem(*before, {"type": kind, "properties": properties})
    place = f"spec.components[0].traits[{len(before)}]"
    assert found.path.startswith(place)
    message = found.message.removesuffix(f" (trait {kind})")
    assert kind in found.message
    return found.path.removeprefix(place).removeprefix(".properties"), message


def needed(kind: str) -> dict[str, Any]:
    wanted: dict[str, dict[str, Any]] = {
        "container-image": {"image": "j"},
        "startup-probe": {"exec": {"command": ["true"]}},
    }
    return wanted.get(kind, {})


def several(kind: str) -> str:
    return "probes" if kind == "startup-probe" else "containers"


@pytest.mark.parametrize("kind", ON_CONTAINERS)
def test_container_which_is_not_there(kind: str) -> None:
    target = {"containerName": "nope", **needed(kind)}
    _, message = refused(kind, target)
    assert message.startswith("container nope not found")
    path, message = refused(kind, {several(kind): [target]})
    assert path.startswith(f".{several(kind)}[0]")
    assert message.startswith("container nope not found")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("command", "container name must be set for containers"),
        ("container-image", "containerName must be set for containers"),
        ("container-ports", "container name must be set for containers"),
        ("env", "containerName must be set for containers"),
        ("securitycontext", "containerName must be set for containers"),
        (
            "startup-probe",
            "containerName must be set when specifying startup probe for multiple containers",
        ),
    ],
)
def test_one_of_several_without_a_name(kind: str, message: str) -> None:
    named = {"containerName": "web", **needed(kind)}
    found = refused(kind, {several(kind): [named, needed(kind)]})
    assert found == (f".{several(kind)}[1]", message)


@pytest.mark.parametrize("kind", ON_CONTAINERS)
def test_one_container_named_twice(kind: str) -> None:
    target = {"containerName": "web", **needed(kind)}
    path, message = refused(kind, {several(kind): [target, target]})
    assert path == f".{several(kind)}[1].containerName"
    assert message == "container web is named twice"


@pytest.mark.parametrize("kind", ON_CONTAINERS)
def test_one_target_beside_several(kind: str) -> None:
    target = {"containerName": "web", **needed(kind)}
    path, message = refused(kind, {several(kind): [target], "containerName": "web"})
    assert path == ".containerName"
    assert message == f"cannot stand beside {several(kind)}: set it for each of them"


@pytest.mark.parametrize(
    ("kind", "properties", "path", "message"),
    [
        (
            "command",
            {"args": ["a"], "addArgs": ["b"]},
            ".args",
            "cannot set addArgs/delArgs and args at the same time",
        ),
        (
            "command",
            {"containers": [{"containerName": "web", "args": [], "delArgs": []}]},
            ".containers[0].args",
            "cannot set addArgs/delArgs and args at the same time",
        ),
        ("command", {"args": None, "addArgs": [1]}, ".addArgs[0]", "must be a string"),
        ("container-image", {}, ".image", "is missing"),
        (
            "container-image",
            {"containers": [{"containerName": "web"}]},
            ".containers[0].image",
            "is missing",
        ),
        (
            "container-image",
            {"image": "j", "imagePullPolicy": "Sometimes"},
            ".imagePullPolicy",
            "must be '', 'IfNotPresent', 'Always' or 'Never', is the string \"Sometimes\"",
        ),
        ("container-ports", {"ports": [{}]}, ".ports[0].containerPort", "is missing"),
        ("env", {"env": {"A": 1}}, ".env.A", 'must be a string, is the number 1: write "1"'),
        ("env", {"env": {"A": None}}, ".env.A", "must not be null"),
        ("env", {"environment": {}}, ".environment", "is an unknown field"),
        ("resource", {"memory": "1gb"}, ".memory", "must be a whole number with a unit"),
        ("resource", {"memory": "1Gi\n"}, ".memory", "must be a whole number with a unit"),
        ("resource", {"requests": {"memory": "0Mi"}}, ".requests.memory", "must be a whole"),
        ("resource", {"limits": {"cpu": True}}, ".limits.cpu", "must be a number or a string"),
        ("resource", {"cpu": []}, ".cpu", "must be a number or a string"),
        ("sidecar", {"name": "side"}, ".image", "is missing"),
        ("init-container", {"name": "i", "image": "b", "appMountPath": "/a"}, ".initMountPath", ""),
        (
            "lifecycle",
            {"preStop": {"tcpSocket": {"port": 70000}}},
            ".preStop.tcpSocket.port",
            "must be at most 65535, is 70000",
        ),
        (
            "lifecycle",
            {"postStart": {"httpGet": {"port": 0}}},
            ".postStart.httpGet.port",
            "must be at least 1, is 0",
        ),
        ("startup-probe", {"tcpSocket": {"port": "80"}}, ".tcpSocket.port", "must be an integer"),
        ("startup-probe", {"grpc": {"port": 0}}, ".grpc.port", "must be at least 1, is 0"),
        ("startup-probe", {}, "", "needs exactly one of exec, httpGet, grpc and tcpSocket"),
        (
            "startup-probe",
            {"probes": [{"containerName": "web", "grpc": {"port": 1}, "tcpSocket": {"port": 1}}]},
            ".probes[0]",
            "needs exactly one of exec, httpGet, grpc and tcpSocket",
        ),
        ("lifecycle", {"preStop": {}}, ".preStop", "needs exactly one of exec, httpGet and tcp"),
        (
            "container-ports",
            {"ports": [{"containerPort": 80, "hostPort": 65536}]},
            ".ports[0].hostPort",
            "must be at most 65535",
        ),
        ("resource", {"limits": {"cpu": "half"}}, ".limits.cpu", "must be an amount"),
        ("resource", {"limits": {"cpu": -1}}, ".limits.cpu", "must be an amount"),
        ("hostalias", {}, ".hostAliases", "is missing"),
        (
            "affinity",
            {"nodeAffinity": {"preferred": [{"weight": 101, "preference": {}}]}},
            ".nodeAffinity.preferred[0].weight",
            "must be at most 100, is 101",
        ),
        (
            "topologyspreadconstraints",
            {"constraints": [{"topologyKey": "zone"}]},
            ".constraints[0].maxSkew",
            "is missing",
        ),
        (
            "k8s-update-strategy",
            {"targetKind": "StatefulSet"},
            ".targetKind",
            "is StatefulSet, the workload is a Deployment: write that",
        ),
        (
            "k8s-update-strategy",
            {"strategy": {"rollingStrategy": {"maxSurge": "some"}}},
            ".strategy.rollingStrategy.maxSurge",
            'must be a number of pods or a percentage, such as 1 or "25%"',
        ),
        (
            "k8s-update-strategy",
            {"strategy": {"rollingStrategy": {"maxUnavailable": -1}}},
            ".strategy.rollingStrategy.maxUnavailable",
            "must be a number of pods or a percentage",
        ),
        ("labels", {"a": 1}, ".a", 'must be a string, is the number 1: write "1" in quotes'),
        ("annotations", {"a": {"b": "c"}}, ".a", "must be a string, is a map"),
        ("json-patch", {"operations": [{"op": "drop", "path": "/a"}]}, ".operations[0].op", ""),
        ("json-patch", {"operations": [{"op": "add"}]}, ".operations[0].path", "is missing"),
    ],
)
def test_wrong_parameters(kind: str, properties: dict[str, Any], path: str, message: str) -> None:
    found, text = refused(kind, properties)
    assert found == path
    assert text.startswith(message)


def test_containers_of_other_traits_are_known() -> None:
    env = {"type": "env", "properties": {"containerName": "side"}}
    assert problem(env, SIDE).message.startswith("container side not found")
    assert parse(json.dumps(application(SIDE, env)), "app.yaml").environments == {}


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("init-container", {"name": "i", "image": "b", "appMountPath": "/", "initMountPath": "/"}),
        ("service-binding", {"envMappings": {"A": {"secret": "s"}}}),
    ],
)
def test_component_without_a_container_of_its_name(kind: str, properties: dict[str, Any]) -> None:
    renamed = [{"name": "other", "image": "i"}]
    patch = {"spec": {"template": {"spec": {"containers": renamed}}}}
    before = {"type": "json-merge-patch", "properties": patch}
    _, message = refused(kind, properties, before)
    assert message.startswith("container web not found")


@pytest.mark.parametrize(
    ("kind", "properties", "place"),
    [
        ("sidecar", {"name": "web", "image": "other"}, "containers[0].image"),
        (
            "init-container",
            {"name": "i", "image": "b", "appMountPath": "/a", "initMountPath": "/b"},
            "containers[0].volumeMounts[0].mountPath",
        ),
        ("podsecuritycontext", {"runAsUser": 1}, "securityContext.runAsUser"),
        ("hostalias", {"hostAliases": [{"ip": "1.1.1.1", "hostnames": ["b"]}]}, "hostnames[0]"),
    ],
)
def test_what_contradicts_the_workload(kind: str, properties: dict[str, Any], place: str) -> None:
    first = [
        SIDE,
        {
            "type": "init-container",
            "properties": {"name": "a", "image": "b", "appMountPath": "/x", "initMountPath": "/b"},
        },
        {"type": "podsecuritycontext", "properties": {"runAsUser": 2}},
        {
            "type": "hostalias",
            "properties": {"hostAliases": [{"ip": "1.1.1.1", "hostnames": ["a"]}]},
        },
    ]
    path, message = refused(kind, properties, *first)
    assert path == ""
    assert message.startswith(f"invalid patch trait {kind} into workload: spec.template.spec.")
    assert f"{place}: conflicting values" in message


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/kind", "value": "Job"},
        {"op": "remove", "path": "/spec/not-there"},
        {"op": "add", "path": "/spec/a/b", "value": 1},
        {"op": "add", "path": "/kind/a", "value": 1},
        {"op": "add", "path": "spec", "value": 1},
        {"op": "replace", "path": "/spec/replicas"},
        {"op": "move", "path": "/spec/replicas"},
        {"op": "copy", "path": "/spec/replicas", "from": None},
    ],
)
def test_json_patch_which_cannot_be_done(operation: dict[str, Any]) -> None:
    path, message = refused("json-patch", {"operations": [operation]})
    assert path == ""
    assert message.startswith("invalid patch trait json-patch into workload: ")


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ({"op": "replace", "path": "", "value": 1}, "leaves no map of the workload"),
        ({"op": "remove", "path": "/kind"}, "leaves the workload without kind"),
        (
            {"op": "replace", "path": "/apiVersion", "value": None},
            "leaves the workload without apiVersion",
        ),
        (
            {"op": "add", "path": "/metadata", "value": "m"},
            "leaves no map of the workload's metadata",
        ),
        (
            {"op": "add", "path": "/metadata", "value": {"name": 1}},
            "leaves the workload with a wrong metadata.name",
        ),
        (
            {"op": "add", "path": "/metadata", "value": {"labels": None}},
            "leaves the workload with a wrong metadata.labels",
        ),
    ],
)
def test_json_patch_which_leaves_no_object(operation: dict[str, Any], message: str) -> None:
    assert refused("json-patch", {"operations": [operation]}) == ("", message)


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"kind": None}, "leaves the workload without kind"),
        ({"metadata": []}, "leaves no map of the workload's metadata"),
        (
            {"metadata": {"annotations": "a"}},
            "leaves the workload with a wrong metadata.annotations",
        ),
    ],
)
def test_json_merge_patch_which_leaves_no_object(patch: dict[str, Any], message: str) -> None:
    assert refused("json-merge-patch", patch) == ("", message)


@pytest.mark.parametrize("kind", ON_PODS)
def test_traits_of_pods_apply_to_workloads_with_pods_only(kind: str) -> None:
    definition = find(TraitDefinition, kind)
    assert definition is not None
    assert definition.applies_to == POD_KINDS


def within(kind: str, template: dict[str, Any]) -> dict[str, Any]:
    """A workload of a kind around its pod template."""
    workload = {"apiVersion": "v1", "kind": kind}
    if kind == "Pod":
        return {**workload, **template}
    if kind == "CronJob":
        return {**workload, "spec": {"jobTemplate": {"spec": {"template": template}}}}
    return {**workload, "spec": {"template": template}}


@pytest.mark.parametrize("name", ON_PODS)
def test_example_changes_the_pods_of_every_kind_alike(name: str) -> None:
    definition = find(TraitDefinition, name)
    assert definition is not None
    parameters = definition.parameters.model_validate(definition.example)
    context = Context(
        app_name="app",
        app_namespace="default",
        app_revision="app-v1",
        name="web",
        revision="web-v1",
        cluster="local",
        namespace="default",
    )

    def applied(kind: str) -> Any:
        workload = within(kind, {"spec": {"containers": [{"name": "web", "image": "i"}]}})
        return unify(workload, definition.apply(parameters, context, workload).patch)

    pod = applied("Pod")["spec"]
    assert pod != {"containers": [{"name": "web", "image": "i"}]}
    for kind in POD_KINDS:
        assert applied(kind) == within(kind, {"spec": pod})


@pytest.mark.parametrize("kind", ["service-binding", "node-affinity"])
def test_deprecated_traits_warn(kind: str) -> None:
    definition = find(TraitDefinition, kind)
    assert definition is not None
    trait = {"type": kind, "properties": dict(definition.example)}
    loaded = parse(json.dumps(application(trait)), "app.yaml")
    advice = f"component web: trait {kind} is deprecated, use {definition.deprecated}"
    assert base_environment(loaded).warnings == (advice,)


def test_odd_parts_of_a_container_break_no_trait() -> None:
    odd = {"name": "web", "image": "i", "args": "a", "env": "e", "ports": [1]}
    patch = {"spec": {"template": {"spec": {"containers": [odd]}}}}
    before = {"type": "json-merge-patch", "properties": patch}
    for kind in ON_CONTAINERS:
        trait = {"type": kind, "properties": needed(kind)}
        assert parse(json.dumps(application(before, trait)), "app.yaml").environments == {}
