"""``health``: how often health is looked at (follows KubeVela v1.1 to v1.8)."""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.base import PolicyDefinition


class Parameters(BaseParameters):
    """Parameters of ``health``, in seconds."""

    probeTimeout: int = Field(10, description="Time to wait for an answer.", ge=1)
    probeInterval: int = Field(30, description="Time between two looks.", ge=1)


DEFINITION = PolicyDefinition(
    type="health",
    parameters=Parameters,
    summary="How often health is looked at, and for how long.",
    example={"probeTimeout": 300, "probeInterval": 5},
)
