"""What is decided of an object by its fields: what changes, what has drifted, who holds it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.unit.helpers import MANAGER, FakeCluster, marked, reached, resource, with_uid
from tests.unit.setting import SEALED, Setting, held_by, operations, paths, theirs, words
from velapulumi.errors import ClusterUnreachable
from velapulumi.plan.fields import FieldChange
from velapulumi.plan.operation import Cause, Operation
from velapulumi.project import Project
from velapulumi.stage.look import Look
from velapulumi.stage.operations import Decision
from velapulumi.stage.planned import ObjectWriter
from velapulumi.stage.refusals import refusal_of
from velapulumi.stage.situation import Reason

KEY = ("data", "key")


@pytest.fixture
def setting(project: Project) -> Setting:
    return Setting(project)


# Drift.


def test_exactly_what_others_have_changed_is_put_back(setting: Setting) -> None:
    setting.record()
    there = setting.live(data={"key": "theirs", "more": "x"})
    there = held_by(there, MANAGER, "data.key", operation="Apply")
    found = setting.first(held_by(there, "kubectl-edit", "data.key", "data.more"))
    assert (found.operation, found.cause) == (Operation.MEND, None)
    assert (found.taken, found.changes) == ((KEY,), ())
    (drifted,) = found.drift
    assert (drifted.live, drifted.desired, drifted.left) == ("theirs", "1", False)
    assert [manager.name for manager in drifted.managers] == [MANAGER, "kubectl-edit"]


def test_a_field_that_others_have_taken_away_is_put_back(setting: Setting) -> None:
    setting.record()
    (drifted,) = setting.first(setting.live(data={})).drift
    assert (drifted.path, drifted.live, drifted.desired) == (KEY, None, "1")
    metadata = {k: v for k, v in setting.live()["metadata"].items() if k != "labels"}
    found = setting.first(setting.live(metadata=metadata))
    assert found.operation is Operation.MEND
    assert {path[:2] for path in paths(found.drift)} == {("metadata", "labels")}


def test_who_holds_one_of_two_annotations_does_not_keep_the_other_away(setting: Setting) -> None:
    """Found by the laws: the map had nothing of ours left, and a controller held the rest of it."""
    setting.objects = [{**with_data("c", x="1")}]
    setting.objects[0]["metadata"]["annotations"] = {"b": "1"}
    setting.record()
    there = setting.live("c")
    there["metadata"]["annotations"] = {"a": "1"}
    controller = "kube-controller-manager"
    there = held_by(there, controller, "metadata.annotations.a", subresource="scale")
    found = setting.decide(there)["c"]
    assert found.operation is Operation.MEND
    (drifted,) = found.drift
    assert (drifted.path, drifted.left) == (("metadata", "annotations", "b"), False)


def test_what_has_drifted_is_put_back_with_a_change(setting: Setting) -> None:
    setting.values = {"a": "1"}
    setting.objects = [{**with_data("c", x="1", y="1", z="1")}]
    setting.record()
    there = setting.live("c", data={"x": "theirs", "y": "1", "z": "1"})
    setting.objects = [{**with_data("c", x="1", y="2", z="1")}]
    found = setting.decide(there)["c"]
    assert found.operation is Operation.UPDATE
    assert found.changes == (FieldChange(("data", "y"), "1", "2"),)
    assert found.taken == (("data", "x"), ("data", "y"))


def with_data(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


@pytest.mark.parametrize(
    ("manager", "more", "left"),
    [
        ("kubectl-edit", {}, False),
        ("kubectl", {"subresource": "scale"}, False),
        ("kubectl", {"operation": "Apply"}, True),
        ("kube-controller-manager", {"subresource": "scale"}, True),
        ("kube-controller-manager", {}, False),
        ("flux", {"operation": "Apply"}, True),
        (MANAGER, {"operation": "Apply"}, False),
        ("velapulumi", {"operation": "Apply"}, False),
    ],
)
def test_what_a_controller_holds_is_left(
    setting: Setting, manager: str, more: dict[str, Any], left: bool
) -> None:
    setting.record()
    there = held_by(setting.live(data={"key": "theirs"}), manager, "data.key", **more)
    found = setting.first(there)
    assert found.operation is (Operation.LEAVE if left else Operation.MEND)
    assert found.taken == (() if left else (KEY,))
    assert [drifted.left for drifted in found.drift] == [left]


def test_what_is_left_is_not_written_with_a_change_of_something_else(setting: Setting) -> None:
    setting.objects = [with_data("c", x="1", y="1")]
    setting.record()
    there = setting.live("c", data={"x": "5", "y": "1"})
    there = held_by(there, "scaler", "data.x", subresource="scale")
    setting.objects = [with_data("c", x="1", y="2")]
    found = setting.decide(there)["c"]
    assert (found.operation, found.taken) == (Operation.UPDATE, (("data", "y"),))
    assert found.manifest["data"] == {"x": "5", "y": "2"}


def test_what_the_server_has_made_of_the_last_write_is_no_drift(setting: Setting) -> None:
    rendered = marked(setting.rendered()["a"])
    outputs = {**with_uid(rendered), "data": {"key": "admitted"}, "__fieldManager": MANAGER}
    setting.store(resource("east", rendered, outputs=outputs))
    assert setting.first(setting.live(data={"key": "admitted"})).operation is Operation.NONE
    found = setting.first(setting.live(data={"key": "theirs"}))
    assert (found.operation, found.drift[0].desired) == (Operation.MEND, "1")


def test_what_the_engine_has_not_seen_come_up_is_looked_at_once_more(setting: Setting) -> None:
    rendered = marked(setting.rendered()["a"])
    setting.store(resource("east", rendered, initErrors=["no pod got ready"]))
    found = setting.first(setting.live())
    assert (found.operation, found.cause) == (Operation.NONE, Cause.UNREADY)
    assert found.facts.recorded is not None
    assert found.facts.recorded.errors == ("no pod got ready",)
    found = setting.first(setting.live(data={"key": "0"}))
    assert (found.operation, found.changes) == (
        Operation.UPDATE,
        (FieldChange(KEY, "0", "1"),),
    )


# Fields that somebody else holds.


def test_a_new_field_that_somebody_holds_with_another_value_is_refused(setting: Setting) -> None:
    setting.objects = [with_data("c", x="1")]
    setting.record()
    there = setting.live("c", data={"x": "1", "y": "theirs"})
    setting.objects = [with_data("c", x="1", y="ours")]
    held = held_by(there, "kubectl-edit", "data.y", time="2026-01-02T03:04:05Z")
    found = setting.decide(held)["c"]
    assert found.reason is Reason.CONFLICT
    assert words(found) == (
        "ConfigMap default/c on east: data.y is 'theirs' and held by kubectl-edit at "
        "2026-01-02T03:04:05Z; the application wants 'ours'"
    )
    mine = held_by(there, MANAGER, "data.y", operation="Apply")
    assert setting.decide(mine)["c"].operation is Operation.UPDATE
    same = {**held, "data": {"x": "1", "y": "ours"}}
    assert setting.decide(same)["c"].operation is Operation.UPDATE


def test_such_a_field_is_taken_when_that_is_asked_for(setting: Setting) -> None:
    setting.objects = [with_data("c", x="1")]
    setting.record()
    there = setting.live("c", data={"x": "1", "y": "theirs", "z": "theirs"})
    setting.objects = [with_data("c", x="1", y="ours")]
    setting.takes_fields = True
    found = setting.decide(held_by(there, "kubectl-edit", "data.y", "data.z"))["c"]
    assert (found.operation, {*found.taken}) == (Operation.UPDATE, {("data", "y")})


# Fields that never change.


def claim(size: str, kind: str = "fast") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "c"},
        "spec": {"storageClassName": kind, "resources": {"requests": {"storage": size}}},
    }


def test_what_holds_data_is_not_made_anew_without_permission(setting: Setting) -> None:
    setting.objects = [claim("1Gi")]
    setting.record()
    live = setting.live("c")
    setting.objects = [claim("2Gi")]
    assert setting.decide(live)["c"].operation is Operation.UPDATE
    setting.objects = [claim("1Gi", "slow")]
    found = setting.decide(live)["c"]
    assert (found.reason, found.fixed) == (Reason.FIXED, (("spec", "storageClassName"),))
    assert words(found).startswith(
        "PersistentVolumeClaim default/c on east: spec.storageClassName cannot be changed in place"
    )
    recreated = {"recreateFields": ["spec.storageClassName"]}
    setting.policy("resource-update", "c", strategy=recreated)
    found = setting.decide(live)["c"]
    assert (found.operation, found.fixed) == (
        Operation.REPLACE,
        (("spec", "storageClassName"),),
    )
    setting.objects = [{**claim("1Gi", "slow"), "spec": {"volumeName": "v"}}]
    assert setting.decide(live)["c"].reason is Reason.FIXED


def test_what_holds_nothing_is_made_anew(setting: Setting) -> None:
    sealed = {**with_data("c", x="1"), "immutable": True}
    setting.objects = [sealed]
    setting.record()
    live = setting.live("c")
    assert setting.decide(live)["c"].operation is Operation.NONE
    setting.objects = [{**sealed, "data": {"x": "2"}}]
    found = setting.decide(live)["c"]
    assert (found.operation, found.fixed) == (Operation.REPLACE, (("data", "x"),))


# Jobs.


def job(image: str = "i") -> dict[str, Any]:
    containers = [{"name": "c", "image": image}]
    template = {"spec": {"containers": containers, "restartPolicy": "Never"}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j"},
        "spec": {"template": template},
    }


def ended(condition: str, **more: Any) -> dict[str, Any]:
    return {"status": {"conditions": [{"type": condition, "status": "True", **more}]}}


def test_a_job_that_is_done_is_not_run_again(setting: Setting) -> None:
    setting.objects = [job()]
    rendered = marked(setting.rendered()["j"])
    outputs = {**with_uid(rendered), **ended("Complete"), "__fieldManager": MANAGER}
    setting.store(resource("east", rendered, outputs=outputs))
    found = setting.decide()["j"]
    assert (found.operation, found.cause) == (Operation.NONE, Cause.COMPLETED)
    setting.store(resource("east", rendered))
    found = setting.decide()["j"]
    assert (found.operation, found.cause) == (Operation.CREATE, Cause.LOST)
    setting.store(resource("east", rendered, outputs=outputs))
    setting.objects = [job("new")]
    found = setting.decide()["j"]
    assert (found.operation, found.cause) == (Operation.CREATE, Cause.LOST)
    found = setting.decide({**with_uid(rendered), **ended("Complete")})["j"]
    assert found.operation is Operation.REPLACE


def test_a_job_whose_revision_alone_has_changed_is_let_be(setting: Setting) -> None:
    setting.objects = [job()]
    rendered = marked(setting.rendered()["j"])
    outputs = {**with_uid(rendered), **ended("Complete"), "__fieldManager": MANAGER}
    setting.store(resource("east", rendered, outputs=outputs))
    setting.values["a"] = "2"  # another revision, with other labels
    live = {**with_uid(rendered), **ended("Complete")}
    found = setting.decide(live)["j"]
    assert (found.operation, found.cause) == (Operation.UPDATE, Cause.REVISION)
    assert found.fixed == ()
    assert found.manifest["spec"]["template"] == rendered["spec"]["template"]


def test_a_job_that_has_failed_is_not_passed_over(setting: Setting) -> None:
    setting.objects = [job()]
    setting.record()
    failed = ended("Failed", reason="BackoffLimitExceeded", message="too often")
    live = setting.live("j", **failed)
    found = setting.decide(live)["j"]
    assert found.reason is Reason.JOB_FAILED
    assert words(found) == "Job default/j on east has failed: BackoffLimitExceeded: too often"
    setting.objects = [job("new")]
    assert setting.decide(live)["j"].operation is Operation.REPLACE


# Kinds and namespaces.


def test_what_a_cluster_cannot_take_is_refused(setting: Setting) -> None:
    setting.cluster = reached("east", FakeCluster(lacking=("default",)))
    assert {each.reason for each in setting.decide().values()} == {Reason.NO_NAMESPACE}
    setting.cluster = reached("east", FakeCluster(lacking=("ConfigMap",)))
    found = setting.first()
    assert found.reason is Reason.NO_KIND
    assert words(found) == (
        "ConfigMap default/a on east: the cluster serves no kind ConfigMap in v1, and no "
        "CustomResourceDefinition of this delivery brings it"
    )


def test_what_the_delivery_brings_itself_is_not_missed(setting: Setting) -> None:
    setting.values = {}
    team = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    names = {"kind": "Shop", "plural": "shops"}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "shops.example.org"},
        "spec": {"group": "example.org", "names": names, "scope": "Namespaced"},
    }
    metadata = {"name": "s", "namespace": "team"}
    shop = {"apiVersion": "example.org/v1", "kind": "Shop", "metadata": metadata}
    setting.cluster = reached("east", FakeCluster(lacking=("team", "Shop")))
    setting.objects = [shop]
    assert operations(setting.decide()) == {"s": "refuse"}
    for brought in ([team], [definition]):
        setting.objects = [shop, *brought]
        assert setting.decide()["s"].operation is (
            Operation.CREATE if brought == [definition] else Operation.REFUSE
        )
    setting.objects = [shop, team, definition]
    assert set(operations(setting.decide()).values()) == {"create"}


# Secrets.


@pytest.mark.parametrize("known", [False, True], ids=["unknown", "gone"])
def test_what_is_on_a_silent_cluster_is_owed_and_nothing_is_said_of_it(
    setting: Setting, known: bool
) -> None:
    gone = ClusterUnreachable("gone")
    setting.kind = "Secret"
    setting.values = {"a": "aHVudGVyMQ=="}
    setting.record(a={"data": SEALED})
    setting.cluster = reached("east", FakeCluster(error=gone)) if known else gone
    for value in ("aHVudGVyMQ==", "aHVudGVyMg=="):
        setting.values = {"a": value}
        found = setting.first()
        assert (found.operation, found.facts.live.detail) == (Operation.OWED, "gone")
        assert shows_nothing(told(setting, found))


def told(setting: Setting, found: Decision) -> str:
    """All that is shown of a decision, its plan and its refusal."""
    writer = ObjectWriter(setting.project, Look(setting.project, {"east": UNASKED}))
    (cluster,) = writer.clusters(["east"], [found])
    return cluster.model_dump_json() + str(refusal_of(found))


UNASKED = ClusterUnreachable("nobody asks")
VALUES = {
    "old": "aHVudGVyMQ==",
    "new": "aHVudGVyMg==",
    "text": "hunter1",
    "more": "hunter2",
    "theirs": "eA==",
}


def shows_nothing(text: str) -> bool:
    return not any(f'"{value}"' in text or f"'{value}'" in text for value in VALUES.values())


def test_what_is_sealed_in_the_stack_is_compared_with_the_cluster_and_never_shown(
    setting: Setting,
) -> None:
    setting.kind = "Secret"
    setting.values = {"a": "aHVudGVyMQ=="}
    setting.record(a={"data": SEALED})
    live = setting.live()
    assert setting.first(live).operation is Operation.NONE
    changed = held_by({**live, "data": {"key": "aHVudGVyMg=="}}, "kubectl-edit", "data.key")
    for there, operation in (
        (changed, Operation.MEND),
        ({**live, "data": {}}, Operation.UPDATE),  # nobody holds what is not there
    ):
        found = setting.first(there)
        assert found.operation is operation
        assert found.taken in ((KEY,), (("data",),))
        assert shows_nothing(told(setting, found))
    gone = setting.first()
    assert (gone.operation, gone.cause) == (Operation.CREATE, Cause.LOST)
    assert shows_nothing(told(setting, gone))


def test_what_a_secret_gets_is_never_shown(setting: Setting) -> None:
    setting.kind = "Secret"
    setting.values = {"a": "aHVudGVyMQ=="}
    setting.record(a={"data": SEALED})
    live = setting.live()
    setting.values = {"a": "aHVudGVyMg=="}
    found = setting.first(live)
    assert found.operation is Operation.UPDATE
    assert paths(found.changes) == [KEY]
    assert shows_nothing(told(setting, found))
    foreign = setting.first({**theirs(key="eA=="), "kind": "Secret"})
    assert foreign.operation is Operation.REFUSE
    assert shows_nothing(told(setting, foreign))
    setting.store()
    setting.policy("take-over")
    taken = setting.first({**theirs(key="eA=="), "kind": "Secret"})
    assert taken.operation is Operation.TAKE_OVER
    assert shows_nothing(told(setting, taken))


def test_what_somebody_holds_of_a_secret_is_never_shown(setting: Setting) -> None:
    setting.kind = "Secret"
    setting.values = {"a": "aHVudGVyMQ=="}
    setting.record(a={"data": SEALED})
    live = held_by(setting.live(data={"key": "eA=="}), "kubectl-edit", "data.key")
    assert shows_nothing(told(setting, setting.first(live)))
    setting.values = {"a": "aHVudGVyMg=="}
    for takes_fields in (False, True):
        setting.takes_fields = takes_fields
        found = setting.first(live)
        assert (found.operation, found.conflicts) == (Operation.UPDATE, ())
        assert {*found.taken} == {KEY}
        assert (found.changes, paths(found.drift)) == ((), [KEY])
        assert shows_nothing(told(setting, found))


def test_texts_and_bytes_of_a_secret_are_the_same(setting: Setting) -> None:
    setting.kind = "Secret"
    setting.values = {}
    words = {"key": "hunter1"}
    metadata = {"name": "a"}
    setting.objects = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": words}
    ]
    setting.record(a={"stringData": SEALED})
    data = {"key": base64.b64encode(b"hunter1").decode()}
    live = {key: value for key, value in setting.live().items() if key != "stringData"}
    assert setting.first({**live, "data": data}).operation is Operation.NONE
    there = {**live, "data": {"key": "eA=="}}
    found = setting.first(held_by(there, "kubectl-edit", "data.key"))
    assert (found.operation, found.taken) == (Operation.MEND, (KEY,))
    # What the engine itself has set is another value because the application says so: a component
    # with inputs keeps its revision when they get other values.
    found = setting.first(held_by(there, MANAGER, "data.key", operation="Apply"))
    assert (found.operation, found.drift) == (Operation.UPDATE, ())
