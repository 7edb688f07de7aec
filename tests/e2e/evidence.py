"""What a delivery has left: objects in both clusters, what the stacks hold, and the status."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.clusters import Cluster, Project
from velapulumi.project import find_project
from velapulumi.status.document import status_document
from velapulumi.status.report import read_status

KINDS = "deployments,statefulsets,daemonsets,services,configmaps,secrets,serviceaccounts"
GIVEN = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}
"""What every namespace has by itself."""

CHANGING = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation")
HASH = re.compile(r":[0-9a-f]{16}\b")
PROJECT = re.compile(r'("velapulumi.dev/project": ")[0-9a-f]{16}')

Key = tuple[str, str, str]
"""Cluster, kind and name of an object in the test's namespace."""


@dataclass(frozen=True)
class Evidence:
    """What is there after a run.

    Attributes:
        objects: The objects without what differs from run to run.
        generations: How often each object's specification has been changed.
        uids: Which object it is.
        held: What the stacks hold.
        open: The stacks in which an operation was left open.
        status: What ``status -o json`` tells.
    """

    objects: Mapping[Key, Any]
    generations: Mapping[Key, int]
    uids: Mapping[Key, str]
    held: frozenset[Key]
    open: tuple[str, ...]
    status: Any

    def difference(self, other: Evidence) -> str:
        """Where it differs from another end; empty when it does not, and nothing is left over."""
        found = [f"{name} {a} instead of {b}" for name, a, b in self._pairs(other) if a != b]
        if self.held != self.objects.keys():
            found.append(f"stacks hold {set(self.held)}, there are {set(self.objects)}")
        return "; ".join(found)

    def _pairs(self, other: Evidence) -> Iterator[tuple[str, Any, Any]]:
        for key in self.objects.keys() | other.objects.keys():
            yield str(key), self.objects.get(key), other.objects.get(key)
        yield "held", self.held, other.held
        yield "open", self.open, other.open
        for part in ("services", "status", "workflow"):
            yield part, self.status["status"][part], other.status["status"][part]

    def growth(self, before: Evidence) -> dict[Key, int]:
        """How often each object's specification has been changed since, its creation included."""
        return {
            key: count - before.generations.get(key, 0) for key, count in self.generations.items()
        }

    def replaced(self, before: Mapping[Key, str]) -> set[Key]:
        """The objects which are others than those of the same name before, given as their UIDs."""
        return {key for key, uid in before.items() if self.uids.get(key, uid) != uid}


NOTHING = Evidence({}, {}, {}, frozenset(), (), {})
"""What is there before the first run."""


def gather(project: Project, namespace: str, application: str) -> Evidence:
    """Look at everything a run has left.

    Args:
        project: The project.
        namespace: The application's namespace, which is its alone.
        application: Its name.
    """
    found = dict(everything(project, namespace))
    stacks = dict(checkpoints(project, application))
    status = status_document(read_status(find_project(project.root), application))
    workflow = status["status"]["workflow"]
    for part, name in ((workflow, "startTime"), (workflow, "endTime")):
        part.pop(name, None)
    for step in workflow["steps"]:
        del step["id"]
    for service in status["status"]["services"]:
        service.pop("scopes", None)
    return Evidence(
        objects={key: neutral(plain(item), namespace) for key, item in found.items()},
        generations={k: i["metadata"].get("generation", 0) for k, i in found.items()},
        uids=uids(found),
        held=frozenset(key for stack in stacks.values() for key in held(stack)),
        open=tuple(name for name, stack in stacks.items() if stack.get("pending_operations")),
        status=neutral(status, namespace),
    )


def everything(project: Project, namespace: str) -> Iterator[tuple[Key, dict[str, Any]]]:
    """The objects in a namespace of all clusters."""
    for cluster in project.clusters.values():
        yield from live(cluster, namespace)


def uids(objects: Mapping[Key, Mapping[str, Any]]) -> dict[Key, str]:
    """The identity of each object."""
    return {key: item["metadata"]["uid"] for key, item in objects.items()}


def live(cluster: Cluster, namespace: str) -> Iterator[tuple[Key, dict[str, Any]]]:
    """The objects in a namespace, but those that every namespace has."""
    answer = json.loads(cluster.kubectl("get", KINDS, "-n", namespace, "-o", "json"))
    for item in answer["items"]:
        kind, name = item["kind"], item["metadata"]["name"]
        if (kind, name) not in GIVEN:
            yield (cluster.name, kind, name), item


def checkpoints(project: Project, application: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the files of a project's own backend hold of an application's stacks, by stack."""
    folder = project.root / ".velapulumi" / "backend" / ".pulumi" / "stacks"
    for path in sorted(folder.glob(f"*/{application}.*.json")):
        yield path.stem, json.loads(path.read_bytes())["checkpoint"]["latest"] or {}


def held(stack: Mapping[str, Any]) -> Iterator[Key]:
    """The objects that a stack manages; one marked for deletion counts, too."""
    for resource in stack.get("resources") or ():
        if resource["type"].startswith("kubernetes:") and not resource.get("external"):
            manifest = resource["inputs"]
            yield (
                resource["provider"].split("::")[-2],
                manifest["kind"],
                manifest["metadata"]["name"],
            )


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """An object without what differs from run to run; of its status only whether it is ready."""
    metadata = {k: v for k, v in item["metadata"].items() if k not in CHANGING}
    annotations = dict(metadata.pop("annotations", {}))
    annotations.pop("deployment.kubernetes.io/revision", None)
    content = {k: v for k, v in item.items() if k not in ("metadata", "status")}
    for field in ("clusterIP", "clusterIPs"):
        content.get("spec", {}).pop(field, None)
    ready = item.get("status", {}).get("readyReplicas")
    return {**content, "metadata": metadata, "annotations": annotations, "ready": ready}


def neutral(document: Any, namespace: str) -> Any:
    """A document without what names the test's own namespace and project."""
    text = json.dumps(document, sort_keys=True).replace(namespace, "NAMESPACE")
    return json.loads(HASH.sub("", PROJECT.sub(r"\1PROJECT", text)))


class Write(NamedTuple):
    """A change that was asked of an API server, taken or refused; dry runs are none.

    Attributes:
        cluster: Name of the cluster.
        verb: Such as ``patch``.
        resource: Plural of the kind, with the subresource where there is one.
        name: ``NAMESPACE/NAME``; only the name of what has no namespace.
    """

    cluster: str
    verb: str
    resource: str
    name: str


class Audit:
    """What velapulumi and its engine write for a test from now on, by the audit logs of clusters.

    Args:
        clusters: The clusters.
    """

    def __init__(self, clusters: Iterable[Cluster]) -> None:
        self._clusters = tuple(clusters)
        self._seen = {cluster.name: 0 for cluster in self._clusters}
        self.new()

    def new(self) -> list[Write]:
        """What has been written since this was asked for the last time."""
        found = []
        for cluster in self._clusters:
            with cluster.audit_log.open("rb") as log:
                log.seek(self._seen[cluster.name])
                text = log.read()
            lines = text[: text.rfind(b"\n") + 1]
            self._seen[cluster.name] += len(lines)
            found += [
                _write(cluster, event)
                for event in map(json.loads, lines.splitlines())
                if is_write_of(cluster.user, event)
            ]
        return found


def is_write_of(user: str, event: Mapping[str, Any]) -> bool:
    """Whether it is a write of velapulumi or its engine as a user, and not one of kubectl."""
    return (
        event["user"]["username"] == user
        and not event["userAgent"].startswith(("kube", "kwok"))
        and "dryRun" not in event["requestURI"]
    )


def _write(cluster: Cluster, event: Mapping[str, Any]) -> Write:
    target = event["objectRef"]
    resource = "/".join(filter(None, (target["resource"], target.get("subresource"))))
    place = "" if resource == "namespaces" else target.get("namespace")
    name = "/".join(filter(None, (place, target.get("name"))))
    return Write(cluster.name, event["verb"], resource, name)
