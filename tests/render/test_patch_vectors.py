"""Patch vectors of env-binding: what KubeVela v1.9 and later makes of base and patch."""

from __future__ import annotations

from typing import Any

import pytest

from velapulumi.definitions.policies.env_binding import ComponentPatch
from velapulumi.render import Loaded, merge
from velapulumi.render.patching import patch_components, traced
from velapulumi.spec import Component, Trait

INGRESS = ("ingress-1-20", {"domain": "testsvc.example.com", "http": {"/": 8000}})
SERVER = ("express-server", "webservice", {"image": "crccheck/hello-world", "port": 8000})


def component(
    name: str, kind: str, properties: dict[str, Any], *traits: tuple[str, dict[str, Any]]
) -> Component:
    return Component(
        name=name,
        type=kind,
        properties=properties,
        traits=tuple(Trait(type=trait, properties=values) for trait, values in traits),
    )


def patched(base: list[Component], *patches: dict[str, Any]) -> list[Component]:
    models = [ComponentPatch.model_validate(patch) for patch in patches]
    result = patch_components(traced(base), models, ())
    assert result.findings == []
    return [entry.component for entry in result.components]


def ingress(**properties: Any) -> dict[str, Any]:
    return {"type": "ingress-1-20", "properties": properties}


BASE = component(*SERVER, INGRESS)
WORKER = {"name": "new-server", "type": "worker", "properties": {"image": "busybox"}}


def test_1_properties_and_trait_of_the_same_type_are_merged() -> None:
    patch = {"name": "express-server", "type": "webservice", "properties": {"image": "busybox"}}
    result = patched([BASE], {**patch, "traits": [ingress(domain="newTestsvc.example.com")]})
    new_ingress = ("ingress-1-20", {"domain": "newTestsvc.example.com", "http": {"/": 8000}})
    properties = {"image": "busybox", "port": 8000}
    assert result == [component("express-server", "webservice", properties, new_ingress)]


def test_2_new_trait_and_new_component_come_last() -> None:
    labels = {"type": "labels", "properties": {"test": "label"}}
    result = patched([BASE], {"name": "express-server", "traits": [labels]}, WORKER)
    assert result == [
        component(*SERVER, INGRESS, ("labels", {"test": "label"})),
        component("new-server", "worker", {"image": "busybox"}),
    ]


def test_3_disabled_trait_goes() -> None:
    disabled = {"type": "ingress-1-20", "disable": True}
    result = patched([BASE], {"name": "express-server", "traits": [disabled]})
    assert result == [component(*SERVER)]


def test_disabled_trait_which_is_not_there_is_not_added() -> None:
    patch = {"name": "express-server", "traits": [{"type": "other", "disable": True}]}
    assert patched([BASE], patch) == [BASE]


def test_6_external_revision_is_set() -> None:
    result = patched([BASE], {"name": "express-server", "externalRevision": "external-rev"})
    assert result == [BASE.model_copy(update={"external_revision": "external-rev"})]


@pytest.mark.parametrize("kind", ["", "webservice"], ids=["7-all", "8-of-the-type"])
def test_7_8_patch_without_name(kind: str) -> None:
    labels = ("labels", {"a": "b"})
    base = [component(*SERVER, INGRESS, labels), component("w", "worker", {"image": "w"})]
    patch = {"properties": {"image": "busybox"}, "traits": [ingress(domain="b.example.com")]}
    result = patched(base, {**patch, "type": kind})
    new_ingress = ("ingress-1-20", {"domain": "b.example.com", "http": {"/": 8000}})
    server = {"image": "busybox", "port": 8000}
    assert result[0] == component("express-server", "webservice", server, new_ingress, labels)
    changed = component(
        "w", "worker", {"image": "busybox"}, ("ingress-1-20", {"domain": "b.example.com"})
    )
    assert result[1] == (base[1] if kind else changed)


def test_9_patch_without_type_keeps_the_type() -> None:
    result = patched([BASE], {"name": "express-server", "properties": {"port": 1}})
    assert (result[0].type, result[0].properties["port"]) == ("webservice", 1)


@pytest.mark.parametrize(
    ("base", "patch", "expected"),
    [
        pytest.param({"replicas": 3}, {"replicas": 0}, {"replicas": 0}, id="10-zero-wins"),
        pytest.param({"env": ["a", "b"]}, {"env": ["c"]}, {"env": ["c"]}, id="11-list-replaced"),
        pytest.param({"env": ["a"]}, {"env": []}, {"env": []}, id="11-empty-list-replaces"),
        pytest.param({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}, id="12"),
        pytest.param({"a": {"x": 1}}, {"a": "s"}, {"a": "s"}, id="13-scalar-over-map"),
        pytest.param({"a": "s"}, {"a": {"x": 1}}, {"a": {"x": 1}}, id="14-map-over-scalar"),
        pytest.param({"a": 1}, {"a": None}, {"a": None}, id="15-null-is-a-value"),
        pytest.param(
            {"a": "s", "b": True}, {"a": "", "b": False}, {"a": "", "b": False}, id="empty"
        ),
    ],
)
def test_10_to_15_merge(base: dict[str, Any], patch: dict[str, Any], expected: Any) -> None:
    assert merge(base, patch) == expected


@pytest.mark.parametrize(
    ("pattern", "changed"),
    [
        ("hello-*", ["hello-web", "hello-work"]),
        ("*-web", ["hello-web"]),
        ("web", ["web"]),
        ("*web*", ["web", "my-web-x", "hello-web"]),
    ],
    ids=["16-wildcard", "wildcard-in-front", "17-anchored", "wildcards"],
)
def test_16_17_names(pattern: str, changed: list[str]) -> None:
    names = ["web", "my-web-x", "hello-web", "hello-work", "w.b"]
    base = [component(name, "webservice", {"image": "a"}) for name in names]
    result = patched(base, {"name": pattern, "properties": {"image": "b"}})
    assert [entry.name for entry in result if entry.properties["image"] == "b"] == changed


def test_18_another_type_replaces_the_component() -> None:
    patch = {**WORKER, "name": "express-server"}
    assert patched([BASE], patch) == [component("express-server", "worker", {"image": "busybox"})]


def test_later_patch_sees_the_result_of_the_earlier() -> None:
    first = {"name": "express-server", "properties": {"image": "one", "cpu": "1"}}
    second = {"name": "express-server", "properties": {"image": "two"}}
    result = patched([BASE], first, second)
    assert result[0].properties == {"image": "two", "port": 8000, "cpu": "1"}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        pytest.param(["new-server"], ["new-server"], id="4-added-one"),
        pytest.param([], [], id="5-none"),
        pytest.param(None, ["express-server", "new-server"], id="absent"),
    ],
)
def test_4_5_selection_comes_after_patching(
    selector: list[str] | None, expected: list[str], load_envs: Any
) -> None:
    env: dict[str, Any] = {"name": "e", "patch": {"components": [WORKER]}}
    if selector is not None:
        env["selector"] = {"components": selector}
    loaded: Loaded = load_envs(env)
    assert [entry.name for entry in loaded.environments["e"].components] == expected
