"""The HorizontalPodAutoscaler of a component."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, Parameters, RenderError

SCALING_KINDS = ("Deployment", "StatefulSet")
"""Kinds of workload with a number of replicas."""


class AutoscalerParameters(Parameters):
    """What every autoscaler has."""

    min: int = Field(1, description="Least number of replicas.", ge=0)
    max: int = Field(10, description="Greatest number of replicas.", ge=1)
    targetAPIVersion: str = Field("apps/v1", description="API version of the workload.")
    targetKind: str = Field("Deployment", description="Kind of the workload.")


def autoscaler(
    parameters: AutoscalerParameters, context: Context, version: str, **metrics: Any
) -> Manifest:
    """The autoscaler under the component's name.

    Args:
        parameters: Its range and target.
        context: Names the component.
        version: Version of the API group autoscaling.
        metrics: Further fields of its spec: what it goes by.

    Raises:
        RenderError: The range is empty.
    """
    if parameters.max < parameters.min:
        raise RenderError(("max",), f"must be at least min ({parameters.min})")
    return {
        "apiVersion": f"autoscaling/{version}",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": context.name},
        "spec": {
            "scaleTargetRef": {
                "apiVersion": parameters.targetAPIVersion,
                "kind": parameters.targetKind,
                "name": context.name,
            },
            "minReplicas": parameters.min,
            "maxReplicas": parameters.max,
            **metrics,
        },
    }
