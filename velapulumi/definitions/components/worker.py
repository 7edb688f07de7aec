"""``worker``: a Deployment without ports (follows KubeVela v1.10)."""

from __future__ import annotations

from velapulumi.definitions.base import ComponentDefinition, Context, Rendered
from velapulumi.definitions.pod.deployment import (
    WORKLOAD,
    ContainerParameters,
    container,
    deployment,
    deployment_health,
    pod,
    pod_labels,
)


class Parameters(ContainerParameters):
    """Parameters of ``worker``."""


def render(parameters: Parameters, context: Context) -> Rendered:
    """The Deployment."""
    spec = pod(parameters, [container(parameters, context.name)])
    return Rendered(deployment(context, {"labels": pod_labels(context)}, spec))


DEFINITION = ComponentDefinition(
    type="worker",
    parameters=Parameters,
    summary="A program which runs for good and is not reached over the network.",
    example={"image": "busybox", "cmd": ["sleep", "1000000"]},
    workload=WORKLOAD,
    render=render,
    health=deployment_health,
)
