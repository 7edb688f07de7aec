"""Managed fields: whose a field is, and taking it away from all but one."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from velapulumi.clusters.managed import (
    Manager,
    managers_of,
    without_fields,
)
from velapulumi.definitions.rules.fieldpath import Parts

Tree = dict[str, Any]


def entry(name: str, fields: Tree | None, **more: str) -> dict[str, Any]:
    found = {"manager": name, "operation": "Update", "apiVersion": "v1", **more}
    return found if fields is None else found | {"fieldsType": "FieldsV1", "fieldsV1": fields}


def at(tree: Tree, *keys: str) -> Tree:
    """A tree below some keys."""
    for key in reversed(keys):
        tree = {key: tree}
    return tree


POD = ("f:spec", "f:template", "f:spec")
WEB, HTTP, DNS = (
    'k:{"name":"web"}',
    'k:{"containerPort":80,"protocol":"TCP"}',
    'k:{"containerPort":53,"protocol":"UDP"}',
)
CONTAINER = {
    "name": "web",
    "image": "nginx:1",
    "args": ["-v", "-q"],
    "ports": [
        {"containerPort": 80, "protocol": "TCP"},
        {"containerPort": 53, "protocol": "TCP"},
        {"containerPort": 53, "protocol": "UDP", "name": "dns"},
    ],
}
FIRST: Parts = ("spec", "template", "spec", "containers", 1)


def live(*entries: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "web",
            "labels": {"a.b/c": "1", "team": "red"},
            "finalizers": ["keep", "other"],
            "managedFields": list(entries),
        },
        "spec": {
            "replicas": 3,
            "template": {"spec": {"containers": [{"name": "sidecar"}, CONTAINER], "volumes": []}},
        },
    }


ENGINE = entry(
    "pulumi-kubernetes-1a",
    {
        "f:metadata": {"f:labels": {"f:a.b/c": {}}, "f:finalizers": {'v:"keep"': {}}},
        "f:spec": {
            "f:replicas": {},
            "f:template": {
                "f:spec": {
                    "f:containers": {
                        WEB: {
                            ".": {},
                            "f:name": {},
                            "f:image": {},
                            "f:args": {},
                            "f:ports": {HTTP: {".": {}, "f:containerPort": {}}},
                        }
                    }
                }
            },
        },
    },
    operation="Apply",
    time="2026-01-02T03:04:05Z",
)
KUBECTL = entry("kubectl", at({}, "f:spec", "f:replicas"), subresource="scale")
EDIT = entry(
    "kubectl-edit",
    {
        "f:metadata": {"f:labels": {".": {}, "f:team": {}}, "f:finalizers": {'v:"other"': {}}},
        **at({DNS: {".": {}, "f:name": {}}}, *POD, "f:containers", WEB, "f:ports"),
    },
)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        (("spec", "replicas"), "pulumi-kubernetes-1a kubectl"),
        (("spec",), "pulumi-kubernetes-1a kubectl kubectl-edit"),
        ((), "pulumi-kubernetes-1a kubectl kubectl-edit"),
        (("metadata", "labels", "a.b/c"), "pulumi-kubernetes-1a"),
        (("metadata", "labels", "team"), "kubectl-edit"),
        (("metadata", "labels", "nobody"), ""),
        (("metadata", "labels"), "pulumi-kubernetes-1a kubectl-edit"),
        (("metadata", "finalizers", 0), "pulumi-kubernetes-1a"),
        (("metadata", "finalizers", 1), "kubectl-edit"),
        (("metadata", "finalizers", 2), ""),
        ((*FIRST, "image"), "pulumi-kubernetes-1a"),
        ((*FIRST[:-1], 0, "image"), ""),
        ((*FIRST, "args", 1), "pulumi-kubernetes-1a"),
        ((*FIRST, "args"), "pulumi-kubernetes-1a"),
        ((*FIRST, "ports", 0), "pulumi-kubernetes-1a"),
        ((*FIRST, "ports", 0, "name"), ""),
        ((*FIRST, "ports", 1), ""),
        ((*FIRST, "ports", 2), "kubectl-edit"),
        ((*FIRST, "ports", 2, "name"), "kubectl-edit"),
        (("spec", "replicas", "below"), "pulumi-kubernetes-1a kubectl"),
        (("spec", 0), ""),
        (("nowhere", 0, "x"), ""),
    ],
)
def test_the_managers_of_a_field_are_found(path: Parts, names: str) -> None:
    assert " ".join(each.name for each in managers_of(live(ENGINE, KUBECTL, EDIT), path)) == names


def test_a_manager_is_described() -> None:
    (engine, kubectl) = managers_of(live(ENGINE, KUBECTL), ("spec", "replicas"))
    assert engine == Manager("pulumi-kubernetes-1a", "Apply", "", "2026-01-02T03:04:05Z")
    assert engine.describe() == "pulumi-kubernetes-1a at 2026-01-02T03:04:05Z"
    assert kubectl.describe() == "kubectl (scale)"
    assert Manager("", "Update", time="now").describe() == "an unnamed manager at now"


@pytest.mark.parametrize(
    ("manager", "engine", "controller"),
    [
        (Manager("pulumi-kubernetes-1a", "Apply"), True, False),
        (Manager("pulumi-kubernetes", "Update"), True, False),
        (Manager("velapulumi", "Apply"), False, False),
        (Manager("argocd-controller", "Apply"), False, True),
        (Manager("kube-controller-manager", "Update", "scale"), False, True),
        (Manager("kube-controller-manager", "Update", "status"), False, True),
        (Manager("kube-controller-manager", "Update"), False, False),
        (Manager("kubectl", "Update", "scale"), False, False),
        (Manager("kubectl-edit", "Update", "status"), False, False),
        (Manager("kubectl", "Apply"), False, True),
        (Manager("dashboard", "Update", "ephemeralcontainers"), False, False),
        (Manager("", ""), False, False),
    ],
)
def test_controllers_and_engines_are_told_from_people(
    manager: Manager, engine: bool, controller: bool
) -> None:
    assert (manager.is_engine, manager.is_controller) == (engine, controller)


def test_who_owns_a_whole_owns_what_is_below() -> None:
    whole = live(entry("all", {"f:spec": {}}), entry("node", {"f:spec": {".": {}}}))
    assert [each.name for each in managers_of(whole, FIRST)] == ["all", "node"]
    assert without_fields(whole, [FIRST], lambda each: False) == []


def test_an_entry_without_fields_owns_nothing_and_is_kept() -> None:
    odd = [entry("old", None), entry("none", {}), {"operation": "Update"}]
    assert managers_of(live(*odd), ()) == ()
    assert without_fields(live(*odd), [()], lambda each: False) == odd
    assert managers_of({"metadata": {}}, ("spec",)) == ()
    assert without_fields({"metadata": {"managedFields": None}}, [()], lambda each: False) == []


def test_a_manager_with_two_entries_alike_is_named_once() -> None:
    old = entry("hpa", {"f:spec": {}}, apiVersion="autoscaling/v1")
    assert len(managers_of(live(old, old | {"apiVersion": "autoscaling/v2"}), ("spec",))) == 1


def test_an_element_that_lacks_a_default_of_its_key_is_found_by_the_rest() -> None:
    ports = [{"port": 53}, {"port": 53, "protocol": "TCP"}, {"port": 80, "x": [1]}, "odd"]
    keys = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}, {"port": 80}]
    names = ("udp", "tcp", "http")
    found = {
        "metadata": {
            "managedFields": [
                entry(name, {"f:ports": {f"k:{json.dumps(key)}": {".": {}, "f:port": {}}}})
                for name, key in zip(names, keys, strict=True)
            ]
        },
        "ports": ports,
    }
    owners = [managers_of(found, ("ports", at)) for at in range(5)]
    assert [" ".join(each.name for each in them) for them in owners] == [
        "udp",
        "tcp",
        "http",
        "",
        "",
    ]


def test_an_element_may_be_named_by_its_position() -> None:
    found = live(entry("a", at({"i:1": {}}, *POD, "f:containers")))
    assert managers_of(found, FIRST)
    assert not managers_of(found, (*FIRST[:-1], 0))


def test_exactly_the_named_fields_are_taken() -> None:
    before = live(ENGINE, KUBECTL, EDIT)
    unchanged = copy.deepcopy(before)
    paths: list[Parts] = [
        ("spec", "replicas"),
        (*FIRST, "ports", 2, "name"),
        ("metadata", "finalizers", 1),
    ]
    assert without_fields(before, iter(paths), lambda each: each.is_engine) == [
        ENGINE,
        EDIT | {"fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:team": {}}}}},
    ]
    assert before == unchanged


def test_of_what_is_owned_as_a_whole_no_part_is_taken_alone() -> None:
    args = at({"f:args": {}, "f:image": {}}, *POD, "f:containers", WEB)
    (left,) = without_fields(live(entry("a", args)), [(*FIRST, "args", 1)], lambda each: False)
    assert left["fieldsV1"] == at({"f:image": {}}, *POD, "f:containers", WEB)


def test_a_parent_that_becomes_empty_goes_too() -> None:
    labels = {"f:metadata": {".": {}, "f:labels": {".": {}, "f:team": {}}}}
    found = live(entry("a", labels | {"f:spec": {"f:replicas": {}}}))
    (left,) = without_fields(found, [("metadata", "labels", "team")], lambda each: False)
    assert left["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    assert without_fields(found, [("metadata",), ("spec",)], lambda each: False) == []


def test_nothing_changes_where_nobody_has_to_give_up_anything() -> None:
    found = live(ENGINE, KUBECTL, EDIT)
    entries = found["metadata"]["managedFields"]
    assert without_fields(found, [], lambda each: False) == entries
    assert without_fields(found, [("spec", "paused"), FIRST], lambda each: True) == entries
    assert without_fields(found, [("spec", "paused")], lambda each: False) == entries


# An object's lists are of three sorts, told apart by what they hold: maps with a name (listed by
# key), texts (a set) and numbers (atomic).
NAMES = st.sampled_from(["a", "b", "c.d/e"])
VALUES = st.recursive(
    st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=3),
    lambda below: (
        st.dictionaries(NAMES, below, max_size=3)
        | st.lists(NAMES, unique=True, min_size=1)
        | st.dictionaries(NAMES, st.dictionaries(NAMES, below, max_size=2), min_size=1).map(
            lambda found: [{**each, "name": name} for name, each in found.items()]
        )
    ),
    max_leaves=12,
)
Leaf = tuple[Parts, tuple[str, ...]]
"""A field that is owned as a whole: its path, and where a tree has it."""


def leaves(value: Any, path: Parts = (), keys: tuple[str, ...] = ()) -> list[Leaf]:
    below: list[tuple[str | int, str, Any]] = []
    if isinstance(value, dict):
        below = [(name, f"f:{name}", each) for name, each in value.items()]
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        names = [json.dumps({"name": each["name"]}) for each in value]
        below = [(at, f"k:{names[at]}", each) for at, each in enumerate(value)]
    elif isinstance(value, list) and value and isinstance(value[0], str):
        return [((*path, at), (*keys, f"v:{json.dumps(each)}")) for at, each in enumerate(value)]
    if not below:
        return [(path, keys)]
    return [leaf for part, key, each in below for leaf in leaves(each, (*path, part), (*keys, key))]


@st.composite
def objects(draw: st.DrawFn) -> tuple[dict[str, Any], list[Parts]]:
    """An object whose fields have some managers, and the paths of its fields."""
    value = draw(st.dictionaries(NAMES, VALUES, min_size=1, max_size=3))
    found = leaves(value)
    entries = []
    for name in draw(st.lists(st.sampled_from(["m", "n", "o"]), unique=True)):
        tree: Tree = {}
        for _, keys in draw(st.lists(st.sampled_from(found))):
            node = tree
            for key in keys:
                node = node.setdefault(key, {})
                if key != keys[-1] and draw(st.booleans()):
                    node["."] = {}
        entries.append(entry(name, tree))
    return {**value, "metadata": {"managedFields": entries}}, [path for path, _ in found]


@given(objects(), st.data())
def test_what_is_taken_from_all_is_nobodys_and_the_rest_stays(
    drawn: tuple[dict[str, Any], list[Parts]], data: st.DataObject
) -> None:
    found, paths = drawn
    taken = data.draw(st.sampled_from(paths))
    taken = taken[: data.draw(st.integers(0, len(taken)))] or taken
    left = {**found, "metadata": {"managedFields": without_fields(found, [taken], lambda m: False)}}
    assert managers_of(left, taken) == ()
    for path in paths:
        if path[: len(taken)] != taken:
            assert managers_of(left, path) == managers_of(found, path)


@given(objects(), st.data())
def test_a_manager_that_keeps_loses_nothing(
    drawn: tuple[dict[str, Any], list[Parts]], data: st.DataObject
) -> None:
    found, paths = drawn
    taken = data.draw(st.lists(st.sampled_from(paths)))
    entries = without_fields(found, taken, lambda each: each.name == "m")
    kept = [each for each in found["metadata"]["managedFields"] if each["manager"] == "m"]
    assert [each for each in entries if each["manager"] == "m"] == kept
    left = {**found, "metadata": {"managedFields": entries}}
    assert without_fields(left, taken, lambda each: each.name == "m") == entries
    assert all({each.name for each in managers_of(left, path)} <= {"m"} for path in taken)
