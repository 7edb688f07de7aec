"""What others have set stays when an object gets back what it was."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.helpers import MANAGER
from tests.unit.setting import held_by
from velapulumi.clusters.managed import Manager
from velapulumi.stage.others import with_others


def is_ours(manager: Manager) -> bool:
    return manager.is_ours


CASES: dict[str, tuple[Any, Any, Any, tuple[str, ...], Any]] = {
    # live, before, named, what others hold, what comes of it
    "named": ({"a": 2}, {"a": 1}, {"a": 2}, ("a",), {"a": 1}),
    "named for the first time": ({"a": 2}, {}, {"a": 2}, (), {}),
    "set by others": ({"a": 1, "b": 2}, {"a": 1}, {"a": 1}, ("b",), {"a": 1, "b": 2}),
    "changed by others": ({"b": 2}, {"b": 1}, {}, ("b",), {"b": 2}),
    "a default of what was named": ({"a": 2, "b": 2}, {"a": 1}, {"a": 2}, (), {"a": 1}),
    "taken away": ({}, {"a": 1}, {}, (), {"a": 1}),
    "beside others": (
        {"m": {"a": 2, "b": 2}}, {"m": {"a": 1}}, {"m": {"a": 2}}, ("m.b",),
        {"m": {"a": 1, "b": 2}},
    ),
    "in a map of ours": ({"m": {"a": 2, "b": 2}}, {}, {"m": {"a": 2}}, ("m.b",), {"m": {"b": 2}}),
    "a map of ours": ({"m": {"a": 2}}, {}, {"m": {"a": 2}}, (), {}),
    "an empty map": ({"m": {"a": 2}}, {"m": {}}, {"m": {"a": 2}}, (), {"m": {}}),
    "another type": ({"m": {"a": 2}}, {"m": 1}, {"m": {"a": 2}}, (), {"m": 1}),
    "a list without names": ({"l": [2, 3]}, {"l": [1]}, {"l": [2]}, ("l",), {"l": [1]}),
    "a list of others": ({"l": [2, 3]}, {"l": [1]}, {}, ("l",), {"l": [2, 3]}),
}  # fmt: skip


@pytest.mark.parametrize(("live", "before", "named", "held", "after"), CASES.values(), ids=CASES)
def test_what_others_have_set_and_we_never_named_stays(
    live: Any, before: Any, named: Any, held: tuple[str, ...], after: Any
) -> None:
    there = held_by({**live, "metadata": {}}, "kubectl", *held)
    found = with_others(there, {**before, "metadata": {}}, named, is_ours)
    assert {key: value for key, value in found.items() if key != "metadata"} == after
    ours = held_by({**live, "metadata": {}}, MANAGER, *held)
    again = with_others(ours, {**before, "metadata": {}}, named, is_ours)
    assert {key: value for key, value in again.items() if key != "metadata"} == before


def test_an_element_of_others_stays_and_one_of_ours_goes() -> None:
    def element(name: str, **more: int) -> dict[str, Any]:
        return {"name": name, **more}

    live = {"list": [element("ours", x=1), element("theirs", x=1), element("both", x=2, y=2)]}
    before = {"list": [element("both", x=1), element("gone", x=1)]}
    named = {"list": [element("ours", x=1), element("both", x=2)]}
    fields = {
        "f:list": {
            'k:{"name":"theirs"}': {".": {}, "f:name": {}},
            'k:{"name":"ours"}': {"f:z": {}},
            'k:{"name":"both"}': {"f:y": {}},
        }
    }
    managed = [{"manager": "kubectl", "operation": "Update", "fieldsV1": fields}]
    there = {**live, "metadata": {"managedFields": managed}}
    found = with_others(there, {**before, "metadata": {}}, named, is_ours)
    assert found["list"] == [
        element("theirs", x=1),
        element("both", x=1, y=2),
        element("gone", x=1),
    ]


def test_elements_are_told_by_what_the_server_knows_them_by() -> None:
    """A port by its number, a finalizer by itself; neither has a name."""

    def port(number: int, **more: Any) -> dict[str, Any]:
        return {"port": number, "protocol": "TCP", **more}

    live = {"ports": [port(9), port(1, x=2, y=2)], "set": ["theirs", "ours", "both"]}
    before = {"ports": [port(1, x=1), port(2)], "set": ["both"]}
    named = {"ports": [port(1, x=2)], "set": ["ours", "both"]}
    key = 'k:{{"port":{},"protocol":"TCP"}}'
    fields = {
        "f:ports": {key.format(9): {".": {}}, key.format(1): {"f:y": {}}},
        "f:set": {'v:"theirs"': {}},
    }
    managed = [{"manager": "kubectl", "operation": "Update", "fieldsV1": fields}]
    there = {**live, "metadata": {"managedFields": managed}}
    found = with_others(there, {**before, "metadata": {}}, named, is_ours)
    assert found["ports"] == [port(9), port(1, x=1, y=2), port(2)]
    assert found["set"] == ["theirs", "both"]


def test_the_engine_of_somebody_else_is_one_of_others() -> None:
    there = held_by({"a": 1, "b": 2, "metadata": {}}, MANAGER, "b")
    before = {"a": 1, "metadata": {}}
    assert "b" not in with_others(there, before, {"a": 1}, is_ours)
    assert with_others(there, before, {"a": 1}, lambda _: False)["b"] == 2
