"""What a plan says of single fields and keys; its laws are in tests/laws."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.helpers import manifest
from velapulumi.plan.fields import written
from velapulumi.plan.normal import changed_fields
from velapulumi.plan.objects import ObjectKey


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
    recorded = manifest(spec=before)
    found = changed_fields(manifest(spec=after), recorded, recorded)
    assert [(written(each.path), each.before, each.after) for each in found] == expected


def test_the_same_name_elsewhere_is_another_object() -> None:
    web = ObjectKey.of("east", manifest())
    assert web == ObjectKey.of("east", manifest(spec={}))
    others = [
        ObjectKey.of("west", manifest()),
        ObjectKey.of("east", manifest("api")),
        ObjectKey.of("east", manifest(kind="StatefulSet")),
        ObjectKey.of("east", manifest(apiVersion="example.org/v1")),
        ObjectKey.of("east", manifest(metadata={"name": "web"})),
        ObjectKey.of("east", manifest(metadata={"name": "web", "namespace": "team"})),
    ]
    assert web not in others
    assert len({*others}) == len(others)


def test_an_object_is_the_same_in_every_version_of_its_api() -> None:
    for before, now in (("apps/v1beta1", "apps/v1"), ("v1", "v2")):
        one, other = manifest(apiVersion=before), manifest(apiVersion=now)
        assert ObjectKey.of("east", one) == ObjectKey.of("east", other)


def test_keys_are_ordered_by_cluster_namespace_kind_and_name() -> None:
    keys = [ObjectKey.of(c, manifest(n)) for c in ("west", "east") for n in ("b", "a")]
    other = ObjectKey.of("east", manifest("c", metadata={"name": "c", "namespace": "a"}))
    found = [(key.cluster, key.name) for key in sorted([*keys, other])]
    assert found == [("east", "c"), ("east", "a"), ("east", "b"), ("west", "a"), ("west", "b")]


def test_a_key_reads_as_kubectl_writes_it() -> None:
    assert str(ObjectKey.of("east", manifest())) == "Deployment default/web"
    scoped = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    assert str(ObjectKey.of("east", scoped)) == "Namespace shop"
