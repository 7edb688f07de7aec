"""A Job which runs a component's container to its end, and the common parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from velapulumi.definitions.base import Manifest
from velapulumi.definitions.pod.container import (
    ContainerParameters,
    HostAlias,
    PullPolicy,
    container,
    pod,
)
from velapulumi.definitions.pod.probes import HealthProbe
from velapulumi.definitions.pod.volumes import Mount


class JobParameters(ContainerParameters):
    """Parameters shared by the types whose container runs to its end."""

    labels: dict[str, str] | None = Field(None, description="Labels of the pods.")
    annotations: dict[str, str] | None = Field(None, description="Annotations of the pods.")
    imagePullPolicy: PullPolicy | None = Field(None, description="When to pull the image.")
    count: int = Field(1, description="Pods which run side by side and must succeed.", ge=0)
    restart: Literal["Never", "OnFailure"] = Field(
        "Never", description="When to start the container of a pod again."
    )
    livenessProbe: HealthProbe | None = Field(None, description="Without effect, as in KubeVela.")
    readinessProbe: HealthProbe | None = Field(None, description="Without effect, as in KubeVela.")


def job_spec(
    parameters: JobParameters,
    name: str,
    metadata: Manifest,
    mounts: Sequence[Mount],
    aliases: Sequence[HostAlias] | None = None,
) -> Manifest:
    """The ``spec`` of the Job.

    Args:
        parameters: The parameters.
        name: Name of the container.
        metadata: Metadata of the pods.
        mounts: What the container mounts.
        aliases: Entries of the pods' hosts file.
    """
    spec = pod(parameters, container(parameters, name, mounts), mounts, aliases)
    return {
        "parallelism": parameters.count,
        "completions": parameters.count,
        "template": {
            "metadata": metadata,
            "spec": {"restartPolicy": parameters.restart, **spec},
        },
    }
