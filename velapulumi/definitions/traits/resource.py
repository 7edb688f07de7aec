"""``resource``: CPU and memory of the first container (follows KubeVela v1.10)."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.patch import RetainKeys
from velapulumi.definitions.pod.resources import quantity
from velapulumi.definitions.pod.template import POD_KINDS, pod_patch

MEMORY = r"^([1-9][0-9]{0,63})(E|P|T|G|M|K|Ei|Pi|Ti|Gi|Mi|Ki)$"

_IS_MEMORY = re.compile(MEMORY)


def _cpu(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError('must be a number or a string, such as 0.5 or "500m"')
    quantity(str(value))
    return value


def _memory(value: str) -> str:
    if not _IS_MEMORY.fullmatch(value):
        raise ValueError(f'must be a whole number with a unit, such as "512Mi", is "{value}"')
    return value


Cpu = Annotated[int | float | str, BeforeValidator(_cpu)]
Memory = Annotated[
    str, AfterValidator(_memory), WithJsonSchema({"type": "string", "pattern": MEMORY})
]


class Amount(BaseParameters):
    """An amount of CPU and memory."""

    cpu: Cpu = Field(1, description='CPU, such as 0.5 or "500m".')
    memory: Memory = Field("2048Mi", description='Memory, such as "512Mi".')


class Parameters(BaseParameters):
    """Parameters of ``resource``."""

    cpu: Cpu | None = Field(
        None,
        description="CPU requested and the limit; counts beside memory, without the other two.",
    )
    memory: Memory | None = Field(
        None,
        description="Memory requested and the limit; counts beside cpu, without the other two.",
    )
    requests: Amount | None = Field(None, description="What is reserved.")
    limits: Amount | None = Field(None, description="What may be used at most.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Set requests and limits, whatever they were."""
    resources: Manifest = {}
    if parameters.requests is not None:
        resources["requests"] = _amount(parameters.requests.cpu, parameters.requests.memory)
    if parameters.limits is not None:
        resources["limits"] = _amount(parameters.limits.cpu, parameters.limits.memory)
    if not resources and parameters.cpu is not None and parameters.memory is not None:
        both = _amount(parameters.cpu, parameters.memory)
        resources = {"requests": both, "limits": both}
    return TraitResult(patch=pod_patch(workload, {"containers": [{"resources": resources}]}))


def _amount(cpu: Any, memory: str) -> RetainKeys:
    return RetainKeys({"cpu": cpu, "memory": memory})


DEFINITION = TraitDefinition(
    type="resource",
    parameters=Parameters,
    summary="CPU and memory of the first container.",
    example={
        "requests": {"cpu": 0.5, "memory": "256Mi"},
        "limits": {"cpu": 1, "memory": "512Mi"},
    },
    apply=apply,
    applies_to=POD_KINDS,
)
