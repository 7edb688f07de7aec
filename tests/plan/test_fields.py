"""Typed paths: how values differ, how a field is written, what a manifest names of an object."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from velapulumi.definitions.rules.fieldpath import parse_field_path, value_at
from velapulumi.plan.fields import (
    FieldChange,
    differences,
    is_order,
    is_revision_label,
    ordered,
    owned,
    written,
)
from velapulumi.plan.places import Named, is_below, located, place_of

few = settings(max_examples=60, deadline=None)
keys = st.sampled_from(["a", "b", "name", "x.y", "0"])
scalars = st.booleans() | st.integers(0, 2) | st.sampled_from(["", "a", "b"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
parts = st.text(alphabet='a0.[]"\\/é', max_size=3) | st.integers(0, 11)
paths = st.lists(parts, max_size=3).map(tuple)


def changes(before: Any, after: Any) -> list[tuple[Any, ...]]:
    return [(c.path, c.before, c.after) for c in differences(before, after)]


def test_maps_are_compared_key_by_key_in_order() -> None:
    before = {"b": 1, "a": {"x": 1, "y": 2}, "gone": {"k": 1}}
    after = {"b": 2, "a": {"x": 1, "y": 3}, "new": [1]}
    assert changes(before, after) == [
        (("a", "y"), 2, 3),
        (("b",), 1, 2),
        (("gone",), {"k": 1}, None),
        (("new",), None, [1]),
    ]


@pytest.mark.parametrize(
    ("before", "after"), [(True, 1), (False, 0), ({"a": True}, {"a": 1}), ([False], [0])]
)
def test_a_boolean_is_no_number(before: Any, after: Any) -> None:
    assert len(changes(before, after)) == 1


def test_whole_numbers_are_equal_however_they_were_carried() -> None:
    assert changes({"a": 2.0}, {"a": 2}) == []


def test_lists_of_one_length_are_compared_by_position() -> None:
    assert changes([1, {"a": 1}], [1, {"a": 2}]) == [((1, "a"), 1, 2)]
    assert changes([1], [1, 2]) == [((), [1], [1, 2])]


A, B, C = ({"name": name, "value": "1"} for name in "abc")
NAMES = [{"name": name} for name in "abc"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([A, B], [A, C, B], [((1,), None, C)]),
        ([A, B], [B], [((0,), A, None)]),
        ([A], [B], [((0,), A, None), ((0,), None, B)]),
        ([A, B], [B, A], [((), NAMES[:2], NAMES[1::-1])]),
        (
            [A, B, C],
            [C, {**A, "value": "2"}],
            [((), NAMES[::2], NAMES[::-2]), ((1,), B, None), ((1, "value"), "1", "2")],
        ),
        ([A, B], [C, A, {**B, "value": "2"}], [((0,), None, C), ((2, "value"), "1", "2")]),
        ([], [A], [((0,), None, A)]),
        ([A, A], [A, B], [((1, "name"), "a", "b")]),
        ([A, A], [A], [((), [A, A], [A])]),
        ([A, {"value": "1"}], [A, {"value": "2"}], [((1, "value"), "1", "2")]),
    ],
)
def test_elements_with_names_are_compared_by_name(
    before: list[Any], after: list[Any], expected: list[Any]
) -> None:
    assert changes(before, after) == expected


def test_a_list_in_another_order() -> None:
    assert is_order([A, B], [B, A])
    assert not is_order([A, B], [A, B])
    assert not is_order([A, A, B], [A, B, B])
    assert not is_order([A], [A, B])
    assert not is_order(None, [A])
    assert ordered([A, B, C], [NAMES[2], NAMES[0]]) == [C, B, A]
    assert ordered([1, 2], [2, 1]) == [2, 1]


@few
@given(values, values)
def test_values_without_differences_are_equal(before: Any, after: Any) -> None:
    found = list(differences(before, after))
    assert not list(differences(before, before))
    if not found:
        assert before == after
    for change in found:
        if is_order(change.before, change.after):
            assert ordered(value_at(change.path, before), change.after) != value_at(
                change.path, before
            )
            continue
        kinds = {isinstance(value, bool) for value in (change.before, change.after)}
        assert change.before != change.after or len(kinds) == 2
        if change.after is not None:
            assert value_at(change.path, after) == change.after
        else:
            assert value_at(change.path, before) == change.before


maps = st.recursive(scalars, lambda inner: st.dictionaries(keys, inner, max_size=3), max_leaves=6)


@few
@given(maps, maps)
def test_the_way_back_has_the_same_changes_turned_around(before: Any, after: Any) -> None:
    forward, back = list(differences(before, after)), list(differences(after, before))
    assert [FieldChange(c.path, c.after, c.before) for c in forward] == back


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (
            ("spec", "template", "spec", "containers", 0, "image"),
            "spec.template.spec.containers[0].image",
        ),
        (("metadata", "annotations", "example.org/owner"),
         'metadata.annotations["example.org/owner"]'),
        (("data", "metadata.labels.x"), 'data["metadata.labels.x"]'),
        (("data", "0"), 'data["0"]'),
        (("data", "a[0]"), 'data["a[0]"]'),
        (("data", 'say "no"'), 'data["say \\"no\\""]'),
        (("x.y", 0, "b-c_d"), '["x.y"][0].b-c_d'),
        (("data", ""), 'data[""]'),
    ],
)  # fmt: skip
def test_a_path_as_people_read_it(path: tuple[str | int, ...], text: str) -> None:
    assert written(path) == text


@settings(max_examples=300, deadline=None)
@given(paths, paths)
def test_different_paths_are_written_differently(
    one: tuple[str | int, ...], other: tuple[str | int, ...]
) -> None:
    assert (written(one) == written(other)) == (one == other)


@few
@given(
    st.lists(st.text("a0./-_", min_size=1, max_size=4) | st.integers(0, 9), min_size=1, max_size=4)
)
def test_a_written_path_can_be_put_into_a_policy(path: list[str | int]) -> None:
    if not isinstance(path[0], int):
        assert parse_field_path(written(tuple(path))) == tuple(path)


def test_below() -> None:
    assert is_below(("spec", "a"), [("spec",)])
    assert is_below(("spec",), [("x",), ("spec",)])
    assert not is_below(("spec",), [("spec", "a")])
    assert not is_below(("specs",), [("spec",)])
    assert not is_below(("spec",), [])


@pytest.mark.parametrize(
    ("path", "is_label"),
    [
        (("metadata", "labels", "app.oam.dev/revision"), True),
        (("spec", "template", "metadata", "labels", "app.oam.dev/appRevision"), True),
        (("metadata", "labels", "app.oam.dev/name"), False),
        (("metadata", "annotations", "app.oam.dev/revision"), False),
        (("data", "metadata.labels.app.oam.dev/revision"), False),
        (("data", "app.oam.dev/revision"), False),
        (("app.oam.dev/revision",), False),
        ((), False),
    ],
)
def test_labels_that_change_with_every_revision(
    path: tuple[str | int, ...], is_label: bool
) -> None:
    assert is_revision_label(path) is is_label


def test_what_a_manifest_names_of_a_live_object() -> None:
    live = {
        "spec": {
            "replicas": 3,
            "paused": False,
            "args": ["a", "b"],
            "rules": [{"host": "a", "by": "server"}],
            "containers": [
                {"name": "sidecar", "image": "s"},
                {"name": "web", "image": "w", "added": True},
            ],
        },
        "status": {},
    }
    shape = {
        "spec": {
            "replicas": 1,
            "missing": 1,
            "args": ["a"],
            "rules": [{"host": "b"}],
            "containers": [{"name": "web", "image": "x"}],
        },
    }
    before = copy.deepcopy(live)
    assert owned(live, shape) == {
        "spec": {
            "replicas": 3,
            "args": ["a", "b"],
            "rules": [{"host": "a"}],
            "containers": [{"name": "web", "image": "w"}],
        },
    }
    assert live == before
    assert owned({"a": [A]}, {"a": []}) == {"a": [A]}
    assert owned({"a": {"b": 1}}, {"a": 1}) == {"a": {"b": 1}}
    assert owned([B, A], [A, B]) == [B, A]


@few
@given(values, values)
def test_everything_is_named_by_itself_and_nothing_is_taken_twice(value: Any, shape: Any) -> None:
    assert owned(value, value) == value
    once = owned(value, shape)
    assert owned(once, shape) == once


def test_a_place_is_found_again_when_others_have_put_elements_before_it() -> None:
    ours = {"containers": [{"name": "web", "image": "a"}], "args": ["x"]}
    live = {"containers": [{"name": "sidecar"}, {"name": "web", "image": "b"}], "args": ["x", "y"]}
    place = place_of(("containers", 0, "image"), ours)
    assert place == ("containers", Named.of("web"), "image")
    assert located(place, live) == ("containers", 1, "image")
    assert located(place, {"containers": [{"name": "other"}]}) is None
    assert located(place_of(("args", 0), ours), live) == ("args", 0)
    assert located(("spec", "gone"), live) == ("spec", "gone")


KEYS = {("ports",): ("containerPort", "protocol")}
TCP, UDP = {"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}
TOLD = [{"containerPort": 80, "protocol": name} for name in ("TCP", "UDP")]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([TCP, UDP], [UDP, TCP], [((), TOLD, TOLD[::-1])]),
        ([TCP, UDP], [UDP], [((0,), TCP, None)]),
        ([UDP], [{**TCP, "protocol": "TCP"}, UDP], [((0,), None, {**TCP, "protocol": "TCP"})]),
        ([TCP], [{**TCP, "hostPort": 1}], [((0, "hostPort"), None, 1)]),
        (
            [TCP],
            [{"containerPort": 81}],
            [((0,), TCP, None), ((0,), None, {"containerPort": 81})],
        ),
        (
            [TCP, UDP],
            [{"containerPort": 81}],
            [((0,), TCP, None), ((1,), UDP, None), ((0,), None, {"containerPort": 81})],
        ),
        ([TCP, TCP], [TCP], [((), [TCP, TCP], [TCP])]),
        ([TCP, 1], [TCP], [((), [TCP, 1], [TCP])]),
    ],
)
def test_elements_without_names_are_compared_by_their_keys(
    before: list[Any], after: list[Any], expected: list[Any]
) -> None:
    found = list(differences({"ports": before}, {"ports": after}, keys=KEYS))
    assert [(c.path[1:], c.before, c.after) for c in found] == expected


NAMED = {"name": "http", **TCP}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([NAMED], [TCP], [((0, "name"), "http", None)]),
        ([NAMED], [{**TCP, "name": "x"}, UDP], [((0, "name"), "http", "x"), ((1,), None, UDP)]),
        ([NAMED], [{**NAMED, "containerPort": 81}], [((0, "containerPort"), 80, 81)]),
        ([NAMED, {**UDP, "name": "u"}], [{**TCP, "name": "x"}, {"containerPort": 9, "name": "y"}], [
            ((1,), {**UDP, "name": "u"}, None), ((0, "name"), "http", "x"),
            ((1,), None, {"containerPort": 9, "name": "y"}),
        ]),
        ([], [TCP], [((0,), None, TCP)]),
        ([{**NAMED, "hostPort": 1}, {**UDP, "name": "http"}], [NAMED], [
            ((1,), {**UDP, "name": "http"}, None), ((0, "hostPort"), 1, None),
        ]),
    ],
)  # fmt: skip
def test_elements_with_names_are_told_by_the_keys_of_the_server_where_these_fit(
    before: list[Any], after: list[Any], expected: list[Any]
) -> None:
    found = list(differences({"ports": before}, {"ports": after}, keys=KEYS))
    assert [(c.path[1:], c.before, c.after) for c in found] == expected


def test_a_place_has_the_keys_of_the_server_and_is_found_beside_elements_without_names() -> None:
    place = place_of(("ports", 0, "name"), {"ports": [NAMED]}, KEYS)
    assert place == ("ports", Named((("containerPort", 80), ("protocol", "TCP"))), "name")
    live = [{"containerPort": 9}, UDP, {**TCP, "protocol": "TCP"}]
    assert located(place, {"ports": live}) == ("ports", 2, "name")
    assert Named.of("http").position([TCP, NAMED]) == 1
    assert Named.of("http").position([NAMED, NAMED]) is None
    assert owned({"ports": [*live[:2], {**NAMED, "name": "x"}]}, {"ports": [NAMED]}, KEYS) == {
        "ports": [{**NAMED, "name": "x"}]
    }


def test_a_field_of_an_element_is_found_by_its_key() -> None:
    ours = {"ports": [UDP, {**TCP, "hostPort": 1}]}
    live = {"ports": [{**TCP, "protocol": "TCP", "hostPort": 2}, {"containerPort": 9}, UDP]}
    assert owned(live, ours, KEYS) == {"ports": [{"containerPort": 80, "hostPort": 2}, UDP]}
    (change,) = differences(
        {"ports": [{**TCP, "hostPort": 2}, UDP]}, {"ports": [*ours["ports"][::-1]]}, keys=KEYS
    )
    assert located(change.place, live) == ("ports", 0, "hostPort")
    assert located(change.place, ours) == ("ports", 1, "hostPort")
    assert ordered(live["ports"], TOLD[::-1]) == [UDP, {"containerPort": 9}, live["ports"][0]]
