"""``hpa``: the number of replicas by several metrics (follows KubeVela v1.10)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.pod.scaling import SCALING_KINDS, AutoscalerParameters, autoscaler
from velapulumi.spec import Many

V2_SINCE = 23
"""Minor version of Kubernetes which brought autoscaling/v2."""


class Target(BaseParameters):
    """The use of a resource to keep."""

    type: Literal["Utilization", "AverageValue"] = Field(
        "Utilization", description="Percent of the request, or an amount per pod."
    )
    value: int = Field(50, description="Value to keep.", ge=1)


class PodMetric(BaseParameters):
    """A metric which the pods report."""

    name: str = Field(description="Name of the metric.")
    value: str = Field(description="Average over the pods to keep.")


class Parameters(AutoscalerParameters):
    """Parameters of ``hpa``."""

    cpu: Target = Field(Target(), description="Use of CPU to keep.")
    mem: Target | None = Field(None, description="Use of memory to keep.")
    podCustomMetrics: Many[PodMetric] | None = Field(None, description="Metrics of the pods.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """The output ``hpa``, in the API version of the cluster.

    Raises:
        RenderError: The range is empty.
    """
    version = "v2" if context.cluster_version.minor >= V2_SINCE else "v2beta2"
    scaler = autoscaler(parameters, context, version, metrics=_metrics(parameters))
    return TraitResult(outputs={"hpa": scaler})


def _metrics(parameters: Parameters) -> list[Manifest]:
    result = [_resource("cpu", parameters.cpu)]
    if parameters.mem is not None:
        result.append(_resource("memory", parameters.mem))
    for metric in parameters.podCustomMetrics or ():
        target = {"type": "AverageValue", "averageValue": metric.value}
        result.append({"type": "Pods", "pods": {"metric": {"name": metric.name}, "target": target}})
    return result


def _resource(name: str, target: Target) -> Manifest:
    key = "averageUtilization" if target.type == "Utilization" else "averageValue"
    wanted = {"type": target.type, key: target.value}
    return {"type": "Resource", "resource": {"name": name, "target": wanted}}


DEFINITION = TraitDefinition(
    type="hpa",
    parameters=Parameters,
    summary="The number of replicas by CPU, memory and metrics of the pods.",
    example={
        "min": 1,
        "max": 10,
        "cpu": {"type": "Utilization", "value": 80},
        "mem": {"type": "Utilization", "value": 80},
    },
    apply=apply,
    applies_to=SCALING_KINDS,
)
