"""What holds for any input."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from velapulumi.definitions import unify
from velapulumi.definitions.policies.env_binding import ComponentPatch
from velapulumi.errors import InvalidApplication, Problem
from velapulumi.render import (
    RevisionNames,
    base_environment,
    merge,
    parse,
    render_environment,
)
from velapulumi.render.patching import patch_components, traced

SEED = (Path(__file__).parents[2] / "examples/01-seed/app.yaml").read_text("utf-8")
CASES = sorted((Path(__file__).parents[1] / "definitions" / "cases").glob("*/*/app.yaml"))

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("0*/app.yaml"))

keys = st.sampled_from(["a", "b", "name", "type", "properties", "traits", "spec"])
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=4)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
)
maps = st.dictionaries(keys, values, max_size=4)

calm = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def shuffled(value: Any, source: random.Random) -> Any:
    """The same value with the keys of every map in another order."""
    if isinstance(value, dict):
        entries = list(value.items())
        source.shuffle(entries)
        return {key: shuffled(item, source) for key, item in entries}
    return [shuffled(item, source) for item in value] if isinstance(value, list) else value


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every map and list of a document with each of its keys."""
    if not isinstance(value, dict | list):
        return []
    own = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [(value, key) for key in own] + [place for key in own for place in places(value[key])]


def objects(text: str) -> str:
    loaded = parse(text, "app.yaml")
    rendered = [
        item
        for environment in loaded.environments.values()
        for item in render_environment(loaded.application, environment, RevisionNames("app-v1"))
    ]
    manifests = [(item.cluster, item.namespace, item.role, item.manifest) for item in rendered]
    return yaml.safe_dump(manifests, sort_keys=True)


@calm
@given(st.randoms(use_true_random=False))
def test_rendering_does_not_depend_on_the_order_of_keys(source: random.Random) -> None:
    document = shuffled(yaml.safe_load(SEED), source)
    assert objects(yaml.safe_dump(document, sort_keys=False)) == objects(SEED)


@calm
@given(maps)
def test_merging_nothing_changes_nothing(base: dict[str, Any]) -> None:
    assert merge(base, {}) == base


@calm
@given(maps, maps)
def test_merging_twice_is_merging_once(base: dict[str, Any], patch: dict[str, Any]) -> None:
    once = merge(base, patch)
    assert merge(once, patch) == once


@calm
@given(maps)
def test_unifying_a_value_with_itself_or_with_nothing_changes_nothing(base: dict[str, Any]) -> None:
    assert unify(base, base) == base
    assert unify(base, {}) == base


def test_empty_patch_changes_no_component() -> None:
    base = traced(parse(SEED, "app.yaml").application.components)
    result = patch_components(base, [ComponentPatch()], ())
    assert [entry.component for entry in result.components] == [entry.component for entry in base]


@calm
@given(st.text(max_size=60) | values.map(yaml.safe_dump))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidApplication):
        assert parse(text, "app.yaml").application.name


@calm
@given(st.sampled_from([*CASES, *EXAMPLES]), st.data())
def test_an_application_with_mistakes_is_read_or_refused(path: Path, data: st.DataObject) -> None:
    document = yaml.safe_load(path.read_text("utf-8"))
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places(document)))
        container[key] = data.draw(values)
    text = yaml.safe_dump(document)
    problems: tuple[Problem, ...] = ()
    try:
        assert parse(text, "app.yaml").application.spec == document["spec"]
    except InvalidApplication as refused:
        problems = refused.problems
    lines = text.count("\n")
    assert all(1 <= problem.line <= lines for problem in problems)


@pytest.mark.parametrize("case", CASES, ids=lambda path: "/".join(path.parts[-3:-1]))
def test_no_definition_depends_on_the_order_of_keys(case: Path) -> None:
    document = yaml.safe_load(case.read_text("utf-8"))
    expected = standing(document)
    for seed in range(4):
        assert standing(shuffled(document, random.Random(seed))) == expected


def standing(document: Any) -> list[Any]:
    """The objects of an application's components as they stand."""
    loaded = parse(yaml.safe_dump(document, sort_keys=False), "app.yaml")
    environment = base_environment(loaded)
    rendered = render_environment(loaded.application, environment, RevisionNames("app-v1"))
    return [item.manifest for item in rendered]
