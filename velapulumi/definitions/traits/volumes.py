"""``volumes``: volumes of the pod, for traits and containers which mount them.

Follows KubeVela v1.10.
"""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.pod.storage import storage_patch
from velapulumi.definitions.pod.template import POD_KINDS
from velapulumi.definitions.pod.volumes import Volume, pod_volumes
from velapulumi.spec import Many


class PodVolume(Volume):
    """A volume of the pod."""

    mountPath: str = Field("", description="Without effect: the trait mounts nothing.")


class Parameters(BaseParameters):
    """Parameters of ``volumes``."""

    volumes: Many[PodVolume] = Field((), description="Volumes.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Add the volumes to the pod."""
    return TraitResult(storage_patch(workload, pod_volumes(parameters.volumes)))


DEFINITION = TraitDefinition(
    type="volumes",
    parameters=Parameters,
    summary="Volumes of the pod, without mounts.",
    example={"volumes": [{"name": "settings", "type": "configMap", "cmName": "settings"}]},
    deprecated="storage",
    apply=apply,
    applies_to=POD_KINDS,
)
