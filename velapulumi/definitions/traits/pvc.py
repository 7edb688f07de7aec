"""``pvc``: a PersistentVolumeClaim in the first container, in the spelling before ``storage``.

Follows KubeVela v1.10, but the claim's selector is written as its selector.
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
from velapulumi.definitions.pod.storage import (
    ClaimParameters,
    StorageResources,
    claim_volume,
    storage_patch,
)
from velapulumi.definitions.pod.template import POD_KINDS
from velapulumi.spec import MISSING, Many


class Place(BaseParameters):
    """Where the claim is in the container."""

    name: str = Field(description="Name of the volume.")
    mountPath: str | None = Field(None, description="Directory, for Filesystem.")
    devicePath: str | None = Field(None, description="Device, for Block.")


class Parameters(ClaimParameters):
    """Parameters of ``pvc``."""

    claimName: str = Field(description="Name of the claim.")
    resources: StorageResources = Field(description="Size.")
    volumesToMount: Many[Place] = Field(description="Where it is in the container.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Mount the claim, which is the output ``claim``.

    Raises:
        RenderError: A place without its path.
    """
    block = parameters.volumeMode == "Block"
    path = "devicePath" if block else "mountPath"
    entries = []
    for index, place in enumerate(parameters.volumesToMount):
        value = getattr(place, path)
        if value is None:
            raise RenderError(("volumesToMount", index, path), MISSING)
        entries.append({"name": place.name, path: value})
    patch = storage_patch(
        workload,
        [claim_volume(place.name, parameters.claimName) for place in parameters.volumesToMount],
        mounts=() if block else entries,
        devices=entries if block else (),
    )
    return TraitResult(patch, {"claim": parameters.claim(parameters.claimName)})


DEFINITION = TraitDefinition(
    type="pvc",
    parameters=Parameters,
    summary="A PersistentVolumeClaim in the pod's first container.",
    example={
        "claimName": "data",
        "resources": {"requests": {"storage": "2Gi"}},
        "volumesToMount": [{"name": "data", "mountPath": "/data"}],
    },
    deprecated="storage",
    apply=apply,
    applies_to=POD_KINDS,
)
