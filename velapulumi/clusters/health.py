"""Whether what was delivered runs well, read from the clusters at this moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from velapulumi.clusters.client import Cluster
from velapulumi.clusters.identity import Reached
from velapulumi.definitions import BUILTIN, Catalog, ComponentDefinition, Health, StepDefinition
from velapulumi.errors import ClusterUnreachable, VelapulumiError

Completed = Callable[[str, Mapping[str, Any]], bool]
"""Tells by cluster and manifest whether a Job has completed, as a stack has recorded it."""

_COMPONENT = "app.oam.dev/component"
_ROLE = "app.oam.dev/resourceType"
_TYPE = "workload.oam.dev/type"
_ON_THE_WAY = ("ContainerCreating", "PodInitializing")


@dataclass(frozen=True)
class Service:
    """One component in one placement, as it is.

    Attributes:
        name: The component.
        type: Its component type.
        cluster: Where it runs.
        namespace: The namespace there.
        api_version: Of its workload.
        kind: Of its workload.
        healthy: Whether it is healthy by its definition's rule.
        message: The definition's own message, such as ``Ready:1/1``.
        reason: Why it is not healthy, as far as the cluster tells; empty when it is.
        present: Whether the workload is there at all.
        unread: Why it could not be looked at; None when it was.
    """

    name: str
    type: str
    cluster: str
    namespace: str
    api_version: str
    kind: str
    healthy: bool
    message: str
    reason: str = ""
    present: bool = True
    unread: VelapulumiError | None = None


def read_services(
    objects: Iterable[tuple[str, Mapping[str, Any]]],
    clusters: Mapping[str, Reached | VelapulumiError],
    catalog: Catalog = BUILTIN,
    completed: Completed = lambda cluster, manifest: False,
) -> tuple[Service, ...]:
    """Read the health of every workload among some objects.

    Args:
        objects: Cluster and manifest of each object.
        clusters: The clusters by name, reached or not.
        catalog: The definitions whose rules count.
        completed: Tells the Jobs that have completed: they are healthy also when they are gone.

    Returns:
        One entry per workload, in the order of the objects. Services of a
        cluster that does not answer are not seen to be healthy, with the reason.
    """
    services = []
    for cluster, manifest in objects:
        labels = manifest["metadata"].get("labels") or {}
        if labels.get(_ROLE) != "WORKLOAD":
            continue
        reached = clusters.get(cluster)
        if isinstance(reached, Reached):
            done = completed(cluster, manifest)
            services.append(_read(reached.client, cluster, manifest, catalog, done))
        else:
            reason = reached.message if reached else f"cluster {cluster} is not joined"
            services.append(_service(cluster, manifest, False, "", reason, unread=reached))
    return tuple(services)


def judge(component_type: str, live: Mapping[str, Any], catalog: Catalog = BUILTIN) -> Health:
    """The health of a live workload by the rule of its component type, or of the step that made it.

    Args:
        component_type: The type; one that is not known here has no rule and counts as healthy.
        live: The workload as the cluster has it.
        catalog: The definitions whose rules count.
    """
    definition = catalog.find(ComponentDefinition, component_type) or catalog.find(
        StepDefinition, component_type
    )
    return definition.health(live) if definition else Health(True, "")


def _read(
    client: Cluster, cluster: str, manifest: Mapping[str, Any], catalog: Catalog, completed: bool
) -> Service:
    metadata = manifest["metadata"]
    try:
        live = client.read(manifest)
        if live is None and completed:
            return _service(cluster, manifest, True, "completed", "")
        if live is None:
            name = f"{manifest['kind']} {metadata['name']}"
            return _service(cluster, manifest, False, "", f"{name} is not there", present=False)
        health = judge(metadata["labels"].get(_TYPE, ""), live, catalog)
        reason = "" if health.healthy else _why(client, live)
        return _service(cluster, manifest, health.healthy, health.message, reason)
    except ClusterUnreachable as error:
        return _service(cluster, manifest, False, "", error.message, unread=error)


def _service(
    cluster: str,
    manifest: Mapping[str, Any],
    healthy: bool,
    message: str,
    reason: str,
    *,
    present: bool = True,
    unread: VelapulumiError | None = None,
) -> Service:
    metadata = manifest["metadata"]
    return Service(
        name=metadata["labels"][_COMPONENT],
        type=metadata["labels"].get(_TYPE, ""),
        cluster=cluster,
        namespace=metadata.get("namespace") or "",
        api_version=manifest["apiVersion"],
        kind=manifest["kind"],
        healthy=healthy,
        message=message,
        reason=reason,
        present=present,
        unread=unread,
    )


def _why(client: Cluster, workload: Mapping[str, Any]) -> str:
    """The first cause a workload's pods give for not being ready."""
    labels = workload.get("spec", {}).get("selector", {}).get("matchLabels")
    namespace = workload["metadata"].get("namespace")
    if not labels or not namespace:
        return ""
    pods = client.pods(namespace, labels)
    causes = [(pod["metadata"]["name"], cause) for pod in pods if (cause := _pod_cause(pod))]
    stuck = [found for found in causes if not found[1].startswith(_ON_THE_WAY)]
    for name, cause in stuck or causes:
        return f"pod {name}: {cause}"
    return "its pods are starting" if pods else "it has no pods yet"


def _pod_cause(pod: Mapping[str, Any]) -> str:
    status = pod.get("status", {})
    initial, main = status.get("initContainerStatuses"), status.get("containerStatuses")
    for container in (*(initial or ()), *(main or ())):
        waiting = (container.get("state") or {}).get("waiting")
        if waiting:
            return _joined(waiting.get("reason"), waiting.get("message"))
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return _joined(condition.get("reason"), condition.get("message"))
    return ""


def _joined(reason: str | None, message: str | None) -> str:
    return ": ".join(part for part in (reason, message) if part)
