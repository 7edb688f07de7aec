"""``worker``: a Deployment without ports (follows KubeVela v1.10)."""

from __future__ import annotations

from velapulumi.definitions.base import ComponentDefinition, Context, Rendered
from velapulumi.definitions.pod.container import (
    ServerParameters,
    pod,
    pod_metadata,
    server_container,
)
from velapulumi.definitions.pod.volumes import chosen_mounts
from velapulumi.definitions.pod.workload import API_VERSION, replicas_health, workload


class Parameters(ServerParameters):
    """Parameters of ``worker``."""


def render(parameters: Parameters, context: Context) -> Rendered:
    """The Deployment."""
    mounts = chosen_mounts(parameters.volumeMounts, parameters.volumes)
    main = server_container(parameters, context.name, mounts)
    spec = pod(parameters, main, mounts)
    return Rendered(workload("Deployment", context, pod_metadata(context), spec))


DEFINITION = ComponentDefinition(
    type="worker",
    parameters=Parameters,
    summary="A program which runs for good and is not reached over the network.",
    example={"image": "busybox", "cmd": ["sleep", "1000000"]},
    workload=(API_VERSION, "Deployment"),
    render=render,
    health=replicas_health,
)
