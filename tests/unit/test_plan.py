"""What a plan says of single fields and keys; its laws are in tests/laws."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.helpers import manifest
from velapulumi.plan.changes import Action, ObjectKey, plan_stage


def fields(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    plan = plan_stage("prod", [("east", after)], [("east", before)])
    return [(f.path, f.before, f.after) for change in plan.changes for f in change.fields]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 2}, [("spec.a", 1, 2)]),
        ({}, {"a": {"b": 1}}, [("spec.a", None, {"b": 1})]),
        ({"a": 1}, {}, [("spec.a", 1, None)]),
        ({"a": [1, 2]}, {"a": [1, 3]}, [("spec.a[1]", 2, 3)]),
        ({"a": [1, 2]}, {"a": [1]}, [("spec.a", [1, 2], [1])]),
        ({"a": [{"b": {"c": 1}}]}, {"a": [{"b": {"c": 2}}]}, [("spec.a[0].b.c", 1, 2)]),
        ({"a": {"b": 1}}, {"a": [1]}, [("spec.a", {"b": 1}, [1])]),
        ({"a": "1"}, {"a": 1}, [("spec.a", "1", 1)]),
        ({"a": 1, "b": 1}, {"b": 2, "a": 2}, [("spec.a", 1, 2), ("spec.b", 1, 2)]),
        ({"a": None}, {}, []),
    ],
)
def test_a_field_is_named_by_its_path(
    before: dict[str, Any], after: dict[str, Any], expected: list[tuple[str, Any, Any]]
) -> None:
    assert fields(manifest(spec=before), manifest(spec=after)) == expected


def test_the_same_name_elsewhere_is_another_object() -> None:
    web, other = manifest(), manifest(kind="StatefulSet")
    plan = plan_stage("prod", [("east", web), ("west", web)], [("east", other), ("east", web)])
    assert [(change.action, change.key.cluster, change.key.kind) for change in plan.changes] == [
        (Action.DELETE, "east", "StatefulSet"),
        (Action.CREATE, "west", "Deployment"),
    ]
    assert plan
    assert plan.stage == "prod"


def test_changes_come_by_cluster_namespace_kind_and_name() -> None:
    objects = [(c, manifest(n)) for c in ("west", "east") for n in ("b", "a")]
    found = [
        (change.key.cluster, change.key.name) for change in plan_stage("s", objects, ()).changes
    ]
    assert found == [("east", "a"), ("east", "b"), ("west", "a"), ("west", "b")]


def test_a_key_reads_as_kubectl_writes_it() -> None:
    assert str(ObjectKey.of("east", manifest())) == "Deployment default/web"
    scoped = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    assert str(ObjectKey.of("east", scoped)) == "Namespace shop"


def relabelled(**changes: Any) -> dict[str, Any]:
    document = manifest(**changes)
    document["metadata"]["labels"] |= {
        "app.oam.dev/appRevision": "shop-v2",
        "app.oam.dev/revision": "web-v2",
    }
    return document


def test_revision_labels_alone_are_told_apart() -> None:
    (change,) = plan_stage("prod", [("east", relabelled())], [("east", manifest())]).changes
    assert len(change.fields) == 2
    assert change.beyond_revision == ()
    (change,) = plan_stage(
        "prod", [("east", relabelled(spec={"replicas": 3}))], [("east", manifest())]
    ).changes
    assert {field.path for field in change.beyond_revision} == {"spec.replicas", "spec.selector"}


def test_another_label_is_a_change_of_its_own() -> None:
    after = manifest()
    after["metadata"]["labels"]["team"] = "red"
    (change,) = plan_stage("prod", [("east", after)], [("east", manifest())]).changes
    assert [field.path for field in change.beyond_revision] == ["metadata.labels.team"]


def test_what_stays_in_the_cluster_is_not_called_deleted() -> None:
    held = [("east", manifest("a")), ("east", manifest("b"))]
    kept = ObjectKey.of("east", manifest("b"))
    plan = plan_stage("prod", [], held, {kept})
    assert [(change.action, change.key.name) for change in plan.changes] == [
        (Action.DELETE, "a"),
        (Action.LEAVE, "b"),
    ]
