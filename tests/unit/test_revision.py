"""Which edits make a new revision, and how revisions are counted."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.helpers import SEED, revision, seed
from velapulumi.definitions import Reference
from velapulumi.render import ClusterFacts, Loaded, Surroundings, parse
from velapulumi.workflow.revision import Revision, revision_of, step_id

Document = dict[str, Any]


def shuffled(value: Any, source: random.Random) -> Any:
    if isinstance(value, dict):
        entries = [(key, shuffled(item, source)) for key, item in value.items()]
        source.shuffle(entries)
        return dict(entries)
    return [shuffled(item, source) for item in value] if isinstance(value, list) else value


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_key_order_and_comments_make_no_revision(source: random.Random) -> None:
    text = yaml.safe_dump(shuffled(yaml.safe_load(SEED), source), sort_keys=False)
    other = parse(f"# another comment\n{text}\n# and one more\n", "elsewhere.yaml")
    assert revision_of(other, ()) == revision_of(seed(), ())


def spec(document: Document) -> None:
    document["spec"]["components"][1]["properties"]["image"] = "busybox:1.36"


def patch(document: Document) -> None:
    envs = document["spec"]["policies"][0]["properties"]["envs"]
    envs[1]["patch"]["components"][0]["traits"][0]["properties"]["replicas"] = 4


def placement(document: Document) -> None:
    envs = document["spec"]["policies"][0]["properties"]["envs"]
    envs[1]["placement"]["clusterSelector"]["name"] = "cluster-other"


def label(document: Document) -> None:
    document["metadata"]["labels"] = {"team": "red"}


def annotation(document: Document) -> None:
    document["metadata"]["annotations"] = {"on-call": "red"}


def message(document: Document) -> None:
    document["spec"]["workflow"]["steps"][1]["properties"] = {"message": "look"}


def probe(document: Document) -> None:
    document["spec"]["policies"][1]["properties"]["probeTimeout"] = 20


@pytest.mark.parametrize(
    "change", [spec, patch, placement, label, annotation, message, probe], ids=lambda f: f.__name__
)
def test_each_kind_of_edit_makes_the_next_revision(change: Callable[[Document], None]) -> None:
    first = revision_of(seed(), ())
    second = revision_of(seed(change), [first])
    assert (first.name, second.name) == ("example-app-v1", "example-app-v2")
    assert first.hash != second.hash
    assert re.fullmatch(r"example-app-v1:[0-9a-f]{16}", str(first))


def fleet(clusters: Any, known: dict[str, ClusterFacts], **topology: Any) -> Loaded:
    """An application on some clusters of those that are joined."""
    document = {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": "shop"},
        "spec": {
            "components": [{"name": "web", "type": "worker", "properties": {"image": "i"}}],
            "policies": [
                {"name": "all", "type": "topology", "properties": {"clusters": clusters} | topology}
            ],
        },
    }
    return parse(yaml.safe_dump(document), "app.yaml", Surroundings(clusters=known))


def facts(**names: str) -> dict[str, ClusterFacts]:
    """Clusters by name; a name and its identity, with the first name behind a slash."""
    found = {}
    for name, text in names.items():
        uid, _, first = text.partition("/")
        canonical = next(other for other, said in names.items() if said == text)
        found[name] = ClusterFacts({}, name=canonical, uid=uid, first_name=first or canonical)
    return found


def test_a_cluster_counts_by_its_identity() -> None:
    known = facts(east="1", alias="1", west="2")
    first = revision_of(fleet(["east", "west"], known), ())
    for same in (
        fleet(["alias", "west"], known),
        fleet(["east", "alias", "west", "east"], known),
        fleet(["north", "west"], facts(north="1/east", west="2")),
        fleet(["west", "east"], facts(west="1/east", east="2/west")),  # both renamed
    ):
        assert revision_of(same, ()) == first
    for other in (
        fleet(["east", "west"], facts(east="3", west="2")),  # another cluster of that name
        fleet(["west", "east"], known),
        fleet(["east"], known),
    ):
        assert revision_of(other, ()).hash != first.hash


def test_a_cluster_that_labels_choose_may_be_renamed() -> None:
    empty: dict[str, Any] = {"clusterLabelSelector": {}}
    before = fleet(None, facts(a="1", b="2"), **empty)
    after = fleet(None, facts(b="2", c="1/a"), **empty)
    more = fleet(None, facts(a="1", b="2", c="3"), **empty)
    assert revision_of(before, ()) == revision_of(after, ())
    assert revision_of(before, ()).hash != revision_of(more, ()).hash


def test_a_component_that_refers_to_a_cluster_keeps_its_revision() -> None:
    steps = [
        {
            "name": "go",
            "type": "apply-component",
            "properties": {"component": "web", "cluster": "CLUSTER"},
        },
    ]
    objects = [{"cluster": "CLUSTER", "resource": "configmap", "name": "settings"}]
    text = yaml.safe_dump(
        {
            "apiVersion": "core.oam.dev/v1beta1",
            "kind": "Application",
            "metadata": {"name": "shop"},
            "spec": {
                "components": [
                    {"name": "web", "type": "ref-objects", "properties": {"objects": objects}}
                ],
                "workflow": {"steps": steps},
            },
        }
    )
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
    found = []
    for name in ("east", "alias"):
        referred = {Reference(name, "default", "", "configmap", "settings"): (manifest,)}
        known = Surroundings(clusters=facts(east="1", alias="1"), referred=referred)
        loaded = parse(text.replace("CLUSTER", name), "app.yaml", known)
        found.append(revision_of(loaded, ()))
    assert found[0] == found[1]


def test_content_that_was_there_gets_its_number_back() -> None:
    first = revision_of(seed(), ())
    second = revision_of(seed(spec), [first])
    third = revision_of(seed(label), [first, second])
    assert third.name == "example-app-v3"
    assert revision_of(seed(), [first, second, third]) is first
    assert revision_of(seed(spec), [first, second, third]) is second


def test_what_stacks_hold_counts_where_the_gate_file_is_lost() -> None:
    held = revision_of(seed(), ())
    renumbered = f"example-app-v7:{held.hash}"
    assert str(revision_of(seed(), (), [renumbered])) == renumbered
    assert revision_of(seed(spec), (), [renumbered]).name == "example-app-v8"
    assert revision_of(seed(spec), [held], [renumbered]).name == "example-app-v8"


@pytest.mark.parametrize("text", ["", "nonsense", "example-app-v9", "example-app-v9:short", "v9:"])
def test_a_revision_that_is_none_does_not_count(text: str) -> None:
    assert revision_of(seed(), (), [text]).name == "example-app-v1"


@given(st.lists(st.integers(1, 99), max_size=5))
def test_the_next_number_is_above_all_that_were(numbers: list[int]) -> None:
    known = [revision(f"example-app-v{number}:{number:016x}") for number in numbers]
    assert revision_of(SEEDED, known).name == f"example-app-v{max(numbers, default=0) + 1}"


SEEDED = seed()


def names(found: Revision) -> dict[str, str]:
    return {name: component.name for name, component in found.components.items()}


def test_a_component_is_numbered_by_its_own_changes() -> None:
    first = revision_of(seed(), ())
    assert names(first) == {
        "hello-world-server": "hello-world-server-v1",
        "data-worker": "data-worker-v1",
    }
    second = revision_of(seed(spec), [first])
    assert names(second) == names(first) | {"data-worker": "data-worker-v2"}
    third = revision_of(seed(patch), [first, second])
    assert names(third) == {
        "hello-world-server": "hello-world-server-v2",
        "data-worker": "data-worker-v1",
    }
    assert third.names.application == "example-app-v3"
    assert third.names.components == names(third)


def test_a_revision_number_alone_changes_no_component() -> None:
    first = revision_of(seed(), ())
    assert revision_of(seed(message), [first]).components == first.components


@given(st.text(max_size=30), st.integers(0, 99), st.text(max_size=30))
def test_a_step_id_is_ten_plain_letters_and_stays(name: str, run: int, step: str) -> None:
    found = step_id(name, run, step)
    assert re.fullmatch(r"[a-z0-9]{10}", found)
    assert step_id(name, run, step) == found
    assert step_id(name, run + 1, step) != found
