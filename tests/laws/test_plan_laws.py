"""Laws of a plan, and of what a stack's record tells."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from velapulumi.engine.deployment import record_of
from velapulumi.engine.record import RecordedObject
from velapulumi.plan.fields import written
from velapulumi.plan.objects import ObjectKey
from velapulumi.plan.operation import Cause, Operation
from velapulumi.stage.operations import Decision, decide
from velapulumi.stage.sides import Facts, Live
from velapulumi.stage.situation import Presence

names = st.sampled_from(["a", "b", "c"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=5,
)


def manifest(kind: str, name: str, spec: Any) -> dict[str, Any]:
    labels = {"app.oam.dev/name": "x", "app.oam.dev/namespace": "default"}
    metadata = {"name": name, "namespace": "default", "labels": labels}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


objects = st.dictionaries(
    st.tuples(st.sampled_from(["east", "west"]), st.sampled_from(["Deployment", "Job"]), names),
    values,
    max_size=5,
).map(lambda held: [(key[0], manifest(key[1], key[2], spec)) for key, spec in held.items()])


Held = list[tuple[str, dict[str, Any]]]


def decided(wanted: Held, held: Held) -> dict[ObjectKey, Decision]:
    """What happens to all objects that are wanted or held; clusters have what is held."""
    rendered = {ObjectKey.of(*entry): entry[1] for entry in wanted}
    there = {ObjectKey.of(*entry): entry[1] for entry in held}
    found = {}
    for key in sorted(rendered.keys() | there.keys()):
        recorded = None
        if key in there:
            recorded = RecordedObject(key.cluster, there[key], True, outputs=there[key])
        live = Live(Presence.PRESENT, there[key]) if key in there else Live(Presence.ABSENT)
        facts = Facts(key, "default/x", "", live, rendered.get(key), recorded=recorded, pruned=True)
        found[key] = decide(facts)
    return found


@given(objects)
def test_what_is_there_needs_no_change(held: Held) -> None:
    assert all(each.operation.is_quiet for each in decided(held, held).values())


@given(objects, objects)
def test_a_plan_leads_from_what_is_held_to_what_is_wanted(wanted: Held, held: Held) -> None:
    found = decided(wanted, held)
    target = {ObjectKey.of(*entry): entry[1] for entry in wanted}
    state = {ObjectKey.of(*entry): entry[1] for entry in held}
    for key, each in found.items():
        match each.operation:
            case Operation.DELETE:
                del state[key]
            case Operation.CREATE:
                assert key not in state
                assert each.changes == ()
                state[key] = target[key]
            case Operation.UPDATE | Operation.REPLACE:
                assert each.changes
                assert state[key] != target[key]
                state[key] = target[key]
            case _:
                assert each.operation is Operation.NONE
                assert each.changes == ()
    assert state.keys() == target.keys()
    rest = decided(wanted, [(key.cluster, value) for key, value in state.items()])
    assert all(each.operation.is_quiet for each in rest.values())
    assert found == decided(wanted[::-1], held[::-1])


def test_fields_are_named_by_their_path_and_revision_labels_set_apart() -> None:
    before = manifest("Deployment", "web", {"replicas": 1, "items": [{"a": 1}]})
    after = manifest("Deployment", "web", {"replicas": 3, "items": [{"a": 2}]})
    before["metadata"]["labels"]["app.oam.dev/appRevision"] = "x-v1"
    after["metadata"]["labels"]["app.oam.dev/appRevision"] = "x-v2"
    (found,) = decided([("east", after)], [("east", before)]).values()
    assert [(written(each.path), each.before, each.after) for each in found.changes] == [
        ("spec.items[0].a", 1, 2),
        ("spec.replicas", 1, 3),
    ]
    assert found.cause is None
    after["spec"] = before["spec"]
    (found,) = decided([("east", after)], [("east", before)]).values()
    assert (found.operation, found.cause, found.changes) == (
        Operation.UPDATE,
        Cause.REVISION,
        (),
    )


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
