"""``deploy2env``: deliver to one environment and wait until it is healthy."""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.step import StepDefinition


class Parameters(BaseParameters):
    """Parameters of ``deploy2env``."""

    policy: str = Field("", description="Policy env-binding; the first one when empty.")
    env: str = Field(description="Environment of the policy.")
    parallel: bool = Field(False, description="Whether components do not wait for each other.")


DEFINITION = StepDefinition(
    type="deploy2env",
    parameters=Parameters,
    summary="Deliver to one environment and wait until it is healthy.",
    example={"policy": "example-multi-env-policy", "env": "staging"},
)
