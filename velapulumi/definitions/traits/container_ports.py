"""``container-ports``: ports of containers, and of the node (follows KubeVela v1.10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.patch import RetainKeys
from velapulumi.definitions.pod.ports import PortNumber
from velapulumi.definitions.pod.targets import Target, change_containers, entries
from velapulumi.definitions.pod.template import POD_KINDS
from velapulumi.spec import Many


class Port(BaseParameters):
    """One port."""

    containerPort: PortNumber = Field(description="Port of the container.")
    protocol: Literal["TCP", "UDP", "SCTP"] = Field("TCP", description="Protocol.")
    hostPort: PortNumber | None = Field(None, description="Port of the node.")
    hostIP: str | None = Field(None, description="Address of the node the port is bound to.")

    def matches(self, entry: Mapping[str, Any]) -> bool:
        """Whether a container's port is this one; one without a protocol is TCP."""
        protocol = str(entry.get("protocol", "TCP")).upper()
        return (protocol, entry.get("containerPort")) == (self.protocol, self.containerPort)

    def host(self) -> Manifest:
        """The fields about the node which were given."""
        given = {"hostPort": self.hostPort, "hostIP": self.hostIP}
        return {name: value for name, value in given.items() if value is not None}


class Ports(Target):
    """The ports of one container."""

    ports: Many[Port] = Field((), description="Ports to add or to bind to the node.")


class Parameters(Ports):
    """Parameters of ``container-ports``."""

    containers: Many[Ports] | None = Field(
        None, description="Ports of several containers, instead of the other parameters."
    )


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Bind ports which the container has to the node, and append the others."""
    return change_containers(
        parameters,
        parameters.containers,
        context,
        workload,
        _ports,
        name_missing="container name must be set for containers",
    )


def _ports(target: Ports, container: Mapping[str, Any]) -> Manifest:
    result = [{**entry} for entry in entries(container, "ports")]
    present = list(result)
    for port in target.ports:
        matched = [entry for entry in present if port.matches(entry)]
        for entry in matched:
            entry.update(port.host())
        if not matched:
            own = {"containerPort": port.containerPort, "protocol": port.protocol}
            result.append({**own, **port.host()})
    return {"ports": RetainKeys(result)}


DEFINITION = TraitDefinition(
    type="container-ports",
    parameters=Parameters,
    summary="Ports of one container or several, also on the node.",
    example={"ports": [{"containerPort": 80, "hostPort": 8080}]},
    apply=apply,
    applies_to=POD_KINDS,
)
