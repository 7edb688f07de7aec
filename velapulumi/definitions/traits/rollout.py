"""``rollout``: delivery in batches, by a controller which KubeVela took out in v1.9."""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import (
    Context,
    Manifest,
    RenderError,
    TraitDefinition,
    TraitResult,
)
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.spec import Many

INSTEAD = (
    "stages with a suspend step between them to deliver cluster by cluster, "
    "or the kruise-rollout addon for batches within one cluster"
)


class Batch(BaseParameters):
    """One batch."""

    replicas: int = Field(description="Number of replicas.")


class Parameters(BaseParameters):
    """Parameters of ``rollout``."""

    targetSize: int = Field(description="Number of replicas at the end.")
    targetRevision: str | None = Field(None, description="Revision of the component.")
    rolloutBatches: Many[Batch] | None = Field(None, description="The batches in order.")
    batchPartition: int | None = Field(None, description="The last batch to deliver.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Refuse: nothing would carry the rollout out.

    Raises:
        RenderError: Always.
    """
    raise RenderError((), f"rollout has no controller since KubeVela v1.9: use {INSTEAD}")


DEFINITION = TraitDefinition(
    type="rollout",
    parameters=Parameters,
    summary="Delivery in batches; it is refused, for its controller is gone.",
    example={"targetSize": 4, "rolloutBatches": [{"replicas": 2}, {"replicas": 2}]},
    deprecated=INSTEAD,
    apply=apply,
)
