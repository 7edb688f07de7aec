"""``json-merge-patch``: a merge patch of RFC 7396 on the workload (follows KubeVela v1.10)."""

from __future__ import annotations

from velapulumi.definitions.base import (
    Context,
    FreeParameters,
    Manifest,
    TraitDefinition,
    TraitResult,
)
from velapulumi.definitions.patch import JsonMerge
from velapulumi.definitions.traits.json_patch import still_object


class Parameters(FreeParameters):
    """The patch: maps join, null takes away, everything else replaces."""


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Merge the patch into the workload.

    Raises:
        RenderError: What is left is no Kubernetes object.
    """
    return TraitResult(patch=still_object(JsonMerge(parameters.model_extra), workload))


DEFINITION = TraitDefinition(
    type="json-merge-patch",
    parameters=Parameters,
    summary="A JSON Merge Patch (RFC 7396) on the workload.",
    example={"spec": {"template": {"spec": {"hostNetwork": True}}}},
    takes_null=True,
    apply=apply,
)
