"""``node-affinity``: which nodes the pods run on (follows KubeVela v1.10)."""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.pod.template import POD_KINDS, pod_patch
from velapulumi.definitions.traits.affinity import REQUIRED
from velapulumi.spec import Many


class Parameters(BaseParameters):
    """Parameters of ``node-affinity``."""

    affinity: dict[str, Many[str]] | None = Field(
        None, description="Values a label of the node may have, by label."
    )
    tolerations: dict[str, str] | None = Field(
        None, description="Value of a NoSchedule taint which is tolerated, by key."
    )


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Set the required affinity and the tolerations, in the order of their keys."""
    patch: Manifest = {}
    if parameters.affinity is not None:
        conditions = [
            {"key": key, "operator": "In", "values": list(values)}
            for key, values in sorted(parameters.affinity.items())
        ]
        terms = [{"matchExpressions": conditions}]
        patch["affinity"] = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}}
    if parameters.tolerations is not None:
        patch["tolerations"] = [
            {"key": key, "operator": "Equal", "value": value, "effect": "NoSchedule"}
            for key, value in sorted(parameters.tolerations.items())
        ]
    return TraitResult(patch=pod_patch(workload, patch))


DEFINITION = TraitDefinition(
    type="node-affinity",
    parameters=Parameters,
    summary="Which nodes the pods run on and which taints they tolerate.",
    example={"affinity": {"kubernetes.io/arch": ["amd64", "arm64"]}},
    deprecated="affinity",
    apply=apply,
    applies_to=POD_KINDS,
)
