"""``init-container``: a container which runs first and shares a volume (follows KubeVela v1.10)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.patch import ByKey
from velapulumi.definitions.pod.environment import EnvironmentVariable, environment_entries
from velapulumi.definitions.pod.targets import entries
from velapulumi.definitions.pod.template import POD_KINDS, container, pod_patch, pod_spec
from velapulumi.spec import Many


class Mount(BaseParameters):
    """A volume which the pod has, in the init container."""

    name: str = Field(description="Name of the volume.")
    mountPath: str = Field(description="Directory in the init container.")


class Parameters(BaseParameters):
    """Parameters of ``init-container``."""

    name: str = Field(description="Name of the init container.")
    image: str = Field(description="Container image.")
    imagePullPolicy: Literal["IfNotPresent", "Always", "Never"] = Field(
        "IfNotPresent", description="When to pull the image."
    )
    cmd: Many[str] | None = Field(None, description="Program.")
    args: Many[str] | None = Field(None, description="Arguments of the program.")
    env: Many[EnvironmentVariable] | None = Field(None, description="Environment variables.")
    mountName: str = Field(
        "workdir", description="Name of the shared volume, an empty directory unless it is there."
    )
    appMountPath: str = Field(description="Its directory in the component's container.")
    initMountPath: str = Field(description="Its directory in the init container.")
    extraVolumeMounts: Many[Mount] = Field((), description="Further volumes of the pod to mount.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Add the init container, the shared volume, and its mount in the component's container.

    Raises:
        RenderError: No container is named as the component.
    """
    container(workload, context.name)
    shared = parameters.mountName
    patch: Manifest = {
        "containers": ByKey(
            "name",
            [{"name": context.name, "volumeMounts": _mounts(shared, parameters.appMountPath)}],
        ),
        "initContainers": ByKey("name", [_init_container(parameters)]),
    }
    if all(volume.get("name") != shared for volume in entries(pod_spec(workload), "volumes")):
        patch["volumes"] = ByKey("name", [{"name": shared, "emptyDir": {}}])
    return TraitResult(patch=pod_patch(workload, patch))


def _init_container(parameters: Parameters) -> Manifest:
    result: Manifest = {
        "name": parameters.name,
        "image": parameters.image,
        "imagePullPolicy": parameters.imagePullPolicy,
        "volumeMounts": _mounts(
            parameters.mountName, parameters.initMountPath, parameters.extraVolumeMounts
        ),
    }
    if parameters.cmd is not None:
        result["command"] = list(parameters.cmd)
    if parameters.args is not None:
        result["args"] = list(parameters.args)
    if parameters.env is not None:
        result["env"] = environment_entries(parameters.env)
    return result


def _mounts(name: str, path: str, further: Many[Mount] = ()) -> ByKey:
    own = {"name": name, "mountPath": path}
    others = [{"name": mount.name, "mountPath": mount.mountPath} for mount in further]
    return ByKey("name", [own, *others])


DEFINITION = TraitDefinition(
    type="init-container",
    parameters=Parameters,
    summary="A container which runs before the others and shares a volume with the component's.",
    example={
        "name": "install",
        "image": "busybox",
        "cmd": ["wget", "-O", "/work-dir/index.html", "http://example.com"],
        "appMountPath": "/usr/share/nginx/html",
        "initMountPath": "/work-dir",
    },
    apply=apply,
    applies_to=POD_KINDS,
)
