"""``k8s-objects``: Kubernetes objects as they are (follows KubeVela v1.10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from velapulumi.definitions.base import ComponentDefinition, Context, Health, Rendered
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.objects import KubernetesObject
from velapulumi.spec import Many


def _not_empty(objects: tuple[KubernetesObject, ...]) -> tuple[KubernetesObject, ...]:
    if not objects:
        raise ValueError("must not be empty: the first object is the component's workload")
    return objects


class Parameters(BaseParameters):
    """Parameters of ``k8s-objects``."""

    objects: Annotated[Many[KubernetesObject], AfterValidator(_not_empty)] = Field(
        description="The objects; the first is the one which traits change."
    )


def render(parameters: Parameters, context: Context) -> Rendered:
    """The first object, and the others as ``objects-<index>``."""
    workload, *others = (item.manifest() for item in parameters.objects)
    return Rendered(workload, {f"objects-{i}": other for i, other in enumerate(others, 1)})


def health(live: Mapping[str, Any]) -> Health:
    """Always healthy: KubeVela has no rule for it."""
    return Health(True, "")


DEFINITION = ComponentDefinition(
    type="k8s-objects",
    parameters=Parameters,
    summary="Kubernetes objects of any kind, as they are.",
    example={
        "objects": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "settings"},
                "data": {"greeting": "hello"},
            },
            {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": {"name": "web"},
                "spec": {
                    "minAvailable": 1,
                    "selector": {"matchLabels": {"app.oam.dev/component": "web"}},
                },
            },
        ]
    },
    takes_null=True,
    workload=None,
    render=render,
    health=health,
)
