"""What a cluster would refuse is found before the first write of a run, wherever it would be."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest
import yaml

from tests.clusters import PROD, STAGING, Cluster, Project
from tests.e2e.test_failures import wait_for
from tests.e2e.test_policies import app, config_map, secret
from tests.e2e.test_truth_drift import Truth, section


@pytest.fixture
def story(copied: Callable[[str], Project], namespace: str) -> Truth:
    return Truth(copied("project"), namespace)


def two_stages(
    namespace: str, objects: list[dict[str, Any]], prod: list[dict[str, Any]], place: str = ""
) -> str:
    """An Application whose second stage has further objects, perhaps in another namespace."""
    document = yaml.safe_load(app(namespace, {"main": objects, "more": prod}))
    second = {"clusters": [PROD], **({"namespace": place} if place else {})}
    document["spec"]["policies"] += [
        {"name": "prod", "type": "topology", "properties": second},
        {"name": "health", "type": "health", "properties": {"probeInterval": 1}},
    ]
    first = {"name": "few", "type": "override", "properties": {"selector": ["main"]}}
    document["spec"]["policies"].append(first)
    document["spec"]["workflow"] = {
        "steps": [
            {"name": "staging", "type": "deploy", "properties": {"policies": ["place", "few"]}},
            {"name": "prod", "type": "deploy", "properties": {"policies": ["prod"]}},
        ]
    }
    return yaml.safe_dump(document)


WIDGET = {
    "apiVersion": "nope.example.org/v1",
    "kind": "Widget",
    "metadata": {"name": "w"},
    "spec": {"a": 1},
}


def test_what_the_second_stage_would_be_refused_for_is_found_before_the_first_write(
    story: Truth,
) -> None:
    prod = story.project.clusters[PROD]
    theirs = ("create", "configmap", "theirs", "--from-literal=a=theirs", "-n", story.namespace)
    prod.kubectl(*theirs)
    says = (
        f"Widget {story.namespace}/w on {PROD}: the cluster serves no kind Widget",
        f"ConfigMap {story.namespace}/theirs exists on {PROD} but not managed by any application",
        f"namespace nowhere does not exist on {PROD}",
    )
    elsewhere = {**config_map("far"), "metadata": {"name": "far", "namespace": "nowhere"}}
    refused = two_stages(
        story.namespace, [config_map("data", a="b")], [WIDGET, config_map("theirs"), elsewhere]
    )
    for shown in (story.plan(refused, code=1), story.refused(refused)):
        for text in says:
            assert text in shown

    bad = {**config_map("bad"), "metadata": {"name": "bad", "labels": {"x": "not valid!"}}}
    unasked = two_stages(story.namespace, [config_map("data", a="b")], [bad])
    for shown in (story.plan(unasked, code=1), story.refused(unasked)):
        assert f"ConfigMap {story.namespace}/bad" in shown
        assert 'metadata.labels: Invalid value: "not valid!": a valid label must be' in shown
    missing = two_stages(
        story.namespace, [config_map("data", a="b")], [config_map("more")], "nowhere"
    )
    for shown in (story.plan(missing, code=1), story.refused(missing)):
        assert f"namespace nowhere does not exist on {PROD}" in shown
    assert story.get("configmap", "data") is None


@pytest.mark.exhaustive
def test_a_namespace_that_was_deleted_with_what_was_in_it_is_found(story: Truth) -> None:
    prod, place = story.project.clusters[PROD], f"{story.namespace}-x"
    prod.kubectl("create", "namespace", place)

    def text(value: str) -> str:
        data = [config_map("data", a=value)]
        return two_stages(story.namespace, data, [config_map("more")], place)

    story.up(text("b"))
    prod.kubectl("delete", "namespace", place)
    for changed in ("b", "c"):
        for shown in (story.plan(text(changed), code=1), story.refused(text(changed))):
            assert f"namespace {place} does not exist on {PROD}" in shown
    assert story.value("configmap", "data", "data") == {"a": "b"}


@pytest.mark.exhaustive
def test_a_webhook_that_cannot_be_asked_and_a_missing_right_are_said(story: Truth) -> None:
    text = app(story.namespace, {"main": [config_map("data", a="b")]})
    hook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {
            "name": story.namespace,
            "uid": str(uuid4()),
            "creationTimestamp": "2019-09-18T00:00:00Z",
        },
        "webhooks": [
            {
                "name": "nowhere.example.org",
                "sideEffects": "Some",
                "failurePolicy": "Ignore",
                "timeoutSeconds": 1,
                "admissionReviewVersions": ["v1"],
                "clientConfig": {"url": "https://127.0.0.1:1/"},
                "namespaceSelector": {
                    "matchLabels": {"kubernetes.io/metadata.name": story.namespace}
                },
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["configmaps"],
                    }
                ],
            }
        ],
    }
    stored(story.cluster, f"validatingwebhookconfigurations/{story.namespace}", hook)
    try:
        said = (
            'not asked: HTTP 400: admission webhook "nowhere.example.org" does not support dry run'
        )
        assert said in section(story.plan(text, code=3), "ConfigMap", "data")
        story.delivered(text)
    finally:
        story.cluster.kubectl("delete", "validatingwebhookconfiguration", story.namespace)

    reader(story)
    changed = app(story.namespace, {"main": [config_map("data", a="c")]})
    patch = f'{user(story)} cannot patch resource "configmaps"'
    told = section(story.plan(changed, code=3), "ConfigMap", "data")
    assert told.startswith(f"~ ConfigMap {story.namespace}/data\ndata.a: b → c\n")
    assert "(not part of the plan): not asked: " in told
    assert patch in told
    refused = story.refused(changed)
    assert "[VP207]" in refused
    assert patch in refused
    assert f"the verb patch on configmaps in namespace {story.namespace}" in refused
    hidden = app(story.namespace, {"main": [config_map("data", a="b"), secret("key", "dgo=")]})
    for shown in (story.plan(hidden, code=1), story.refused(hidden)):
        assert f'{user(story)} cannot get resource "secrets"' in shown
    assert story.value("configmap", "data", "data") == {"a": "b"}


def user(story: Truth) -> str:
    return f'User "system:serviceaccount:{story.namespace}:reader"'


def reader(story: Truth) -> None:
    """Join the cluster again, as somebody who may only read."""
    cluster = story.cluster
    story.kubectl("create", "serviceaccount", "reader")
    account = f"--serviceaccount={story.namespace}:reader"
    cluster.kubectl("create", "clusterrolebinding", story.namespace, "--clusterrole=view", account)
    token = story.kubectl("create", "token", "reader").strip()
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path = story.project.root / "reader.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    done = story.project.run("cluster", "join", str(path), "--name", STAGING)
    assert done.returncode == 0, done.stderr


def stored(cluster: Cluster, key: str, manifest: dict[str, Any]) -> None:
    """Put an object into a cluster's store: one that only older versions let in."""
    port = int(cluster.server.rpartition(":")[2]) + 1
    pair = {"key": f"/registry/{key}", "value": json.dumps(manifest)}
    body = {name: base64.b64encode(text.encode()).decode() for name, text in pair.items()}
    request = Request(f"http://127.0.0.1:{port}/v3/kv/put", json.dumps(body).encode())
    with urlopen(request) as answer:
        assert answer.status == 200
    name = manifest["metadata"]["name"]
    wait_for(lambda: name in cluster.kubectl("get", key.partition("/")[0], "-o", "name"))
