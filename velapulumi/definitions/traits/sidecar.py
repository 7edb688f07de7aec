"""``sidecar``: one more container in the pods (follows KubeVela v1.10)."""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.patch import ByKey
from velapulumi.definitions.pod.environment import EnvironmentVariable, environment_entries
from velapulumi.definitions.pod.probes import HealthProbe, probe_object
from velapulumi.definitions.pod.template import POD_KINDS, pod_patch
from velapulumi.spec import Many


class Mount(BaseParameters):
    """A volume which the pod has, in the sidecar."""

    name: str = Field(description="Name of the volume.")
    path: str = Field(description="Directory in the sidecar.")


class Parameters(BaseParameters):
    """Parameters of ``sidecar``."""

    name: str = Field(description="Name of the container.")
    image: str = Field(description="Container image.")
    cmd: Many[str] | None = Field(None, description="Program.")
    args: Many[str] | None = Field(None, description="Arguments of the program.")
    env: Many[EnvironmentVariable] | None = Field(None, description="Environment variables.")
    volumes: Many[Mount] | None = Field(None, description="Volumes of the pod to mount.")
    livenessProbe: HealthProbe | None = Field(None, description="When to restart the container.")
    readinessProbe: HealthProbe | None = Field(None, description="When the container is ready.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Append the container; one of its name is completed and must not contradict it."""
    container: Manifest = {"name": parameters.name, "image": parameters.image}
    if parameters.cmd is not None:
        container["command"] = list(parameters.cmd)
    if parameters.args is not None:
        container["args"] = list(parameters.args)
    if parameters.env is not None:
        container["env"] = environment_entries(parameters.env)
    if parameters.volumes is not None:
        container["volumeMounts"] = [
            {"name": mount.name, "mountPath": mount.path} for mount in parameters.volumes
        ]
    if parameters.livenessProbe is not None:
        container["livenessProbe"] = probe_object(parameters.livenessProbe)
    if parameters.readinessProbe is not None:
        container["readinessProbe"] = probe_object(parameters.readinessProbe)
    return TraitResult(patch=pod_patch(workload, {"containers": ByKey("name", [container])}))


DEFINITION = TraitDefinition(
    type="sidecar",
    parameters=Parameters,
    summary="One more container in the pods.",
    example={
        "name": "log-reader",
        "image": "busybox",
        "cmd": ["sh", "-c", "tail -F /var/log/app.log"],
        "volumes": [{"name": "logs", "path": "/var/log"}],
    },
    apply=apply,
    applies_to=POD_KINDS,
)
