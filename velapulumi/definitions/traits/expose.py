"""``expose``: a Service for the component (follows KubeVela v1.10)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from velapulumi.definitions.base import (
    Context,
    Manifest,
    RenderError,
    TraitDefinition,
    TraitResult,
)
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.network.service import SERVING_KINDS, named_port, service
from velapulumi.definitions.pod.ports import PortNumber, check_unlike
from velapulumi.spec import Many


class Port(BaseParameters):
    """One port of the Service, which leads to the same port of the pods."""

    port: PortNumber = Field(description="Port of the Service and of the container.")
    name: str | None = Field(None, description="Name; made from the number when absent.")
    protocol: Literal["TCP", "UDP", "SCTP"] = Field("TCP", description="Protocol.")
    nodePort: PortNumber | None = Field(None, description="Port of the nodes, for NodePort.")


class Parameters(BaseParameters):
    """Parameters of ``expose``."""

    port: Many[PortNumber] | None = Field(
        None, description="Deprecated, use ports; not used beside it."
    )
    ports: Many[Port] | None = Field(None, description="Ports.")
    annotations: dict[str, str] = Field({}, description="Annotations of the Service.")
    matchLabels: dict[str, str] | None = Field(
        None, description="Labels of the pods; those of the component when absent."
    )
    type: Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] = Field(
        "ClusterIP", description="Type of the Service."
    )


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """The output ``service``.

    Raises:
        RenderError: A Service which needs ports has none, or two have one name.
    """
    ports = _ports(parameters)
    field = "port" if parameters.ports is None else "ports"
    check_unlike((port["name"] for port in ports), field)
    if not ports and parameters.type != "ExternalName":
        raise RenderError((), f"a Service of type {parameters.type} needs ports: give ports")
    result = service(context.name, context, ports)
    spec = result["spec"]
    spec["type"] = parameters.type
    if not ports:
        del spec["ports"]
    if parameters.matchLabels is not None:
        spec["selector"] = dict(parameters.matchLabels)
    if parameters.annotations:
        result["metadata"]["annotations"] = dict(parameters.annotations)
    return TraitResult(outputs={"service": result})


def _ports(parameters: Parameters) -> list[Manifest]:
    if parameters.ports is not None:
        return [_port(port, parameters.type) for port in parameters.ports]
    return [named_port(port) for port in parameters.port or ()]


def _port(port: Port, kind: str) -> Manifest:
    result = {**named_port(port.port), "protocol": port.protocol}
    if port.name is not None:
        result["name"] = port.name
    elif port.protocol != "TCP":
        result["name"] += f"-{port.protocol.lower()}"
    if port.nodePort is not None and kind == "NodePort":
        result["nodePort"] = port.nodePort
    return result


DEFINITION = TraitDefinition(
    type="expose",
    parameters=Parameters,
    summary="A Service for the component, made when the component is healthy.",
    example={"ports": [{"port": 8000, "name": "http"}], "type": "ClusterIP"},
    apply=apply,
    applies_to=SERVING_KINDS,
    after_workload=True,
)
