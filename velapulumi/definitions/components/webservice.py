"""``webservice``: a Deployment with ports and, when they are exposed, a Service.

Follows KubeVela v1.10.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from velapulumi.definitions.base import (
    ComponentDefinition,
    Context,
    Health,
    Manifest,
    Rendered,
    RenderError,
)
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.pod.deployment import (
    COMPONENT_LABEL,
    WORKLOAD,
    ContainerParameters,
    container,
    deployment,
    deployment_health,
    pod,
    pod_labels,
)
from velapulumi.definitions.pod.probes import FullHealthProbe
from velapulumi.definitions.pod.resources import Limit
from velapulumi.definitions.pod.volumes import SubPathVolumeMounts
from velapulumi.spec import Many

REVISION_LABEL = "app.oam.dev/revision"
HEALTH_CHECK_OFF = "app.oam.dev/disable-health-check"


class Port(BaseParameters):
    """One port of the container, and of the Service when exposed."""

    port: int = Field(description="Port of the Service.")
    containerPort: int | None = Field(None, description="Port of the container; port when absent.")
    name: str | None = Field(None, description="Name; made from the number when absent.")
    protocol: Literal["TCP", "UDP", "SCTP"] = Field("TCP", description="Protocol.")
    expose: bool = Field(False, description="Whether the Service has it.")
    nodePort: int | None = Field(None, description="Port of the nodes, for NodePort.")

    @property
    def target(self) -> int:
        return self.port if self.containerPort is None else self.containerPort

    @property
    def full_name(self) -> str:
        if self.name is not None:
            return self.name
        suffix = "" if self.protocol == "TCP" else f"-{self.protocol.lower()}"
        return f"port-{self.target}{suffix}"


class HostAlias(BaseParameters):
    """An entry of the pod's hosts file."""

    ip: str = Field(description="Address.")
    hostnames: Many[str] = Field(description="Names of the address.")


class Parameters(ContainerParameters):
    """Parameters of ``webservice``."""

    labels: dict[str, str] | None = Field(None, description="Labels of the pods.")
    annotations: dict[str, str] | None = Field(None, description="Annotations of the pods.")
    imagePullPolicy: Literal["Always", "Never", "IfNotPresent"] | None = Field(
        None, description="When to pull the image."
    )
    port: int | None = Field(None, description="Deprecated, use ports; not used beside it.")
    ports: Many[Port] | None = Field(None, description="Ports.")
    exposeType: Literal["ClusterIP", "NodePort", "LoadBalancer"] = Field(
        "ClusterIP", description="Type of the Service."
    )
    addRevisionLabel: bool = Field(False, description="Whether pods carry the revision.")
    args: Many[str] | None = Field(None, description="Arguments of the program.")
    limit: Limit | None = Field(None, description="Limits beside cpu and memory.")
    volumeMounts: SubPathVolumeMounts | None = Field(None, description="Volumes and mounts.")
    livenessProbe: FullHealthProbe | None = Field(
        None, description="When to restart the container."
    )
    readinessProbe: FullHealthProbe | None = Field(None, description="When to send traffic.")
    hostAliases: Many[HostAlias] | None = Field(None, description="Entries of the hosts file.")


def render(parameters: Parameters, context: Context) -> Rendered:
    """The Deployment, and the Service ``webserviceExpose`` when a port is exposed.

    Raises:
        RenderError: A pod label contradicts one which velapulumi sets.
    """
    main = container(parameters, context.name, parameters.limit)
    if parameters.args is not None:
        main["args"] = list(parameters.args)
    if parameters.ports is not None:
        main["ports"] = [_container_port(port) for port in parameters.ports]
    elif parameters.port is not None:
        main["ports"] = [{"containerPort": parameters.port}]
    spec = pod(parameters, [main])
    if parameters.hostAliases is not None:
        spec["hostAliases"] = [
            {"ip": alias.ip, "hostnames": list(alias.hostnames)} for alias in parameters.hostAliases
        ]
    workload = deployment(context, _pod_metadata(parameters, context), spec)
    exposed = [port for port in parameters.ports or () if port.expose]
    if not exposed:
        return Rendered(workload)
    service = _service(exposed, parameters.exposeType, context)
    return Rendered(workload, {"webserviceExpose": service})


def health(live: Mapping[str, Any]) -> Health:
    """As every Deployment, or always healthy when its annotation switches the check off."""
    state = deployment_health(live)
    if HEALTH_CHECK_OFF in (live["metadata"].get("annotations") or {}):
        return Health(True, state.message)
    return state


def _pod_metadata(parameters: Parameters, context: Context) -> Manifest:
    own = pod_labels(context)
    if parameters.addRevisionLabel:
        own[REVISION_LABEL] = context.revision
    labels = parameters.labels or {}
    for key, value in own.items():
        if labels.get(key, value) != value:
            message = f'conflicts with the pod label "{value}" which is always set'
            raise RenderError(("labels", key), message)
    metadata: Manifest = {"labels": {**labels, **own}}
    if parameters.annotations is not None:
        metadata["annotations"] = dict(parameters.annotations)
    return metadata


def _container_port(port: Port) -> Manifest:
    return {"containerPort": port.target, "name": port.full_name, "protocol": port.protocol}


def _service(ports: list[Port], kind: str, context: Context) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": context.name},
        "spec": {
            "selector": {COMPONENT_LABEL: context.name},
            "type": kind,
            "ports": [_service_port(port, kind) for port in ports],
        },
    }


def _service_port(port: Port, kind: str) -> Manifest:
    result: Manifest = {
        "name": port.full_name,
        "port": port.port,
        "targetPort": port.target,
        "protocol": port.protocol,
    }
    if kind == "NodePort" and port.nodePort is not None:
        result["nodePort"] = port.nodePort
    return result


DEFINITION = ComponentDefinition(
    type="webservice",
    parameters=Parameters,
    summary="A service which runs for good and may be reached over the network.",
    example={
        "image": "crccheck/hello-world",
        "ports": [{"port": 8000, "expose": True}],
        "cpu": "100m",
        "memory": "64Mi",
    },
    workload=WORKLOAD,
    render=render,
    health=health,
)
