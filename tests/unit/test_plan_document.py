"""The plan document: its name, what of it makes an approval stale, what kind of change it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from velapulumi.definitions.rules.fieldpath import Parts
from velapulumi.errors import InvalidFile
from velapulumi.plan.approved import differences
from velapulumi.plan.canonical import canonical, digest
from velapulumi.plan.document import (
    Base,
    ClusterPlan,
    PlanDocument,
    PlannedField,
    PlannedObject,
    StagePlan,
    Tools,
    read_plan,
)
from velapulumi.plan.fields import FieldChange
from velapulumi.plan.fixed import fixed_fields, losses
from velapulumi.plan.operation import Operation

D1, D2, D3 = (letter * 64 for letter in "abc")


def an_object(**changes: Any) -> PlannedObject:
    fields: dict[str, Any] = {
        "api_version": "apps/v1",
        "kind": "Deployment",
        "namespace": "default",
        "name": "web",
        "operation": Operation.UPDATE,
        "desired": D1,
        "base": Base(live=D2, recorded=D3),
        "fields": (PlannedField(path=("spec", "replicas"), before=1, after=3),),
        "images": ("web:1",),
    }
    return PlannedObject(**fields | changes)


def a_cluster(*objects: PlannedObject, **changes: Any) -> ClusterPlan:
    fields: dict[str, Any] = {"cluster": "east", "uid": "u-1", "ca": D1, "objects": objects}
    return ClusterPlan(**fields | changes)


def a_stage(*clusters: ClusterPlan, **changes: Any) -> StagePlan:
    fields: dict[str, Any] = {
        "stage": "prod",
        "steps": ("deploy-prod",),
        "before": "shop-v1:0123456789abcdef",
        "clusters": clusters,
    }
    return StagePlan(**fields | changes)


def a_plan(*stages: StagePlan, **changes: Any) -> PlanDocument:
    fields: dict[str, Any] = {
        "application": "shop",
        "namespace": "default",
        "revision": "shop-v2:fedcba9876543210",
        "tools": Tools(velapulumi="1", engine="2", provider="3"),
        "trust": D2,
        "key": "k1",
        "stages": stages,
    }
    return PlanDocument(**fields | changes)


GOES = an_object(kind="ConfigMap", name="old", operation=Operation.DELETE, desired="", fields=())
PLAN = a_plan(a_stage(a_cluster(an_object(), GOES)))


def with_object(**changes: Any) -> PlanDocument:
    return a_plan(a_stage(a_cluster(an_object(**changes), GOES)))


TOOLS = {"velapulumi": "1", "engine": "2", "provider": "3"}

MUTATIONS = {
    "revision": (
        a_plan(*PLAN.stages, revision="shop-v3:0000000000000000"),
        "the revision: approved was shop-v2:fedcba9876543210, now it is shop-v3:0000000000000000",
    ),
    "application": (
        a_plan(*PLAN.stages, application="other"),
        "the application: approved was shop, now it is other",
    ),
    "namespace": (
        a_plan(*PLAN.stages, namespace="other"),
        "the application's namespace: approved was default, now it is other",
    ),
    "trust": (
        a_plan(*PLAN.stages, trust=D3),
        "the gate policy or the signers in force: approved was bbbbbbbbbbbb…, "
        "now it is cccccccccccc…",
    ),
    "tool": (
        a_plan(*PLAN.stages, tools=Tools(**TOOLS | {"velapulumi": "9"})),
        "the version of velapulumi: approved was 1, now it is 9",
    ),
    "engine": (
        a_plan(*PLAN.stages, tools=Tools(**TOOLS | {"engine": "9"})),
        "the version of engine: approved was 2, now it is 9",
    ),
    "provider": (
        a_plan(*PLAN.stages, tools=Tools(**TOOLS | {"provider": "9"})),
        "the version of provider: approved was 3, now it is 9",
    ),
    "key": (
        a_plan(*PLAN.stages, key="k2"),
        "secret values are hidden with another key, so they cannot be compared",
    ),
    "stage": (a_plan(), "stage prod is not part of what was approved"),
    "steps": (
        a_plan(a_stage(*PLAN.stages[0].clusters, steps=("x",))),
        "the steps of stage prod: approved was deploy-prod, now it is x",
    ),
    "requires": (
        a_plan(a_stage(*PLAN.stages[0].clusters, requires=("2 of role r",))),
        "what stage prod requires: approved was nothing, now it is 2 of role r",
    ),
    "before": (
        a_plan(a_stage(*PLAN.stages[0].clusters, before="")),
        "the revision that stage prod held: approved was shop-v1:0123456789abcdef, "
        "now it is nothing",
    ),
    "pending": (
        a_plan(a_stage(*PLAN.stages[0].clusters, pending=("x waits",))),
        "what stage prod waits for: approved was nothing, now it is x waits",
    ),
    "cluster": (
        a_plan(a_stage(*PLAN.stages[0].clusters, a_cluster(cluster="west"))),
        "cluster west has come to stage prod",
    ),
    "no cluster": (a_plan(a_stage()), "cluster east is gone from stage prod"),
    "identity": (
        a_plan(a_stage(a_cluster(an_object(), GOES, uid="u-2"))),
        "the identity of cluster east: approved was u-1, now it is u-2",
    ),
    "authority": (
        a_plan(a_stage(a_cluster(an_object(), GOES, ca=D2))),
        "the certificate authority of cluster east: approved was aaaaaaaaaaaa…, "
        "now it is bbbbbbbbbbbb…",
    ),
    "unreachable": (
        a_plan(a_stage(a_cluster(an_object(), GOES, reached=False))),
        "cluster east does not answer any more",
    ),
    "desired": (
        with_object(desired=D2),
        "what Deployment default/web on east shall be has changed",
    ),
    "live": (
        with_object(base=Base(live=D1, recorded=D3)),
        "Deployment default/web on east has been changed in the cluster",
    ),
    "deleted": (
        with_object(base=Base(recorded=D3)),
        "Deployment default/web on east has been deleted in the cluster",
    ),
    "recorded": (
        with_object(base=Base(live=D2, recorded=D1)),
        "Deployment default/web on east has been changed in the stack",
    ),
    "forgotten": (
        with_object(base=Base(live=D2)),
        "Deployment default/web on east has been deleted in the stack",
    ),
    "operation": (
        with_object(operation=Operation.REPLACE),
        "what happens to Deployment default/web on east: approved was update, now it is replace",
    ),
    "fields": (
        with_object(fields=()),
        "what changes in Deployment default/web on east is not what was approved",
    ),
    "images": (
        with_object(images=("web:2",)),
        "the images of Deployment default/web on east: approved was web:1, now it is web:2",
    ),
    "more": (
        a_plan(a_stage(a_cluster(an_object(), GOES, an_object(name="new")))),
        "Deployment default/new on east is not part of what was approved",
    ),
    "less": (
        a_plan(a_stage(a_cluster(an_object()))),
        "ConfigMap default/old on east was part of what was approved and is not any more",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_fact_makes_an_approval_stale_and_is_named(name: str) -> None:
    changed, text = MUTATIONS[name]
    assert text in list(differences(PLAN, changed, "prod"))
    assert changed.digest != PLAN.digest


def test_what_is_as_it_was_approved_goes() -> None:
    assert list(differences(PLAN, PLAN, "prod")) == []
    assert list(differences(PLAN, read_plan(PLAN.text, "p"), "prod", {"east"})) == []


FREE_ONCE_BEGUN = {"live", "deleted", "recorded", "forgotten", "operation", "fields", "images",
                   "before", "pending", "unreachable", "less"}  # fmt: skip


@pytest.mark.parametrize("name", MUTATIONS)
def test_where_a_delivery_has_begun_only_what_shall_be_counts(name: str) -> None:
    changed, text = MUTATIONS[name]
    found = list(differences(PLAN, changed, "prod", {"east", "west"}))
    assert (text in found) == (name not in FREE_ONCE_BEGUN)
    assert bool(found) == (name not in FREE_ONCE_BEGUN)


def test_where_a_delivery_has_begun_nothing_more_may_go() -> None:
    more = an_object(name="kept", operation=Operation.NONE, fields=())
    before = a_plan(a_stage(a_cluster(more)))
    goes = an_object(name="kept", operation=Operation.DELETE, desired="", fields=())
    after = a_plan(a_stage(a_cluster(goes)))
    assert list(differences(before, after, "prod", {"east"})) == [
        "what Deployment default/kept on east shall be has changed"
    ]


def test_a_cluster_that_was_to_be_left_may_be_gone_once_it_has_begun() -> None:
    left = a_cluster(GOES, cluster="west", uid="u-2")
    before = a_plan(a_stage(a_cluster(an_object()), left))
    after = a_plan(a_stage(a_cluster(an_object())))
    assert list(differences(before, after, "prod", {"east"})) == []
    assert list(differences(before, after, "prod")) == ["cluster west is gone from stage prod"]


def test_clusters_that_are_not_delivered_to_now_are_not_looked_into() -> None:
    changed = a_plan(a_stage(a_cluster(an_object(desired=D2), GOES)))
    assert list(differences(PLAN, changed, "prod", (), {"west"})) == []


def test_what_only_the_delivery_tells_may_come_for_the_components_it_is_for() -> None:
    said = a_plan(a_stage(a_cluster(an_object()), pending=("x waits",), late=("x",)))
    late = an_object(name="late", component="x", operation=Operation.CREATE)
    for changed in (late, late.model_copy(update={"desired": D3})):
        more = a_plan(a_stage(a_cluster(an_object(), changed), late=("x",)))
        assert list(differences(said, more, "prod", {"east"})) == []
        assert list(differences(said, more, "prod")) == []
        assert list(differences(more, said, "prod")) == []
    for other in ({"component": "y"}, {"operation": Operation.DELETE, "desired": ""}):
        odd = late.model_copy(update=other)
        more = a_plan(a_stage(a_cluster(an_object(), odd), late=("x",)))
        assert list(differences(said, more, "prod", {"east"})) == [
            "Deployment default/late on east is not part of what was approved"
        ]


def test_a_cluster_is_the_same_under_another_name() -> None:
    renamed = a_plan(a_stage(a_cluster(an_object(), GOES, cluster="oriental")))
    assert list(differences(PLAN, renamed, "prod")) == []
    swapped = (a_cluster(an_object(), cluster="west", uid="u-1"), a_cluster(GOES, uid="u-2"))
    before = a_plan(a_stage(a_cluster(an_object()), a_cluster(GOES, cluster="west", uid="u-2")))
    assert list(differences(before, a_plan(a_stage(*swapped)), "prod")) == []
    another = a_plan(a_stage(a_cluster(an_object(desired=D2), GOES, cluster="oriental")))
    assert list(differences(PLAN, another, "prod")) == [
        "what Deployment default/web on oriental shall be has changed"
    ]


def test_clusters_without_an_identity_are_told_apart_by_their_names() -> None:
    """Those that are not joined any more, and that the stage has left."""
    both = [a_cluster(GOES, cluster=name, uid="", left=True) for name in ("a", "b")]
    before = a_plan(a_stage(*both))
    assert list(differences(before, before, "prod")) == []
    for index, gone in enumerate("ab"):
        less = a_plan(a_stage(both[1 - index]))
        assert list(differences(before, less, "prod")) == [
            f"cluster {gone} is gone from stage prod"
        ]


def test_an_object_is_the_same_in_another_version_of_its_api() -> None:
    before = a_plan(a_stage(a_cluster(an_object(api_version="apps/v1beta1"))))
    assert list(differences(before, a_plan(a_stage(a_cluster(an_object()))), "prod")) == []


def test_a_plan_is_read_as_it_was_written() -> None:
    assert read_plan(PLAN.text, "p") == PLAN
    assert PLAN.text == canonical(json.loads(PLAN.text))
    with pytest.raises(InvalidFile, match=r"^p: "):
        read_plan(PLAN.text.replace(b'"clusters":[', b'"clusters":1,"x":['), "p")
    with pytest.raises(InvalidFile, match=r"^p: stages: must be a list"):
        read_plan(a_plan().text.replace(b'"stages":[]', b'"stages":{}'), "p")
    for text in (b"", b"[]", b"{", b"\xff", b"null", b"{}"):
        with pytest.raises(InvalidFile):
            read_plan(text, "p")


def test_a_digest_stands_for_what_happens_on_a_cluster() -> None:
    west = a_cluster(an_object(), GOES, cluster="west", uid="u-2")
    plan = a_plan(a_stage(a_cluster(an_object(), GOES), west))
    value = json.loads(plan.text)
    contents = value.pop("contents")
    assert plan.digest == digest(value)
    assert value == json.loads(canonical(plan.tree))
    ((name, content),) = contents.items()
    assert name == digest(content)
    assert [cluster["content"] for cluster in value["stages"][0]["clusters"]] == [name, name]
    assert read_plan(plan.text, "p") == plan


def test_a_digest_that_stands_for_something_else_is_no_plan() -> None:
    other = PLAN.text.replace(b'"before":1', b'"before":2')
    assert other != PLAN.text
    with pytest.raises(InvalidFile, match="is not what its digest says"):
        read_plan(other, "p")
    value = json.loads(PLAN.text)
    value["contents"] = {}
    with pytest.raises(InvalidFile, match="not a plan"):
        read_plan(json.dumps(value).encode(), "p")


def test_a_plan_of_an_earlier_version_is_told_to_be_one() -> None:
    with pytest.raises(InvalidFile, match="is a plan of an earlier version") as caught:
        read_plan(PLAN.text.replace(b"velapulumi.dev/v2", b"velapulumi.dev/v1"), "p")
    assert caught.value.next_step == "Look at the change as it is now and approve that."


def test_what_json_cannot_say_alike_is_put_into_words() -> None:
    assert canonical({"b": 2**60, "a": "x\ud800", "c": (1.0, None, True)}) == (
        b'{"a":"x\\\\ud800","b":"1152921504606846976","c":[1,null,true]}'
    )
    assert canonical(float("inf")) == b'"Infinity"'


def replaced(kind: str, group: str, *paths: Parts, recreated: Sequence[Parts] = ()) -> Any:
    """The fields for which an object is deleted and created again when these change."""
    changes = [FieldChange(path, 1, 2) for path in paths]
    return fixed_fields((group, kind), changes, immutable=False, recreated=recreated)


IMAGE: Parts = ("spec", "template", "spec", "containers", 0, "image")


@pytest.mark.parametrize(
    ("kind", "group", "path", "found"),
    [
        ("Deployment", "apps", ("spec", "selector", "matchLabels", "app"), True),
        ("Deployment", "apps", ("spec", "replicas"), False),
        ("Deployment", "apps", ("spec", "selectors"), False),
        ("StatefulSet", "apps", ("spec", "serviceName"), True),
        ("StatefulSet", "apps", ("spec", "volumeClaimTemplates"), True),
        ("StatefulSet", "apps", ("spec", "replicas"), False),
        ("StatefulSet", "apps", IMAGE, False),
        ("StatefulSet", "apps", ("metadata", "labels", "a"), False),
        ("Job", "batch", IMAGE, True),
        ("Job", "batch", ("spec", "parallelism"), True),
        ("Job", "batch", ("spec", "suspend"), False),
        ("PersistentVolumeClaim", "", ("spec", "storageClassName"), True),
        ("PersistentVolumeClaim", "", ("spec", "resources", "requests", "storage"), False),
        ("Service", "", ("spec", "clusterIP"), True),
        ("Service", "", ("spec", "ports", 0, "port"), False),
        ("RoleBinding", "rbac.authorization.k8s.io", ("roleRef", "name"), True),
    ],
)
def test_fields_that_no_api_server_changes_make_an_object_anew(
    kind: str, group: str, path: Parts, found: bool
) -> None:
    assert replaced(kind, group, path) == ((path,) if found else ())


def test_a_policy_may_want_an_object_anew() -> None:
    one, other = ("data", "a"), ("data", "b")
    fields = replaced("ConfigMap", "", one, other, recreated=[other])
    assert fields == (other,)
    assert list(losses(Operation.REPLACE, "", "ConfigMap", fields)) == [
        "is deleted and created again because of data.b"
    ]


@pytest.mark.parametrize(
    ("kind", "group", "operation", "text"),
    [
        ("PersistentVolumeClaim", "", Operation.DELETE, ["the data of its volume may be lost"]),
        ("PersistentVolumeClaim", "", Operation.DISOWN, []),
        ("PersistentVolumeClaim", "", Operation.LEAVE, []),
        ("Namespace", "", Operation.DELETE, ["everything in it is deleted with it"]),
        ("Job", "batch", Operation.CREATE, ["runs its job"]),
        ("Job", "batch", Operation.DELETE, []),
        ("CronJob", "batch", Operation.CREATE, []),
        ("Deployment", "apps", Operation.DELETE, []),
        (
            "CustomResourceDefinition", "apiextensions.k8s.io", Operation.DELETE,
            ["all objects of its kind are deleted with it"],
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_back_is_named(
    kind: str, group: str, operation: Operation, text: list[str]
) -> None:
    assert list(losses(operation, group, kind)) == text


def test_a_job_made_anew_runs_again() -> None:
    fields = replaced("Job", "batch", ("spec", "template", "spec", "x"))
    assert list(losses(Operation.REPLACE, "batch", "Job", fields)) == [
        "is deleted and created again because of spec.template.spec.x",
        "runs its job again",
    ]
