"""``webservice``: a Deployment with ports and, when they are exposed, a Service.

Follows KubeVela v1.10.
"""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import ComponentDefinition, Context, Rendered
from velapulumi.definitions.pod.resources import Limit
from velapulumi.definitions.pod.service import (
    MappedServiceParameters,
    exposed,
    service_pod,
    service_pod_metadata,
)
from velapulumi.definitions.pod.workload import API_VERSION, service_health, workload


class Parameters(MappedServiceParameters):
    """Parameters of ``webservice``."""

    limit: Limit | None = Field(None, description="Limits beside cpu and memory.")


def render(parameters: Parameters, context: Context) -> Rendered:
    """The Deployment, and the Service ``webserviceExpose`` when a port is exposed.

    Raises:
        RenderError: A pod label contradicts one which velapulumi sets, or two ports have one name.
    """
    metadata = service_pod_metadata(parameters, context)
    spec = service_pod(parameters, context, parameters.args, parameters.limit)
    return Rendered(
        workload("Deployment", context, metadata, spec),
        exposed(parameters, context, "webserviceExpose"),
    )


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
    workload=(API_VERSION, "Deployment"),
    render=render,
    health=service_health,
)
