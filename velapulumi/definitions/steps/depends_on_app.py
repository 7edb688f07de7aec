"""``depends-on-app``: wait until another application of the project is running.

Follows KubeVela v1.10, except that an application which is not there is waited for too: KubeVela
would apply the one that a ConfigMap of its name holds. Its outputs have no values to take.
"""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.objects import Word
from velapulumi.definitions.step import (
    Done,
    Failed,
    Result,
    StepContext,
    StepDefinition,
    Tools,
    Waiting,
)


class Parameters(BaseParameters):
    """Parameters of ``depends-on-app``."""

    name: Word = Field(description="Name of the other application.")
    namespace: str = Field(
        description="Its namespace; without effect, a project has one application of a name."
    )


def act(parameters: Parameters, context: StepContext, tools: Tools) -> Result:
    """See whether the application is running."""
    if parameters.name == context.app_name:
        return Failed(f"app {parameters.name} cannot wait for itself to be running")
    if tools.phase_of(parameters.name) == "running":
        return Done()
    return Waiting(f"wait for app {parameters.name} to be running")


DEFINITION = StepDefinition(
    type="depends-on-app",
    parameters=Parameters,
    summary="Wait until another application of the project is running.",
    example={"name": "database", "namespace": "default"},
    act=act,
)
