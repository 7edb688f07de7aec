"""An application on one cluster: what is decided of its objects, and how they are registered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from tests.unit.helpers import (
    PROJECT_ID,
    FakeCluster,
    deployment,
    joined,
    kubeconfig,
    marked,
    parsed,
    reached,
    resource,
    store,
    with_uid,
)
from velapulumi.clusters.identity import Reached
from velapulumi.clusters.registry import Registry
from velapulumi.errors import VelapulumiError
from velapulumi.program.application import read_application
from velapulumi.project import Project, StackName
from velapulumi.stage.facts import decide_stage
from velapulumi.stage.look import Look
from velapulumi.stage.operations import Decision
from velapulumi.stage.prepare import Prepared, prepare
from velapulumi.stage.refusals import refusal_of
from velapulumi.stage.resources import Registration, registrations

STAGE = "deploy-east"
SEALED = {"4dabf18193072939515e22adb298388d": "1b47", "ciphertext": "v1:x"}


class Setting:
    """An application of ConfigMaps ``a`` and ``b`` on a cluster, and what is there already.

    Attributes:
        policies: Its policies: type and properties.
        values: The value that each object has under ``key``.
        kind: The kind of its objects.
        objects: Further objects of it.
        cluster: The cluster; a fresh one with what a test gives when None.
        collecting: Whether what is not wanted any more goes.
        takes_fields: Whether new fields that others hold are taken from them.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        Registry(project).add(joined("east"), parsed(kubeconfig(), project.root))
        self.policies: list[tuple[str, dict[str, Any]]] = []
        self.values = {"a": "1", "b": "1"}
        self.kind = "ConfigMap"
        self.objects: list[dict[str, Any]] = []
        self.cluster: Reached | VelapulumiError | None = None
        self.collecting = False
        self.takes_fields = False

    def policy(self, kind: str, name: str = "a", **strategy: Any) -> None:
        found = {"selector": {"resourceNames": [name]}, **strategy}
        self.policies.append((kind, {"rules": [found]}))

    def once(self, *paths: str) -> None:
        found = {"selector": {"resourceNames": ["a"]}, "strategy": {"path": list(paths)}}
        self.policies.append(("apply-once", {"enable": True, "rules": [found]}))

    def prepared(self, *live: Mapping[str, Any]) -> Prepared:
        """The stage, where the cluster has some objects."""
        objects = [
            {
                "apiVersion": "v1",
                "kind": self.kind,
                "metadata": {"name": name},
                "data": {"key": value},
            }
            for name, value in self.values.items()
        ]
        component = {
            "name": "main", "type": "k8s-objects",
            "properties": {"objects": [*objects, *self.objects]},
        }  # fmt: skip
        policies = [
            {"name": "east", "type": "topology", "properties": {"clusters": ["east"]}},
            *(
                {"name": f"p{i}", "type": kind, "properties": properties}
                for i, (kind, properties) in enumerate(self.policies)
            ),
        ]
        document = {
            "apiVersion": "core.oam.dev/v1beta1",
            "kind": "Application",
            "metadata": {"name": "shop"},
            "spec": {"components": [component], "policies": policies},
        }
        file = self.project.root / "app.yaml"
        file.write_text(yaml.safe_dump(document))
        application = read_application(self.project, file, takes_fields=self.takes_fields)
        cluster = self.cluster or reached("east", FakeCluster(*live))
        known = {"east": cluster}
        return prepare(application, STAGE, known, collecting=self.collecting)

    def rendered(self) -> dict[str, dict[str, Any]]:
        """The objects as they are rendered, by name."""
        return {
            desired.entry.manifest["metadata"]["name"]: desired.entry.manifest
            for desired in self.prepared().desired
            if desired.is_rendered
        }

    def live(self, name: str = "a", **changes: Any) -> dict[str, Any]:
        """An object as its delivery has made it, changed as told."""
        return {**with_uid(marked(self.rendered()[name])), **changes}

    def all_live(self) -> list[dict[str, Any]]:
        return [self.live(name) for name in self.rendered()]

    def record(self, *names: str, **more: Mapping[str, Any]) -> None:
        """Let the stack hold the objects as they are rendered now, with more about some."""
        rendered = self.rendered()
        self.store(
            *(
                resource("east", {**marked(rendered[name]), **more.get(name, {})})
                for name in names or rendered
            )
        )

    def record_read(self, name: str) -> None:
        """Let the stack hold all objects but one, which it only reads."""
        found = self.rendered()
        read = {**resource("east", {}), "external": True, "outputs": found[name]}
        others = [resource("east", marked(each)) for key, each in found.items() if key != name]
        self.store(*others, read)

    def store(self, *resources: Mapping[str, Any], **outputs: Any) -> None:
        """Let the stack hold resources, of the revision as it is now."""
        application = self.prepared().application
        application.begin()
        revision = str(application.revision)
        said = {"project": PROJECT_ID, "revision": revision, "steps": {STAGE: revision}, **outputs}
        store(self.project, StackName("shop", STAGE), deployment(*resources, **said))

    def decide(self, *live: Mapping[str, Any]) -> dict[str, Decision]:
        """What happens to each object, by name, where the cluster has some."""
        prepared = self.prepared(*live)
        decided = decide_stage([prepared], Look(self.project, prepared.clusters))
        return {decision.key.name: decision for _, decision in decided}

    def first(self, *live: Mapping[str, Any]) -> Decision:
        """What happens to object ``a``."""
        return self.decide(*live)["a"]

    def registered(self, *live: Mapping[str, Any]) -> dict[str, Registration]:
        """How each object is registered, by name."""
        prepared = self.prepared(*live)
        decided = decide_stage([prepared], Look(self.project, prepared.clusters))
        found = registrations(decided, {"east": "east"}, PROJECT_ID, "shop-v1")
        return {each.decision.key.name: each for each in found}


def begin(setting: Setting, manifest: dict[str, Any]) -> None:
    """Let a killed engine have begun to make an object."""
    path = setting.project.state / f"backend/.pulumi/stacks/test/shop.{STAGE}.json"
    document = json.loads(path.read_text())
    pending = {"type": "creating", "resource": resource("east", manifest)}
    document["checkpoint"]["latest"]["pending_operations"] = [pending]
    path.write_text(json.dumps(document))


def theirs(owner: str = "", shared_by: str = "", project: str = "", **data: str) -> dict[str, Any]:
    """ConfigMap ``a`` as somebody else made it."""
    namespace, _, name = owner.partition("/")
    labels = {"app.oam.dev/name": name, "app.oam.dev/namespace": namespace} if owner else {}
    annotations = {"app.oam.dev/shared-by": shared_by} if shared_by else {}
    found = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "a",
            "namespace": "default",
            "labels": labels,
            "annotations": annotations,
            "uid": "theirs",
        },
        "data": data,
    }
    return marked(found, project) if project else found


def held_by(
    entry: Mapping[str, Any], manager: str, *paths: str, operation: str = "Update", **more: Any
) -> dict[str, Any]:
    """An object some of whose fields, such as ``data.key``, somebody manages, too."""
    fields: dict[str, Any] = {}
    for path in paths:
        node = fields
        for part in path.split("."):
            node = node.setdefault(f"f:{part}", {})
    said = {"manager": manager, "operation": operation, "fieldsV1": fields, **more}
    metadata = entry["metadata"]
    managed = [*metadata.get("managedFields", ()), said]
    return {**entry, "metadata": {**metadata, "managedFields": managed}}


def operations(decisions: Mapping[str, Decision]) -> dict[str, str]:
    return {name: str(each.operation) for name, each in decisions.items()}


def words(decision: Decision) -> str:
    """Why an object is refused."""
    refusal = refusal_of(decision)
    assert refusal is not None
    return refusal.message


def paths(fields: Iterable[Any]) -> list[tuple[Any, ...]]:
    """The paths of fields that change or have drifted."""
    return [each.path for each in fields]
