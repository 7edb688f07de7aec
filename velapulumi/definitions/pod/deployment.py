"""The Deployment which runs a component's container, its common parameters and its health."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from velapulumi.definitions.base import Context, Health, Manifest, Parameters
from velapulumi.definitions.pod.environment import EnvironmentVariable, environment_entries
from velapulumi.definitions.pod.probes import HealthProbe, probe_object
from velapulumi.definitions.pod.resources import Limit, resource_requirements
from velapulumi.definitions.pod.volumes import (
    Volume,
    VolumeMounts,
    container_mounts,
    pod_volumes,
)
from velapulumi.spec import Many

WORKLOAD = ("apps/v1", "Deployment")
NAME_LABEL = "app.oam.dev/name"
COMPONENT_LABEL = "app.oam.dev/component"


class ContainerParameters(Parameters):
    """Parameters shared by the types which run one container for good."""

    image: str = Field(description="Container image.")
    imagePullPolicy: str | None = Field(None, description="When to pull the image.")
    imagePullSecrets: Many[str] | None = Field(None, description="Secrets for the registry.")
    cmd: Many[str] | None = Field(None, description="Program and arguments.")
    env: Many[EnvironmentVariable] | None = Field(None, description="Environment variables.")
    cpu: str | None = Field(None, description='CPU, such as "0.5".')
    memory: str | None = Field(None, description='Memory, such as "256Mi".')
    volumeMounts: VolumeMounts | None = Field(None, description="Volumes and their mounts.")
    volumes: Many[Volume] | None = Field(
        None, description="Deprecated, use volumeMounts; not used beside it."
    )
    livenessProbe: HealthProbe | None = Field(None, description="When to restart the container.")
    readinessProbe: HealthProbe | None = Field(None, description="When to send traffic.")


def container(parameters: ContainerParameters, name: str, limit: Limit | None = None) -> Manifest:
    """The container of the pod, with the fields the parameters ask for."""
    result: Manifest = {"name": name, "image": parameters.image}
    if parameters.imagePullPolicy is not None:
        result["imagePullPolicy"] = parameters.imagePullPolicy
    if parameters.cmd is not None:
        result["command"] = list(parameters.cmd)
    if parameters.env is not None:
        result["env"] = environment_entries(parameters.env)
    if resources := resource_requirements(parameters.cpu, parameters.memory, limit):
        result["resources"] = resources
    if mounts := list(container_mounts(_mounts(parameters))):
        result["volumeMounts"] = mounts
    if parameters.livenessProbe is not None:
        result["livenessProbe"] = probe_object(parameters.livenessProbe)
    if parameters.readinessProbe is not None:
        result["readinessProbe"] = probe_object(parameters.readinessProbe)
    return result


def pod(parameters: ContainerParameters, containers: list[Manifest]) -> Manifest:
    """The pod around the containers."""
    result: Manifest = {"containers": containers}
    if parameters.imagePullSecrets is not None:
        result["imagePullSecrets"] = [{"name": name} for name in parameters.imagePullSecrets]
    if volumes := pod_volumes(_mounts(parameters)):
        result["volumes"] = volumes
    return result


def deployment(
    context: Context, pod_metadata: Mapping[str, Any], pod_spec: Mapping[str, Any]
) -> Manifest:
    """The Deployment; without replicas, which the cluster sets to 1 and ``scaler`` to its own."""
    return {
        "apiVersion": WORKLOAD[0],
        "kind": WORKLOAD[1],
        "spec": {
            "selector": {"matchLabels": {COMPONENT_LABEL: context.name}},
            "template": {"metadata": pod_metadata, "spec": pod_spec},
        },
    }


def pod_labels(context: Context) -> dict[str, str]:
    """Labels of every pod (KubeVela v1.4 and later)."""
    return {NAME_LABEL: context.app_name, COMPONENT_LABEL: context.name}


def deployment_health(live: Mapping[str, Any]) -> Health:
    """Healthy when all replicas wanted run the newest template, and no others.

    Follows the status rules of KubeVela v1.10 for webservice and worker.

    Args:
        live: The Deployment as the cluster holds it.
    """
    status = live.get("status") or {}
    wanted = live["spec"].get("replicas", 1)
    ready = status.get("readyReplicas", 0)
    counts = (ready, status.get("updatedReplicas", 0), status.get("replicas", 0))
    observed = status.get("observedGeneration", 0) >= live["metadata"].get("generation", 0)
    return Health(observed and set(counts) == {wanted}, f"Ready:{ready}/{wanted}")


def _mounts(parameters: ContainerParameters) -> list[Any]:
    if parameters.volumeMounts is not None:
        return parameters.volumeMounts.all()
    return list(parameters.volumes or ())
