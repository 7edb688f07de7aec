"""``k8s-update-strategy``: how pods are replaced by new ones (follows KubeVela v1.10)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from velapulumi.definitions.base import (
    Context,
    Manifest,
    RenderError,
    TraitDefinition,
    TraitResult,
)
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.patch import RetainKeys

UNKNOWN = {"Deployment": "OnDelete", "StatefulSet": "Recreate", "DaemonSet": "Recreate"}
"""The type of strategy which a kind does not know; the trait then changes nothing."""


class Rolling(BaseParameters):
    """Numbers of a rolling update."""

    maxSurge: str = Field("25%", description="Pods there may be too many.")
    maxUnavailable: str = Field("25%", description="Pods there may be too few.")
    partition: int = Field(0, description="Ordinal from which on pods of a StatefulSet change.")


class Strategy(BaseParameters):
    """The strategy."""

    type: Literal["RollingUpdate", "Recreate", "OnDelete"] = Field(
        "RollingUpdate", description="All at once, little by little, or when pods are deleted."
    )
    rollingStrategy: Rolling = Field(Rolling(), description="Numbers, for RollingUpdate.")


class Parameters(BaseParameters):
    """Parameters of ``k8s-update-strategy``."""

    targetAPIVersion: str = Field("apps/v1", description="API version of the workload.")
    targetKind: Literal["Deployment", "StatefulSet", "DaemonSet"] = Field(
        "Deployment", description="Kind of the workload."
    )
    strategy: Strategy = Field(Strategy(), description="The strategy.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Set the strategy, whatever it was; nothing for a type which the kind does not know.

    Raises:
        RenderError: The workload is of another kind.
    """
    kind = parameters.targetKind
    if kind != workload["kind"]:
        message = f"is {kind}, the workload is a {workload['kind']}: write that"
        raise RenderError(("targetKind",), message)
    if parameters.strategy.type == UNKNOWN[kind]:
        return TraitResult()
    strategy: Manifest = {"type": parameters.strategy.type}
    if parameters.strategy.type == "RollingUpdate":
        strategy["rollingUpdate"] = _rolling(parameters.strategy.rollingStrategy, kind)
    field = "strategy" if kind == "Deployment" else "updateStrategy"
    return TraitResult(patch={"spec": {field: RetainKeys(strategy)}})


def _rolling(rolling: Rolling, kind: str) -> Manifest:
    if kind == "StatefulSet":
        return {"partition": rolling.partition}
    return {"maxSurge": rolling.maxSurge, "maxUnavailable": rolling.maxUnavailable}


DEFINITION = TraitDefinition(
    type="k8s-update-strategy",
    parameters=Parameters,
    summary="How pods are replaced by new ones.",
    example={
        "targetKind": "Deployment",
        "strategy": {
            "type": "RollingUpdate",
            "rollingStrategy": {"maxSurge": "20%", "maxUnavailable": "30%"},
        },
    },
    apply=apply,
    applies_to=tuple(UNKNOWN),
)
