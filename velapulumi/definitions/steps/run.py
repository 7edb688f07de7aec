"""``run``: a command on the machine that runs the workflow; a type of velapulumi's own.

The command runs in the project's folder, without a shell. VELAPULUMI_STEP_ID in its environment is
the same when the step is repeated after an interruption. Its outputs may take values from
``output``, what it wrote without the newlines at the end, and from ``code``, which is 0.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.durations import Duration
from velapulumi.definitions.step import Done, Failed, Result, StepContext, StepDefinition, Tools
from velapulumi.spec import Labels, Many, parse_duration

ID_VARIABLE = "VELAPULUMI_STEP_ID"


def _has_program(command: tuple[str, ...]) -> tuple[str, ...]:
    if not command or not command[0]:
        raise ValueError("must begin with a program")
    return command


class Parameters(BaseParameters):
    """Parameters of ``run``."""

    command: Annotated[Many[str], AfterValidator(_has_program)] = Field(
        description="The program and its arguments."
    )
    env: Labels = Field({}, description="Environment variables beside those that are there.")
    timeout: Duration = Field("10m", description="How long it may take until it is killed.")


def act(parameters: Parameters, context: StepContext, tools: Tools) -> Result:
    """Run the command.

    Raises:
        StepError: It cannot be run.
    """
    program = parameters.command[0]
    finished = tools.run(
        parameters.command,
        environment={**parameters.env, ID_VARIABLE: context.id},
        timeout=parse_duration(parameters.timeout),
    )
    if finished.late:
        return Failed(f"{program} had not ended after {parameters.timeout} and was killed")
    if finished.code < 0:
        return Failed(f"{program} was ended by signal {-finished.code}")
    if finished.code:
        said = finished.errors.strip().splitlines()
        end = f"{program} ended with code {finished.code}"
        return Failed(f"{end}: {said[-1]}" if said else end)
    return Done(values={"output": finished.output.rstrip("\n"), "code": 0})


DEFINITION = StepDefinition(
    type="run",
    parameters=Parameters,
    summary="Run a command on this machine.",
    example={
        "command": ["scripts/smoke-test.sh", "--fast"],
        "env": {"TARGET": "https://shop.example.com"},
        "timeout": "5m",
    },
    act=act,
)
