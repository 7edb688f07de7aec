"""Which objects the resource-rule policies are for, and what they make of them."""

from __future__ import annotations

from typing import Any

import pytest

from velapulumi.definitions import PolicyDefinition, find
from velapulumi.definitions.rules.fieldpath import (
    MISSING,
    parse_field_path,
    value_at,
    with_value_at,
)
from velapulumi.definitions.rules.selector import Selector
from velapulumi.render.rules import (
    NOTHING_SPECIAL,
    Rules,
    Treatment,
    owner_of,
    ownership,
    refusals,
    registered,
    remarks,
    sharers_of,
)

OURS = {"app.oam.dev/name": "shop", "app.oam.dev/namespace": "default"}
MAIN = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "web",
        "labels": {
            **OURS,
            "app.oam.dev/component": "web",
            "app.oam.dev/resourceType": "WORKLOAD",
            "workload.oam.dev/type": "webservice",
        },
    },
    "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": "a"}]}}},
}
FURTHER = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
        "name": "web",
        "labels": {
            **OURS,
            "app.oam.dev/component": "web",
            "app.oam.dev/resourceType": "TRAIT",
            "trait.oam.dev/type": "expose",
        },
    },
}


def policy(kind: str, **properties: Any) -> tuple[str, Any]:
    definition = find(PolicyDefinition, kind)
    assert definition is not None
    parameters, problems = definition.read(properties)
    assert problems == []
    return kind, parameters


def rule(*kinds: str, **strategy: Any) -> dict[str, Any]:
    return {"selector": {"resourceTypes": list(kinds)}, **strategy}


def treatment(*policies: tuple[str, Any], of: dict[str, Any] = MAIN) -> Treatment:
    return Rules.of(policies).treatment_of(of)


@pytest.mark.parametrize(
    ("selector", "main", "further"),
    [
        ({}, False, False),
        ({"componentNames": ["api", "web"]}, True, True),
        ({"componentNames": ["we"]}, False, False),
        ({"componentTypes": ["webservice"]}, True, False),
        ({"oamTypes": ["WORKLOAD"]}, True, False),
        ({"oamTypes": ["COMPONENT"]}, True, False),
        ({"oamTypes": ["TRAIT"]}, False, True),
        ({"traitTypes": ["expose", "gateway"]}, False, True),
        ({"resourceTypes": ["Deployment"]}, True, False),
        ({"resourceNames": ["web"]}, True, True),
        ({"componentNames": ["web"], "resourceTypes": ["Service"]}, False, True),
        ({"componentNames": ["web"], "resourceTypes": ["Ingress"]}, False, False),
        ({"componentTypes": ["webservice"], "traitTypes": ["expose"]}, False, False),
    ],
)
def test_a_selector_takes_what_meets_all_its_conditions(
    selector: dict[str, list[str]], main: bool, further: bool
) -> None:
    found = Selector.model_validate(selector)
    assert (found.matches(MAIN), found.matches(FURTHER)) == (main, further)
    assert found.selects_nothing is (selector == {})


def test_an_object_without_labels_is_judged_by_kind_and_name() -> None:
    bare = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}
    assert Selector(resourceTypes=("Secret",)).matches(bare)
    assert not Selector(componentNames=("x",)).matches(bare)


def test_without_rules_nothing_is_special() -> None:
    assert treatment() == NOTHING_SPECIAL == Treatment()
    assert treatment(policy("topology", clusters=["a"])) == NOTHING_SPECIAL
    assert treatment(policy("read-only", rules=[rule("Secret")])) == NOTHING_SPECIAL


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (policy("garbage-collect", rules=[rule("Deployment")]), Treatment()),
        (
            policy("garbage-collect", rules=[rule("Deployment", strategy="onAppDelete")]),
            Treatment(stays=True),
        ),
        (
            policy("garbage-collect", rules=[rule("Deployment", strategy="never")]),
            Treatment(never_deleted=True),
        ),
        (
            policy("garbage-collect", rules=[rule("Deployment", propagation="orphan")]),
            Treatment(orphans=True),
        ),
        (
            policy("garbage-collect", rules=[rule("Deployment", propagation="cascading")]),
            Treatment(),
        ),
        (policy("garbage-collect", keepLegacyResource=True), Treatment(stays=True)),
        (
            policy(
                "garbage-collect",
                keepLegacyResource=True,
                rules=[rule("Deployment", strategy="never")],
            ),
            Treatment(never_deleted=True),
        ),
        (
            policy(
                "garbage-collect", keepLegacyResource=True, rules=[rule("Deployment")], order=None
            ),
            Treatment(),
        ),
        (policy("shared-resource", rules=[rule("Deployment")]), Treatment(shared=True)),
        (policy("read-only", rules=[rule("Deployment")]), Treatment(read_only=True)),
        (policy("take-over", rules=[rule("Deployment")]), Treatment(take_over=True)),
        (policy("resource-update", rules=[rule("Deployment", strategy={})]), Treatment()),
        (
            policy(
                "resource-update",
                rules=[
                    rule("Deployment", strategy={"op": "replace", "recreateFields": ["spec.x[0]"]})
                ],
            ),
            Treatment(replaced=True, recreated=(("spec", "x", 0),)),
        ),
    ],
)
def test_what_a_policy_makes_of_an_object(found: tuple[str, Any], expected: Treatment) -> None:
    assert treatment(found) == expected


def once(*paths: str, enable: bool = True, **affect: str) -> tuple[str, Any]:
    found = rule("Deployment", strategy={"path": list(paths), **affect})
    return policy("apply-once", enable=enable, rules=[found])


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (once("spec.replicas"), Treatment(kept=(("spec", "replicas"),))),
        (once("spec.replicas", affect="always"), Treatment(kept=(("spec", "replicas"),))),
        (once("spec.replicas", affect="onUpdate"), Treatment(kept=(("spec", "replicas"),))),
        (once("spec.replicas", affect="onStateKeep"), Treatment()),
        (once("spec.replicas", enable=False), Treatment()),
        (once("*"), Treatment(frozen=True)),
    ],
)
def test_which_fields_are_kept(found: tuple[str, Any], expected: Treatment) -> None:
    assert treatment(found) == expected
    assert Rules.of([found]).mends_drift


def test_without_rules_apply_once_is_for_the_whole_application() -> None:
    assert not Rules.of([policy("apply-once", enable=True)]).mends_drift
    assert Rules.of([policy("apply-once", enable=False)]).mends_drift
    both = [policy("apply-once", enable=True), once("spec.replicas", enable=False)]
    assert Rules.of(both).mends_drift
    assert treatment(*both).kept == (("spec", "replicas"),)


def test_the_first_rule_counts_over_all_policies_of_a_type() -> None:
    never = policy("garbage-collect", rules=[rule("Deployment", strategy="never")])
    late = policy("garbage-collect", rules=[rule("Deployment", "Service", strategy="onAppDelete")])
    assert treatment(never, late) == Treatment(never_deleted=True)
    assert treatment(late, never) == Treatment(stays=True)
    assert treatment(never, late, of=FURTHER) == Treatment(stays=True)
    shared = [policy("shared-resource", rules=[rule(kind)]) for kind in ("Secret", "Deployment")]
    assert treatment(*shared).shared


def live(replicas: int, **metadata: Any) -> dict[str, Any]:
    found = {**MAIN["metadata"], **metadata}  # type: ignore[dict-item]
    containers = [{"image": "live", "resources": {"limits": {"cpu": "1"}}}]
    spec = {"replicas": replicas, "template": {"spec": {"containers": containers}}}
    return {**MAIN, "metadata": found, "spec": spec}


def test_a_frozen_object_is_what_is_there() -> None:
    assert registered(MAIN, live(5), Treatment(frozen=True)) == live(5)
    assert registered(MAIN, None, Treatment(frozen=True)) == MAIN


def test_annotations_tell_the_provider_and_the_other_applications() -> None:
    found = registered(MAIN, None, Treatment(orphans=True, shared=True))
    assert found["metadata"]["annotations"] == {
        "pulumi.com/deletionPropagationPolicy": "orphan",
        "app.oam.dev/shared-by": "default/shop",
    }
    theirs = live(1, annotations={"app.oam.dev/shared-by": "a/x, default/shop,b/y", "note": "1"})
    found = registered(MAIN, theirs, Treatment(shared=True))
    assert found["metadata"]["annotations"] == {"app.oam.dev/shared-by": "a/x,default/shop,b/y"}
    found = registered(MAIN, live(1, annotations={"app.oam.dev/shared-by": "a/x"}),
                       Treatment(shared=True))  # fmt: skip
    assert sharers_of(found) == ("a/x", "default/shop")
    assert registered(MAIN, theirs, NOTHING_SPECIAL) == MAIN


def test_owners_are_told_by_labels() -> None:
    assert owner_of(MAIN) == "default/shop"
    assert owner_of({"metadata": {"name": "x", "labels": None}}) == ""
    assert ownership("default/shop") == OURS
    assert ownership("") == dict.fromkeys(OURS)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("spec.replicas", ("spec", "replicas")),
        ("spec.containers[0].image", ("spec", "containers", 0, "image")),
        (
            "metadata.annotations[example.org/owner]",
            ("metadata", "annotations", "example.org/owner"),
        ),
        ("data['a.b']", ("data", "a.b")),
        ('data["0"]', ("data", "0")),
    ],
)
def test_a_path_is_read(text: str, parts: tuple[str | int, ...]) -> None:
    assert parse_field_path(text) == parts


@pytest.mark.parametrize("text", ["", ".", ".a", "a.", "a..b", "a[", "a[]", "a[*].b", "*", "a[0]b"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_field_path(text)


def test_values_are_found_and_put_at_paths() -> None:
    value = {"a": [{"b": 1}], "c": None}
    assert value_at(("a", 0, "b"), value) == 1
    assert value_at(("c",), value) is None
    for missing in (("x",), ("a", 1), ("a", "0"), ("c", "d"), ("a", 0, "b", "c")):
        assert value_at(missing, value) is MISSING
    assert with_value_at(("a", 0, "b"), value, 2) == {"a": [{"b": 2}], "c": None}
    assert with_value_at(("x", "y"), value, 2) == {**value, "x": {"y": 2}}
    for unreachable in (("a", 1, "b"), ("a", "b"), ("x", 0, "y"), ("c", "d")):
        assert with_value_at(unreachable, value, 2) == value
    assert value == {"a": [{"b": 1}], "c": None}


@pytest.mark.parametrize(
    ("kind", "properties", "places"),
    [
        ("garbage-collect", {"applicationRevisionLimit": 3}, [("applicationRevisionLimit",)]),
        ("garbage-collect", {"continueOnFailure": True}, [("continueOnFailure",)]),
        ("garbage-collect", {"keepLegacyResource": True, "order": "dependency"}, []),
        (
            "garbage-collect",
            {"rules": [rule("Secret"), {"selector": {}}]},
            [("rules", 1, "selector")],
        ),
        ("apply-once", {"enable": True}, []),
        (
            "apply-once",
            {"rules": [{"strategy": {"path": ["*"]}}]},
            [("rules",), ("rules", 0, "selector")],
        ),
        ("read-only", {"rules": [{"selector": {"resourceNames": []}}]}, [("rules", 0, "selector")]),
        ("topology", {"clusters": ["a"]}, []),
    ],
)
def test_what_has_no_effect_is_told(
    kind: str, properties: dict[str, Any], places: list[tuple[str | int, ...]]
) -> None:
    _, parameters = policy(kind, **properties)
    assert [place for place, _ in remarks(kind, parameters)] == places


def test_debug_is_refused_with_something_else_to_use() -> None:
    ((place, message),) = refusals("debug")
    assert place == ("type",)
    assert "velapulumi dry-run" in message
    assert list(refusals("read-only")) == []


@pytest.mark.parametrize(
    ("kind", "properties", "place", "message"),
    [
        (
            "garbage-collect",
            {"rules": [rule("A", strategy="newer")]},
            ("rules", 0, "strategy"),
            "must be 'onAppUpdate', 'onAppDelete' or 'never', is the string \"newer\"",
        ),
        (
            "garbage-collect",
            {"rules": [{"strategy": "never"}]},
            ("rules", 0, "selector"),
            "is missing",
        ),
        (
            "read-only",
            {"rules": [{"selector": {"resourceType": ["A"]}}]},
            ("rules", 0, "selector", "resourceType"),
            'is an unknown field, did you mean "resourceTypes"?',
        ),
        (
            "apply-once",
            {"rules": [rule("A", strategy={"path": ["a..b"]})]},
            ("rules", 0, "strategy", "path", 0),
            "must be the path of one field such as spec.template.spec.containers[0].image, with a "
            "key that holds dots in brackets",
        ),
        (
            "apply-once",
            {"rules": [rule("A", strategy={})]},
            ("rules", 0, "strategy", "path"),
            "is missing",
        ),
        (
            "resource-update",
            {"rules": [rule("A", strategy={"recreateFields": ["*"]})]},
            ("rules", 0, "strategy", "recreateFields", 0),
            "must be the path of one field such as spec.template.spec.containers[0].image, with a "
            "key that holds dots in brackets",
        ),
    ],
)
def test_wrong_parameters_are_told(
    kind: str, properties: dict[str, Any], place: tuple[str | int, ...], message: str
) -> None:
    definition = find(PolicyDefinition, kind)
    assert definition is not None
    _, problems = definition.read(properties)
    assert problems == [(place, message)]


@pytest.mark.parametrize(
    ("kind", "spec", "waits"),
    [
        ("Deployment", {}, True),
        ("Service", {}, False),
        ("Service", {"type": "NodePort"}, False),
        ("Service", {"type": "LoadBalancer"}, True),
        ("Service", None, False),
        ("Service", ["type"], False),
        ("Ingress", {}, False),
        ("PersistentVolumeClaim", {}, False),
        ("ConfigMap", {}, True),
    ],
)
def test_what_is_ready_by_being_there_is_not_waited_for(kind: str, spec: Any, waits: bool) -> None:
    manifest = {**FURTHER, "kind": kind, "spec": spec}
    annotations = registered(manifest, None, NOTHING_SPECIAL)["metadata"].get("annotations")
    assert annotations == (None if waits else {"pulumi.com/skipAwait": "true"})
