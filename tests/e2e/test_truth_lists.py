"""Lists whose elements the server knows by a key: written element by element, in any order."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.e2e.test_policies import app, deployment
from tests.e2e.test_truth_drift import Truth, containers, section, story

__all__ = ["story"]

FIRST: dict[str, Any] = {
    "name": "c",
    "image": "nginx",
    "env": [{"name": "A", "value": "1"}, {"name": "DEBUG", "value": "on"}],
    "ports": [{"containerPort": 80, "name": "web"}, {"containerPort": 6060, "name": "pprof"}],
    "securityContext": {"privileged": True, "runAsUser": 0},
}
SECOND: dict[str, Any] = {
    "name": "c",
    "image": "nginx",
    "env": [{"name": "A", "value": "1"}],
    "ports": [{"containerPort": 80, "name": "web"}],
    "securityContext": {"runAsUser": 0},
}
SIDE = {"name": "d", "image": "nginx"}
NOT_ASKED = "not asked"


def web(*found: dict[str, Any], volumes: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A Deployment with these containers."""
    manifest = deployment("web")
    pod = manifest["spec"]["template"]["spec"]
    pod["containers"] = list(found)
    if volumes:
        pod["volumes"] = volumes
    return manifest


def by_name(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(each for each in found if each["name"] == name)


@pytest.mark.exhaustive
def test_what_is_given_up_goes_though_the_list_is_in_another_order(story: Truth) -> None:
    size = {"name": "a", "emptyDir": {"sizeLimit": "1Gi", "medium": "Memory"}}
    first = web(FIRST, SIDE, volumes=[size, {"name": "b", "emptyDir": {}}])
    plain = {"name": "a", "emptyDir": {"medium": "Memory"}}
    second = web(SIDE, SECOND, volumes=[{"name": "b", "emptyDir": {}}, plain])
    story.up(app(story.namespace, {"main": [first]}))
    text = app(story.namespace, {"main": [second]})
    for shown in (story.plan(text, code=3), story.delivered(text)):
        found = section(shown, "~ Deployment", "web")
        assert NOT_ASKED not in found
        assert "containers (order): c, d → d, c\n" in found
        assert "volumes (order): a, b → b, a\n" in found
        assert "securityContext.privileged: true → (none)" in found
        assert "emptyDir.sizeLimit: 1Gi → (none)" in found
        assert "env[1].name: DEBUG → (none)" in found
        assert "ports[1].containerPort: 6060 → (none)" in found
    assert [each["name"] for each in containers(story)] == ["d", "c"]
    live = by_name(containers(story), "c")
    assert [each["name"] for each in live["env"]] == ["A"]
    assert [each["containerPort"] for each in live["ports"]] == [80]
    assert live["securityContext"] == {"runAsUser": 0}
    pod = story.value("deployment", "web", "spec")["template"]["spec"]
    assert by_name(pod["volumes"], "a")["emptyDir"] == {"medium": "Memory"}
    assert "1 unchanged" in story.plan(text, code=0)


def test_what_others_have_in_an_element_stays_whatever_order_it_has(story: Truth) -> None:
    """Neither a new order, nor one that others have made, nor a refused run takes it."""

    def text(*found: dict[str, Any]) -> str:
        return app(story.namespace, {"main": [web(*found)]})

    def theirs() -> dict[str, Any]:
        live = by_name(containers(story), "c")
        managers = story.value("deployment", "web", "metadata")["managedFields"]
        theirs = [
            each["fieldsV1"] for each in managers if each["manager"].endswith("kubectl-patch")
        ]
        assert '"f:args"' in json.dumps(theirs)
        return {key: live[key] for key in ("args", "resources")}

    story.up(text(FIRST, SIDE))
    patch = {"name": "c", "args": ["-v"], "resources": {"limits": {"cpu": "1"}}}
    pod = {"spec": {"template": {"spec": {"containers": [patch]}}}}
    story.kubectl("patch", "deployment", "web", "-p", json.dumps(pod))
    given = theirs()
    bad = {**FIRST, "ports": [{"containerPort": 99999, "name": "web"}]}
    assert "must be between 1 and 65535" in story.refused(text(SIDE, bad))
    assert theirs() == given
    assert NOT_ASKED not in story.delivered(text(SIDE, FIRST))
    assert theirs() == given
    assert [each["name"] for each in containers(story)] == ["d", "c"]

    moved = [{"op": "move", "from": f"{CONTAINERS}/1", "path": f"{CONTAINERS}/0"}]
    story.kubectl("patch", "deployment", "web", "--type=json", "-p", json.dumps(moved))
    assert [each["name"] for each in containers(story)] == ["c", "d"]
    for shown in (story.plan(text(SIDE, FIRST), code=3), story.delivered(text(SIDE, FIRST))):
        assert "containers (order): c, d → d, c (changed in the cluster)" in shown
        assert NOT_ASKED not in shown
    assert theirs() == given
    assert [each["name"] for each in containers(story)] == ["d", "c"]
    assert "1 unchanged" in story.plan(text(SIDE, FIRST), code=0)


CONTAINERS = "/spec/template/spec/containers"


@pytest.mark.exhaustive
def test_elements_change_their_keys_and_sources_in_a_list_that_is_reordered(story: Truth) -> None:
    source = {"fieldRef": {"fieldPath": "metadata.name"}}
    first = {
        **SIDE,
        "name": "c",
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "ports": [{"containerPort": 80, "name": "web"}, {"containerPort": 81}],
    }
    second = {
        **SIDE,
        "name": "c",
        "env": [{"name": "B", "valueFrom": source}, {"name": "C", "value": "3"}],
        "ports": [
            {"containerPort": 80, "name": "web2", "protocol": "UDP"},
            {"containerPort": 82, "name": "web"},
        ],
    }
    before = app(story.namespace, {"main": [web(first, SIDE)]})
    text = app(story.namespace, {"main": [web(SIDE, second)]})
    story.up(before)
    assert NOT_ASKED not in story.delivered(text)
    live = by_name(containers(story), "c")
    ports = {(each["containerPort"], each["protocol"], each["name"]) for each in live["ports"]}
    assert ports == {(80, "UDP", "web2"), (82, "TCP", "web")}
    assert [each["name"] for each in live["env"]] == ["B", "C"]
    assert "1 unchanged" in story.plan(text, code=0)
    assert NOT_ASKED not in story.delivered(before)
    assert "1 unchanged" in story.plan(before, code=0)


@pytest.mark.exhaustive
def test_elements_without_names_are_told_by_the_keys_that_the_server_has(story: Truth) -> None:
    opts = {"type": "object", "additionalProperties": {"type": "string"}}
    element = {
        "type": "object",
        "required": ["port"],
        "properties": {
            "port": {"type": "integer"},
            "protocol": {"type": "string", "default": "TCP"},
            "opts": opts,
        },
    }
    ends = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["port", "protocol"],
        "items": element,
    }
    spec = {"type": "object", "properties": {"ends": ends}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "keyeds.lists.example.org"},
        "spec": {
            "group": "lists.example.org",
            "scope": "Namespaced",
            "names": {"plural": "keyeds", "singular": "keyed", "kind": "Keyed"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }

    def text(*found: dict[str, Any]) -> str:
        keyed = {
            "apiVersion": "lists.example.org/v1",
            "kind": "Keyed",
            "metadata": {"name": "w"},
            "spec": {"ends": list(found)},
        }
        return app(story.namespace, {"main": [crd, keyed]})

    udp = {"port": 80, "protocol": "UDP"}
    story.up(text({"port": 80, "opts": {"a": "1", "b": "2"}}, udp))
    patch = [{"op": "add", "path": "/spec/ends/0/opts/c", "value": "theirs"}]
    story.kubectl("patch", "keyed", "w", "--type=json", "-p", json.dumps(patch))
    second = text(udp, {"port": 80, "opts": {"a": "1"}})
    for shown in (story.plan(second, code=3), story.up(second)):
        found = section(shown, "~ Keyed", "w").splitlines()[1:]
        assert found[:2] == [
            "spec.ends (order): 80/TCP, 80/UDP → 80/UDP, 80/TCP",
            'spec.ends[1].opts.b: "2" → (none)',
        ]
        assert NOT_ASKED not in shown
    assert story.value("keyed", "w", "spec")["ends"] == [
        udp,
        {"port": 80, "protocol": "TCP", "opts": {"a": "1", "c": "theirs"}},
    ]
    assert "2 unchanged" in story.plan(second, code=0)
    third = text({"port": 80, "opts": {"a": "1"}})
    story.up(third)
    (left,) = story.value("keyed", "w", "spec")["ends"]
    assert left["opts"] == {"a": "1", "c": "theirs"}
    assert "2 unchanged" in story.plan(third, code=0)


@pytest.mark.exhaustive
def test_a_list_that_is_one_value_for_the_server_is_shown_and_put_back_so(story: Truth) -> None:
    """Whoever adds an element holds all of them, whatever names these have."""

    def text(number: str) -> str:
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "web", "annotations": {"number": number}},
            "imagePullSecrets": [{"name": "ours"}],
        }
        return app(story.namespace, {"main": [account]})

    story.up(text("1"))
    for number in ("1", "2"):
        more = '[{"op": "add", "path": "/imagePullSecrets/-", "value": {"name": "theirs"}}]'
        story.kubectl("patch", "serviceaccount", "web", "--type=json", "-p", more)
        shown = story.plan(text(number), code=3)
        assert "imagePullSecrets (changed by kubectl-patch at " in shown
        assert "- - name: theirs" in shown
        story.delivered(text(number))
        assert story.value("serviceaccount", "web", "imagePullSecrets") == [{"name": "ours"}]
        assert "1 unchanged" in story.plan(text(number), code=0)


def test_an_element_whose_key_changes_with_a_take_over_does_not_stay_beside(story: Truth) -> None:
    def objects(port: int, path: str) -> list[dict[str, Any]]:
        web = deployment("web", ports=[{"containerPort": port}])
        pod = web["spec"]["template"]["spec"]
        pod["volumes"] = [{"name": "v", "emptyDir": {}}]
        pod["containers"][0]["volumeMounts"] = [{"name": "v", "mountPath": path}]
        kind = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "bare"}}
        return [web, {**kind, "spec": {"selector": {"app": "web"}, "ports": [{"port": port}]}}]

    path = story.project.root / "theirs.json"
    items = {"apiVersion": "v1", "kind": "List", "items": objects(80, "/a")}
    path.write_text(json.dumps(items))
    story.kubectl("apply", "-f", str(path))
    take = ("take-over", {"rules": [{"selector": {"resourceNames": ["web", "bare"]}}]})
    text = app(story.namespace, {"main": objects(81, "/b")}, take)
    shown = story.plan(text, code=3)
    assert "spec.ports[0].port: 80 → 81" in section(shown, "!", "bare")
    story.up(text)
    container = story.value("deployment", "web", "spec")["template"]["spec"]["containers"][0]
    assert [each["containerPort"] for each in container["ports"]] == [81]
    assert [each["mountPath"] for each in container["volumeMounts"]] == ["/b"]
    assert [each["port"] for each in story.value("service", "bare", "spec")["ports"]] == [81]
    assert "2 unchanged" in story.plan(text, code=0)


def test_what_others_have_in_an_element_that_goes_is_told_and_goes(story: Truth) -> None:
    def text(*found: dict[str, Any], port: int) -> str:
        kind = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "bare"}}
        ports = [{"port": port, "name": "http"}]
        bare = {**kind, "spec": {"selector": {"app": "web"}, "ports": ports}}
        return app(story.namespace, {"main": [web(*found), bare]})

    story.up(text(FIRST, SIDE, port=80))
    story.kubectl("set", "env", "deployment/web", "-c", "d", "FOO=1")
    patch = [{"op": "replace", "path": "/spec/ports/0/targetPort", "value": 9}]
    story.kubectl("patch", "service", "bare", "--type=json", "-p", json.dumps(patch))
    after = text(FIRST, port=81)
    for shown in (story.plan(after, code=3), story.delivered(after)):
        found = section(shown, "~ Deployment", "web")
        assert "containers[1].env[0].name removed (changed by kubectl-set at " in found
        found = section(shown, "~ Service", "bare")
        assert "spec.ports[0].port: 80 → 81" in found
        assert re.search(r"spec.ports\[0\].targetPort: 9 .*changed by kubectl-patch at ", found), (
            found
        )
    assert [each["name"] for each in containers(story)] == ["c"]
    (port,) = story.value("service", "bare", "spec")["ports"]
    assert (port["port"], port["targetPort"]) == (81, 81)
    assert "2 unchanged" in story.plan(after, code=0)


def test_plain_values_of_others_stay_in_a_list_that_has_each_once(story: Truth) -> None:
    def text(*finalizers: str, number: str = "1") -> str:
        metadata = {"name": "held", "finalizers": list(finalizers)}
        held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        return app(story.namespace, {"main": [{**held, "data": {"number": number}}]})

    def there() -> list[str]:
        return list(story.value("configmap", "held", "metadata")["finalizers"])

    x, y, z, theirs = (f"example.org/{name}" for name in ("x", "y", "z", "theirs"))
    try:
        story.up(text(x, y))
        more = [{"op": "add", "path": "/metadata/finalizers/-", "value": theirs}]
        story.kubectl("patch", "configmap", "held", "--type=json", "-p", json.dumps(more))
        assert "1 unchanged" in story.plan(text(x, y), code=0)
        story.delivered(text(x, y, number="2"))
        assert there() == [x, y, theirs]
        for shown in (story.plan(text(z, x), code=3), story.delivered(text(z, x))):
            found = section(shown, "~ ConfigMap", "held")
            assert f"metadata.finalizers[1]: {y} → (none)" in found
            assert f"metadata.finalizers[0]: (none) → {z}" in found
            assert theirs not in shown
            assert NOT_ASKED not in shown
        assert {*there()} == {x, z, theirs}
        assert "1 unchanged" in story.plan(text(z, x), code=0)
        less = [{"op": "replace", "path": "/metadata/finalizers", "value": [theirs, z]}]
        story.kubectl("patch", "configmap", "held", "--type=json", "-p", json.dumps(less))
        assert f"metadata.finalizers[1]: (none) → {x} " in story.plan(text(z, x), code=3)
        story.delivered(text(z, x))
        assert {*there()} == {x, z, theirs}
        assert "1 unchanged" in story.plan(text(z, x), code=0)
    finally:
        none = [{"op": "remove", "path": "/metadata/finalizers"}]
        story.kubectl("patch", "configmap", "held", "--type=json", "-p", json.dumps(none))
