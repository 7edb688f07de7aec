"""Parameters of component types which are refused, and what depends on the cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from velapulumi.definitions import ClusterVersion, ComponentDefinition, Context, RenderError, find

CONTEXT = Context("app", "default", "app-v1", "comp", "comp-v1", "local", "default")
IMAGE = {"image": "i"}
KEY = {"name": "s", "key": "k"}
SECRET = {"secretKeyRef": KEY}
SCHEDULED = {**IMAGE, "schedule": "@daily"}
REFERRED = {"cluster": "c", "resource": "deployment", "name": "web"}
CHART = {"url": "https://charts.example.org", "chart": "web"}
FOLDER = {"url": "https://git.example.org/folders", "path": "./prod"}


def definition_of(name: str) -> ComponentDefinition[Any]:
    definition = find(ComponentDefinition, name)
    assert definition is not None
    return definition


def without(values: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != key}


@pytest.mark.parametrize(
    ("name", "properties", "path", "message"),
    [
        ("task", {**IMAGE, "restart": "Always"}, ("restart",), "must be 'Never' or 'OnFailure'"),
        ("task", {**IMAGE, "count": -1}, ("count",), "must be at least 0"),
        ("task", {**IMAGE, "volumeMounts": {}}, ("volumeMounts",), "unknown field"),
        ("cron-task", IMAGE, ("schedule",), "is missing"),
        ("cron-task", {**SCHEDULED, "backoffLimit": -1}, ("backoffLimit",), "at least 0"),
        ("statefulset", {**IMAGE, "limit": {"cpu": "1"}}, ("limit",), "unknown field"),
        ("daemon", {**IMAGE, "args": ["a"]}, ("args",), "unknown field"),
        (
            "daemon",
            {**IMAGE, "ports": [{"port": 1, "nodePort": 2}]},
            ("ports", 0, "nodePort"),
            "unknown field",
        ),
        ("webservice", {**IMAGE, "port": 0}, ("port",), "must be at least 1"),
        (
            "webservice",
            {**IMAGE, "ports": [{"port": 80, "nodePort": 70000}]},
            ("ports", 0, "nodePort"),
            "must be at most 65535",
        ),
        (
            "webservice",
            {**IMAGE, "ports": [{"port": 80, "name": "prometheus-metrics"}]},
            ("ports", 0, "name"),
            "up to 15 lower-case letters",
        ),
        ("daemon", {**IMAGE, "ports": [{"port": 80, "name": "80"}]}, ("ports", 0, "name"), "a let"),
        ("webservice", {**IMAGE, "cpu": 1}, ("cpu",), 'write "1" in quotes'),
        ("webservice", {**IMAGE, "cpu": "-1"}, ("cpu",), 'must be an amount, such as "0.5"'),
        ("webservice", {**IMAGE, "limit": {"memory": "1GB"}}, ("limit", "memory"), "an amount"),
        ("worker", {**IMAGE, "memory": "256 Mi"}, ("memory",), 'is "256 Mi"'),
        (
            "worker",
            {**IMAGE, "env": [{"name": "A", "value": "1", "valueFrom": SECRET}]},
            ("env", 0),
            "both value and valueFrom",
        ),
        (
            "worker",
            {**IMAGE, "env": [{"name": "A", "valueFrom": {}}]},
            ("env", 0, "valueFrom"),
            "needs exactly one of secretKeyRef, configMapKeyRef and fieldRef",
        ),
        (
            "worker",
            {**IMAGE, "env": [{"name": "A", "valueFrom": {**SECRET, "configMapKeyRef": KEY}}]},
            ("env", 0, "valueFrom"),
            "needs exactly one of",
        ),
        (
            "worker",
            {**IMAGE, "livenessProbe": {"periodSeconds": 5}},
            ("livenessProbe",),
            "needs exactly one of exec, httpGet and tcpSocket",
        ),
        (
            "webservice",
            {**IMAGE, "readinessProbe": {"httpGet": {"path": "/", "port": 1, "scheme": "http"}}},
            ("readinessProbe", "httpGet", "scheme"),
            "must be 'HTTP' or 'HTTPS'",
        ),
        ("k8s-objects", {}, ("objects",), "is missing"),
        ("k8s-objects", {"objects": []}, ("objects",), "must not be empty"),
        ("k8s-objects", {"objects": None}, ("objects",), "must not be empty"),
        ("k8s-objects", {"objects": ["text"]}, ("objects", 0), "must be a map"),
        ("k8s-objects", {"objects": [{"kind": "A"}]}, ("objects", 0, "apiVersion"), "missing"),
        (
            "k8s-objects",
            {"objects": [{"apiVersion": "v1", "kind": ""}]},
            ("objects", 0, "kind"),
            "must not be empty",
        ),
        ("raw", {"apiVersion": "v1"}, ("kind",), "is missing"),
        ("raw", {"apiVersion": 1, "kind": "A"}, ("apiVersion",), "must be a string"),
        (
            "raw",
            {"apiVersion": "v1", "kind": "A", "metadata": {"labels": {"port": 80}}},
            ("metadata", "labels", "port"),
            'write "80" in quotes',
        ),
        ("raw", {"apiVersion": "v1", "kind": "A", "metadata": []}, ("metadata",), "be a map"),
        ("ref-objects", {"objects": []}, ("objects",), "must not be empty"),
        ("ref-objects", {"objects": [REFERRED], "urls": ["u"]}, ("urls",), "k8s-objects"),
        (
            "ref-objects",
            {"objects": [without(REFERRED, "cluster")]},
            ("objects", 0),
            "cluster is missing: there is no hub",
        ),
        (
            "ref-objects",
            {"objects": [without(REFERRED, "resource")]},
            ("objects", 0),
            "resource is missing",
        ),
        ("ref-objects", {"objects": [without(REFERRED, "name")]}, ("objects", 0), "name is"),
        (
            "ref-objects",
            {"objects": [{**REFERRED, "labelSelector": {"a": "b"}}]},
            ("objects", 0),
            "invalid object selector for ref-objects, name and labelSelector cannot be both set",
        ),
        ("helm", {"url": "u"}, ("chart",), "is missing"),
        ("helm", {**CHART, "repoType": "svn"}, ("repoType",), "must be 'helm', 'git'"),
        ("kustomize", {"url": "u"}, ("path",), "is missing"),
    ],
)
def test_wrong_parameters_are_refused(
    name: str, properties: dict[str, Any], path: tuple[str | int, ...], message: str
) -> None:
    _, problems = definition_of(name).read(properties)
    assert [(place, message in text) for place, text in problems] == [(path, True)]


@pytest.mark.parametrize(
    ("name", "properties", "path", "message"),
    [
        ("helm", without(CHART, "url"), ("url",), "is missing"),
        ("helm", {**CHART, "repoType": "oss"}, ("oss",), "bucketName"),
        ("kustomize", without(FOLDER, "url"), ("url",), "is missing"),
        (
            "kustomize",
            {**FOLDER, "imageRepository": {"image": "i", "policy": {}}},
            ("imageRepository",),
            "git.branch",
        ),
        (
            "webservice",
            {
                **IMAGE,
                "ports": [{"port": 80, "containerPort": 8}, {"port": 81, "containerPort": 8}],
            },
            ("ports", 1),
            "an earlier port is named port-8 too",
        ),
        (
            "task",
            {**IMAGE, "labels": {"app.oam.dev/name": "other"}},
            ("labels", "app.oam.dev/name"),
            "always set",
        ),
    ],
)
def test_parameters_which_do_not_go_together_are_refused(
    name: str, properties: dict[str, Any], path: tuple[str | int, ...], message: str
) -> None:
    definition = definition_of(name)
    parameters, problems = definition.read(properties)
    assert problems == []
    with pytest.raises(RenderError, match=message) as refused:
        definition.render(parameters, CONTEXT)
    assert refused.value.path == path


@pytest.mark.parametrize(
    "amount", ["1", "0.5", ".5", "1.", "500m", "64Ki", "1e3", "1E", "2Ei", "100n", "+1", ""]
)
def test_amount_which_kubernetes_takes(amount: str) -> None:
    _, problems = definition_of("worker").read({**IMAGE, "cpu": amount, "memory": amount})
    assert problems == []


@pytest.mark.parametrize(("minor", "version"), [(24, "batch/v1beta1"), (25, "batch/v1")])
def test_version_of_a_cron_job_is_one_the_cluster_has(minor: int, version: str) -> None:
    definition = definition_of("cron-task")
    parameters, _ = definition.read(SCHEDULED)
    context = replace(CONTEXT, cluster_version=ClusterVersion(minor=minor))
    assert definition.render(parameters, context).workload["apiVersion"] == version
