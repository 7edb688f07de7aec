"""``export-service``: a Service for an address outside, on every cluster of a topology.

Follows KubeVela v1.10: its namespace is not that of the topology, but the one given here or else
that of the application.
"""

from __future__ import annotations

import ipaddress

from pydantic import Field

from velapulumi.definitions.base import Context, Rendered, RenderError
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.objects import Word
from velapulumi.definitions.pod.ports import PortNumber
from velapulumi.definitions.step import StepDefinition, Target


class Parameters(BaseParameters):
    """Parameters of ``export-service``."""

    name: str = Field("", description="Name of the Service; that of the application when empty.")
    namespace: str = Field("", description="Its namespace; that of the application when empty.")
    ip: Word = Field(description="Address the Service leads to.")
    port: PortNumber = Field(description="Port of the Service.")
    targetPort: PortNumber = Field(description="Port at the address.")
    topology: str = Field("", description="Name of the topology policy that tells the clusters.")


def render(parameters: Parameters, context: Context) -> Rendered:
    """The Service, and its Endpoints as ``endpoints``.

    Raises:
        RenderError: The address is none.
    """
    try:
        ipaddress.ip_address(parameters.ip)
    except ValueError:
        message = f'"{parameters.ip}" is no IP address, and only such can be exported'
        raise RenderError(("ip",), message) from None
    metadata = {
        "name": parameters.name or context.app_name,
        "namespace": parameters.namespace or context.app_namespace,
    }
    port = {
        "protocol": "TCP",
        "port": parameters.port,
        "targetPort": parameters.targetPort,
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"type": "ClusterIP", "ports": [port]},
    }
    endpoints = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": dict(metadata),
        "subsets": [
            {
                "addresses": [{"ip": parameters.ip}],
                "ports": [{"port": parameters.targetPort}],
            }
        ],
    }
    return Rendered(service, {"endpoints": endpoints})


def target(parameters: Parameters) -> Target:
    """The clusters of the topology policy."""
    return Target(namespace=parameters.namespace, topology=parameters.topology)


DEFINITION = StepDefinition(
    type="export-service",
    parameters=Parameters,
    summary="A Service for an address outside, on every cluster of a topology.",
    example={
        "name": "database",
        "ip": "192.0.2.10",
        "port": 5432,
        "targetPort": 5432,
        "topology": "production",
    },
    render=render,
    target=target,
)
