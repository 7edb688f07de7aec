"""``apply-component``: deliver one component and wait until it is healthy.

Follows KubeVela v1.10; the workflow itself does it. Inputs of the step are for the component's
properties.
"""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.objects import Word
from velapulumi.definitions.step import StepDefinition


class Parameters(BaseParameters):
    """Parameters of ``apply-component``."""

    component: Word = Field(description="Name of the component.")
    cluster: str = Field("", description="Name of the joined cluster it goes to.")
    namespace: str = Field(
        "", description="Namespace it goes to; that of the application when empty."
    )


DEFINITION = StepDefinition(
    type="apply-component",
    parameters=Parameters,
    summary="Deliver one component and wait until it is healthy.",
    example={"component": "web", "cluster": "cluster-prod"},
)
