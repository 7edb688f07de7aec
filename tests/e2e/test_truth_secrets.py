"""What a cluster says of a Secret, and what a Secret repeats: nobody is shown its values."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.clusters import STAGING, Project
from tests.e2e.test_policies import app, config_map, secret
from tests.e2e.test_truth_drift import Truth


@pytest.fixture
def story(copied: Callable[[str], Project], namespace: str) -> Truth:
    return Truth(copied("project"), namespace)


def pasted(**content: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, **content}


LEASE = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "lease"},
    "spec": {"acquireTime": "2026-01-02T03:04:05Z"},
}


def test_what_cannot_be_read_as_its_type_is_refused_without_values(story: Truth) -> None:
    """The server says so with HTTP 500, as if it had failed itself."""
    data = config_map("data", a="b")
    words = "HTTP 500: failed to convert new object "
    for wrong in (pasted(data={"pw": "TOPSEC-raw-not-base64!"}), LEASE):
        text = app(story.namespace, {"main": [data, wrong]})
        where = f"{wrong['kind']} {story.namespace}/{wrong['metadata']['name']} on {STAGING}"
        for shown in (story.plan(text, code=1), story.refused(text)):
            assert f"{where}: {words}" in shown
            assert "TOPSEC" not in shown
            assert "cannot be reached" not in shown


@pytest.mark.exhaustive
def test_no_words_about_a_secret_tell_its_values(story: Truth) -> None:
    wrong = {
        "a number": ({"stringData": {"pw": 31415926535897}}, "31415926535897"),
        "nested": ({"data": {"pw": {"nested": "TOPSEC-nested"}}}, "TOPSEC"),
        "a typo": ({"stringdata": {"a": "TOPSEC-typo"}}, "TOPSEC"),
    }
    for content, value in wrong.values():
        text = app(story.namespace, {"main": [pasted(**content)]})
        shown = story.plan(text, code=1) + story.plan(text, "--full", code=1)
        shown += story.plan(text, "-o", "json", code=1) + story.refused(text)
        assert "HTTP 500: failed to create typed patch object" in shown
        assert value not in shown


def test_what_kubectl_has_noted_in_a_secret_is_not_delivered(story: Truth) -> None:
    """A Secret that was pasted as kubectl shows it repeats its values in an annotation."""
    noted = {"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"pw":"aHVudGVyMg=="}}'}
    found = secret("key", "aHVudGVyMg==")
    found["metadata"]["annotations"] = noted | {"other": "stays"}
    text = app(story.namespace, {"main": [found]})
    assert "aHVudGVyMg" not in story.plan(text, "--full", code=3)
    story.up(text)
    annotations = story.value("secret", "key", "metadata")["annotations"]
    assert annotations["other"] == "stays"
    assert not {*annotations} & {*noted}
    state = [text for name, text in story.project.files().items() if "backend" in name]
    assert state
    assert not any(b"aHVudGVyMg" in text for text in state)
    assert "1 unchanged" in story.plan(text, code=0)
    assert json.loads(story.project.run("plan", "-f", "app.yaml", "-o", "json").stdout)
