"""Laws of a plan, and of what a stack's record tells."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from velapulumi.plan.changes import Action, ObjectKey, plan_stage
from velapulumi.program.record import record_of

names = st.sampled_from(["a", "b", "c"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=5,
)


def manifest(kind: str, name: str, spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


objects = st.dictionaries(
    st.tuples(st.sampled_from(["east", "west"]), st.sampled_from(["Deployment", "Job"]), names),
    values,
    max_size=5,
).map(lambda held: [(key[0], manifest(key[1], key[2], spec)) for key, spec in held.items()])


@given(objects)
def test_what_is_there_needs_no_change(held: list[tuple[str, dict[str, Any]]]) -> None:
    assert not plan_stage("s", held, held)


@given(objects, objects)
def test_a_plan_leads_from_what_is_held_to_what_is_wanted(
    wanted: list[tuple[str, dict[str, Any]]], held: list[tuple[str, dict[str, Any]]]
) -> None:
    plan = plan_stage("s", wanted, held)
    target = {ObjectKey.of(*entry): entry[1] for entry in wanted}
    state = {ObjectKey.of(*entry): entry[1] for entry in held}
    for change in plan.changes:
        if change.action is Action.DELETE:
            del state[change.key]
        else:
            assert (change.key in state) == (change.action is Action.UPDATE)
            assert bool(change.fields) == (change.action is Action.UPDATE)
            state[change.key] = target[change.key]
    assert state == target or not plan_stage("s", wanted, [*_pairs(state)])
    assert plan == plan_stage("s", wanted[::-1], held[::-1])


def _pairs(state: dict[ObjectKey, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(key.cluster, value) for key, value in state.items()]


def test_fields_are_named_by_their_path_and_revision_labels_set_apart() -> None:
    before = manifest("Deployment", "web", {"replicas": 1, "items": [{"a": 1}]})
    after = manifest("Deployment", "web", {"replicas": 3, "items": [{"a": 2}]})
    before["metadata"]["labels"] = {"app.oam.dev/appRevision": "x-v1"}
    after["metadata"]["labels"] = {"app.oam.dev/appRevision": "x-v2"}
    (change,) = plan_stage("s", [("east", after)], [("east", before)]).changes
    assert [(field.path, field.before, field.after) for field in change.beyond_revision] == [
        ("spec.items[0].a", 1, 2),
        ("spec.replicas", 1, 3),
    ]
    assert len(change.fields) == 3


def deployment(**changes: Any) -> dict[str, Any]:
    resource = {
        "urn": "urn:pulumi:x.s::p::kubernetes:apps/v1:Deployment::east/default/web",
        "type": "kubernetes:apps/v1:Deployment",
        "provider": "urn:pulumi:x.s::p::pulumi:providers:kubernetes::east::0000",
        "inputs": manifest("Deployment", "web", {"replicas": 2.0}),
    }
    resource["inputs"]["metadata"]["labels"] = {"app.oam.dev/appRevision": "x-v2"}
    stack = {
        "type": "pulumi:pulumi:Stack",
        "outputs": {"steps": {"deploy": "x-v2:0123456789abcdef"}},
    }
    return {"resources": [stack, resource | changes]}


def test_a_record_holds_a_revision_only_when_all_of_it_is_there() -> None:
    whole = record_of(deployment())
    assert whole.revision == "x-v2:0123456789abcdef"
    (entry,) = whole.objects
    assert (entry.cluster, entry.ready) == ("east", True)
    assert entry.manifest["spec"] == {"replicas": 2}
    assert isinstance(entry.manifest["spec"]["replicas"], int)
    assert record_of(deployment(initErrors=["slow"])).revision is None
    assert record_of(deployment() | {"pending_operations": [{}]}).revision is None
    old = deployment()
    old["resources"][1]["inputs"]["metadata"]["labels"]["app.oam.dev/appRevision"] = "x-v1"
    assert record_of(old).revision is None
    assert record_of({}).revision is None
