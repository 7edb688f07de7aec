"""What cannot be changed in place: refused where data would be lost, else told and replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.clusters import STAGING, Project
from tests.e2e.test_policies import app, deployment, rules
from tests.e2e.test_truth_drift import Truth, section


@pytest.fixture
def story(copied: Callable[[str], Project], namespace: str) -> Truth:
    return Truth(copied("project"), namespace)


def claim(storage_class: str, name: str = "disk") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {
            "storageClassName": storage_class,
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


def stateful_set(storage_class: str) -> dict[str, Any]:
    labels = {"app": "db"}
    pod = {"containers": [{"name": "main", "image": "postgres"}]}
    template = claim(storage_class, "data")
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db"},
        "spec": {
            "replicas": 0,
            "serviceName": "db",
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
            "volumeClaimTemplates": [{"metadata": template["metadata"], "spec": template["spec"]}],
        },
    }


def autoscaler(version: str, percent: int = 50) -> dict[str, Any]:
    target: dict[str, Any] = {"targetCPUUtilizationPercentage": percent}
    if version == "v2":
        target = {
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": percent},
                    },
                }
            ]
        }
    return {
        "apiVersion": f"autoscaling/{version}",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "auto"},
        "spec": {
            "maxReplicas": 3,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"},
            **target,
        },
    }


def test_what_would_lose_data_is_refused_and_the_rest_is_told_and_replaced(story: Truth) -> None:
    def text(
        selector: str = "web", disk: str = "slow", data: str = "slow", allowed: bool = False
    ) -> str:
        web = deployment("web")
        web["spec"]["selector"]["matchLabels"] = {"app": selector}
        web["spec"]["template"]["metadata"]["labels"] = {"app": selector}
        fields = ["spec.storageClassName", "spec.volumeClaimTemplates"]
        kinds = {"resourceTypes": ["PersistentVolumeClaim", "StatefulSet"]}
        policy = ("resource-update", rules(kinds, strategy={"recreateFields": fields}))
        objects = [web, claim(disk), stateful_set(data)]
        return app(story.namespace, {"main": objects}, *([policy] if allowed else ()))

    story.up(text())
    before = {kind: story.uid(kind, name) for kind, name in OBJECTS.items()}
    fast = text(disk="fast", data="fast")
    for shown in (story.plan(fast, code=1), story.refused(fast)):
        assert (
            f"PersistentVolumeClaim {story.namespace}/disk on {STAGING}: spec.storageClass" in shown
        )
        assert f"StatefulSet {story.namespace}/db on {STAGING}: spec.volumeClaimTemplates" in shown
        assert "resource-update" in shown
    other = text("other")
    for shown in (story.plan(other, code=3), story.delivered(other)):
        assert section(shown, "Deployment", "web").startswith("± ")
    after = {kind: story.uid(kind, name) for kind, name in OBJECTS.items()}
    assert [kind for kind in OBJECTS if after[kind] != before[kind]] == ["deployment"]
    allowed = text("other", disk="fast", data="fast", allowed=True)
    for shown in (story.plan(allowed, code=3), story.delivered(allowed)):
        assert section(shown, "PersistentVolumeClaim", "disk").startswith("± ")
        assert section(shown, "StatefulSet", "db").startswith("± ")
    last = {kind: story.uid(kind, name) for kind, name in OBJECTS.items()}
    assert [kind for kind in OBJECTS if last[kind] == after[kind]] == ["deployment"]
    assert story.value("pvc", "disk", "spec")["storageClassName"] == "fast"
    assert "3 unchanged" in story.plan(allowed, code=0)
    with story.silence():
        done = story.project.run("delete", "shop", input="n\n")
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
    assert [line.split()[1] for line in lines if line.startswith("- ")] == [
        "PersistentVolumeClaim", "Deployment", "StatefulSet",
    ]  # fmt: skip
    disk = f"PersistentVolumeClaim {story.namespace}/disk on {STAGING}"
    assert f"! cannot be taken back: {disk}: the data of its volume may be lost" in lines


OBJECTS = {"deployment": "web", "pvc": "disk", "statefulset": "db"}


@pytest.mark.exhaustive
def test_another_version_of_the_same_kind_is_the_same_object(story: Truth) -> None:
    story.up(app(story.namespace, {"main": [autoscaler("v1")]}))
    uid = story.uid("hpa", "auto")
    new = app(story.namespace, {"main": [autoscaler("v2", 70)]})
    told = [story.plan(new, code=3), story.delivered(new)]
    assert story.uid("hpa", "auto") == uid
    (metric,) = story.value("hpa", "auto", "spec")["metrics"]
    assert metric["resource"]["target"]["averageUtilization"] == 70
    assert "1 unchanged" in story.plan(new, code=0)
    for shown in told:
        found = section(shown, "HorizontalPodAutoscaler", "auto").splitlines()
        title = f"~ HorizontalPodAutoscaler {story.namespace}/auto"
        assert found[:2] == [title, "apiVersion: autoscaling/v1 → autoscaling/v2"]
        assert "changed in the cluster" not in shown  # nobody has
