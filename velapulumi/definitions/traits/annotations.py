"""``annotations``: annotations of the workload, its jobs and its pods (follows KubeVela v1.10)."""

from __future__ import annotations

from typing import Any

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
    """Annotations by name; null takes one away."""

    __pydantic_extra__: dict[str, str | None] = Field(init=False)


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Set the annotations of the workload, and of each template of jobs and pods it has."""
    metadata = {"annotations": parameters.__pydantic_extra__}
    return TraitResult(patch=JsonMerge(_annotated(workload, metadata)))


def _annotated(value: Manifest, metadata: Any) -> Manifest:
    patch: Manifest = {"metadata": metadata}
    spec = value.get("spec")
    below = {
        field: _annotated(spec[field], metadata)
        for field in ("template", "jobTemplate")
        if isinstance(spec, dict) and isinstance(spec.get(field), dict)
    }
    return {**patch, "spec": below} if below else patch


DEFINITION = TraitDefinition(
    type="annotations",
    parameters=Parameters,
    summary="Annotations of the workload, its jobs and its pods.",
    example={"prometheus.io/scrape": "true", "description": "The shop"},
    takes_null=True,
    apply=apply,
)
