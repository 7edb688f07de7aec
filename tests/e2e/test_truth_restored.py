"""The way back of what was taken over: what it was, and nothing that others have set since."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.clusters import STAGING, Project
from tests.e2e.test_policies import app, config_map, rules
from tests.e2e.test_truth_drift import Truth, section
from tests.e2e.test_truth_fixed import claim


@pytest.fixture
def story(copied: Callable[[str], Project], namespace: str) -> Truth:
    return Truth(copied("project"), namespace)


def volume(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "storageClassName": name,
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "hostPath": {"path": "/nowhere"},
        },
    }


def create(story: Truth, manifest: dict[str, Any]) -> None:
    path = story.project.root / "theirs.yaml"
    path.write_text(yaml.safe_dump(manifest))
    story.kubectl("create", "-f", str(path))


def labelled(manifest: dict[str, Any]) -> dict[str, Any]:
    return {**manifest, "metadata": {**manifest["metadata"], "labels": {"by": "ours"}}}


def texts(story: Truth, *objects: dict[str, Any]) -> tuple[str, str]:
    """An application before and after it takes objects over."""
    kinds = {"resourceTypes": ["PersistentVolumeClaim", "PersistentVolume", "ConfigMap"]}
    policy = ("take-over", rules(kinds))
    data = config_map("data", a="b")
    before = app(story.namespace, {"main": [data]}, policy)
    return before, app(story.namespace, {"main": [data, *map(labelled, objects)]}, policy)


@pytest.mark.exhaustive
def test_what_was_bound_since_it_was_taken_over_stays_bound(story: Truth) -> None:
    first, second = f"{story.namespace}-1"[-60:], f"{story.namespace}-2"[-60:]
    disk, store = claim(first, "disk"), volume(second)
    before, after = texts(story, disk, store)
    story.up(before)
    create(story, disk)
    create(story, store)
    story.up(after)
    create(story, volume(first))
    create(story, claim(second, "theirs"))
    for kind, name in (("pvc", "disk"), ("pv", second)):
        story.kubectl("wait", kind, name, "--for=jsonpath={.status.phase}=Bound", "--timeout=60s")
    bound = story.value("pvc", "disk", "metadata")["annotations"]
    plan = story.plan(before, code=3)
    for kind, name in (("PersistentVolumeClaim", "disk"), ("PersistentVolume", second)):
        told = section(plan, kind, name)
        assert "- by: ours" in told
        assert "spec." not in told
        assert "kubernetes.io/" not in told
    story.up(before)
    assert story.value("pvc", "disk", "spec")["volumeName"] == first
    assert story.value("pv", second, "spec")["claimRef"]["name"] == "theirs"
    found = story.value("pvc", "disk", "metadata")
    assert "labels" not in found
    kept = {name: text for name, text in bound.items() if "kubernetes.io/" in name}
    assert found["annotations"] == kept
    assert "1 unchanged" in story.plan(before, code=0)


def test_a_way_back_that_the_server_would_refuse_is_refused_before_all_writes(
    story: Truth,
) -> None:
    theirs = config_map("theirs", a="1")
    before, after = texts(story, {**theirs, "data": {"a": "2"}})
    story.up(before)
    create(story, theirs)
    story.up(after)
    story.kubectl("patch", "configmap", "theirs", "-p", '{"immutable": true}')
    for shown in (story.plan(before, code=1), story.refused(before)):
        assert f"ConfigMap {story.namespace}/theirs on {STAGING}: HTTP 422" in shown
        assert "field is immutable when `immutable` is set" in shown
