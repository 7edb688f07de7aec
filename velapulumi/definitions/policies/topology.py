"""``topology``: the clusters and the namespace that a ``deploy`` step delivers to.

Follows KubeVela v1.10.
"""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.base import PolicyDefinition
from velapulumi.spec import Many


class Parameters(BaseParameters):
    """Parameters of ``topology``."""

    clusters: Many[str] | None = Field(
        None, description="Names of clusters; goes before clusterLabelSelector, [] is none at all."
    )
    clusterLabelSelector: dict[str, str] | None = Field(
        None, description="Labels of the clusters; {} is every joined cluster."
    )
    clusterSelector: dict[str, str] | None = Field(
        None, description="Deprecated, use clusterLabelSelector."
    )
    allowEmpty: bool = Field(False, description="Whether labels may match no cluster.")
    namespace: str = Field("", description="Namespace there; the Application's when empty.")

    @property
    def labels(self) -> dict[str, str] | None:
        """The labels that choose clusters, in whichever spelling."""
        if self.clusterLabelSelector is not None:
            return self.clusterLabelSelector
        return self.clusterSelector


DEFINITION = PolicyDefinition(
    type="topology",
    parameters=Parameters,
    summary="The clusters and the namespace that a deploy step delivers to.",
    example={"clusters": ["cluster-prod"], "namespace": "shop"},
)
