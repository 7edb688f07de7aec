"""What is decided of an object: by its owner, by the policies, by what is there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.helpers import (
    PROJECT_ID,
    FakeCluster,
    manifest,
    marked,
    reached,
    resource,
    with_uid,
)
from tests.unit.setting import Setting, begin, operations, paths, theirs, words
from velapulumi.errors import (
    AccessDenied,
    ClusterUnreachable,
    NotSupported,
    ObjectMissing,
    ObjectNotOurs,
    VelapulumiError,
)
from velapulumi.plan.fields import FieldChange
from velapulumi.plan.operation import Cause, Operation
from velapulumi.project import Project
from velapulumi.stage.refusals import refuse
from velapulumi.stage.release import released
from velapulumi.stage.situation import Owner, Reason
from velapulumi.stage.taking import owed

OTHER_PROJECT = "ffeeddccbbaa9988"
ENGINE = "pulumi-kubernetes-1a2b"


@pytest.fixture
def setting(project: Project) -> Setting:
    return Setting(project)


def refused(setting: Setting, *live: Any) -> VelapulumiError:
    with pytest.raises(VelapulumiError) as caught:
        refuse([*setting.decide(*live).values()])
    return caught.value


def test_without_policies_what_is_not_there_is_created(setting: Setting) -> None:
    found = setting.decide()
    assert operations(found) == {"a": "create", "b": "create"}
    assert {each.cause for each in found.values()} == {None}
    assert [(each.changes, each.drift, each.taken) for each in found.values()] == [((), (), ())] * 2
    assert found["a"].manifest == setting.rendered()["a"]


def test_what_is_as_it_was_delivered_is_let_be(setting: Setting) -> None:
    setting.record()
    found = setting.decide(*setting.all_live())
    assert operations(found) == {"a": "none", "b": "none"}
    assert {each.cause for each in found.values()} == {None}


def test_what_others_have_deleted_is_created_again(setting: Setting) -> None:
    setting.record()
    found = setting.decide(setting.live("b"))
    assert (found["a"].operation, found["a"].cause) == (Operation.CREATE, Cause.LOST)
    assert found["b"].operation is Operation.NONE


def test_a_change_names_its_fields(setting: Setting) -> None:
    setting.record()
    live = setting.all_live()
    setting.values["a"] = "2"
    found = setting.decide(*live)
    assert operations(found) == {"a": "update", "b": "update"}
    assert found["a"].changes == (FieldChange(("data", "key"), "1", "2"),)
    assert (found["a"].cause, found["a"].drift) == (None, ())
    assert found["a"].taken == (("data", "key"),)
    assert (found["b"].cause, found["b"].changes) == (Cause.REVISION, ())


def test_labels_of_a_revision_alone_are_told_apart(setting: Setting) -> None:
    labels = setting.live()["metadata"]["labels"]
    old = {**labels, "app.oam.dev/appRevision": "shop-v0", "app.oam.dev/revision": "main-v0"}
    metadata = {**setting.live()["metadata"], "labels": old}
    setting.record(a={"metadata": metadata})
    live = [setting.live(metadata=metadata), setting.live("b")]
    found = setting.decide(*live)
    assert (found["a"].operation, found["a"].cause) == (Operation.UPDATE, Cause.REVISION)
    assert found["a"].changes == ()
    assert found["b"].operation is Operation.NONE
    setting.values["a"] = "2"
    found = setting.decide(*live)
    assert found["a"].cause is None
    assert paths(found["a"].changes) == [("data", "key")]


def test_another_label_is_a_change_of_its_own(setting: Setting) -> None:
    metadata = setting.live()["metadata"]
    labels = {name: text for name, text in metadata["labels"].items() if "component" not in name}
    setting.record(a={"metadata": {**metadata, "labels": labels}})
    found = setting.first(*setting.all_live())
    assert found.cause is None
    assert paths(found.changes) == [("metadata", "labels", "app.oam.dev/component")]


def test_empty_maps_are_none(setting: Setting) -> None:
    empty = {**setting.rendered()["a"]["metadata"], "annotations": {}}
    setting.record(a={"metadata": empty, "binaryData": {}})
    assert setting.first(*setting.all_live()).operation is Operation.NONE


def test_what_was_marked_by_no_project_is_ours_where_the_stack_holds_it(setting: Setting) -> None:
    """Objects of an earlier version get their mark with the next write, not for its own sake."""
    rendered = setting.rendered()
    setting.store(*(resource("east", each) for each in rendered.values()))
    found = setting.first(*rendered.values())
    assert (found.owner, found.operation) == (Owner.OURS, Operation.NONE)
    bare = {**rendered["a"], "metadata": {"name": "a", "namespace": "default"}}
    taken_off = setting.first({**bare, "metadata": {**bare["metadata"], "uid": "ConfigMap-a"}})
    assert (taken_off.owner, taken_off.operation) == (Owner.NOBODY, Operation.MEND)
    another = setting.first({**bare, "metadata": {**bare["metadata"], "uid": "another"}})
    assert (another.owner, another.reason) == (Owner.NOBODY, Reason.NOT_OURS)
    setting.policy("take-over")
    another = setting.first({**bare, "metadata": {**bare["metadata"], "uid": "another"}})
    assert another.operation is Operation.TAKE_OVER


def test_what_others_have_made_anew_as_it_was_is_let_be(setting: Setting) -> None:
    setting.record()
    again = setting.live()
    again["metadata"]["uid"] = "another"
    assert setting.first(again).operation is Operation.NONE


# Owners.


def test_what_nobody_owns_is_taken_over_by_permission(setting: Setting) -> None:
    there = theirs(key="x", more="y")
    error = refused(setting, there)
    assert isinstance(error, ObjectNotOurs)
    assert (error.code, error.exit_code) == ("VP204", 1)
    assert error.message == (
        "ConfigMap default/a exists on east but not managed by any application now"
    )
    setting.policy("take-over")
    found = setting.first(there)
    assert (found.operation, found.cause) == (Operation.TAKE_OVER, None)
    assert FieldChange(("data", "key"), "x", "1") in found.changes
    assert ("data", "more") not in paths(found.changes)


@pytest.mark.parametrize(
    ("owner", "mark", "message"),
    [
        ("team/blog", PROJECT_ID, "by other application team/blog"),
        ("team/blog", OTHER_PROJECT, "by other application team/blog of another project"),
        ("team/blog", "", "by other application team/blog of another project"),
        ("default/shop", OTHER_PROJECT, "by other application default/shop of another project"),
        ("other/shop", PROJECT_ID, "by other application other/shop"),
    ],
)
def test_what_somebody_else_owns_is_refused_without_permission(
    setting: Setting, owner: str, mark: str, message: str
) -> None:
    setting.store()
    there = theirs(owner, project=mark)
    error = refused(setting, there)
    assert isinstance(error, ObjectNotOurs)
    assert error.message == f"existing object ConfigMap default/a on east is managed {message}"
    setting.record()
    error = refused(setting, there)
    assert error.message.startswith("ConfigMap default/a on east was taken over by application ")
    assert setting.first(there).reason is Reason.TAKEN
    setting.policy("take-over")
    assert setting.first(there).operation is Operation.TAKE_OVER
    setting.store()
    assert setting.first(there).operation is Operation.TAKE_OVER


def test_a_project_without_stacks_may_have_delivered_the_object(setting: Setting) -> None:
    """Its backend may be lost, or another one be in use; nothing says who the project is."""
    error = refused(setting, theirs("default/shop", project=OTHER_PROJECT))
    assert error.message.endswith("by other application default/shop of another project")
    assert "use the backend that has its stacks" in error.next_step
    other = refused(setting, theirs("team/blog", project=OTHER_PROJECT))
    assert "backend" not in other.next_step
    setting.store()
    known = refused(setting, theirs("default/shop", project=OTHER_PROJECT))
    assert "backend" not in known.next_step


def test_the_mark_alone_does_not_make_an_object_ours(setting: Setting) -> None:
    setting.store()
    there = setting.live()
    found = setting.first(there)
    assert (found.owner, found.reason) == (Owner.OURS, Reason.UNHELD)
    assert "no stack of this backend holds it" in words(found)
    del there["metadata"]["labels"]["velapulumi.dev/project"]
    found = setting.first(there)
    assert (found.owner, found.reason) == (Owner.FOREIGN, Reason.NOT_OURS)


def test_what_a_killed_run_has_made_is_gone_on_with(setting: Setting) -> None:
    setting.store()
    begin(setting, setting.rendered()["a"])
    found = setting.first(setting.live())
    assert (found.operation, found.cause) == (Operation.TAKE_OVER, Cause.INTERRUPTED)
    unmarked = setting.first(setting.rendered()["a"])
    assert (unmarked.owner, unmarked.reason) == (Owner.FOREIGN, Reason.NOT_OURS)
    assert setting.first(theirs("team/blog")).reason is Reason.NOT_OURS
    assert setting.decide(setting.live("b"))["b"].reason is Reason.UNHELD


def test_what_a_killed_run_has_made_and_nobody_wants_any_more_goes(setting: Setting) -> None:
    """As when the file is put back, or the application is rolled back or deleted."""
    there, made = setting.live("b"), setting.rendered()["b"]
    del setting.values["b"]
    setting.record()
    begin(setting, made)
    found = setting.decide(setting.live(), there)
    assert (found["b"].operation, found["b"].cause) == (Operation.DELETE, Cause.INTERRUPTED)
    assert [each.key.name for each in released(found.values())] == ["b"]
    # Where nobody can tell whether it is there, it stays known.
    setting.cluster = ClusterUnreachable("gone")
    left = setting.decide()["b"]
    assert (left.operation, owed([left], None, ())) == (Operation.OWED, {left.key})
    assert left.facts.object == made
    setting.cluster = reached("east", FakeCluster(error=AccessDenied("not permitted")))
    assert setting.decide()["b"].reason is Reason.FORBIDDEN
    setting.cluster = None
    # It is not there, or somebody else's by now.
    assert "b" not in setting.decide(setting.live())
    del there["metadata"]["labels"]
    assert "b" not in setting.decide(setting.live(), there)


def test_what_a_killed_run_has_taken_over_is_given_back(setting: Setting) -> None:
    there, made = setting.live("b"), setting.rendered()["b"]
    before = {k: made[k] for k in ("apiVersion", "kind")} | {"data": {"key": "theirs"}}
    before["metadata"] = {"name": "b", "namespace": "default"}
    note = json.dumps({"revision": "shop-v9", "before": before})
    there["metadata"]["annotations"] = {"velapulumi.dev/taken-over": note}
    del setting.values["b"]
    setting.record()
    begin(setting, made)
    found = setting.decide(setting.live(), there)["b"]
    assert (found.operation, found.cause) == (Operation.DISOWN, Cause.RESTORED)
    assert FieldChange(("data", "key"), "1", "theirs") in found.changes
    # The engine, which ends by itself, says nothing of it; that the stack had read it before does.
    reads = {**resource("east", {}), "external": True, "outputs": before}
    setting.store(resource("east", marked(setting.rendered()["a"])), reads | {"urn": "b%theirs"})
    assert setting.decide(setting.live(), there)["b"].cause is Cause.RESTORED
    assert "b" not in setting.decide(setting.live(), with_uid(before))
    for said in ("", note.replace("shop-v9", "shop-v1")):
        there["metadata"]["annotations"] = {"velapulumi.dev/taken-over": said}
        found = setting.decide(setting.live(), there)["b"]
        cause = Cause.RESTORED if said else Cause.UNKNOWN
        assert (found.operation, found.cause) == (Operation.DISOWN, cause)
    del there["metadata"]["annotations"]
    assert setting.decide(setting.live(), there)["b"].cause is Cause.UNKNOWN


# Policies.


def test_what_is_read_only_is_read_and_nothing_else(setting: Setting) -> None:
    setting.policy("read-only")
    error = refused(setting)
    assert isinstance(error, ObjectMissing)
    assert error.message.startswith(
        "ConfigMap (a) is marked as read-only but does not exist on east. You should check"
    )
    assert (error.code, error.exit_code) == ("VP205", 1)
    for there in (theirs("team/blog", key="x"), theirs(), theirs("team/blog", project="00" * 8)):
        assert setting.first(there).operation is Operation.READ
    setting.record_read("a")
    assert setting.first(theirs("team/blog")).operation is Operation.READ
    setting.record()
    assert setting.first(theirs("team/blog")).operation is Operation.READ


def test_what_another_application_shares_is_joined(setting: Setting) -> None:
    setting.policy("shared-resource")
    setting.store()
    mine = setting.first()
    assert mine.operation is Operation.CREATE
    assert mine.manifest["metadata"]["annotations"] == {"app.oam.dev/shared-by": "default/shop"}

    sole = theirs("team/blog", project=PROJECT_ID)
    assert "controlled by team/blog but is not sharable" in refused(setting, sole).message
    assert "not managed by any application now" in refused(setting, theirs()).message
    far = theirs("team/blog", "team/blog", OTHER_PROJECT)
    assert setting.first(far).reason is Reason.NOT_OURS
    for project in (PROJECT_ID, ""):
        shared = theirs("team/blog", "team/blog", project)
        assert setting.first(shared).operation is Operation.SHARE

    setting.record_read("a")
    both = "team/blog,default/shop"
    assert setting.first(theirs("team/blog", both)).operation is Operation.READ

    inherited = setting.first(theirs("default/shop", "default/shop,team/blog"))
    assert (inherited.operation, inherited.cause) == (Operation.TAKE_OVER, Cause.OTHERS)
    assert inherited.manifest["metadata"]["annotations"] == {
        "app.oam.dev/shared-by": "default/shop,team/blog"
    }
    setting.record()
    handed_over = setting.first(theirs("team/blog", both))
    assert handed_over.operation is Operation.SHARE


def test_live_values_are_kept_and_are_no_change(setting: Setting) -> None:
    setting.once("data.key", "data.more")
    assert setting.first().manifest["data"] == {"key": "1"}
    setting.record(a={"data": {"key": "live", "more": "x"}})
    there = setting.live(data={"key": "2"})
    found = setting.first(there)
    assert (found.operation, found.taken, found.changes) == (Operation.LEAVE, (), ())
    assert [(each.path, each.live, each.left) for each in found.drift] == [
        (("data", "key"), "2", True)
    ]
    assert found.manifest["data"] == {"key": "2"}
    setting.values["b"] = "2"
    decided = setting.decide(there, setting.live("b", data={"key": "1"}))
    assert (decided["a"].cause, decided["a"].changes) == (Cause.REVISION, ())
    assert decided["a"].manifest["data"] == {"key": "2"}
    assert paths(decided["b"].changes) == [("data", "key")]


def test_values_below_a_path_that_is_kept_are_kept(setting: Setting) -> None:
    setting.once("data")
    setting.record()
    there = setting.live(data={"key": "2", "more": "x"})
    found = setting.first(there)
    assert (found.operation, found.changes, found.taken) == (Operation.LEAVE, (), ())
    assert all(each.left for each in found.drift)
    assert found.manifest["data"] == {"key": "2", "more": "x"}


def test_a_whole_object_is_left_once_it_is_there(setting: Setting) -> None:
    setting.once("*")
    assert setting.first().operation is Operation.CREATE
    setting.record(a={"data": {"key": "0"}})
    there = setting.live(data={"key": "0", "more": "x"})
    live_b = setting.live("b")
    left = setting.first(there)
    assert left.operation is Operation.LEAVE
    assert (left.changes, left.taken) == ((), ())
    setting.values["a"] = "2"
    assert operations(setting.decide(there, live_b)) == {"a": "leave", "b": "update"}


@pytest.mark.parametrize("mends", [True, False])
def test_what_others_delete_or_change_is_put_back_unless_a_policy_leaves_it(
    setting: Setting, mends: bool
) -> None:
    if not mends:
        setting.policies.append(("apply-once", {"enable": True}))
    setting.record()
    gone = setting.first()
    drifted = setting.first(setting.live(data={"key": "theirs"}))
    if mends:
        assert (gone.operation, gone.cause) == (Operation.CREATE, Cause.LOST)
        assert (drifted.operation, drifted.taken) == (Operation.MEND, (("data", "key"),))
    else:
        assert (gone.operation, gone.cause) == (Operation.LEAVE, Cause.ABSENT)
        assert (drifted.operation, drifted.taken) == (Operation.LEAVE, ())
    (field,) = drifted.drift
    assert (field.path, field.live, field.desired) == (("data", "key"), "theirs", "1")
    assert field.left is not mends


def test_two_policies_that_contradict_each_other_are_refused(setting: Setting) -> None:
    setting.policy("resource-update", strategy={"recreateFields": ["data.key"]})
    for kind, strategy in (("shared-resource", {}), ("garbage-collect", {"strategy": "never"})):
        setting.policies = setting.policies[:1]
        setting.policy(kind, **strategy)
        for cluster in (None, ClusterUnreachable("gone")):
            setting.cluster = cluster
            error = refused(setting)
            assert isinstance(error, NotSupported)
            assert error.message.startswith("ConfigMap default/a: resource-update wants")


def test_a_field_that_a_policy_names_makes_an_object_anew(setting: Setting) -> None:
    setting.policy("resource-update", strategy={"recreateFields": ["data.key", "data['a.b'][0]"]})
    setting.record()
    live = setting.all_live()
    assert setting.first(*live).operation is Operation.NONE
    setting.values["a"] = "2"
    found = setting.first(*live)
    assert (found.operation, found.fixed) == (Operation.REPLACE, (("data", "key"),))


# What the stage does not deliver any more.


def test_what_is_only_read_is_no_change_and_may_vanish(setting: Setting) -> None:
    setting.policy("shared-resource")
    setting.record_read("a")
    shared = theirs("team/blog", "team/blog,default/shop")
    assert operations(setting.decide(shared, setting.live("b"))) == {"a": "read", "b": "none"}
    live_b = setting.live("b")
    del setting.values["a"]
    assert operations(setting.decide(shared, live_b)) == {"a": "read", "b": "update"}
    found = setting.first(live_b)
    assert (found.operation, found.cause) == (Operation.FORGET, Cause.UNREAD)
    setting.collecting = True
    assert setting.first(shared, live_b).operation is Operation.DISOWN
    assert setting.first(theirs("team/blog", "team/blog"), live_b).operation is Operation.FORGET


def test_nothing_goes_before_the_workflow_has_succeeded(setting: Setting) -> None:
    setting.record()
    live = setting.all_live()
    del setting.values["a"]
    assert setting.first(*live).operation is Operation.KEEP
    setting.collecting = True
    assert operations(setting.decide(*live)) == {"a": "delete", "b": "update"}


@pytest.mark.parametrize(
    ("there", "operation", "cause"),
    [
        (None, "forget", None),
        (theirs("team/blog", project=PROJECT_ID), "forget", Cause.OTHERS),
        (theirs("default/shop", project=OTHER_PROJECT), "forget", Cause.OTHERS),
        (theirs(), "forget", Cause.OTHERS),
        (theirs("team/blog", "team/blog,default/shop"), "disown", Cause.OTHERS),
        (theirs("default/shop", "default/shop,team/blog"), "disown", Cause.OTHERS),
        (theirs("default/shop", "default/shop"), "delete", None),
        (theirs("default/shop"), "delete", None),
    ],
)
def test_what_becomes_of_what_is_not_wanted_any_more(
    setting: Setting, there: Any, operation: str, cause: Cause | None
) -> None:
    setting.record()
    del setting.values["a"]
    setting.collecting = True
    found = setting.first(*([there] if there else []))
    assert (found.operation, found.cause) == (operation, cause)


def test_what_stays_in_the_cluster_is_not_called_deleted(setting: Setting) -> None:
    left = {"leftBehind": ["east v1 ConfigMap default/a"]}
    rendered = setting.rendered()
    setting.store(*(resource("east", each) for each in rendered.values()), **left)
    live = setting.all_live()
    setting.values = {"c": "1"}
    setting.collecting = True
    assert operations(setting.decide(*live)) == {"c": "create", "a": "disown", "b": "delete"}


def test_what_a_rule_keeps_stays_whatever_is_delivered(setting: Setting) -> None:
    setting.policy("garbage-collect", strategy="onAppDelete")
    setting.record()
    live = setting.all_live()
    del setting.values["a"]
    setting.collecting = True
    assert setting.first(*live).operation is Operation.KEEP


def test_a_namespace_goes_only_with_what_is_deleted_anyway(setting: Setting) -> None:
    team = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    setting.objects = [team]
    made, live = marked(setting.rendered()["team"]), setting.live("team")
    setting.objects = []
    setting.collecting = True
    goes, stays = manifest("web"), manifest("other")
    theirs_too = manifest("job", metadata={"name": "job"})
    setting.store(resource("east", made), resource("east", goes))
    for contents, said in (
        ([], ""),
        ([goes], ""),
        ([goes, stays], "1 Deployment of this application"),
        ([goes, theirs_too], "1 Deployment of nobody"),
    ):
        setting.cluster = reached("east", FakeCluster(live, goes, contents=contents))
        found = setting.decide()["team"]
        assert found.operation is (Operation.REFUSE if said else Operation.DELETE)
        if said:
            assert words(found) == f"Namespace team on east cannot be deleted: it holds {said}"
