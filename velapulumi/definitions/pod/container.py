"""The one container which most component types run, its pod, and their common parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, Parameters, RenderError
from velapulumi.definitions.pod.environment import EnvironmentVariable, environment_entries
from velapulumi.definitions.pod.probes import HealthProbe, probe_object
from velapulumi.definitions.pod.resources import Limit, Quantity, resource_requirements
from velapulumi.definitions.pod.volumes import (
    Mount,
    Volume,
    VolumeMounts,
    container_mounts,
    pod_volumes,
)
from velapulumi.spec import Many

NAME_LABEL = "app.oam.dev/name"
COMPONENT_LABEL = "app.oam.dev/component"
REVISION_LABEL = "app.oam.dev/revision"

PullPolicy: TypeAlias = Literal["Always", "Never", "IfNotPresent"]


class ContainerParameters(Parameters):
    """Parameters shared by all types which run one container."""

    image: str = Field(description="Container image.")
    imagePullPolicy: str | None = Field(None, description="When to pull the image.")
    imagePullSecrets: Many[str] | None = Field(None, description="Secrets for the registry.")
    cmd: Many[str] | None = Field(None, description="Program and arguments.")
    env: Many[EnvironmentVariable] | None = Field(None, description="Environment variables.")
    cpu: Quantity | None = Field(None, description='CPU, such as "0.5".')
    memory: Quantity | None = Field(None, description='Memory, such as "256Mi".')
    volumes: Many[Volume] | None = Field(
        None, description="Deprecated, use volumeMounts; not used beside it."
    )


class ServerParameters(ContainerParameters):
    """Parameters shared by the types whose container runs for good."""

    volumeMounts: VolumeMounts | None = Field(None, description="Volumes and their mounts.")
    livenessProbe: HealthProbe | None = Field(None, description="When to restart the container.")
    readinessProbe: HealthProbe | None = Field(None, description="When to send traffic.")


class HostAlias(Parameters):
    """An entry of the pod's hosts file."""

    ip: str = Field(description="Address.")
    hostnames: Many[str] = Field(description="Names of the address.")


def container(
    parameters: ContainerParameters,
    name: str,
    mounts: Sequence[Mount],
    limit: Limit | None = None,
) -> Manifest:
    """The container, with the fields the parameters ask for."""
    result: Manifest = {"name": name, "image": parameters.image}
    if parameters.imagePullPolicy is not None:
        result["imagePullPolicy"] = parameters.imagePullPolicy
    if parameters.cmd is not None:
        result["command"] = list(parameters.cmd)
    if parameters.env is not None:
        result["env"] = environment_entries(parameters.env)
    if resources := resource_requirements(parameters.cpu, parameters.memory, limit):
        result["resources"] = resources
    if mounts:
        result["volumeMounts"] = list(container_mounts(mounts))
    return result


def server_container(
    parameters: ServerParameters,
    name: str,
    mounts: Sequence[Mount],
    limit: Limit | None = None,
) -> Manifest:
    """The container with its probes."""
    result = container(parameters, name, mounts, limit)
    if parameters.livenessProbe is not None:
        result["livenessProbe"] = probe_object(parameters.livenessProbe)
    if parameters.readinessProbe is not None:
        result["readinessProbe"] = probe_object(parameters.readinessProbe)
    return result


def pod(
    parameters: ContainerParameters,
    main: Manifest,
    mounts: Sequence[Mount],
    aliases: Sequence[HostAlias] | None = None,
) -> Manifest:
    """The pod around the container."""
    result: Manifest = {"containers": [main]}
    if parameters.imagePullSecrets is not None:
        result["imagePullSecrets"] = [{"name": name} for name in parameters.imagePullSecrets]
    if mounts:
        result["volumes"] = pod_volumes(mounts)
    if aliases is not None:
        result["hostAliases"] = [
            {"ip": alias.ip, "hostnames": list(alias.hostnames)} for alias in aliases
        ]
    return result


def pod_metadata(
    context: Context,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    *,
    revision: bool = False,
) -> Manifest:
    """Metadata of the pods: those always set (KubeVela v1.4 and later) and the user's own.

    Args:
        context: The component.
        labels: The user's labels.
        annotations: The user's annotations.
        revision: Whether the pods carry the component's revision.

    Raises:
        RenderError: A label contradicts one which is always set.
    """
    own = {NAME_LABEL: context.app_name, COMPONENT_LABEL: context.name}
    if revision:
        own[REVISION_LABEL] = context.revision
    labels = labels or {}
    for key, value in own.items():
        if labels.get(key, value) != value:
            message = f'conflicts with the pod label "{value}" which is always set'
            raise RenderError(("labels", key), message)
    metadata: Manifest = {"labels": {**labels, **own}}
    if annotations is not None:
        metadata["annotations"] = dict(annotations)
    return metadata
