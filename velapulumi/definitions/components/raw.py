"""``raw``: one Kubernetes object as it is (follows KubeVela v1.10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from velapulumi.definitions.base import ComponentDefinition, Context, Health, Rendered
from velapulumi.definitions.objects import KubernetesObject


class Parameters(KubernetesObject):
    """Parameters of ``raw``: the object."""


def render(parameters: Parameters, context: Context) -> Rendered:
    """The object."""
    return Rendered(parameters.manifest())


def health(live: Mapping[str, Any]) -> Health:
    """Always healthy: KubeVela has no rule for it."""
    return Health(True, "")


DEFINITION = ComponentDefinition(
    type="raw",
    parameters=Parameters,
    summary="One Kubernetes object of any kind, as it is.",
    example={
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {"greeting": "hello"},
    },
    deprecated="k8s-objects with the object in its list",
    takes_null=True,
    workload=None,
    render=render,
    health=health,
)
