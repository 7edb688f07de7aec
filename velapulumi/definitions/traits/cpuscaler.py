"""``cpuscaler``: the number of replicas by the use of CPU (follows KubeVela v1.10)."""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.pod.scaling import SCALING_KINDS, AutoscalerParameters, autoscaler


class Parameters(AutoscalerParameters):
    """Parameters of ``cpuscaler``."""

    cpuUtil: int = Field(50, description="Use of CPU to keep, in percent of the request.", ge=1)


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """The output ``cpuscaler``.

    Raises:
        RenderError: The range is empty.
    """
    scaler = autoscaler(
        parameters, context, "v1", targetCPUUtilizationPercentage=parameters.cpuUtil
    )
    return TraitResult(outputs={"cpuscaler": scaler})


DEFINITION = TraitDefinition(
    type="cpuscaler",
    parameters=Parameters,
    summary="The number of replicas by the use of CPU.",
    example={"min": 1, "max": 10, "cpuUtil": 60},
    apply=apply,
    applies_to=SCALING_KINDS,
)
