"""Elements of lists in managed fields: told by their key, merged into what a manager has."""

from __future__ import annotations

import copy
from typing import Any

from velapulumi.clusters.elements import (
    counterpart,
    list_keys,
    others_elements,
    with_elements_given,
    written_fields,
)
from velapulumi.clusters.managed import is_only, managers_of, without_fields
from velapulumi.definitions.rules.fieldpath import MISSING, Parts
from velapulumi.definitions.rules.listkeys import key_fields

CONTAINERS: Parts = ("spec", "containers")
PORTS: Parts = (*CONTAINERS, 0, "ports")
C, D = 'k:{"name":"c"}', 'k:{"name":"d"}'
HTTP, UDP = 'k:{"containerPort":80,"protocol":"TCP"}', 'k:{"containerPort":80,"protocol":"UDP"}'

OURS: dict[str, Any] = {
    C: {
        ".": {},
        "f:name": {},
        "f:image": {},
        "f:securityContext": {"f:privileged": {}},
        "f:ports": {HTTP: {".": {}, "f:containerPort": {}}},
    },
    D: {".": {}, "f:name": {}, "f:image": {}},
}
THEIRS: dict[str, Any] = {C: {"f:args": {}, "f:image": {}, "f:resources": {"f:limits": {}}}}


def entry(name: str, tree: dict[str, Any], operation: str = "Update") -> dict[str, Any]:
    fields = {"f:spec": {"f:containers": tree}}
    return {"manager": name, "operation": operation, "fieldsV1": fields}


def live(theirs: dict[str, Any] = THEIRS, **first: Any) -> dict[str, Any]:
    container = {
        "name": "c",
        "image": "nginx",
        "args": ["-v"],
        "resources": {"limits": {"cpu": "1"}},
        "ports": [{"containerPort": 80, "protocol": "TCP"}],
        **first,
    }
    return {
        "metadata": {"managedFields": [entry("m", OURS, "Apply"), entry("kubectl", theirs)]},
        "spec": {"containers": [container, {"name": "d", "image": "nginx"}]},
    }


def manifest(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {}, "spec": {"containers": list(containers)}}


WANTED = manifest(
    {"name": "d", "image": "nginx"},
    {"name": "c", "image": "nginx", "ports": [{"containerPort": 80}]},
)


def test_the_fields_that_tell_elements_apart_are_those_of_the_server() -> None:
    keys = list_keys(live())
    assert key_fields(keys, CONTAINERS) == ("name",)
    assert key_fields(keys, PORTS) == ("containerPort", "protocol")
    assert key_fields(keys, (*CONTAINERS, 0, "args")) is None
    assert list_keys(live()) == {
        ("spec", "containers"): ("name",),
        ("spec", "containers", "ports"): ("containerPort", "protocol"),
    }


def test_an_element_of_a_manifest_is_found_by_its_key() -> None:
    assert counterpart(live(), WANTED, (*CONTAINERS, 0, "image"), list_keys(live())) == "nginx"
    assert counterpart(live(), WANTED, (*PORTS, 0), list_keys(live())) == {"containerPort": 80}
    assert counterpart(live(), WANTED, (*CONTAINERS, 0, "args"), list_keys(live())) is MISSING
    assert (
        counterpart(live(), manifest({"name": "d"}), (*CONTAINERS, 0), list_keys(live())) is MISSING
    )
    assert counterpart(live(), {"spec": {}}, (*CONTAINERS, 0), list_keys(live())) is MISSING


def test_of_a_list_the_named_fields_of_its_elements_are_written() -> None:
    assert set(written_fields(live(), WANTED, [CONTAINERS])) == {
        (*CONTAINERS, 0, "image"),
        (*CONTAINERS, 1, "image"),
    }
    freed = without_fields(live(), written_fields(live(), WANTED, [CONTAINERS]), is_only("m"))
    assert freed[1] == entry("kubectl", {C: {"f:args": {}, "f:resources": {"f:limits": {}}}})
    args = (*CONTAINERS, 0, "args")
    assert [*written_fields(live(), manifest({"name": "c", "args": ["x"]}), [args])] == [args]
    assert [*written_fields(live(), WANTED, [args])] == [args]
    assert [*written_fields(live(), WANTED, [(*PORTS, 0, "protocol")])] == []


def test_an_element_that_the_manifest_has_is_given_to_nobody() -> None:
    """The key may be written in another position, or left to its default."""
    for path in (CONTAINERS, PORTS, (*PORTS, 0, "protocol"), (*CONTAINERS, 0, "image")):
        assert others_elements(live(), WANTED, [path], "m") == ()


def test_an_element_that_goes_and_is_the_managers_alone_goes_by_itself() -> None:
    wanted = manifest({"name": "c", "ports": [{"containerPort": 81}]})
    assert others_elements(live(), wanted, [(*PORTS, 0, "containerPort")], "m") == ()


def test_an_element_whose_key_others_have_changed_is_merged_into_what_the_manager_has() -> None:
    theirs = {C: {"f:args": {}, "f:ports": {UDP: {".": {}, "f:containerPort": {}}}}}
    found = live(theirs, ports=[{"containerPort": 80, "protocol": "UDP", "hostPort": 1}])
    before = copy.deepcopy(found)
    wanted = manifest({"name": "c", "ports": [{"containerPort": 80, "protocol": "TCP"}]})
    elements = others_elements(found, wanted, [(*PORTS, 0, "protocol")], "m")
    assert elements == ((*PORTS, 0),)
    entries = without_fields(found, elements, is_only("m"))
    given = with_elements_given(entries, found, elements, "m")
    tree = copy.deepcopy(OURS)
    tree[C]["f:ports"][UDP] = {
        ".": {}, "f:containerPort": {}, "f:protocol": {}, "f:hostPort": {},
    }  # fmt: skip
    assert given == [entry("m", tree, "Apply"), entry("kubectl", {C: {"f:args": {}}})]
    assert found == before


def test_what_a_manager_has_of_an_element_stays_when_it_is_given() -> None:
    found = live({C: {".": {}, "f:args": {}}})
    wanted = manifest({"name": "d", "image": "nginx"})
    elements = others_elements(found, wanted, [CONTAINERS], "m")
    assert elements == ((*CONTAINERS, 0),)
    (ours, _) = with_elements_given(found["metadata"]["managedFields"], found, elements, "m")
    tree = ours["fieldsV1"]["f:spec"]["f:containers"]
    assert tree == OURS | {C: {**OURS[C], "f:args": {}, "f:resources": {}}}


def test_an_element_that_nobody_manages_is_given_by_its_key() -> None:
    found = live(ports=[{"containerPort": 9, "protocol": "TCP"}])
    assert managers_of(found, (*PORTS, 0)) == ()
    elements = others_elements(found, WANTED, [PORTS], "m")
    (ours, _) = with_elements_given(found["metadata"]["managedFields"], found, elements, "m")
    ports = ours["fieldsV1"]["f:spec"]["f:containers"][C]["f:ports"]
    assert ports.keys() == {HTTP, 'k:{"containerPort":9,"protocol":"TCP"}'}
