"""Every rendered object is one that a real API server would take."""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kubernetes import client, config

from tests.clusters import STAGING, Cluster
from velapulumi.render import (
    Environment,
    RenderedObject,
    RevisionNames,
    Surroundings,
    base_environment,
    parse,
    render_environment,
)

CASES = Path(__file__).parents[1] / "definitions" / "cases"
NOT_OF_KUBERNETES = ("toolkit.fluxcd.io", "example.org")
"""Kinds whose API the test's cluster does not have."""
REFUSED_AS_KUBEVELA_RENDERS_IT = {
    "expose/external-name": "there is no parameter for the name it needs",
}
NAMESPACE = "default"

Create = Callable[[dict[str, Any]], str]


@pytest.fixture(scope="module")
def create(clusters: dict[str, Cluster]) -> Iterator[Create]:
    """Asks the API server to create an object without doing it; gives its refusal, or nothing."""
    with config.new_client_from_config(str(clusters[STAGING].kubeconfig)) as api:

        @cache
        def resources(group: str) -> dict[str, tuple[str, bool]] | None:
            try:
                answer = json.loads(_call(api, "GET", group))
            except client.ApiException:
                return None
            return {
                entry["kind"]: (entry["name"], entry["namespaced"])
                for entry in answer["resources"]
                if "/" not in entry["name"]
            }

        def refusal(manifest: dict[str, Any]) -> str:
            version = manifest["apiVersion"]
            group = f"/apis/{version}" if "/" in version else f"/api/{version}"
            kinds = resources(group)
            if kinds is None or manifest["kind"] not in kinds:
                return f"no {manifest['kind']} in {version}"
            plural, namespaced = kinds[manifest["kind"]]
            folder = f"/namespaces/{NAMESPACE}" if namespaced else ""
            try:
                _call(api, "POST", f"{group}{folder}/{plural}?dryRun=All", manifest)
            except client.ApiException as error:
                return str(json.loads(error.body)["message"])
            return ""

        yield refusal


def _call(api: Any, method: str, path: str, body: Any = None) -> Any:
    request = api.param_serialize(
        method,
        path,
        header_params={"Accept": "application/json", "Content-Type": "application/json"},
        body=body,
        auth_settings=["BearerToken"],
    )
    answer = api.call_api(*request)
    data = answer.read()
    if answer.status >= 300:
        error = client.ApiException(status=answer.status)
        error.body = data
        raise error
    return data


def rendered(text: str) -> list[RenderedObject]:
    """Objects of an Application in the namespace that is there."""
    loaded = parse(text, "app.yaml", Surroundings())
    application = loaded.application
    environments = loaded.environments.values() or [base_environment(loaded)]
    return [
        entry
        for environment in environments
        for entry in render_environment(application, _here(environment), RevisionNames("app-v1"))
    ]


def _here(environment: Environment) -> Environment:
    places = tuple(replace(place, namespace=NAMESPACE) for place in environment.placements)
    return replace(environment, placements=places)


def refusals(create: Create, objects: list[RenderedObject]) -> dict[str, str]:
    found = {}
    for entry in objects:
        group = entry.manifest["apiVersion"].rpartition("/")[0]
        if not group.endswith(NOT_OF_KUBERNETES):
            metadata = dict(entry.manifest["metadata"])
            if "namespace" in metadata:
                metadata["namespace"] = NAMESPACE
            if message := create({**entry.manifest, "metadata": metadata}):
                found[entry.title] = message
    return found


def test_the_api_server_does_refuse(create: Create) -> None:
    bad = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": []}}
    assert "spec.ports" in create(bad)


def test_objects_of_every_case_are_taken(create: Create) -> None:
    cases = sorted(CASES.glob("*/*/app.yaml"))
    found = {
        f"{case.parts[-3]}/{case.parts[-2]}": refused
        for case in cases
        if (refused := refusals(create, rendered(case.read_text("utf-8"))))
    }
    assert set(found) == set(REFUSED_AS_KUBEVELA_RENDERS_IT)
    assert len(cases) > 100


name = st.text(string.ascii_lowercase, min_size=1, max_size=8)
word = st.text(string.ascii_letters + string.digits, min_size=1, max_size=10)
port = st.integers(1, 65535)
words = st.lists(word, max_size=3)
labels = st.dictionaries(name, word, max_size=3)
quantity = st.sampled_from(["100m", "1", "2"])
memory = st.sampled_from(["64Mi", "1Gi"])
probe = st.one_of(
    st.fixed_dictionaries({"tcpSocket": st.fixed_dictionaries({"port": port})}),
    st.fixed_dictionaries(
        {"httpGet": st.fixed_dictionaries({"path": word.map("/{}".format), "port": port})},
        optional={"periodSeconds": st.integers(1, 60)},
    ),
)
environment = st.lists(
    st.fixed_dictionaries({"name": word, "value": word}), max_size=3, unique_by=lambda e: e["name"]
)
common = {
    "cmd": words,
    "env": environment,
    "cpu": quantity,
    "memory": memory,
    "livenessProbe": probe,
    "readinessProbe": probe,
    "imagePullPolicy": st.sampled_from(["Always", "Never", "IfNotPresent"]),
    "imagePullSecrets": st.lists(name, max_size=2, unique=True),
    "volumeMounts": st.fixed_dictionaries(
        {
            "emptyDir": st.lists(
                name.map(lambda n: {"name": n, "mountPath": f"/{n}"}),
                max_size=2,
                unique_by=lambda m: m["name"],
            )
        }
    ),
}
ports = st.lists(
    st.fixed_dictionaries({"port": port}, optional={"expose": st.booleans()}),
    max_size=3,
    unique_by=lambda p: p["port"],
)


def component(kind: str, *without: str, **more: Any) -> st.SearchStrategy[dict[str, Any]]:
    needed: dict[str, Any] = {"image": word.map(str.lower)}
    if kind == "cron-task":
        needed["schedule"] = st.just("*/5 * * * *")
    optional = {key: value for key, value in common.items() if key not in without}
    properties = st.fixed_dictionaries(needed, optional={**optional, **more})
    return st.fixed_dictionaries({"type": st.just(kind), "properties": properties})


servers = st.one_of(
    component("webservice", ports=ports, args=words, labels=labels, annotations=labels),
    component("statefulset", ports=ports, args=words, labels=labels, annotations=labels),
    component("worker"),
)
jobs = st.one_of(
    component("task", "volumeMounts", count=st.integers(1, 3), labels=labels),
    component("cron-task", count=st.integers(1, 3), backoffLimit=st.integers(0, 6)),
)
pod_traits: dict[str, st.SearchStrategy[Any]] = {
    "labels": labels.filter(bool),
    "annotations": labels.filter(bool),
    "env": st.fixed_dictionaries({"env": labels}),
    "resource": st.fixed_dictionaries({"cpu": quantity, "memory": memory}),
    "hostalias": st.just({"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a.example.com"]}]}),
    "sidecar": st.fixed_dictionaries({"name": st.just("side"), "image": st.just("i")}),
    "init-container": st.fixed_dictionaries(
        {
            "name": st.just("first"),
            "image": st.just("i"),
            "appMountPath": st.just("/made"),
            "initMountPath": st.just("/make"),
        }
    ),
    "storage": st.fixed_dictionaries(
        {
            "configMap": st.just([{"name": "cm", "mountPath": "/cm", "data": {"a": "b"}}]),
            "pvc": st.just([{"name": "disk", "mountPath": "/disk"}]),
        }
    ),
    "securitycontext": st.fixed_dictionaries({"runAsNonRoot": st.booleans()}),
    "podsecuritycontext": st.fixed_dictionaries({"runAsUser": st.integers(1, 1000)}),
    "service-account": st.fixed_dictionaries({"name": name, "create": st.booleans()}),
    "affinity": st.just({"tolerations": [{"key": "a", "operator": "Exists"}]}),
}
server_traits = pod_traits | {
    "scaler": st.fixed_dictionaries({"replicas": st.integers(0, 5)}),
    "expose": st.fixed_dictionaries({"port": st.lists(port, min_size=1, max_size=3, unique=True)}),
    "gateway": st.fixed_dictionaries(
        {
            "domain": name.map("{}.example.com".format),
            "http": st.dictionaries(word.map("/{}".format), port, min_size=1, max_size=3),
        }
    ),
    "hpa": st.fixed_dictionaries({"min": st.integers(1, 3), "max": st.integers(3, 9)}),
    "lifecycle": st.just({"preStop": {"exec": {"command": ["true"]}}}),
    "startup-probe": st.just({"tcpSocket": {"port": 80}}),
    "topologyspreadconstraints": st.just(
        {
            "constraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "zone",
                    "labelSelector": {"matchLabels": {"a": "b"}},
                }
            ]
        }
    ),
}


@st.composite
def applications(draw: st.DrawFn) -> str:
    components = []
    for index in range(draw(st.integers(1, 2))):
        chosen, traits = draw(st.sampled_from([(servers, server_traits), (jobs, pod_traits)]))
        types = draw(st.lists(st.sampled_from(sorted(traits)), max_size=5, unique=True))
        components.append(
            {
                "name": f"c{index}",
                **draw(chosen),
                "traits": [{"type": kind, "properties": draw(traits[kind])} for kind in types],
            }
        )
    return yaml.safe_dump(
        {
            "apiVersion": "core.oam.dev/v1beta1",
            "kind": "Application",
            "metadata": {"name": "app"},
            "spec": {"components": components},
        }
    )


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(applications())
def test_objects_of_any_application_are_taken(create: Create, text: str) -> None:
    assert refusals(create, rendered(text)) == {}
