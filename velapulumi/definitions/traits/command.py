"""``command``: program and arguments of containers (follows KubeVela v1.10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from velapulumi.definitions.base import (
    Context,
    Manifest,
    RenderError,
    TraitDefinition,
    TraitResult,
)
from velapulumi.definitions.patch import RetainKeys
from velapulumi.definitions.pod.targets import Target, change_containers
from velapulumi.definitions.pod.template import POD_KINDS
from velapulumi.spec import Many


class Command(Target):
    """What one container runs."""

    command: Many[str] | None = Field(None, description="Program; unchanged when absent.")
    args: Many[str] | None = Field(None, description="Arguments instead of those it has.")
    addArgs: Many[str] | None = Field(
        None, description="Arguments to append, unless they are there; not beside args."
    )
    delArgs: Many[str] | None = Field(None, description="Arguments to take away; not beside args.")


class Parameters(Command):
    """Parameters of ``command``."""

    containers: Many[Command] | None = Field(
        None, description="What several containers run, instead of the other parameters."
    )


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Set the program and the arguments; the container then has ``args``, if only empty ones.

    Raises:
        RenderError: ``args`` stands beside ``addArgs`` or ``delArgs``.
    """
    return change_containers(
        parameters,
        parameters.containers,
        context,
        workload,
        _command,
        name_missing="container name must be set for containers",
    )


def _command(target: Command, container: Mapping[str, Any]) -> Manifest:
    if target.args is not None and (target.addArgs is not None or target.delArgs is not None):
        raise RenderError(("args",), "cannot set addArgs/delArgs and args at the same time")
    present = container.get("args") if target.args is None else target.args
    before = list(present) if isinstance(present, list | tuple) else []
    unwanted = target.delArgs or ()
    after = [argument for argument in before if argument not in unwanted]
    after += (
        argument
        for argument in target.addArgs or ()
        if argument not in before and argument not in unwanted
    )
    patch: Manifest = {"args": RetainKeys(after)}
    if target.command is not None:
        patch["command"] = RetainKeys(list(target.command))
    return patch


DEFINITION = TraitDefinition(
    type="command",
    parameters=Parameters,
    summary="Program and arguments of one container or several.",
    example={"command": ["nginx"], "addArgs": ["-g", "daemon off;"]},
    takes_null=True,
    apply=apply,
    applies_to=POD_KINDS,
)
