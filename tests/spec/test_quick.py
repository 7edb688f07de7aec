"""The quick way reads what the careful way reads, and leaves everything odd to it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from velapulumi.spec.document import MAX_DEPTH, DocumentRefused, read_carefully, read_document
from velapulumi.spec.quick import OutOfTheOrdinary, read_quickly
from velapulumi.spec.scalars import CORE, kind_of_plain

words = (
    st.sampled_from(["a", "b", "name", "Yes", "off", "null", "~", "0644", "1_000", "0x1f", "22:22"])
    | st.sampled_from(["1.5", ".inf", "2021-01-01", "=", "<<", "-", "x:", "#c", "*", "&a", "!t"])
    | st.text(max_size=5)
)
values = st.recursive(
    words | st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
)
pieces = st.lists(
    st.sampled_from(["a", ": ", "- ", "\n", "  ", "{", "}", "[", "]", ", ", "'", '"', "? ", "|\n"])
    | st.sampled_from(["---\n", "...\n", "&x ", "*x", "!!str ", "!!int ", "! ", "<<: ", "%", "\0"])
    | words,
    max_size=12,
).map("".join)


def assert_the_same_as_with_care(text: str) -> None:
    try:
        value = read_quickly(text, MAX_DEPTH)
    except OutOfTheOrdinary:
        return
    careful = read_carefully(text)
    assert (repr(value), ()) == (repr(careful.value), careful.problems)


@given(st.dictionaries(words, values, max_size=4), st.sampled_from([True, False, None]))
def test_maps_are_read_the_same_as_with_care(value: dict[str, Any], flow: bool | None) -> None:
    assert_the_same_as_with_care(yaml.safe_dump(value, default_flow_style=flow))


@given(pieces.map("a: 1\n{}".format) | pieces.map("a:\n  b: {}".format) | pieces)
def test_any_text_is_read_the_same_as_with_care(text: str) -> None:
    assert_the_same_as_with_care(text)


@given(words | st.from_regex(r"[-+]?[0-9._:xob]{1,12}", fullmatch=True))
def test_kinds_of_plain_scalars_are_those_of_yaml(text: str) -> None:
    tag = yaml.SafeLoader("").resolve(yaml.ScalarNode, text, (True, False))
    assert CORE + kind_of_plain(text) == tag


def test_an_ordinary_document_is_read_quickly() -> None:
    text = '---\na: {b: [1, "2", null, yes, 1.5]}\nc: |\n  d\n...\n'
    expected = {"a": {"b": [1, "2", None, True, 1.5]}, "c": "d\n"}
    assert read_quickly(text, MAX_DEPTH) == expected
    document = read_document(text)
    assert (document.value, document.problems) == (expected, ())
    assert [document.line(("a", "b", 4)), document.line(("c",))] == [2, 3]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "[a]",
        "a: 1\na: 2",
        "a: &x 1",
        "&x a: 1",
        "&x {a: 1}",
        "a: [&x [1]]",
        "a: *x",
        "*x : a",
        "a: !t 1",
        "!t a: 1",
        "!t {a: 1}",
        "<<: {a: 1}",
        "a: <<",
        "1: a",
        "on: a",
        "? [a]\n: b",
        "a: {? [b] : c}",
        "a: .nan",
        "a: 99999999999999999999",
        "a: 1\n---\nb: 1",
        "a: 1\n---\n",
        "a: [",
        "a: \ud800",
        "a: [[1]]",
    ],
)
def test_everything_odd_needs_care(text: str) -> None:
    with pytest.raises(OutOfTheOrdinary):
        read_quickly(text, max_depth=3)


def test_more_values_than_allowed_are_refused_without_aliases_too() -> None:
    with pytest.raises(DocumentRefused) as refused:
        read_document("a: [" + "1,\n" * 100_000 + "]")
    assert [problem.line for problem in refused.value.problems] == [99_999]
