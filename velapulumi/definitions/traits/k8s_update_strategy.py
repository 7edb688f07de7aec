"""``k8s-update-strategy``: how pods are replaced by new ones (follows KubeVela v1.10)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

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


_IS_SHARE = re.compile(r"[0-9]+%?", re.ASCII)


def _share(value: Any) -> Any:
    number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not (number or (isinstance(value, str) and _IS_SHARE.fullmatch(value))):
        raise ValueError('must be a number of pods or a percentage, such as 1 or "25%"')
    return value


Share = Annotated[int | str, BeforeValidator(_share)]
"""Some of the pods. KubeVela takes strings only, of which Kubernetes takes the percentages."""


class Rolling(BaseParameters):
    """Numbers of a rolling update."""

    maxSurge: Share = Field(
        "25%", description="How many pods there may be above the wanted number."
    )
    maxUnavailable: Share = Field(
        "25%", description="How many of the wanted pods may be missing or not ready."
    )
    partition: int = Field(
        0, description="Ordinal from which on pods of a StatefulSet change.", ge=0
    )


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
