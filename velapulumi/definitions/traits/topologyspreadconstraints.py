"""``topologyspreadconstraints``: how pods spread over zones or nodes (follows KubeVela v1.10)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.pod.template import POD_KINDS, pod_patch
from velapulumi.definitions.traits.affinity import LabelSelector
from velapulumi.spec import Many

NodePolicy = Literal["Honor", "Ignore"]


class Constraint(BaseParameters):
    """One constraint."""

    maxSkew: int = Field(description="How far the numbers of pods may differ.")
    topologyKey: str = Field(description="Label which nodes of one zone share.")
    whenUnsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = Field(
        "DoNotSchedule", description="What happens to a pod which fits nowhere."
    )
    labelSelector: LabelSelector = Field(LabelSelector(), description="Which pods count.")
    minDomains: int | None = Field(None, description="Number of zones there must be at least.")
    matchLabelKeys: Many[str] | None = Field(
        None, description="Labels in which the pods counted equal the new one."
    )
    nodeAffinityPolicy: NodePolicy | None = Field(
        None, description="Whether only nodes count which the pod's affinity allows."
    )
    nodeTaintsPolicy: NodePolicy | None = Field(
        None, description="Whether only nodes count whose taints the pod tolerates."
    )


class Parameters(BaseParameters):
    """Parameters of ``topologyspreadconstraints``."""

    constraints: Many[Constraint] = Field(description="The constraints.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Set the constraints."""
    constraints = parameters.model_dump(mode="json", exclude_none=True)["constraints"]
    return TraitResult(patch=pod_patch(workload, {"topologySpreadConstraints": constraints}))


DEFINITION = TraitDefinition(
    type="topologyspreadconstraints",
    parameters=Parameters,
    summary="How the pods spread over zones or nodes.",
    example={
        "constraints": [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"app.oam.dev/component": "web"}},
            }
        ]
    },
    apply=apply,
    applies_to=POD_KINDS,
)
