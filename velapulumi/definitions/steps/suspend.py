"""``suspend``: hold the workflow until somebody approves."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.base import StepDefinition
from velapulumi.spec import Path, not_supported


class Parameters(BaseParameters):
    """Parameters of ``suspend``."""

    message: str = Field("", description="Shown while waiting.")
    duration: str | None = Field(None, description="Time to go on by itself, not supported.")


def check(parameters: Parameters) -> Iterator[tuple[Path, str]]:
    """Refuse a duration."""
    if parameters.duration is not None:
        advice = "leave it out and approve with `velapulumi workflow resume`"
        yield ("duration",), not_supported("suspend.duration", advice)


DEFINITION = StepDefinition(
    type="suspend",
    parameters=Parameters,
    summary="Hold the workflow until somebody approves.",
    example={"message": "Look at staging, then approve."},
    check=check,
)
