"""``export2config``: a ConfigMap with data of the workflow (follows KubeVela v1.10)."""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Context, Rendered
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.objects import Word
from velapulumi.definitions.step import StepDefinition, Target


class Parameters(BaseParameters):
    """Parameters of ``export2config``."""

    configName: Word = Field(description="Name of the ConfigMap.")
    namespace: str = Field("", description="Its namespace; that of the application when empty.")
    data: dict[str, str] = Field(description="Its data.")
    cluster: str = Field("", description="Name of the joined cluster it goes to.")


def render(parameters: Parameters, context: Context) -> Rendered:
    """The ConfigMap."""
    return Rendered(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": parameters.configName},
            "data": dict(parameters.data),
        }
    )


def target(parameters: Parameters) -> Target:
    """The cluster and the namespace that are named."""
    return Target(parameters.cluster, parameters.namespace)


DEFINITION = StepDefinition(
    type="export2config",
    parameters=Parameters,
    summary="A ConfigMap with data of the workflow.",
    example={
        "configName": "release",
        "data": {"version": "v1.2.0"},
        "cluster": "cluster-prod",
    },
    render=render,
    target=target,
)
