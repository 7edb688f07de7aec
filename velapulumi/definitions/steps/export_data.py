"""``export-data``: a ConfigMap or Secret on every cluster of a topology.

Follows KubeVela v1.10: its namespace is not that of the topology, but the one given here or else
that of the application.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from velapulumi.definitions.base import Context, Rendered
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.step import StepDefinition, Target


class Parameters(BaseParameters):
    """Parameters of ``export-data``."""

    name: str = Field("", description="Name of the object; that of the application when empty.")
    namespace: str = Field("", description="Its namespace; that of the application when empty.")
    kind: Literal["ConfigMap", "Secret"] = Field("ConfigMap", description="Kind of the object.")
    data: dict[str, str] = Field(description="Its data, as plain text.")
    topology: str = Field("", description="Name of the topology policy that tells the clusters.")


def render(parameters: Parameters, context: Context) -> Rendered:
    """The ConfigMap or Secret."""
    return Rendered(
        {
            "apiVersion": "v1",
            "kind": parameters.kind,
            "metadata": {
                "name": parameters.name or context.app_name,
                "namespace": parameters.namespace or context.app_namespace,
            },
            "stringData" if parameters.kind == "Secret" else "data": dict(parameters.data),
        }
    )


def target(parameters: Parameters) -> Target:
    """The clusters of the topology policy."""
    return Target(namespace=parameters.namespace, topology=parameters.topology)


DEFINITION = StepDefinition(
    type="export-data",
    parameters=Parameters,
    summary="A ConfigMap or Secret on every cluster of a topology.",
    example={"name": "release", "data": {"version": "v1.2.0"}, "topology": "production"},
    render=render,
    target=target,
)
