"""Ports of a component, the Service which exposes them, and the parameters around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, Parameters
from velapulumi.definitions.pod.container import (
    COMPONENT_LABEL,
    HostAlias,
    PullPolicy,
    ServerParameters,
    pod,
    pod_metadata,
    server_container,
)
from velapulumi.definitions.pod.ports import PortName, PortNumber, check_unlike
from velapulumi.definitions.pod.probes import FullHealthProbe
from velapulumi.definitions.pod.resources import Limit
from velapulumi.definitions.pod.volumes import SubPathVolumeMounts, chosen_mounts
from velapulumi.spec import Many


class Port(Parameters):
    """One port of the container, and of the Service when exposed."""

    port: PortNumber = Field(description="Port of the container and of the Service.")
    name: PortName | None = Field(None, description="Name; made from the number when absent.")
    protocol: Literal["TCP", "UDP", "SCTP"] = Field("TCP", description="Protocol.")
    expose: bool = Field(False, description="Whether the Service has it.")

    @property
    def target(self) -> int:
        return self.port

    @property
    def full_name(self) -> str:
        if self.name is not None:
            return self.name
        suffix = "" if self.protocol == "TCP" else f"-{self.protocol.lower()}"
        return f"port-{self.target}{suffix}"

    def of_container(self) -> Manifest:
        """The port in the container."""
        return {"containerPort": self.target, "name": self.full_name, "protocol": self.protocol}

    def of_service(self, kind: str) -> Manifest:
        """The port in a Service of a type; its protocol is left to the default when TCP."""
        entry: Manifest = {"name": self.full_name, "port": self.port, "targetPort": self.target}
        if self.protocol != "TCP":
            entry["protocol"] = self.protocol
        return entry


class MappedPort(Port):
    """One port of the container, which may have another number in the Service and on nodes."""

    port: PortNumber = Field(description="Port of the Service.")
    containerPort: PortNumber | None = Field(
        None, description="Port of the container; port when absent."
    )
    nodePort: PortNumber | None = Field(None, description="Port of the nodes, for NodePort.")

    @property
    def target(self) -> int:
        return self.port if self.containerPort is None else self.containerPort

    def of_service(self, kind: str) -> Manifest:
        entry = {**super().of_service(kind), "protocol": self.protocol}
        if kind == "NodePort" and self.nodePort is not None:
            entry["nodePort"] = self.nodePort
        return entry


class ServiceParameters(ServerParameters):
    """Parameters shared by the types whose container may be reached over the network."""

    labels: dict[str, str] | None = Field(None, description="Labels of the pods.")
    annotations: dict[str, str] | None = Field(None, description="Annotations of the pods.")
    imagePullPolicy: PullPolicy | None = Field(None, description="When to pull the image.")
    port: PortNumber | None = Field(None, description="Deprecated, use ports; not used beside it.")
    ports: Many[Port] | None = Field(None, description="Ports.")
    exposeType: Literal["ClusterIP", "NodePort", "LoadBalancer"] = Field(
        "ClusterIP", description="Type of the Service."
    )
    addRevisionLabel: bool = Field(False, description="Whether pods carry the revision.")
    livenessProbe: FullHealthProbe | None = Field(
        None, description="When to restart the container."
    )
    readinessProbe: FullHealthProbe | None = Field(None, description="When to send traffic.")
    hostAliases: Many[HostAlias] | None = Field(None, description="Entries of the hosts file.")


class MappedServiceParameters(ServiceParameters):
    """Parameters shared by ``webservice`` and ``statefulset``."""

    ports: Many[MappedPort] | None = Field(None, description="Ports.")
    args: Many[str] | None = Field(None, description="Arguments of the program.")
    volumeMounts: SubPathVolumeMounts | None = Field(None, description="Volumes and mounts.")


def service_pod(
    parameters: ServiceParameters,
    context: Context,
    args: Sequence[str] | None = None,
    limit: Limit | None = None,
) -> Manifest:
    """The pod of a component with ports.

    Raises:
        RenderError: Two ports have one name.
    """
    mounts = chosen_mounts(parameters.volumeMounts, parameters.volumes)
    main = server_container(parameters, context.name, mounts, limit)
    if args is not None:
        main["args"] = list(args)
    if parameters.ports is not None:
        check_unlike(port.full_name for port in parameters.ports)
        main["ports"] = [port.of_container() for port in parameters.ports]
    elif parameters.port is not None:
        main["ports"] = [{"containerPort": parameters.port}]
    return pod(parameters, main, mounts, parameters.hostAliases)


def service_pod_metadata(parameters: ServiceParameters, context: Context) -> Manifest:
    """Metadata of the pods of a component with ports.

    Raises:
        RenderError: A label contradicts one which is always set.
    """
    return pod_metadata(
        context, parameters.labels, parameters.annotations, revision=parameters.addRevisionLabel
    )


def exposed(parameters: ServiceParameters, context: Context, key: str) -> dict[str, Manifest]:
    """The Service of the exposed ports by its key; nothing when there is no such port."""
    kind = parameters.exposeType
    ports = [port.of_service(kind) for port in parameters.ports or () if port.expose]
    if not ports:
        return {}
    spec = {"selector": {COMPONENT_LABEL: context.name}, "type": kind, "ports": ports}
    metadata = {"name": context.name}
    return {key: {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}}
