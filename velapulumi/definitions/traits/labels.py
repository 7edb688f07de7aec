"""``labels``: labels of the workload and its pods (follows KubeVela v1.10)."""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import (
    Context,
    FreeParameters,
    Manifest,
    TraitDefinition,
    TraitResult,
)
from velapulumi.definitions.patch import JsonMerge


class Parameters(FreeParameters):
    """Labels by name; null takes one away."""

    __pydantic_extra__: dict[str, str | None] = Field(init=False)


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Set the labels of the workload, and of ``spec.template`` when it has one."""
    patch: Manifest = {"metadata": {"labels": parameters.__pydantic_extra__}}
    spec = workload.get("spec")
    if isinstance(spec, dict) and isinstance(spec.get("template"), dict):
        patch["spec"] = {"template": {"metadata": patch["metadata"]}}
    return TraitResult(patch=JsonMerge(patch))


DEFINITION = TraitDefinition(
    type="labels",
    parameters=Parameters,
    summary="Labels of the workload and its pods.",
    example={"release": "stable", "team": "shop"},
    takes_null=True,
    apply=apply,
)
