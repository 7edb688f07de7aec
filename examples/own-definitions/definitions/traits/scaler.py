"""``scaler`` as this project has it: instead of the built-in one, with a limit."""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions import Context, Manifest, RetainKeys, TraitDefinition, TraitResult
from velapulumi.definitions import Parameters as BaseParameters


class Parameters(BaseParameters):
    """Parameters of ``scaler``."""

    replicas: int = Field(2, description="Number of replicas.", ge=2, le=10)


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Set ``spec.replicas``, whatever it was."""
    return TraitResult(patch={"spec": {"replicas": RetainKeys(parameters.replicas)}})


DEFINITION = TraitDefinition(
    type="scaler",
    parameters=Parameters,
    summary="The number of replicas, two to ten.",
    example={"replicas": 3},
    apply=apply,
    applies_to=("Deployment", "StatefulSet"),
)
