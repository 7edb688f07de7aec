"""``step-group``: sub-steps as one step; the workflow runs them (follows KubeVela v1.10)."""

from __future__ import annotations

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.step import StepDefinition


class Parameters(BaseParameters):
    """``step-group`` has no parameters, only ``subSteps``."""


DEFINITION = StepDefinition(
    type="step-group",
    parameters=Parameters,
    summary="Run the sub-steps it holds, as one step.",
    example={},
)
