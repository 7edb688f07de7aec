"""What the deployment document of a stack tells."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.unit.helpers import V1, deployment, manifest, resource
from velapulumi.definitions.rules.fieldpath import MISSING, value_at
from velapulumi.engine.deployment import record_of
from velapulumi.engine.editing import settled, without, without_pending
from velapulumi.engine.record import application_of, completed
from velapulumi.plan.objects import ObjectKey
from velapulumi.render.rules import TAKEN

SEAL = "4dabf18193072939515e22adb298388d"


def test_a_finished_stack_holds_its_revision() -> None:
    record = record_of(
        deployment(resource("east", manifest("web")), resource("west", manifest("api")))
    )
    assert record.revision == V1
    assert not record.interrupted
    assert [(entry.cluster, entry.manifest["metadata"]["name"]) for entry in record.objects] == [
        ("east", "web"),
        ("west", "api"),
    ]
    assert all(entry.ready for entry in record.objects)


def other_revision() -> dict[str, Any]:
    document = manifest("api")
    document["metadata"]["labels"]["app.oam.dev/appRevision"] = "shop-v2"
    return document


@pytest.mark.parametrize(
    "document",
    [
        deployment(resource("east", manifest(), initErrors=["timed out"])),
        deployment(resource("east", manifest())) | {"pending_operations": [{"type": "creating"}]},
        deployment(resource("east", manifest()), resource("east", other_revision())),
        deployment(resource("east", manifest(metadata={"name": "web"}))),
        deployment(resource("east", manifest(metadata={"name": "web", "labels": None}))),
        deployment(revision=None),
        deployment(revision=1),
        {"resources": [resource("east", manifest())]},
        {"resources": None},
        {},
    ],
)
def test_what_is_not_whole_holds_no_revision(document: dict[str, Any]) -> None:
    assert record_of(document).revision is None


def test_an_object_that_did_not_come_up_is_not_ready() -> None:
    record = record_of(deployment(resource("east", manifest(), initErrors=["timed out"])))
    assert [entry.ready for entry in record.objects] == [False]


def test_objects_that_are_on_their_way_out_and_other_resources_do_not_count() -> None:
    record = record_of(
        deployment(
            resource("east", manifest(), delete=True),
            {"type": "pulumi:providers:kubernetes", "inputs": {"context": "here"}},
            {"type": "random:index/randomId:RandomId", "inputs": {}},
        )
    )
    assert record.objects == ()
    assert record.revision == V1


def test_whole_numbers_are_integers_again_at_any_depth() -> None:
    spec = {"replicas": 3.0, "ports": [{"port": 80.0}, 2.0], "ratio": 0.5, "on": True, "x": "1.0"}
    (entry,) = record_of(deployment(resource("east", manifest(spec=spec)))).objects
    found = entry.manifest["spec"]
    assert found == {
        "replicas": 3,
        "ports": [{"port": 80}, 2],
        "ratio": 0.5,
        "on": True,
        "x": "1.0",
    }
    assert [type(found[key]) for key in ("replicas", "ratio", "on")] == [int, float, bool]
    assert type(found["ports"][0]["port"]) is int


def test_a_secret_stays_sealed_and_equal_to_itself() -> None:
    sealed = {SEAL: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"}
    turned = dict(reversed(sealed.items()))
    first, second = (
        record_of(deployment(resource("east", manifest(data={"key": value})))).objects[0]
        for value in (sealed, turned)
    )
    assert set(first.manifest["data"]["key"]) == {"secret"}
    assert "v1:abc" in first.manifest["data"]["key"]["secret"]
    assert first == second


@pytest.mark.parametrize(
    ("reference", "cluster"),
    [
        ("urn:pulumi:shop.s::p::pulumi:providers:kubernetes::east::0a1b", "east"),
        ("urn:pulumi:s::p::t$pulumi:providers:kubernetes::a.b-c::output<string>", "a.b-c"),
        ("", ""),
    ],
)
def test_the_cluster_is_the_name_of_the_provider(reference: str, cluster: str) -> None:
    (entry,) = record_of(deployment(resource("x", manifest(), provider=reference))).objects
    assert entry.cluster == cluster


def test_what_is_only_read_is_no_object_of_the_stack() -> None:
    theirs = manifest("theirs", metadata={"name": "theirs", "labels": {"team": "red"}})
    read = {**resource("west", {}), "external": True, "outputs": {**theirs, "__inputs": {}}}
    record = record_of(deployment(resource("east", manifest()), read))
    assert [entry.manifest["metadata"]["name"] for entry in record.objects] == ["web"]
    (found,) = record.read
    assert (found.cluster, found.manifest["metadata"]["name"]) == ("west", "theirs")
    assert record.revision == V1


def test_what_was_left_as_it_was_may_be_of_another_revision() -> None:
    left = resource("east", other_revision(), ignoreChanges=["*"], retainOnDelete=True)
    record = record_of(deployment(resource("east", manifest()), left))
    assert record.revision == V1
    assert [(entry.retained, entry.frozen) for entry in record.objects] == [
        (False, False),
        (True, True),
    ]
    some = resource("east", other_revision(), ignoreChanges=["spec.replicas"])
    assert record_of(deployment(some)).revision is None


def test_objects_are_in_the_order_the_program_had_them() -> None:
    exported = [
        {"cluster": "east", "kind": "Deployment", "namespace": "default", "name": name}
        for name in ("b", "a")
    ]
    found = record_of(
        deployment(
            resource("east", manifest("late")),
            resource("east", manifest("a")),
            resource("east", manifest("b")),
            objects=exported,
        )
    )
    assert [entry.manifest["metadata"]["name"] for entry in found.objects] == ["b", "a", "late"]


def named(name: str, cluster: str = "east", **more: Any) -> dict[str, Any]:
    """An object under a URN of its own."""
    found = resource(cluster, manifest(name), **more)
    return {**found, "urn": urn(name, cluster)}


def urn(name: str, cluster: str = "east") -> str:
    return f"urn:pulumi:shop.s::p::kubernetes:apps/v1:Deployment::{cluster}/default/{name}"


def key(name: str, cluster: str = "east") -> ObjectKey:
    return ObjectKey.of(cluster, manifest(name))


def test_a_stack_without_some_objects_keeps_all_others() -> None:
    provider = {
        "urn": "urn:pulumi:shop.s::p::pulumi:providers:kubernetes::east",
        "type": "pulumi:providers:kubernetes",
    }
    read = {
        **named("theirs"),
        "external": True,
        "inputs": {},
        "outputs": dict(manifest("theirs")),
    }
    before = deployment(provider, named("web"), named("web", "west"), named("api"), read)
    before |= {"manifest": {"time": "now"}, "pending_operations": [{"type": "creating"}]}
    kept = copy.deepcopy(before)
    after = without(before, {key("web"), key("theirs"), key("nosuch"), key("api", "north")})
    assert before == kept
    assert [found.get("urn") for found in after.pop("resources")] == [
        None,
        provider["urn"],
        urn("web", "west"),
        urn("api"),
    ]
    assert after == {name: value for name, value in before.items() if name != "resources"}
    assert without(before, frozenset()) == before


def test_nothing_depends_any_more_on_what_is_gone() -> None:
    needs: dict[str, Any] = {
        "dependencies": [urn("web"), urn("api")],
        "propertyDependencies": {"spec": [urn("web")], "data": [urn("api"), urn("web")], "x": None},
    }
    after = without(deployment(named("web"), named("api"), named("db", **needs)), {key("web")})
    (_, _, found) = after["resources"]
    assert found["dependencies"] == [urn("api")]
    assert found["propertyDependencies"] == {"spec": [], "data": [urn("api")], "x": []}
    assert record_of(after).revision == V1


def test_an_empty_stack_without_objects_is_empty() -> None:
    documents: list[dict[str, Any]] = [{}, {"resources": None}, {"resources": []}]
    for document in documents:
        assert without(document, {key("web")})["resources"] == []


def test_a_stack_without_its_open_operations_is_not_interrupted() -> None:
    before = deployment(named("web")) | {"pending_operations": [{"type": "creating"}]}
    assert record_of(before).interrupted
    after = without_pending(before, ())
    assert not record_of(after).interrupted
    assert after == deployment(named("web"))
    assert without_pending(after, ()) == after
    going = [{"type": "creating", "resource": named(name)} for name in ("api", "db")]
    killed = deployment(named("web")) | {"pending_operations": going}
    owing = without_pending(killed, {key("db")})
    assert record_of(owing).pending.keys() == {key("db")}
    assert (record_of(owing).interrupted, record_of(owing).steps) == (True, {})


def test_what_was_begun_and_is_made_or_owed_by_now_is_over() -> None:
    """The engine itself never ends what it was killed in."""
    going = {"pending_operations": [{"type": "creating", "resource": named("web")}]}
    made = record_of(deployment(named("web")) | going)
    assert (made.interrupted, dict(made.pending), bool(made.steps)) == (False, {}, True)
    assert (made.listed, record_of(deployment()).listed) == (True, False)
    owed = [f"east apps/v1 {key('web')}"]
    left = record_of(deployment(named("api"), owed=owed) | going)
    assert (left.interrupted, left.pending.keys(), bool(left.steps)) == (False, {key("web")}, True)


def test_what_is_left_to_a_later_run_is_known_by_its_name_alone() -> None:
    names = [
        "old apps/v1 Deployment default/api%begun",
        "old v1 Namespace team%theirs",
        f"east apps/v1 {key('read')}%read",
        f"east apps/v1 {key('web')}%read",
        f"east apps/v1 {key('made')}",
    ]
    found = record_of(deployment(provided(), named("web"), owed=names), name_of)
    api, team, made = found.pending.values()
    assert [str(each) for each in found.pending] == [
        "Deployment default/api", "Namespace team", str(key("made")),
    ]  # fmt: skip
    assert (api.cluster, api.handle, api.key.group) == (name_of("old", "uid-1"), "old", "apps")
    assert value_at(TAKEN, api.manifest) is MISSING
    assert value_at(TAKEN, team.manifest) == ""  # what it was is not known, unless it says so
    assert [entry.key for entry in found.read] == [key("read")]
    said = [entry.owed_name for entry in (api, team, *found.read, made)]
    assert said == [*names[:3], names[4]]
    assert (bool(found.steps), found.made) == (True, found.objects)


def test_nothing_on_a_silent_cluster_is_waited_for() -> None:
    broken = {"initErrors": ["timed out"]}
    east, west = (resource(name, manifest(), **broken) for name in ("east", "west"))
    provider = {"type": "pulumi:providers:kubernetes", "urn": "x"} | broken
    before = deployment(east, west, provider)
    kept = copy.deepcopy(before)
    after = settled(before, {"west"}, ())
    assert before == kept
    ready = {entry.cluster: entry.ready for entry in record_of(after).objects}
    assert ready == {"east": False, "west": True}
    assert after == deployment(east, resource("west", manifest()), provider)


PROVIDER = "urn:pulumi:shop.s::p::pulumi:providers:kubernetes::old"


def provided(uid: Any = "uid-1") -> dict[str, Any]:
    """The provider of the cluster that the stack calls ``old``."""
    inputs = {"clusterIdentifier": uid} if uid else {}
    return {"urn": PROVIDER, "type": "pulumi:providers:kubernetes", "inputs": inputs}


def name_of(handle: str, uid: str) -> str:
    return {"uid-1": "east"}.get(uid, f"{handle}?")


@pytest.mark.parametrize(
    ("uid", "cluster"),
    [("uid-1", "east"), ("uid-2", "old?"), ("", "old"), ({"unknown": True}, "old")],
)
def test_a_cluster_is_found_again_whatever_it_is_called_today(uid: Any, cluster: str) -> None:
    document = deployment(provided(uid), resource("old", manifest()))
    found = record_of(document, name_of)
    (entry,) = found.objects
    assert (entry.cluster, entry.handle) == (cluster, "old")
    assert entry.key == key("web", cluster)
    assert found.keys == {key("web", cluster)}
    assert found.handles == {cluster: "old"}
    assert without(document, {key("web", cluster)}, name_of)["resources"][1:] == [provided(uid)]
    broken = deployment(provided(uid), resource("old", manifest(), initErrors=["late"]))
    (entry,) = record_of(settled(broken, {cluster}, (), name_of), name_of).objects
    assert entry.ready
    (entry,) = record_of(settled(broken, (), {key("web", cluster)}, name_of), name_of).objects
    assert entry.ready


def test_what_only_stays_is_not_waited_for() -> None:
    broken = {"initErrors": ["timed out"]}
    before = deployment(*(resource("east", manifest(name), **broken) for name in ("web", "api")))
    kept = copy.deepcopy(before)
    after = settled(before, (), {key("web"), key("other")})
    assert before == kept
    assert after == deployment(
        resource("east", manifest("web")), resource("east", manifest("api"), **broken)
    )
    assert settled(before, (), ()) == before


def test_an_object_held_under_two_handles_of_one_cluster_is_held_twice() -> None:
    one, other = (
        provided() | {"urn": PROVIDER.replace("::old", f"::{handle}")} for handle in ("old", "new")
    )
    held = [resource("old", manifest("web")), resource("new", manifest("api"))]
    again = resource("new", manifest("web"))
    assert record_of(deployment(one, other, *held), name_of).doubles == ()
    (double,) = record_of(deployment(one, other, *held, again), name_of).doubles
    assert (double.key, double.handle) == (key("web", "east"), "new")


@pytest.mark.parametrize(
    ("outputs", "found"),
    [
        ({"application": "shop", "namespace": "team"}, "team/shop"),
        ({"application": "shop"}, "default/shop"),
        ({}, "default/shop"),
    ],
)
def test_a_stack_says_whose_it_is_or_its_objects_do(outputs: Any, found: str) -> None:
    assert application_of(record_of(deployment(named("web"), **outputs))) == found
    assert application_of(record_of(deployment())) == ""
    killed = {"pending_operations": [{"type": "creating", "resource": named("web")}]}
    assert application_of(record_of(killed)) == "default/shop"


def test_a_job_that_had_completed_when_it_was_last_seen_is_told() -> None:
    def job(name: str, kind: str = "Job", **condition: str) -> dict[str, Any]:
        inputs = manifest(name, apiVersion="batch/v1", kind=kind)
        outputs = {**inputs, "status": {"conditions": [condition]}} if condition else inputs
        return resource("east", inputs, outputs=outputs)

    done = {"type": "Complete", "status": "True"}
    record = record_of(
        deployment(
            job("done", **done),
            job("not-yet", **done | {"status": "False"}),
            job("failed", **done | {"type": "Failed"}),
            job("new"),
            job("no-job", kind="Shop", **done),
        )
    )
    tells = completed(record)
    names = [entry.key.name for entry in record.objects if tells(entry.cluster, entry.manifest)]
    assert names == ["done"]
    job_there = next(e.manifest for e in record.objects if e.key.name == "done")
    assert not tells("west", job_there)
    assert not completed(None)("east", job_there)


def test_what_the_server_answered_is_told_beside_what_was_asked_for() -> None:
    outputs = {
        **manifest(spec={"replicas": 3.0}),
        "metadata": {"name": "web", "uid": "u-1"},
        "__fieldManager": "pulumi-kubernetes-1a",
    }
    found = resource("east", manifest(), outputs=outputs, initErrors=["late", "later"])
    (entry,) = record_of(deployment({**found, "replacementTrigger": 2.0})).objects
    assert (entry.uid, entry.manager, entry.trigger) == ("u-1", "pulumi-kubernetes-1a", 2)
    assert entry.outputs["spec"] == {"replicas": 3}
    assert (entry.errors, entry.ready) == (("late", "later"), False)
    (bare,) = record_of(deployment(resource("east", manifest(), outputs=None))).objects
    assert (bare.uid, bare.manager, bare.trigger, bare.errors) == ("", "", 0, ())


def test_what_was_under_way_when_the_engine_stopped_is_told() -> None:
    going = [
        {"type": "creating", "resource": named("api")},
        {"type": "creating", "resource": provided()},
        {"type": "updating"},
        {"type": "reading", "resource": {**named("theirs"), "inputs": {"kind": None}}},
    ]
    found = record_of(deployment(named("web")) | {"pending_operations": going})
    assert (found.interrupted, found.pending.keys()) == (True, {key("api")})
    assert not record_of(deployment(named("web"))).pending


def test_what_is_deleted_already_to_be_made_anew_is_no_object_of_the_stack() -> None:
    """The engine only creates it yet, whether it was killed or has failed."""
    replaced = named("web", pendingReplacement=True)
    failed = record_of(deployment(replaced, named("api")))
    assert (failed.keys, failed.pending.keys()) == ({key("api")}, {key("web")})
    assert (failed.steps, failed.interrupted) == ({}, False)
    new = named("web", retainOnDelete=True)
    going = {"pending_operations": [{"type": "creating", "resource": new}]}
    killed = record_of(deployment(replaced, named("api")) | going)
    assert killed.pending[key("web")].retained
    assert killed.handles == {"east": "east"}
