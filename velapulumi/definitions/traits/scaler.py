"""``scaler``: the number of replicas (follows KubeVela v1.10)."""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.patch import RetainKeys


class Parameters(BaseParameters):
    """Parameters of ``scaler``."""

    replicas: int = Field(1, description="Number of replicas.", ge=0)


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Set ``spec.replicas``, whatever it was."""
    return TraitResult(patch={"spec": {"replicas": RetainKeys(parameters.replicas)}})


DEFINITION = TraitDefinition(
    type="scaler",
    parameters=Parameters,
    summary="The number of replicas.",
    example={"replicas": 3},
    apply=apply,
    applies_to=("Deployment", "StatefulSet"),
)
