"""``deploy``: deliver to the clusters of topology policies, changed by override policies.

Follows KubeVela v1.10.
"""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.base import StepDefinition
from velapulumi.spec import Many


class Parameters(BaseParameters):
    """Parameters of ``deploy``."""

    policies: Many[str] = Field(
        (), description="Names of topology, override and replication policies."
    )
    auto: bool = Field(True, description="Whether it goes on without approval.")
    parallelism: int | None = Field(
        None,
        description="How many objects are applied at once; many when absent.",
        ge=1,
    )
    ignoreTerraformComponent: bool = Field(
        True, description="Taken for files of KubeVela, without effect: there is no Terraform here."
    )


DEFINITION = StepDefinition(
    type="deploy",
    parameters=Parameters,
    summary="Deliver to the clusters of topology policies, changed by override policies.",
    example={"policies": ["production", "three-replicas"], "auto": False},
)
