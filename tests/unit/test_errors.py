"""Every error has a code of its own and stands in the tree, with the exit code it has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from velapulumi import errors
from velapulumi.errors import InvalidApplication, Problem, VelapulumiError

LINE = re.compile(
    r"^ {4}(?P<indent>[│├└─ ]*)(?P<name>[A-Z]\w+) +(?P<code>VP\d{3}) +exit (?P<exit>\d+)"
)


def below(base: type[VelapulumiError]) -> Iterator[type[VelapulumiError]]:
    yield base
    for one in base.__subclasses__():
        yield from below(one)


# Other modules may have classes of their own; the tree is of this module's.
CLASSES = list(below(VelapulumiError))


def tree() -> dict[str, tuple[str, int, str]]:
    """Code, exit code and base of each class, as the docstring draws them."""
    found: dict[str, tuple[str, int, str]] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := LINE.match(line):
            depth = len(match["indent"]) // 4
            above[depth:] = [match["name"]]
            base = above[depth - 1] if depth else "Exception"
            found[match["name"]] = (match["code"], int(match["exit"]), base)
    return found


def test_the_tree_shows_every_class_as_it_is() -> None:
    shown = {one.__name__: (one.code, one.exit_code, one.__bases__[0].__name__) for one in CLASSES}
    assert len(shown) == len(CLASSES) > 20
    assert tree() == shown


def test_codes_are_unique() -> None:
    codes = [one.code for one in CLASSES]
    assert len(set(codes)) == len(codes)


def test_the_documents_list_every_error_that_is_raised() -> None:
    text = (Path(__file__).parents[2] / "docs" / "errors.md").read_text()
    rows = dict(re.findall(r"^\| (VP\d{3}) \| (\d+) \|", text, re.MULTILINE))
    leaves = {one.code: str(one.exit_code) for one in CLASSES if not one.__subclasses__()}
    assert leaves.items() <= rows.items()
    assert set(rows) <= {one.code for one in CLASSES}


@pytest.mark.parametrize("one", CLASSES, ids=lambda one: one.__name__)
def test_an_error_says_its_message_and_a_next_step_of_its_own(one: type[VelapulumiError]) -> None:
    if one is InvalidApplication:
        return
    error = one("what happened", next_step="do this")
    assert str(error) == error.message == "what happened"
    assert error.next_step == "do this"
    assert one("x").next_step == one.next_step
    assert not one.next_step or one.next_step.endswith(
        (".", "FILE", "init", "list", "--fix", "APP")
    )


def test_problems_are_listed_in_file_order() -> None:
    later, whole = Problem(9, "spec.x", "is odd"), Problem(1, "", "is empty")
    error = InvalidApplication("app.yaml", [later, whole])
    assert error.message == (
        "app.yaml: 2 problems\n  app.yaml:1: is empty\n  app.yaml:9: spec.x: is odd"
    )
    assert InvalidApplication("a", [whole]).message.startswith("a: 1 problem\n")
