"""Definitions of ACME, for all its projects."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from velapulumi.definitions import Context, Manifest, Parameters, TraitDefinition, TraitResult


class Priority(Parameters):
    """Parameters of ``priority``."""

    level: Literal["low", "high"] = Field("low", description="How important its pods are.")


def set_priority(parameters: Priority, context: Context, workload: Manifest) -> TraitResult:
    """Set the priority class of the pods."""
    pod = {"priorityClassName": f"acme-{parameters.level}"}
    return TraitResult(patch={"spec": {"template": {"spec": pod}}})


PRIORITY = TraitDefinition(
    type="priority",
    parameters=Priority,
    summary="How important the pods are.",
    example={"level": "high"},
    apply=set_priority,
    applies_to=("Deployment", "StatefulSet"),
)
