"""``daemon``: a DaemonSet with ports and, when they are exposed, a Service.

Follows KubeVela v1.10, whose Service names no protocol; here a port which is not TCP has it,
and so has the name made for the port.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from velapulumi.definitions.base import ComponentDefinition, Context, Health, Rendered
from velapulumi.definitions.pod.service import (
    ServiceParameters,
    exposed,
    service_pod,
    service_pod_metadata,
)
from velapulumi.definitions.pod.volumes import SubPathHostPath, SubPathVolumeMounts
from velapulumi.definitions.pod.workload import API_VERSION, observed, workload
from velapulumi.spec import Many


class NodePath(SubPathHostPath):
    """A directory of the node, or a path in it."""

    mountPropagation: Literal["None", "HostToContainer", "Bidirectional"] | None = Field(
        None, description="Without effect, as in KubeVela."
    )
    readOnly: bool | None = Field(None, description="Without effect, as in KubeVela.")


class NodeVolumeMounts(SubPathVolumeMounts):
    """Mounts by the kind of their volume."""

    hostPath: Many[NodePath] = Field((), description="Directories of the node.")


class Parameters(ServiceParameters):
    """Parameters of ``daemon``."""

    volumeMounts: NodeVolumeMounts | None = Field(None, description="Volumes and mounts.")


def render(parameters: Parameters, context: Context) -> Rendered:
    """The DaemonSet, and the Service ``webserviceExpose`` when a port is exposed.

    Raises:
        RenderError: A pod label contradicts one which velapulumi sets, or two ports have one name.
    """
    metadata = service_pod_metadata(parameters, context)
    return Rendered(
        workload("DaemonSet", context, metadata, service_pod(parameters, context)),
        exposed(parameters, context, "webserviceExpose"),
    )


def health(live: Mapping[str, Any]) -> Health:
    """Healthy when every node meant to has a ready pod of the newest template."""
    status = live.get("status") or {}
    wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
    counts = {
        ready,
        status.get("updatedNumberScheduled", 0),
        status.get("currentNumberScheduled", 0),
    }
    return Health(observed(live) and counts == {wanted}, f"Ready:{ready}/{wanted}")


DEFINITION = ComponentDefinition(
    type="daemon",
    parameters=Parameters,
    summary="A program which runs on every node.",
    example={
        "image": "prom/node-exporter:v1.8.2",
        "ports": [{"port": 9100, "name": "metrics", "expose": True}],
        "volumeMounts": {"hostPath": [{"name": "sys", "mountPath": "/host/sys", "path": "/sys"}]},
    },
    workload=(API_VERSION, "DaemonSet"),
    render=render,
    health=health,
)
