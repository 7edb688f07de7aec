"""Traits which make further objects: what they refuse, and what depends on the cluster."""

from __future__ import annotations

from typing import Any

import pytest

from velapulumi.definitions import (
    ClusterVersion,
    Context,
    RenderError,
    TraitDefinition,
    TraitResult,
    find,
)
from velapulumi.spec import format_path

WORKLOAD = {
    "kind": "Deployment",
    "spec": {
        "template": {
            "spec": {"containers": [{"name": "c", "env": [{"name": "MODE", "value": "fast"}]}]}
        }
    },
}
ROUTE = {"domain": "a.example.com", "http": {"/": 80}}
SIZE = {"requests": {"storage": "1Gi"}}


def definition(name: str) -> TraitDefinition[Any]:
    found = find(TraitDefinition, name)
    assert found is not None
    return found


def apply(name: str, properties: dict[str, Any], minor: int = 30) -> TraitResult:
    context = Context(
        app_name="app",
        app_namespace="default",
        app_revision="app-v1",
        name="c",
        revision="c-v1",
        cluster="local",
        namespace="default",
        cluster_version=ClusterVersion(minor=minor),
    )
    parameters, problems = definition(name).read(properties)
    assert problems == []
    return definition(name).apply(parameters, context, WORKLOAD)


def volume(kind: str, **more: Any) -> dict[str, Any]:
    return {kind: [{"name": "v", "mountPath": "/v", **more}]}


@pytest.mark.parametrize(
    ("name", "properties", "path", "message"),
    [
        ("storage", volume("pvc", resources={"requests": {"storage": "8"}}),
         "pvc[0].resources.requests.storage", 'such as "8Gi"'),
        ("storage", volume("pvc", volumeMode="Files"), "pvc[0].volumeMode", "Filesystem"),
        ("storage", volume("pvc", accessModes=["Any"]), "pvc[0].accessModes[0]", "ReadWriteOnce"),
        ("storage", volume("configMap", data={"n": 1}), "configMap[0].data.n", "in quotes"),
        ("storage", volume("secret", data={"n": "plain text"}), "secret[0].data.n", "stringData"),
        ("storage", {"secret": [{"name": "v"}]}, "secret[0].mountPath", "is missing"),
        ("gateway", {"domain": "a.example.com"}, "http", "is missing"),
        ("gateway", {"http": {}}, "http", "at least one path"),
        ("gateway", {"http": {"/": 70000}}, 'http["/"]', "at most 65535"),
        ("gateway", {**ROUTE, "pathType": "Regex"}, "pathType", "Prefix"),
        ("expose", {"ports": [{"port": 0}]}, "ports[0].port", "at least 1"),
        ("expose", {"ports": [{"port": 1, "protocol": "HTTP"}]}, "ports[0].protocol", "TCP"),
        ("hpa", {"cpu": {"type": "Value"}}, "cpu.type", "AverageValue"),
        ("service-account", {"name": "a", "privileges": [{"verbs": ["get"], "scope": "all"}]},
         "privileges[0].scope", "cluster"),
        ("pvc", {"claimName": "a", "volumesToMount": []}, "resources", "is missing"),
        ("volumes", {"volumes": [{"name": "a", "type": "pvc"}]}, "volumes[0]", "claimName"),
    ],
)  # fmt: skip
def test_invalid_parameter_is_a_problem_at_its_place(
    name: str, properties: dict[str, Any], path: str, message: str
) -> None:
    _, problems = definition(name).read(properties)
    assert [format_path(place) for place, _ in problems] == [path]
    assert message in problems[0][1]


@pytest.mark.parametrize(
    ("name", "properties", "path", "message"),
    [
        ("storage", volume("pvc", volumeMode="Block", subPath="part"),
         "pvc[0].subPath", "block device"),
        ("storage", {"configMap": [{"name": "v", "data": {"a": "1"}}, {"name": "v"}]},
         "configMap[1].name", "mountOnly"),
        ("storage", volume("emptyDir") | volume("secret"), "", "two volumes are mounted at /v"),
        ("storage",
         volume("configMap", mountToEnv={"envName": "MODE", "configMapKey": "mode"}),
         "", "variable MODE has a value"),
        ("configmap",
         {"volumes": [{"name": "v", "mountPath": f"/{n}", "data": {"n": n}} for n in "ab"]},
         "volumes[1].name", "other data"),
        ("pvc", {"claimName": "a", "resources": SIZE, "volumesToMount": [{"name": "v"}]},
         "volumesToMount[0].mountPath", "is missing"),
        ("pvc",
         {"claimName": "a", "resources": SIZE, "volumeMode": "Block",
          "volumesToMount": [{"name": "v", "mountPath": "/v"}]},
         "volumesToMount[0].devicePath", "is missing"),
        ("gateway", {"http": {"/": 80}, "secretName": "certificate"}, "secretName", "a domain"),
        ("gateway", {**ROUTE, "annotations": {"kubernetes.io/ingress.class": "traefik"}},
         'annotations["kubernetes.io/ingress.class"]', '"nginx"'),
        ("expose", {}, "", "needs ports"),
        ("expose", {"ports": [], "type": "LoadBalancer"}, "", "type LoadBalancer needs ports"),
        ("expose", {"port": [80, 80]}, "port[1]", "an earlier port is named port-80 too"),
        ("expose", {"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "a"}]},
         "ports[1]", "an earlier port is named a too"),
        ("cpuscaler", {"min": 5, "max": 2}, "max", "at least min (5)"),
        ("hpa", {"min": 11}, "max", "at least min (11)"),
        ("rollout", {"targetSize": 2}, "", "kruise-rollout addon"),
    ],
)  # fmt: skip
def test_parameters_which_do_not_go_together_are_refused(
    name: str, properties: dict[str, Any], path: str, message: str
) -> None:
    with pytest.raises(RenderError) as refused:
        apply(name, properties)
    assert format_path(refused.value.path) == path
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("name", "minor", "version"),
    [
        ("gateway", 18, "networking.k8s.io/v1beta1"),
        ("gateway", 19, "networking.k8s.io/v1"),
        ("ingress", 21, "networking.k8s.io/v1beta1"),
        ("ingress", 22, "networking.k8s.io/v1"),
        ("pure-ingress", 21, "networking.k8s.io/v1beta1"),
        ("pure-ingress", 22, "networking.k8s.io/v1"),
        ("ingress-1-20", 18, "networking.k8s.io/v1"),
    ],
)
def test_the_cluster_decides_the_version_of_an_ingress(name: str, minor: int, version: str) -> None:
    made = apply(name, ROUTE, minor).outputs["ingress"]
    assert made["apiVersion"] == version
    (path,) = made["spec"]["rules"][0]["http"]["paths"]
    if version.endswith("v1"):
        assert path["backend"] == {"service": {"name": "c", "port": {"number": 80}}}
    else:
        assert path["backend"] == {"serviceName": "c", "servicePort": 80}


@pytest.mark.parametrize(
    ("minor", "version"), [(22, "autoscaling/v2beta2"), (23, "autoscaling/v2")]
)
def test_the_cluster_decides_the_version_of_an_autoscaler(minor: int, version: str) -> None:
    assert apply("hpa", {}, minor).outputs["hpa"]["apiVersion"] == version


def test_claim_which_is_mounted_twice_is_made_once() -> None:
    mounts = [{"name": "v", "mountPath": path} for path in ("/a", "/b")]
    assert list(apply("storage", {"pvc": mounts}).outputs) == ["pvc-v"]


def test_condition_of_a_claim_is_one_or_a_list_of_them() -> None:
    condition = {"key": "zone", "operator": "In", "values": ["a"]}

    def selector(conditions: Any) -> Any:
        claim = volume("pvc", selector={"matchExpressions": conditions})
        return apply("storage", claim).outputs["pvc-v"]["spec"]["selector"]

    assert selector(condition) == selector([condition]) == {"matchExpressions": [condition]}


def test_expose_waits_for_the_workload() -> None:
    assert definition("expose").after_workload


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("pvc", "storage"),
        ("volumes", "storage"),
        ("configmap", "storage"),
        ("ingress", "gateway"),
        ("ingress-1-20", "gateway"),
        ("pure-ingress", "gateway"),
        ("rollout", "suspend"),
    ],
)
def test_deprecated_trait_names_what_to_use_instead(name: str, instead: str) -> None:
    assert instead in definition(name).deprecated
