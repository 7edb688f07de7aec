"""What is decided where a server has added to an object, or has already what is wanted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.helpers import MANAGER, marked, resource, with_uid
from tests.unit.setting import Setting, held_by, paths
from velapulumi.definitions.rules.fieldpath import MISSING, Parts, value_at, with_value_at
from velapulumi.plan.operation import Cause, Operation
from velapulumi.project import Project


@pytest.fixture
def setting(project: Project) -> Setting:
    return Setting(project)


def test_what_was_left_once_stays_left(setting: Setting) -> None:
    """The stack has the live value of what it leaves, and the next plan is empty."""
    setting.policies.append(("apply-once", {"enable": True}))
    setting.record("a")
    live = held_by(setting.live(data={"key": "theirs"}), "kubectl-patch", "data.key")
    assert setting.first(live).operation is Operation.LEAVE
    setting.record("a", a={"data": {"key": "theirs"}})
    again = setting.first(live)
    assert (again.operation, again.changes) == (Operation.LEAVE, ())
    assert [(each.live, each.left) for each in again.drift] == [("theirs", True)]


def statefulset(**spec: Any) -> dict[str, Any]:
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    return {
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "a"},
        "spec": {"selector": {}, "serviceName": "a", "volumeClaimTemplates": [claim], **spec},
    }  # fmt: skip


def test_what_a_server_adds_to_claim_templates_is_no_change(setting: Setting) -> None:
    """A StatefulSet that did not get ready is compared with the live one."""
    setting.values, setting.objects = {}, [statefulset()]
    made = marked(setting.rendered()["a"])
    live = with_uid(made)
    (claim,) = made["spec"]["volumeClaimTemplates"]
    added = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "status": {"phase": "Pending"}}
    live["spec"] = {**made["spec"], "volumeClaimTemplates": [{**claim, **added}]}
    live = held_by(live, MANAGER, "spec.volumeClaimTemplates", operation="Apply")
    setting.store(resource("east", made, initErrors=["no pod got ready"], outputs=live))
    found = setting.first(live)
    assert (found.operation, found.cause, found.changes) == (Operation.NONE, Cause.UNREADY, ())
    other = {**claim, **added, "spec": {"accessModes": ["ReadWriteMany"]}}
    changed = {**live, "spec": {**made["spec"], "volumeClaimTemplates": [other]}}
    assert setting.first(changed).operation is Operation.REFUSE


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Secret", ("type",), "Opaque"),
        ("PersistentVolumeClaim", ("spec", "volumeMode"), "Filesystem"),
        ("Service", ("spec", "clusterIP"), "10.0.0.7"),
    ],
)
def test_a_fixed_field_that_is_as_wanted_already_is_no_change(
    setting: Setting, kind: str, path: Parts, value: str
) -> None:
    """The engine is not told of it, as it would create the object again."""
    plain = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}, "spec": {"x": 1}}
    setting.values, setting.objects = {}, [plain]
    made = marked(setting.rendered()["a"])
    live = with_value_at(path, with_uid(made), value)
    setting.store(resource("east", made, outputs=live))
    setting.objects = [with_value_at(path, plain, value)]
    found = setting.first(live)
    assert found.operation is Operation.UPDATE
    assert path not in paths(found.changes)
    assert value_at(path, found.manifest) is MISSING
    setting.objects = [with_value_at(path, plain, "other")]
    assert setting.first(live).operation in (Operation.REFUSE, Operation.REPLACE)


def test_an_emptied_list_is_written_though_others_have_changed_it(setting: Setting) -> None:
    def role(*rules: dict[str, Any]) -> dict[str, Any]:
        return {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "a"}, "rules": list(rules),
        }  # fmt: skip

    ours, theirs = ({"verbs": [verb], "resources": ["pods"], "apiGroups": [""]} for verb in "gl")
    setting.values, setting.objects = {}, [role(ours)]
    made = marked(setting.rendered()["a"])
    live = with_uid({**made, "rules": [ours, theirs]})
    live = held_by(live, "kubectl-patch", "rules")
    setting.store(resource("east", made, outputs=with_uid(made)))
    setting.objects = [role()]
    found = setting.first(live)
    assert found.operation is Operation.UPDATE
    assert [(c.path, c.after) for c in found.changes] == [(("rules",), [])]
    assert ("rules",) in found.taken


def test_labels_of_revisions_that_others_hold_are_taken(setting: Setting) -> None:
    """As after a restore from a copy: whoever has made the object again holds all of it."""
    setting.record("a")
    live = setting.live()
    labels = ("app.oam.dev/appRevision", "app.oam.dev/revision")
    held = {"f:metadata": {"f:labels": {f"f:{name}": {} for name in labels}}}
    entry = {"manager": "kubectl-create", "operation": "Update", "fieldsV1": held}
    live["metadata"]["managedFields"] = [entry]
    setting.values["a"] = "2"
    assert {place[-1] for place in setting.first(live).taken} == {"key", *labels}


def test_what_the_cluster_has_as_wanted_already_is_said(setting: Setting) -> None:
    """The stack does not know what others have set, and what it names changes all the same."""
    setting.record("a")
    setting.values["a"] = "2"
    done = setting.first(held_by(setting.live(data={"key": "2"}), "kubectl-edit", "data.key"))
    assert (done.operation, paths(done.changes)) == (Operation.UPDATE, [("data", "key")])
    assert paths(done.done) == [("data", "key")]
    assert setting.first(setting.live(data={"key": "1"})).done == ()
    assert setting.first().done == ()
