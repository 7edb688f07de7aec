"""``print-message-in-status``: show a message beside the step (follows KubeVela v1.10).

Its outputs may take a value from ``message``.
"""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.step import Done, Result, StepContext, StepDefinition, Tools


class Parameters(BaseParameters):
    """Parameters of ``print-message-in-status``."""

    message: str = Field(description="The message.")


def act(parameters: Parameters, context: StepContext, tools: Tools) -> Result:
    """Done, with the message."""
    return Done(parameters.message, {"message": parameters.message})


DEFINITION = StepDefinition(
    type="print-message-in-status",
    parameters=Parameters,
    summary="Show a message beside the step.",
    example={"message": "All clusters have the new version."},
    act=act,
)
