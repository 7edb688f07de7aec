"""How what was decided is registered with the engine, and what is done beside it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
import pytest

from tests.unit.helpers import (
    MANAGER,
    PROJECT_ID,
    FakeCluster,
    marked,
    reached,
    resource,
    with_uid,
)
from tests.unit.setting import STAGE, Setting, begin, held_by, theirs
from velapulumi.delivery.settled import kept_unready
from velapulumi.errors import ClusterUnreachable, ObjectRefused, PlanChanged
from velapulumi.plan.operation import Cause, Operation
from velapulumi.project import Project
from velapulumi.stage.release import released
from velapulumi.stage.resources import (
    Mode,
    Registration,
    resource_options,
    write_beside,
)
from velapulumi.stage.sides import manager_of
from velapulumi.stage.taking import owed_names, take


@pytest.fixture(autouse=True)
def loop() -> Iterator[None]:
    """An event loop for hooks, which want to tell an engine of themselves; there is none here."""
    made = asyncio.new_event_loop()
    asyncio.set_event_loop(made)
    yield
    tasks = asyncio.all_tasks(made)
    for task in tasks:
        task.cancel()
    made.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    asyncio.set_event_loop(None)
    made.close()


@pytest.fixture
def setting(project: Project) -> Setting:
    return Setting(project)


def options(entry: Registration) -> pulumi.ResourceOptions:
    return resource_options(entry, reached("east", FakeCluster()), 1)


def ignored(entry: Registration) -> list[str] | None:
    return options(entry).ignore_changes


def test_without_policies_nothing_is_special(setting: Setting) -> None:
    found = setting.registered()
    for name, entry in found.items():
        assert entry.mode is Mode.WRITE
        assert entry.manifest == marked(setting.rendered()[name])
        assert (entry.name, entry.handle) == (f"east/default/{name}", "east")
        made = options(entry)
        assert (made.id, made.retain_on_delete, made.ignore_changes) == (None, None, None)
        assert (made.replace_on_changes, made.delete_before_replace) == (None, None)
        assert (made.hooks, made.aliases, made.replacement_trigger) == (None, None, 0)


def test_what_is_as_it_was_delivered_is_left_as_the_stack_has_it(setting: Setting) -> None:
    old = {"annotations": {"written": "otherwise"}, **marked(setting.rendered()["a"])["metadata"]}
    setting.record(a={"metadata": {k: v for k, v in old.items() if k != "annotations"}})
    found = setting.registered(*setting.all_live())["a"]
    assert (found.mode, ignored(found)) == (Mode.LEAVE, ["*"])
    assert found.decision.facts.recorded is not None
    assert found.manifest is found.decision.facts.recorded.manifest


def test_what_is_read_only_is_read(setting: Setting) -> None:
    setting.policy("read-only")
    there = theirs("team/blog", key="x")
    found = setting.registered(there)["a"]
    assert (found.mode, found.manifest) == (Mode.READ, there)
    assert not found.joins
    assert options(found).id == "default/a"
    assert ignored(found) is None


def test_what_another_application_shares_is_read_and_joined(setting: Setting) -> None:
    setting.policy("shared-resource")
    setting.store()
    mine = setting.registered()["a"]
    assert (mine.mode, options(mine).retain_on_delete) == (Mode.WRITE, True)
    found = setting.registered(theirs("team/blog", "team/blog", PROJECT_ID))["a"]
    assert (found.mode, found.joins) == (Mode.READ, True)
    setting.record()
    handed_over = setting.registered(theirs("team/blog", "team/blog,default/shop"))["a"]
    assert (handed_over.mode, handed_over.joins) == (Mode.READ, True)


def test_a_whole_object_that_a_policy_leaves_is_not_written(setting: Setting) -> None:
    setting.once("*")
    assert setting.registered()["a"].mode is Mode.WRITE
    setting.record(a={"data": {"key": "0"}})
    left = setting.registered(setting.live(data={"key": "0"}))["a"]
    assert left.mode is Mode.LEAVE
    assert ignored(left) == ["*"]
    assert left.manifest["data"] == {"key": "0"}


def test_how_the_engine_deletes(setting: Setting) -> None:
    setting.policy("garbage-collect", strategy="never")
    setting.policy("garbage-collect", "b", propagation="orphan")
    found = setting.registered()
    assert options(found["a"]).retain_on_delete is True
    assert found["a"].left_behind
    assert found["b"].manifest["metadata"]["annotations"] == {
        "pulumi.com/deletionPropagationPolicy": "orphan"
    }
    assert not found["b"].left_behind
    setting.record(b={"metadata": found["b"].manifest["metadata"]})
    live = {"metadata": with_uid(found["b"].manifest)["metadata"]}
    again = setting.registered(setting.live(), setting.live("b", **live))["b"]
    assert again.decision.operation is Operation.NONE


def test_what_only_stays_is_kept_as_the_last_write_said(setting: Setting) -> None:
    rendered = setting.rendered()
    setting.store(
        resource("east", marked(rendered["a"]), retainOnDelete=True),
        resource("east", marked(rendered["b"])),
    )
    live = setting.all_live()
    setting.values = {"c": "1"}
    found = setting.registered(*live)
    assert {name: (each.mode, each.retained) for name, each in found.items()} == {
        "c": (Mode.WRITE, False),
        "a": (Mode.LEAVE, True),
        "b": (Mode.LEAVE, False),
    }
    setting.collecting = True
    assert list(setting.registered(*live)) == ["c"]


def test_how_the_engine_makes_anew_for_a_field(setting: Setting) -> None:
    setting.policy("resource-update", strategy={"recreateFields": ["data.key", "data['a.b']"]})
    setting.objects = []
    setting.record()
    live = setting.all_live()
    made = options(setting.registered(*live)["a"])
    assert (made.replace_on_changes, made.delete_before_replace) == (None, None)
    setting.values["a"] = "2"
    made = options(setting.registered(*live)["a"])
    assert made.replace_on_changes == ['["data"]["key"]']
    assert made.delete_before_replace is True
    assert made.replacement_trigger == 0


def test_a_field_with_dots_and_positions_is_written_as_the_engine_reads_it(
    setting: Setting,
) -> None:
    web = {"apiVersion": "example.org/v1", "kind": "Web", "metadata": {"name": "w"}}
    setting.values = {}
    setting.objects = [{**web, "spec": {"a.b": [{"x": 1}]}}]
    setting.policy("resource-update", "w", strategy={"recreateFields": ["spec['a.b'][0].x"]})
    setting.record()
    live = setting.live("w")
    setting.objects = [{**web, "spec": {"a.b": [{"x": 2}]}}]
    made = options(setting.registered(live)["w"])
    assert made.replace_on_changes == ['["spec"]["a.b"][0]["x"]']


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the hooks that are registered with the engine."""
    names: list[str] = []
    monkeypatch.setattr(pulumi, "ResourceHook", lambda name, _: names.append(name))
    return names


def test_an_object_is_put_as_a_whole_only_where_the_plan_updates_it(
    setting: Setting, hooks: list[str]
) -> None:
    setting.policy("resource-update", strategy={"op": "replace"})
    assert options(setting.registered()["a"]).hooks is None
    setting.store(resource("east", marked(setting.rendered()["a"]), initErrors=["late"]))
    live = setting.live()
    unready = setting.registered(live)["a"]
    assert (unready.decision.cause, unready.mode) == (Cause.UNREADY, Mode.WRITE)
    assert options(unready).hooks is None
    setting.values["a"] = "2"
    update = setting.registered(live)["a"]
    assert update.decision.operation is Operation.UPDATE
    assert hooks == []
    binding = options(update).hooks
    assert binding is not None
    assert len(binding.before_update or ()) == len(hooks) == 1


def test_hooks_of_kinds_that_share_a_name_have_names_of_their_own(
    setting: Setting, hooks: list[str]
) -> None:
    """A webservice is a Deployment and a Service; the engine takes each name of a hook once."""
    setting.policy("resource-update", strategy={"op": "replace"})
    setting.record()
    live = setting.live()
    setting.values["a"] = "2"
    update = setting.registered(live)["a"]
    kinds = (("apps/v1", "Deployment"), ("v1", "Service"), ("serving.knative.dev/v1", "Service"))
    for version, kind in kinds:
        manifest = {**update.manifest, "apiVersion": version, "kind": kind}
        assert options(dataclasses.replace(update, manifest=manifest)).hooks is not None
    assert len(set(hooks)) == len(kinds)


def test_what_was_lost_is_made_anew_although_the_stack_has_it(setting: Setting) -> None:
    rendered = marked(setting.rendered()["a"])
    setting.store(resource("east", rendered, replacementTrigger=3))
    found = setting.registered()["a"]
    assert (found.mode, found.decision.cause) == (Mode.WRITE, Cause.LOST)
    made = options(found)
    assert made.replace_on_changes == ["*"]
    assert (made.replacement_trigger, made.delete_before_replace) == (4, True)
    let_be = setting.registered(setting.live())["a"]
    assert options(let_be).replacement_trigger == 3


def test_what_the_engine_has_not_seen_come_up_is_waited_for_where_it_is_wanted(
    setting: Setting,
) -> None:
    rendered = setting.rendered()
    setting.store(*(resource("east", marked(e), initErrors=["late"]) for e in rendered.values()))
    live = setting.all_live()
    del setting.values["b"]
    found = setting.registered(*live)
    assert (found["a"].mode, found["a"].manifest) == (Mode.WRITE, marked(setting.rendered()["a"]))
    assert ignored(found["a"]) is None
    assert (found["b"].mode, ignored(found["b"])) == (Mode.LEAVE, ["*"])
    assert found["b"].manifest == marked(rendered["b"])
    assert kept_unready([each.decision for each in found.values()]) == {found["b"].decision.key}


def test_what_is_on_a_silent_cluster_stays_and_what_is_not_known_is_not_made(
    setting: Setting,
) -> None:
    setting.record("a")
    setting.cluster = ClusterUnreachable("gone")
    found = setting.registered()
    assert {name: each.mode for name, each in found.items()} == {"a": Mode.LEAVE}
    assert resource_options(found["a"], None, 1).ignore_changes == ["*"]
    setting.cluster = None
    setting.record_read("a")
    setting.cluster = ClusterUnreachable("gone")
    assert list(setting.registered()) == ["b"]


def test_what_is_shared_on_a_silent_cluster_stays_known(setting: Setting) -> None:
    """Else nobody would end the application's part in it, once the file no longer wants it."""
    setting.policy("shared-resource")
    setting.record_read("a")
    for _ in range(2):
        setting.cluster = ClusterUnreachable("gone")
        record = setting.prepared().application.records[STAGE]
        left = owed_names([*setting.decide().values()], record, ())
        assert left == ["east v1 ConfigMap default/a%read"]
        assert list(setting.registered()) == ["b"]
        setting.cluster = None
        setting.store(resource("east", marked(setting.rendered()["b"])), owed=left)
    there = theirs("team/blog", "team/blog,default/shop", PROJECT_ID, key="x")
    live_b = setting.live("b")
    found = setting.registered(there, live_b)["a"]
    assert (found.mode, found.manifest) == (Mode.READ, there)
    del setting.values["a"]
    assert setting.registered(there, live_b)["a"].mode is Mode.READ
    setting.collecting = True
    gone = setting.first(there, live_b)
    assert (gone.operation, gone.cause) == (Operation.DISOWN, Cause.OTHERS)
    assert released([gone]) == (gone,)


def test_what_is_somebody_elses_now_is_not_deleted_by_the_engine(setting: Setting) -> None:
    setting.record()
    live_b = setting.live("b")
    del setting.values["a"]
    setting.collecting = True
    for there, mode in (
        ([theirs("team/blog", project=PROJECT_ID)], Mode.LEAVE),
        ([theirs()], Mode.LEAVE),
        ([], None),
    ):
        found = setting.registered(*there, live_b)
        assert (found["a"].mode if "a" in found else None) is mode
        assert setting.first(*there, live_b).operation is Operation.FORGET


def test_what_is_no_longer_read_is_no_longer_registered(setting: Setting) -> None:
    """The engine forgets what it only reads; registered otherwise, it would make it its own."""
    setting.record_read("a")
    live_b = setting.live("b")
    del setting.values["a"]
    setting.collecting = True
    found = setting.registered(theirs("team/blog", key="x"), live_b)
    assert list(found) == ["b"]


def test_the_same_object_in_another_version_of_its_api_is_no_other_resource(
    setting: Setting,
) -> None:
    scaler = {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"}, "spec": {"x": 1}}
    setting.objects = [{"apiVersion": "autoscaling/v1", **scaler}]
    setting.record()
    live = setting.live("h")
    setting.objects = [{"apiVersion": "autoscaling/v2", **scaler}]
    found = setting.registered(live)["h"]
    (alias,) = options(found).aliases or []
    assert isinstance(alias, pulumi.Alias)
    assert alias.type_ == "kubernetes:autoscaling/v1:HorizontalPodAutoscaler"
    setting.record()
    assert options(setting.registered(live)["h"]).aliases is None


# Beside the engine.


class Server(FakeCluster):
    """A cluster whose objects have a version, and go when they are deleted.

    Attributes:
        orphaned: Whether what hung on the last of them stays.
    """

    orphaned = False

    def read(self, wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
        found = super().read(wanted)
        if found is None or ("delete", wanted["metadata"]["name"], "7") in self.calls:
            return None
        return {**found, "metadata": {**found["metadata"], "resourceVersion": "7"}}

    def delete(self, wanted: Mapping[str, Any], version: str, *, orphans: bool = False) -> None:
        self.calls.append(("delete", wanted["metadata"]["name"], version))
        self.orphaned = orphans


def beside(setting: Setting, *live: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """What is written to the cluster before the engine runs."""
    client = Server(*live)
    found = setting.registered(*live)
    write_beside([*found.values()], {"east": reached("east", client)}, PROJECT_ID)
    return client.calls


def test_what_is_created_or_as_it_was_delivered_is_the_engines_alone(setting: Setting) -> None:
    assert beside(setting) == []
    setting.record()
    assert beside(setting, *setting.all_live()) == []
    setting.values["a"] = "2"
    live = held_by(setting.live(data={"key": "1"}), MANAGER, "data.key", operation="Apply")
    assert beside(setting, live, setting.live("b")) == []


def before_create(
    setting: Setting, live: Mapping[str, Any], now: Mapping[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """What is written right before the engine creates ``a``, where it is another by then."""
    client = Server(live if now is None else now)
    made = resource_options(setting.registered(live)["a"], reached("east", client), 0)
    assert isinstance(made.hooks, pulumi.ResourceHookBinding)
    (hook,) = made.hooks.before_create or []
    assert isinstance(hook, pulumi.ResourceHook)
    assert hook.name == "take kubernetes:core/v1:ConfigMap east/default/a"
    hook.callback(None)  # type: ignore[arg-type]
    return client.calls


def test_what_is_taken_over_is_freed_from_everybody_when_it_is_its_turn(setting: Setting) -> None:
    setting.policy("take-over")
    there = held_by(theirs(key="x"), "kubectl", "data.key")
    assert beside(setting, there) == []
    (applied, name, manager), (merged, _, _) = before_create(setting, there)
    assert (applied, name, manager, merged) == ("apply", "a", "velapulumi", "merge")


def test_what_has_changed_before_its_turn_is_not_taken_over(setting: Setting) -> None:
    setting.policy("take-over")
    there = theirs(key="1")
    more = theirs(key="other")
    with pytest.raises(PlanChanged, match=r"data\.key would change, too"):
        before_create(setting, there, more)
    going = {**there["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    with pytest.raises(ObjectRefused, match="is being deleted since"):
        before_create(setting, there, {**there, "metadata": going})


def test_what_an_interrupted_run_made_otherwise_is_made_anew_when_it_is_its_turn(
    setting: Setting,
) -> None:
    setting.policy("resource-update", strategy={"recreateFields": ["data.key"]})
    setting.store()
    begin(setting, setting.rendered()["a"])
    there = setting.live(data={"key": "0"})
    found = setting.first(there)
    assert (found.operation, found.cause) == (Operation.REPLACE, Cause.INTERRUPTED)
    assert beside(setting, there) == []
    assert before_create(setting, there) == [("delete", "a", "7")]
    for said, stays in (("orphan", True), ("background", False)):
        annotations = {"pulumi.com/deletionPropagationPolicy": said}
        told = {**there, "metadata": {**there["metadata"], "annotations": annotations}}
        client = Server(told)
        take(setting.first(told), told, reached("east", client).client, 1)
        assert (client.calls, client.orphaned) == ([("delete", "a", "7")], stays)
    setting.policies = []
    assert setting.first(there).operation is Operation.TAKE_OVER


def test_exactly_the_named_fields_are_put_back(setting: Setting) -> None:
    setting.record()
    there = held_by(setting.live(data={"key": "theirs", "more": "x"}), "kubectl-edit", "data.key")
    (merged, _, patch), applied = beside(setting, there, setting.live("b"))
    assert (merged, patch["metadata"]["resourceVersion"]) == ("merge", "7")
    assert applied == ("apply", "a", MANAGER, "unforced")


def test_fields_are_taken_from_others_before_the_engine_writes_them(setting: Setting) -> None:
    extra = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    setting.objects = [{**extra, "data": {"x": "1", "y": "1"}}]
    setting.record()
    there = held_by(setting.live("c", data={"x": "5", "y": "1"}), "kubectl-edit", "data.x")
    setting.objects = [{**extra, "data": {"x": "1", "y": "2"}}]
    ((merged, name, patch),) = beside(setting, there, *(setting.live(n) for n in "ab"))
    assert (merged, name) == ("merge", "c")
    managers = [entry["manager"] for entry in patch["metadata"]["managedFields"]]
    assert "kubectl-edit" not in managers


def test_what_is_left_or_read_or_refused_to_be_known_is_not_touched(setting: Setting) -> None:
    setting.record()
    controlled = held_by(setting.live(data={"key": "5"}), "scaler", "data.key", subresource="scale")
    assert beside(setting, controlled, setting.live("b")) == []
    setting.policy("read-only")
    assert beside(setting, held_by(theirs("team/blog"), "kubectl", "data"), setting.live("b")) == []


def test_the_engine_writes_as_the_manager_that_the_stack_has_recorded(setting: Setting) -> None:
    setting.record()
    (held,) = (setting.first(setting.live()).facts.recorded,)
    assert held is not None
    assert manager_of(held) == MANAGER
    rendered = marked(setting.rendered()["a"])
    setting.store(resource("east", rendered, outputs=rendered))
    bare = setting.first(setting.live()).facts.recorded
    assert bare is not None
    assert manager_of(bare) == "pulumi-kubernetes"
