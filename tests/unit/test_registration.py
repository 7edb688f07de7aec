"""How the policies of an application decide on each object of a stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pulumi
import pytest
import yaml

from tests.unit.helpers import (
    FakeCluster,
    deployment,
    joined,
    kubeconfig,
    parsed,
    reached,
    resource,
    store,
)
from velapulumi.clusters.registry import Registry
from velapulumi.errors import ClusterUnreachable, NotSupported, ObjectMissing, ObjectNotOurs
from velapulumi.plan.changes import Plan
from velapulumi.program.application import read_application
from velapulumi.program.comparison import compare
from velapulumi.program.prepare import Prepared, prepare
from velapulumi.program.registration import Mode, Registration, Registrations, find_registrations
from velapulumi.program.special import special_options
from velapulumi.project import Project, StackName

STAGE = "deploy-east"


class Setting:
    """An application of ConfigMaps ``a`` and ``b`` on a cluster, and what is there already."""

    def __init__(self, project: Project) -> None:
        self.project = project
        Registry(project).add(joined("east"), parsed(kubeconfig(), project.root))
        self.policies: list[tuple[str, dict[str, Any]]] = []
        self.values = {"a": "1", "b": "1"}
        self.kind = "ConfigMap"

    def prepared(self, *live: Mapping[str, Any]) -> Prepared:
        objects = [
            {
                "apiVersion": "v1",
                "kind": self.kind,
                "metadata": {"name": name},
                "data": {"key": value},
            }
            for name, value in self.values.items()
        ]
        document = {
            "apiVersion": "core.oam.dev/v1beta1",
            "kind": "Application",
            "metadata": {"name": "shop"},
            "spec": {
                "components": [
                    {"name": "main", "type": "k8s-objects", "properties": {"objects": objects}}
                ],
                "policies": [
                    {"name": "east", "type": "topology", "properties": {"clusters": ["east"]}},
                    *(
                        {"name": f"p{i}", "type": kind, "properties": properties}
                        for i, (kind, properties) in enumerate(self.policies)
                    ),
                ],
            },
        }
        file = self.project.root / "app.yaml"
        file.write_text(yaml.safe_dump(document))
        application = read_application(self.project, file)
        return prepare(application, STAGE, {"east": reached("east", FakeCluster(*live))})

    def policy(self, kind: str, name: str = "a", **strategy: Any) -> None:
        found = {"selector": {"resourceNames": [name]}, **strategy}
        self.policies.append((kind, {"rules": [found]}))

    def once(self, *paths: str) -> None:
        found = {"selector": {"resourceNames": ["a"]}, "strategy": {"path": list(paths)}}
        self.policies.append(("apply-once", {"enable": True, "rules": [found]}))

    def manifests(self) -> dict[str, dict[str, Any]]:
        """The objects as they are rendered, by name."""
        return {
            desired.entry.manifest["metadata"]["name"]: desired.entry.manifest
            for desired in self.prepared().desired
        }

    def record(self, **more: Mapping[str, Any]) -> None:
        """Let the stack hold the objects as they are rendered now, with more about some."""
        resources = [
            resource("east", {**manifest, **more.get(name, {})})
            for name, manifest in self.manifests().items()
        ]
        self._store(*resources)

    def record_read(self, name: str) -> None:
        """Let the stack hold object ``b``, and another one which it only reads."""
        found = self.manifests()
        read = {**resource("east", {}), "external": True, "outputs": found[name]}
        self._store(resource("east", found["b"]), read)

    def _store(self, *resources: Mapping[str, Any]) -> None:
        application = self.prepared().application
        application.begin()
        revision = str(application.revision)
        document = deployment(*resources, revision=revision, steps={STAGE: revision})
        store(self.project, StackName("shop", STAGE), document)

    def find(self, *live: Mapping[str, Any]) -> Registrations:
        prepared = self.prepared(*live)
        return find_registrations(prepared, prepared.check_clusters())

    def first(self, *live: Mapping[str, Any]) -> Registration:
        found = self.find(*live).objects[0]
        assert found.entry.manifest["metadata"]["name"] == "a"
        return found


@pytest.fixture
def setting(project: Project) -> Setting:
    return Setting(project)


def theirs(owner: str = "", shared_by: str = "", **data: str) -> dict[str, Any]:
    """ConfigMap ``a`` as somebody else made it."""
    namespace, _, name = owner.partition("/")
    labels = {"app.oam.dev/name": name, "app.oam.dev/namespace": namespace} if owner else {}
    annotations = {"app.oam.dev/shared-by": shared_by} if shared_by else {}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "a",
            "namespace": "default",
            "labels": labels,
            "annotations": annotations,
        },
        "data": data,
    }


def options(entry: Registration) -> pulumi.ResourceOptions:
    return special_options(entry, reached("east", FakeCluster()))


def test_without_policies_nothing_is_special(setting: Setting) -> None:
    found = setting.find()
    assert [(e.mode, e.manifest == e.entry.manifest) for e in found.objects] == [
        (Mode.WRITE, True),
        (Mode.WRITE, True),
    ]
    assert found.leftovers == ()
    made = options(found.objects[0])
    assert (made.id, made.retain_on_delete, made.ignore_changes) == (None, None, None)
    assert (made.replace_on_changes, made.delete_before_replace, made.hooks) == (None, None, None)


def test_what_is_read_only_is_read_and_nothing_else(setting: Setting) -> None:
    setting.policy("read-only")
    with pytest.raises(ObjectMissing) as caught:
        setting.find()
    assert caught.value.message.startswith(
        "ConfigMap (a) is marked as read-only but does not exist on east. You should check"
    )
    assert (caught.value.code, caught.value.exit_code) == ("VP205", 1)
    there = theirs("team/blog", key="x")
    found = setting.find(there)
    assert found.leftovers == ()
    assert (found.objects[0].mode, found.objects[0].manifest) == (Mode.READ, there)
    assert not found.objects[0].joins
    assert options(found.objects[0]).id == "default/a"
    setting.record()
    assert setting.first(there).mode is Mode.READ
    assert not compare(setting.prepared())


def test_what_nobody_owns_is_adopted_by_permission(setting: Setting) -> None:
    with pytest.raises(ObjectNotOurs):
        setting.find(theirs())
    setting.policy("take-over")
    (leftover,) = setting.find(theirs()).leftovers
    assert leftover.adopted
    with pytest.raises(ObjectNotOurs, match="managed by other application team/blog"):
        setting.find(theirs("team/blog"))


def test_what_another_application_shares_is_joined(setting: Setting) -> None:
    setting.policy("shared-resource")
    mine = setting.first()
    assert (mine.mode, options(mine).retain_on_delete) == (Mode.WRITE, True)
    assert mine.manifest["metadata"]["annotations"] == {"app.oam.dev/shared-by": "default/shop"}

    with pytest.raises(ObjectNotOurs, match="controlled by team/blog but is not sharable"):
        setting.find(theirs("team/blog"))
    with pytest.raises(ObjectNotOurs, match="not managed by any application now"):
        setting.find(theirs())
    found = setting.first(theirs("team/blog", "team/blog"))
    assert (found.mode, found.joins) == (Mode.READ, True)

    inherited = setting.find(theirs("default/shop", "default/shop,team/blog"))
    (leftover,) = inherited.leftovers
    assert leftover.manifest is inherited.objects[0].manifest
    assert leftover.manifest["metadata"]["annotations"] == {
        "app.oam.dev/shared-by": "default/shop,team/blog"
    }
    setting.record()
    handed_over = setting.first(theirs("team/blog", "team/blog,default/shop"))
    assert (handed_over.mode, handed_over.joins) == (Mode.READ, True)


def test_live_values_are_kept_and_are_no_change(setting: Setting) -> None:
    setting.once("data.key", "data.more")
    assert setting.first().manifest["data"] == {"key": "1"}
    setting.record(a={"data": {"key": "live", "more": "x"}})
    ours = setting.manifests()["a"]
    assert setting.first({**ours, "data": {"key": "2"}}).manifest["data"] == {"key": "2"}
    assert not compare(setting.prepared())
    setting.values["b"] = "2"
    (change, other) = compare(setting.prepared()).changes
    assert "data.key" not in [field.path for field in change.fields]
    assert "data.key" in [field.path for field in other.fields]


def test_a_whole_object_is_left_once_it_is_there(setting: Setting) -> None:
    setting.once("*")
    assert setting.first().mode is Mode.WRITE
    setting.record(a={"data": {"key": "0"}})
    left = setting.first()
    assert left.mode is Mode.LEAVE
    assert options(left).ignore_changes == ["*"]
    setting.values["a"] = "2"
    assert [change.key.name for change in compare(setting.prepared()).changes] == ["b"]


def test_how_the_engine_deletes_and_makes_anew(setting: Setting) -> None:
    setting.policy("garbage-collect", strategy="never")
    setting.policy("garbage-collect", "b", propagation="orphan")
    never, orphans = setting.find().objects
    assert options(never).retain_on_delete is True
    assert orphans.manifest["metadata"]["annotations"] == {
        "pulumi.com/deletionPropagationPolicy": "orphan"
    }
    setting.record(b={"metadata": orphans.manifest["metadata"]})
    assert not compare(setting.prepared())

    setting.policies = []
    setting.policy("resource-update", strategy={"recreateFields": ["data.key", "data['a.b'][0]"]})
    made = options(setting.first())
    assert made.replace_on_changes == ['["data"]["key"]', '["data"]["a.b"][0]']
    assert made.delete_before_replace is True
    for kind, strategy in (("shared-resource", {}), ("garbage-collect", {"strategy": "never"})):
        setting.policies = setting.policies[:1]
        setting.policy(kind, **strategy)
        with pytest.raises(NotSupported, match="ConfigMap default/a: resource-update wants"):
            setting.find()


def test_what_is_only_read_is_no_change_and_may_vanish(setting: Setting) -> None:
    setting.policy("shared-resource")
    setting.record_read("a")
    assert compare(setting.prepared()).changes == ()
    assert setting.first(theirs("team/blog", "team/blog")).mode is Mode.READ
    del setting.values["a"]
    assert [change.key.name for change in compare(setting.prepared()).changes] == ["b"]


SEALED = {"4dabf18193072939515e22adb298388d": "1b47", "ciphertext": "v1:x"}


@pytest.mark.parametrize("known", [False, True], ids=["unknown", "gone"])
def test_what_is_sealed_in_the_stack_is_compared_by_revision_and_never_shown(
    setting: Setting, known: bool
) -> None:
    """Where its cluster cannot be asked."""
    gone = ClusterUnreachable("gone")
    client = reached("east", FakeCluster(error=gone)) if known else gone

    def plan() -> Plan:
        return compare(replace(setting.prepared(), clusters={"east": client}))

    setting.kind = "Secret"
    setting.values = {"a": "c2VjcmV0"}
    setting.record(a={"data": SEALED})
    assert not plan()
    setting.values = {"a": "b3RoZXI="}
    (change,) = plan().changes
    (field,) = [found for found in change.fields if found.path.startswith("data")]
    assert "b3RoZXI=" not in str(field)


def test_what_is_sealed_in_the_stack_is_compared_with_the_cluster_and_never_shown(
    setting: Setting,
) -> None:
    setting.kind = "Secret"
    setting.values = {"a": "c2VjcmV0"}
    setting.record(a={"data": SEALED})
    live = setting.manifests()["a"]
    assert not compare(setting.prepared(live))
    text = {**live, "data": None, "stringData": {"key": "secret"}}
    assert not compare(setting.prepared(text))
    for there in ([{**live, "data": {"key": "b3RoZXI="}}], [{**live, "data": {}}], []):
        (change,) = compare(setting.prepared(*there)).changes
        assert [field.path for field in change.fields] == ["data.secret"]
        assert "c2VjcmV0" not in str(change)
        assert "b3RoZXI=" not in str(change)


def test_only_what_is_new_is_looked_at_without_policies(setting: Setting) -> None:
    class Counting(FakeCluster):
        looks = 0

        def read(self, wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
            self.looks += 1
            return super().read(wanted)

    client = Counting()

    def looks() -> int:
        client.looks = 0
        prepared = setting.prepared()
        find_registrations(prepared, {"east": reached("east", client)})
        return client.looks

    assert looks() == 2
    setting.record()
    assert looks() == 0
    setting.values["c"] = "1"
    assert looks() == 1


def test_what_a_secret_gets_is_never_shown(setting: Setting) -> None:
    setting.kind = "Secret"
    setting.values = {"a": "c2VjcmV0"}
    setting.record(a={"data": {}})
    (change,) = compare(setting.prepared()).changes
    assert [field.path for field in change.fields] == ["data"]
    assert "c2VjcmV0" not in str(change)


def test_empty_maps_are_none(setting: Setting) -> None:
    setting.record()
    found = setting.manifests()["a"]
    empty = {**found["metadata"], "annotations": {}}
    setting.record(a={"metadata": empty, "binaryData": {}})
    assert not compare(setting.prepared())
