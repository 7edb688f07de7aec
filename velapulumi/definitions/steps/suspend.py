"""``suspend``: hold the workflow until somebody approves, or for some time."""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.durations import Duration
from velapulumi.definitions.step import StepDefinition


class Parameters(BaseParameters):
    """Parameters of ``suspend``."""

    message: str = Field("", description="Shown while waiting.")
    duration: Duration | None = Field(
        None, description="Time after which it goes on by itself, such as 30m; never when absent."
    )


DEFINITION = StepDefinition(
    type="suspend",
    parameters=Parameters,
    summary="Hold the workflow until somebody approves, or for some time.",
    example={"message": "Look at staging, then approve."},
)
