"""``builtin-apply-component``: an old name of ``apply-component``."""

from __future__ import annotations

from velapulumi.definitions.step import StepDefinition
from velapulumi.definitions.steps.apply_component import Parameters

DEFINITION = StepDefinition(
    type="builtin-apply-component",
    parameters=Parameters,
    summary="Deliver one component and wait until it is healthy.",
    example={"component": "web", "cluster": "cluster-prod"},
    deprecated="apply-component",
)
