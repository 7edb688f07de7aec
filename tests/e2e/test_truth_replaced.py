"""What resource-update replaces, as a whole or by making it anew: others' things are told of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.clusters import STAGING, Project
from tests.e2e.test_policies import app, config_map, deployment, rules
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


@pytest.mark.exhaustive
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


def definition(namespace: str, **version: Any) -> dict[str, Any]:
    """The definition of a kind of the test's own."""
    group = f"{namespace}.example.org"[-60:].lstrip("-.")
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    names = {"kind": "Thing", "plural": "things", "singular": "thing"}
    said = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": names,
            "versions": [{**said, **version}],
        },
    }


@pytest.mark.exhaustive
def test_what_is_made_anew_with_all_it_holds_must_hold_nothing(story: Truth) -> None:
    place, crd = f"{story.namespace}-x", definition(story.namespace)
    fields = {"recreateFields": ["metadata.labels.team"]}
    kinds = {"resourceTypes": ["Namespace", "CustomResourceDefinition"]}
    policy = ("resource-update", rules(kinds, strategy=fields))
    ours = {**config_map("ours"), "metadata": {"name": "ours", "namespace": place}}

    def text(team: str, *inside: dict[str, Any]) -> str:
        labels = {"labels": {"team": team}}
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place, **labels}}
        kind = {**crd, "metadata": {**crd["metadata"], **labels}}
        return app(story.namespace, {"main": [space, kind, *inside]}, policy)

    story.up(text("a", ours))
    story.cluster.kubectl("create", "configmap", "theirs", "-n", place)
    apply(story, thing(crd, story.namespace))
    because = "cannot be deleted and created again because of metadata.labels.team: it holds"
    for shown in (story.plan(text("b", ours), code=1), story.refused(text("b", ours))):
        held = "1 ConfigMap of nobody, 1 ConfigMap of this application\n"
        assert f"{place} on {STAGING} {because} {held}" in shown
        assert f"{crd['metadata']['name']} on {STAGING} {because} 1 Thing of nobody\n" in shown
    story.cluster.kubectl("delete", "configmap", "theirs", "-n", place)
    story.kubectl("delete", crd["metadata"]["name"], "theirs")
    story.up(text("a"))
    before = story.uid("namespace", place), story.uid("crd", crd["metadata"]["name"])
    for shown in (story.plan(text("b"), code=3), story.up(text("b"))):
        assert section(shown, "Namespace", place).startswith("± ")
    after = story.uid("namespace", place), story.uid("crd", crd["metadata"]["name"])
    assert not {*before} & {*after}
    assert "2 unchanged" in story.plan(text("b"), code=0)


def thing(crd: dict[str, Any], namespace: str) -> dict[str, Any]:
    """An object of the test's own kind that is nobody's."""
    place = {"name": "theirs", "namespace": namespace}
    return {"apiVersion": f"{crd['spec']['group']}/v1", "kind": "Thing", "metadata": place}


def apply(story: Truth, manifest: dict[str, Any]) -> None:
    path = story.project.root / "theirs.yaml"
    path.write_text(yaml.safe_dump(manifest))
    story.kubectl("apply", "-f", str(path))


@pytest.mark.exhaustive
def test_a_kind_that_is_no_longer_served_is_not_deleted_unseen(story: Truth) -> None:
    crd = definition(story.namespace)
    name = crd["metadata"]["name"]

    def text(**version: Any) -> str:
        kinds = [definition(story.namespace, **version)] if version else []
        return app(story.namespace, {"main": [config_map("data"), *kinds]})

    story.up(text(served=True))
    apply(story, thing(crd, story.namespace))
    story.up(text(served=False))
    words = "it may hold objects that cannot be looked at, as no version of their kind is served"
    for shown in (story.plan(text(), code=1), story.refused(text())):
        assert f"{name} on {STAGING} cannot be deleted: {words}" in shown
    story.up(text(served=True))
    story.kubectl("wait", "crd", name, "--for=condition=Established")
    assert "it holds 1 Thing of nobody" in story.plan(text(), code=1)
    story.kubectl("delete", name, "theirs")
    story.up(text())
    assert story.get("crd", name) is None


def test_what_is_controlled_from_outside_a_namespace_is_not_deleted_with_it(story: Truth) -> None:
    name = f"{story.namespace}-x"
    place = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    story.up(app(story.namespace, {"main": [config_map("data"), place]}))
    uid = story.uid("namespace", "kube-system")
    owner = {"apiVersion": "v1", "kind": "Namespace", "name": "kube-system", "uid": uid}
    references = [{**owner, "controller": True}]
    metadata = {"name": "operated", "namespace": name, "ownerReferences": references}
    story.cluster.kubectl("create", "deployment", "web", "--image=x", "-n", name)
    path = story.project.root / "theirs.yaml"
    path.write_text(yaml.safe_dump({**config_map("operated"), "metadata": metadata}))
    story.cluster.kubectl("apply", "-f", str(path))
    fewer = app(story.namespace, {"main": [config_map("data")]})
    words = "cannot be deleted: it holds 1 ConfigMap of nobody, 1 Deployment of nobody\n"
    for shown in (story.plan(fewer, code=1), story.refused(fewer)):
        assert words in shown
