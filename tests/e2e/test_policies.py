"""The resource-rule policies on real clusters, seen with kubectl and in the stacks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from tests.clusters import STAGING, Cluster, Project

LABEL = "app.oam.dev/name"
SHARED_BY = "app.oam.dev/shared-by"


def app(
    namespace: str,
    components: Mapping[str, list[dict[str, Any]]],
    *policies: tuple[str, dict[str, Any]],
    name: str = "shop",
) -> str:
    """An Application of plain objects, by component, on the staging cluster."""
    document = {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "components": [
                {"name": key, "type": "k8s-objects", "properties": {"objects": objects}}
                for key, objects in components.items()
            ],
            "policies": [
                {"name": "place", "type": "topology", "properties": {"clusters": [STAGING]}},
                *(
                    {"name": f"policy-{i}", "type": kind, "properties": properties}
                    for i, (kind, properties) in enumerate(policies)
                ),
            ],
        },
    }
    return yaml.safe_dump(document)


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(name: str, replicas: int = 1, **container: Any) -> dict[str, Any]:
    labels = {"matchLabels": {"app": name}}
    pod = {"containers": [{"name": "main", "image": "nginx", **container}]}
    template = {"metadata": {"labels": labels["matchLabels"]}, "spec": pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": labels, "template": template},
    }


def rules(*selectors: dict[str, list[str]], **strategy: Any) -> dict[str, Any]:
    return {"rules": [{"selector": selector, **strategy} for selector in selectors]}


class Story:
    """One project, its namespace in the staging cluster, and what is to be seen there."""

    def __init__(self, project: Project, namespace: str) -> None:
        self.project = project
        self.namespace = namespace
        self.cluster: Cluster = project.clusters[STAGING]

    def up(self, text: str, *more: str, code: int = 0, file: str = "app.yaml") -> str:
        path = self.project.root / file
        path.write_text(text)
        done = self.project.run("up", "-f", str(path), *more)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def settled(self, text: str, file: str = "app.yaml") -> None:
        """Nothing is left to do, and nothing is done."""
        shown = self.up(text, file=file)
        assert "no change" in shown, shown

    def delete(self, name: str = "shop") -> None:
        done = self.project.run("delete", name, "-y")
        assert done.returncode == 0, done.stderr

    def kubectl(self, *args: str) -> str:
        return self.cluster.kubectl("-n", self.namespace, *args)

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(
                self.kubectl("get", kind, name, "-o", "json", "--show-managed-fields")
            )
        except subprocess.CalledProcessError:
            return None
        return found

    def owner(self, kind: str, name: str) -> str | None:
        found = self.get(kind, name)
        assert found is not None
        label: str | None = (found["metadata"].get("labels") or {}).get(LABEL)
        return label

    def sharers(self, kind: str, name: str) -> str | None:
        found = self.get(kind, name)
        assert found is not None
        names: str | None = (found["metadata"].get("annotations") or {}).get(SHARED_BY)
        return names and names.replace(self.namespace, "ns")


@pytest.fixture
def story(project: Project, namespace: str) -> Story:
    return Story(project, namespace)


def test_what_is_collected_when(story: Story) -> None:
    collect = {
        "rules": [
            {"selector": {"componentNames": ["forever"]}, "strategy": "never"},
            {"selector": {"componentNames": ["long"]}, "strategy": "onAppDelete"},
            {"selector": {"resourceNames": ["parent"]}, "propagation": "orphan"},
        ]
    }
    policy = ("garbage-collect", collect)
    all_of_them = {
        "short": [config_map("short")],
        "long": [config_map("long"), {**secret("hidden", "dgo="), "immutable": False}],
        "forever": [config_map("forever")],
        "parent": [deployment("parent")],
    }
    text = app(story.namespace, all_of_them, policy)
    story.up(text)
    story.settled(text)
    pods = story.kubectl("get", "replicasets", "-l", "app=parent", "-o", "name")

    fewer = app(story.namespace, {"other": [config_map("other")]}, policy)
    shown = story.up(fewer)
    assert "- ConfigMap" in shown
    assert story.get("configmap", "short") is None
    assert story.get("deployment", "parent") is None
    assert pods
    assert story.kubectl("get", "replicasets", "-l", "app=parent", "-o", "name") == pods
    assert story.owner("configmap", "long") == "shop"
    assert story.owner("secret", "hidden") == "shop"
    assert story.owner("configmap", "forever") is None
    story.settled(fewer)
    story.kubectl("delete", "replicasets", "-l", "app=parent")

    story.delete()
    assert story.get("configmap", "long") is None
    assert story.get("secret", "hidden") is None
    assert story.get("configmap", "other") is None
    assert story.get("configmap", "forever") is not None


def secret(name: str, value: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "data": {"key": value},
        "immutable": True,
    }


@pytest.mark.exhaustive
def test_values_of_others_are_kept_and_whole_objects(story: Story) -> None:
    once = {
        "enable": True,
        "rules": [
            {
                "selector": {"resourceTypes": ["Deployment"]},
                "strategy": {
                    "path": ["spec.replicas", "spec.template.spec.containers[0].resources"]
                },
            },
            {"selector": {"resourceNames": ["whole"]}, "strategy": {"path": ["*"]}},
        ],
    }

    def text(image: str) -> str:
        objects = [deployment("web", image=image), config_map("whole", key=image)]
        return app(story.namespace, {"web": objects}, ("apply-once", once))

    story.up(text("nginx:1"))
    story.kubectl("scale", "deployment", "web", "--replicas=3")
    story.kubectl("set", "resources", "deployment", "web", "--limits=memory=64Mi")
    story.kubectl("patch", "configmap", "whole", "-p", '{"data": {"key": "by hand"}}')
    story.settled(text("nginx:1"))
    story.up(text("nginx:2"))
    web = story.get("deployment", "web")
    assert web is not None
    assert web["spec"]["replicas"] == 3
    container = web["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "nginx:2"
    assert container["resources"] == {"limits": {"memory": "64Mi"}}
    whole = story.get("configmap", "whole")
    assert whole is not None
    assert whole["data"] == {"key": "by hand"}
    assert whole["metadata"]["labels"]["app.oam.dev/appRevision"] == "shop-v1"
    story.settled(text("nginx:2"))


@pytest.mark.exhaustive
def test_drift_is_not_mended_where_it_is_allowed(story: Story) -> None:
    objects = {"data": [config_map("data", key="value")], "web": [deployment("web")]}
    strict = app(story.namespace, objects)
    story.up(strict)
    story.kubectl("delete", "configmap", "data")
    story.up(strict)
    assert story.get("configmap", "data") is not None
    once = ("apply-once", {"enable": True})
    lax = app(story.namespace, objects, once)
    story.up(lax)
    story.kubectl("delete", "configmap", "data")
    story.up(lax, "--timeout", "2", code=6)
    assert story.get("configmap", "data") is None
    objects["data"] = [config_map("data", key="another value")]
    story.up(app(story.namespace, objects, once))
    assert story.get("configmap", "data") is not None


def test_what_is_read_only_must_exist_and_is_never_written(story: Story) -> None:
    policy = ("read-only", rules({"resourceNames": ["theirs"]}))
    text = app(
        story.namespace,
        {"main": [config_map("theirs", key="ours")], "mine": [config_map("mine")]},
        policy,
    )
    refused = story.up(text, code=1)
    assert "[VP205]: ConfigMap (theirs) is marked as read-only but does not exist" in refused
    assert story.get("configmap", "mine") is None

    story.kubectl("create", "configmap", "theirs", "--from-literal=key=theirs")
    before = story.get("configmap", "theirs")
    story.up(text)
    story.settled(text)
    assert story.get("configmap", "theirs") == before
    assert story.owner("configmap", "mine") == "shop"

    written = app(story.namespace, {"main": [config_map("theirs", key="ours")]})
    assert "[VP204]" in story.up(written, code=1)
    story.up(text)
    story.delete()
    assert story.get("configmap", "theirs") == before
    assert story.get("configmap", "mine") is None


@pytest.mark.exhaustive
def test_an_object_that_becomes_read_only_stays(story: Story) -> None:
    objects = {"main": [config_map("theirs", key="one")]}
    story.up(app(story.namespace, objects))
    policy = ("read-only", rules({"resourceTypes": ["ConfigMap"]}))
    story.up(app(story.namespace, {"main": [config_map("theirs", key="two")]}, policy))
    found = story.get("configmap", "theirs")
    assert found is not None
    assert found["data"] == {"key": "one"}
    third = app(story.namespace, {"main": [config_map("theirs", key="three")]})
    story.up(third)
    found = story.get("configmap", "theirs")
    assert found is not None
    assert found["data"] == {"key": "three"}
    story.settled(third)
    story.delete()
    assert story.get("configmap", "theirs") is None


def test_what_nobody_owns_is_taken_over_for_good(story: Story) -> None:
    theirs = deployment("web", replicas=2, image="theirs:1", env=[{"name": "A", "value": "b"}])
    path = story.project.root / "theirs.yaml"
    path.write_text(yaml.safe_dump(theirs))
    story.kubectl("apply", "-f", str(path))
    story.kubectl("apply", "--server-side", "--field-manager=argo", "--force-conflicts",
                  "-f", str(path))  # fmt: skip

    def text(image: str, *policies: tuple[str, dict[str, Any]]) -> str:
        objects = {"main": [deployment("web", replicas=1, image=image)]}
        return app(story.namespace, objects, *policies)

    assert "[VP204]" in story.up(text("ours:1"), code=1)
    policy = ("take-over", rules({"resourceTypes": ["Deployment"]}))
    story.up(text("ours:1", policy))
    found = story.get("deployment", "web")
    assert found is not None
    container = found["spec"]["template"]["spec"]["containers"][0]
    assert (found["spec"]["replicas"], container["image"]) == (1, "ours:1")
    assert container["env"] == [{"name": "A", "value": "b"}]
    for entry in found["metadata"]["managedFields"]:
        if not entry["manager"].startswith("pulumi"):
            assert "f:replicas" not in json.dumps(entry.get("fieldsV1", {}).get("f:spec", {}))
    assert "pulumi.com/patchForce" not in found["metadata"].get("annotations", {})
    story.settled(text("ours:1", policy))
    story.up(text("ours:2"))
    found = story.get("deployment", "web")
    assert found is not None
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "ours:2"

    another = app(story.namespace, {"main": [deployment("web")]}, policy, name="other")
    plain = app(story.namespace, {"main": [deployment("web")]}, name="other")
    refused = story.up(plain, code=1, file="other.yaml")
    assert f"is managed by other application {story.namespace}/shop" in refused
    shown = story.up(another, file="other.yaml")
    assert f"(taken over from {story.namespace}/shop)" in shown
    assert story.owner("deployment", "web") == "other"
    taken = story.up(text("ours:2"), code=1)
    assert f"was taken over by application {story.namespace}/other" in taken
    story.delete()
    assert story.owner("deployment", "web") == "other"
    story.delete("other")
    assert story.get("deployment", "web") is None


def test_what_is_shared_goes_from_owner_to_owner(story: Story) -> None:
    policy = ("shared-resource", rules({"resourceNames": ["common"]}))

    def text(name: str, value: str, *policies: tuple[str, dict[str, Any]]) -> str:
        objects = {"main": [config_map("common", key=value), config_map(f"of-{name}")]}
        return app(story.namespace, objects, *policies, name=name)

    def common() -> str | None:
        found = story.get("configmap", "common")
        return str(found["data"]["key"]) if found else None

    first, second, third = (text(n, n, policy) for n in ("first", "second", "third"))
    story.up(first, file="first.yaml")
    assert story.sharers("configmap", "common") == "ns/first"
    story.settled(first, file="first.yaml")
    story.up(second, file="second.yaml")
    story.up(third, file="third.yaml")
    assert story.sharers("configmap", "common") == "ns/first,ns/second,ns/third"
    assert (story.owner("configmap", "common"), common()) == ("first", "first")
    for name, content in (("first", first), ("second", second), ("third", third)):
        story.settled(content, file=f"{name}.yaml")

    story.up(text("first", "again", policy), file="first.yaml")
    assert story.sharers("configmap", "common") == "ns/first,ns/second,ns/third"
    assert common() == "again"

    story.up(app(story.namespace, {"main": [config_map("of-first")]}, name="first"),
             file="first.yaml")  # fmt: skip
    assert story.sharers("configmap", "common") == "ns/second,ns/third"
    assert (story.owner("configmap", "common"), common()) == ("second", "again")

    mine = text("second", "mine", policy)
    story.up(mine, file="second.yaml")
    assert (story.owner("configmap", "common"), common()) == ("second", "mine")
    story.settled(mine, file="second.yaml")
    story.delete("third")
    assert story.sharers("configmap", "common") == "ns/second"
    assert common() == "mine"

    alone = text("fourth", "fourth")
    assert "is managed by other application" in story.up(alone, code=1, file="fourth.yaml")
    story.delete("second")
    assert common() is None


def test_what_the_owner_does_not_share_is_refused(story: Story) -> None:
    story.up(app(story.namespace, {"main": [config_map("common")]}, name="first"))
    policy = ("shared-resource", rules({"resourceNames": ["common"]}))
    second = app(story.namespace, {"main": [config_map("common")]}, policy, name="second")
    refused = story.up(second, code=1, file="second.yaml")
    assert f"application is controlled by {story.namespace}/first but is not sharable" in refused


@pytest.mark.exhaustive
def test_an_immutable_secret_is_made_anew(story: Story) -> None:
    strategy = {"recreateFields": ["data.key"]}
    policy = ("resource-update", rules({"resourceTypes": ["Secret"]}, strategy=strategy))

    def text(value: str) -> str:
        return app(story.namespace, {"main": [secret("recreate", value)]}, policy)

    story.up(text("dgo="))
    before = story.get("secret", "recreate")
    story.settled(text("dgo="))
    shown = story.up(text("dW8="))
    assert "dW8=" not in shown
    after = story.get("secret", "recreate")
    assert before is not None
    assert after is not None
    assert after["data"] == {"key": "dW8="}
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    story.settled(text("dW8="))


@pytest.mark.exhaustive
def test_fields_of_others_stay_with_a_patch_and_go_with_a_replacement(story: Story) -> None:
    def text(value: str, *policies: tuple[str, dict[str, Any]]) -> str:
        objects = [config_map("data", key=value), deployment("web", image=f"nginx:{value}")]
        return app(story.namespace, {"main": objects}, *policies)

    story.up(text("1"))
    before = story.get("configmap", "data")
    theirs = ("--field-manager=theirs", "-p")
    story.kubectl("patch", "configmap", "data", *theirs, '{"data": {"theirs": "x"}}')
    note = '{"metadata": {"annotations": {"theirs": "x"}}}'
    story.kubectl("patch", "deployment", "web", *theirs, note)
    story.up(text("2"))
    found = story.get("configmap", "data")
    assert found is not None
    assert before is not None
    assert found["data"] == {"key": "2", "theirs": "x"}
    assert found["metadata"]["uid"] == before["metadata"]["uid"]

    selector = {"resourceTypes": ["ConfigMap", "Deployment"]}
    replace = ("resource-update", rules(selector, strategy={"op": "replace"}))
    story.up(text("3", replace))
    found = story.get("configmap", "data")
    web = story.get("deployment", "web")
    assert found is not None
    assert web is not None
    assert found["data"] == {"key": "3"}
    assert found["metadata"]["uid"] == before["metadata"]["uid"]
    assert "theirs" not in web["metadata"].get("annotations", {})
    assert web["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:3"
    story.settled(text("3", replace))
    story.kubectl("patch", "configmap", "data", *theirs, '{"data": {"key": "by hand"}}')
    story.up(text("4", replace))
    story.up(text("5"))
    found = story.get("configmap", "data")
    assert found is not None
    assert found["data"] == {"key": "5"}


def test_by_hand_what_is_shared_or_never_deleted_stays(story: Story) -> None:
    objects = {"main": [config_map(name, key="1") for name in ("common", "forever", "short")]}
    policies = (
        ("shared-resource", rules({"resourceNames": ["common"]})),
        ("garbage-collect", rules({"resourceNames": ["forever"]}, strategy="never")),
        ("resource-update", rules({"resourceNames": ["short"]}, strategy={"op": "replace"})),
    )
    story.up(app(story.namespace, objects, *policies))
    destroyed = story.project.pulumi("destroy", "--yes", "-s", "shop.deploy-place")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    assert story.get("configmap", "short") is None
    assert story.sharers("configmap", "common") == "ns/shop"
    assert story.owner("configmap", "forever") == "shop"
    refused = story.up(app(story.namespace, objects, *policies), code=1)
    assert "/shop of another project\n" in refused
    assert "use the backend that has its stacks" in refused
    selector = rules({"resourceNames": ["common", "forever"]})
    again = app(story.namespace, objects, *policies, ("take-over", selector))
    story.up(again)
    story.settled(again)
    story.delete()
    assert story.get("configmap", "common") is None
    assert story.owner("configmap", "forever") is None


def test_debug_is_refused(story: Story) -> None:
    text = app(story.namespace, {"main": [config_map("data")]}, ("debug", {}))
    refused = story.up(text, code=2)
    assert "a policy of type debug is not supported yet: leave it out" in refused
    assert story.get("configmap", "data") is None
