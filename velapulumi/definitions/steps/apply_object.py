"""``apply-object``: one Kubernetes object as it is, not waited for (follows KubeVela v1.10)."""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Context, Rendered
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.objects import KubernetesObject
from velapulumi.definitions.step import StepDefinition, Target


class Parameters(BaseParameters):
    """Parameters of ``apply-object``."""

    value: KubernetesObject = Field(description="The object.")
    cluster: str = Field("", description="Name of the joined cluster it goes to.")


def render(parameters: Parameters, context: Context) -> Rendered:
    """The object."""
    return Rendered(parameters.value.manifest())


def target(parameters: Parameters) -> Target:
    """The cluster that is named."""
    return Target(parameters.cluster)


DEFINITION = StepDefinition(
    type="apply-object",
    parameters=Parameters,
    summary="One Kubernetes object of any kind, as it is.",
    example={
        "value": {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "settings"},
            "data": {"greeting": "hello"},
        },
        "cluster": "cluster-prod",
    },
    takes_null=True,
    render=render,
    target=target,
)
