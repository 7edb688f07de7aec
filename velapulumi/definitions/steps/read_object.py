"""``read-object``: an object of a cluster, for other steps (follows KubeVela v1.10).

Its outputs may take values from ``value`` (the object) and ``output.value``, or
``output.$returns.value``, (the same). Those of a Secret are never written into shared files.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.objects import Word
from velapulumi.definitions.step import (
    NO_CLUSTER,
    Done,
    Result,
    StepContext,
    StepDefinition,
    Tools,
    Waiting,
)
from velapulumi.spec import Path


class Parameters(BaseParameters):
    """Parameters of ``read-object``."""

    apiVersion: Word = Field("core.oam.dev/v1beta1", description="API version of the object.")
    kind: Word = Field("Application", description="Kind of the object.")
    name: Word = Field(description="Name of the object.")
    namespace: str = Field("default", description="Namespace of the object, if it has one.")
    cluster: str = Field("", description="Name of the joined cluster that has it.")


def check(parameters: Parameters) -> Iterator[tuple[Path, str]]:
    """A cluster that is not named."""
    if not parameters.cluster:
        yield ("cluster",), NO_CLUSTER


def act(parameters: Parameters, context: StepContext, tools: Tools) -> Result:
    """Read the object; waits until it is there."""
    found = tools.read(
        parameters.cluster,
        {
            "apiVersion": parameters.apiVersion,
            "kind": parameters.kind,
            "metadata": {"name": parameters.name, "namespace": parameters.namespace},
        },
    )
    if found is None:
        title = f"{parameters.kind} {parameters.name} in namespace {parameters.namespace}"
        return Waiting(f"wait for {title} to be on cluster {parameters.cluster}")
    return Done(
        values={"value": found, "output": {"value": found, "$returns": {"value": found}}},
        secret=parameters.kind == "Secret",
    )


DEFINITION = StepDefinition(
    type="read-object",
    parameters=Parameters,
    summary="Read an object of a cluster, for other steps.",
    example={
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "settings",
        "cluster": "cluster-prod",
    },
    check=check,
    act=act,
)
