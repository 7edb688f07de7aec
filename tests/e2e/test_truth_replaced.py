"""What resource-update replaces, as a whole or by making it anew: others' things are told of."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from tests.e2e.conftest import Project
from tests.e2e.test_policies import app, deployment, rules
from tests.e2e.test_truth_drift import Truth, section


@pytest.fixture
def story(copied: Callable[[str], Project], namespace: str) -> Truth:
    return Truth(copied("project"), namespace)


def test_a_workload_and_its_service_are_replaced_as_a_whole(story: Truth) -> None:
    """They have one name, and each a hook of its own in the engine."""
    kinds = {"resourceTypes": ["Deployment", "Service"]}

    def text(image: str) -> str:
        policy = ("resource-update", rules(kinds, strategy={"op": "replace"}))
        document = yaml.safe_load(app(story.namespace, {}, policy))
        ports = [{"port": 80 if image == "nginx:1" else 81, "expose": True}]
        web = {"name": "web", "type": "webservice", "properties": {"image": image, "ports": ports}}
        document["spec"]["components"] = [web]
        return yaml.safe_dump(document)

    story.up(text("nginx:1"))
    for kind in ("deployment", "service"):
        story.kubectl("annotate", kind, "web", "theirs=x")
    assert "fields that others have set go with it" in story.plan(text("nginx:2"), code=3)
    story.delivered(text("nginx:2"))
    for kind in ("deployment", "service"):
        assert "theirs" not in story.value(kind, "web", "metadata").get("annotations", {})
    assert "2 unchanged" in story.plan(text("nginx:2"), code=0)


def test_what_is_unchanged_and_not_ready_keeps_what_others_have_set(story: Truth) -> None:
    web = deployment("web")
    web["spec"]["template"]["metadata"]["labels"]["velapulumi.dev/sim"] = "pending"
    policy = ("resource-update", rules({"resourceNames": ["web"]}, strategy={"op": "replace"}))
    text = app(story.namespace, {"main": [web]}, policy)
    story.up(text, "--timeout", "2", code=6)
    sidecar = '{"name": "sidecar", "image": "theirs:1"}'
    pod = f'{{"spec": {{"containers": [{sidecar}]}}}}'
    patch = f'{{"spec": {{"minReadySeconds": 1, "template": {pod}}}}}'
    story.kubectl("patch", "deployment", "web", "--field-manager=theirs", "-p", patch)
    story.kubectl("annotate", "deployment", "web", "theirs=x")
    assert "(did not get ready: " in section(story.plan(text, code=0), "Deployment", "web")
    story.up(text, "--timeout", "2", code=6)
    spec = story.value("deployment", "web", "spec")
    assert spec["minReadySeconds"] == 1
    assert {each["name"] for each in spec["template"]["spec"]["containers"]} == {"main", "sidecar"}
    assert story.value("deployment", "web", "metadata")["annotations"]["theirs"] == "x"
