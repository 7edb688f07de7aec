"""``configmap``: ConfigMaps as files of the first container, in the spelling before ``storage``.

Follows KubeVela v1.10.
"""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import (
    Context,
    Manifest,
    RenderError,
    TraitDefinition,
    TraitResult,
)
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.pod.storage import storage_patch
from velapulumi.definitions.pod.template import POD_KINDS
from velapulumi.spec import Many


class Files(BaseParameters):
    """A ConfigMap as files."""

    name: str = Field(description="Name of the ConfigMap.")
    mountPath: str = Field(description="Directory in the container.")
    readOnly: bool = Field(False, description="Whether the mount is read-only.")
    data: dict[str, str] | None = Field(
        None, description="Text by key; when absent the ConfigMap exists already."
    )


class Parameters(BaseParameters):
    """Parameters of ``configmap``."""

    volumes: Many[Files] = Field(description="ConfigMaps to mount.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Mount the ConfigMaps; those with data are outputs under their names.

    Raises:
        RenderError: Two different ConfigMaps of one name.
    """
    volumes, mounts = [], []
    outputs: dict[str, Manifest] = {}
    for index, files in enumerate(parameters.volumes):
        name = f"volume-{files.name}"
        volumes.append({"name": name, "configMap": {"name": files.name}})
        mounts.append({"name": name, "mountPath": files.mountPath, "readOnly": files.readOnly})
        if files.data is None:
            continue
        made = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": files.name},
            "data": dict(files.data),
        }
        if outputs.setdefault(files.name, made) != made:
            message = f'"{files.name}" is made with other data before'
            raise RenderError(("volumes", index, "name"), message)
    return TraitResult(storage_patch(workload, volumes, mounts=mounts), outputs)


DEFINITION = TraitDefinition(
    type="configmap",
    parameters=Parameters,
    summary="ConfigMaps as files of the pod's first container.",
    example={
        "volumes": [{"name": "settings", "mountPath": "/etc/settings", "data": {"mode": "fast"}}]
    },
    deprecated="storage",
    apply=apply,
    applies_to=POD_KINDS,
)
