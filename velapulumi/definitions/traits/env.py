"""``env``: environment variables of containers (follows KubeVela v1.10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.patch import RetainKeys
from velapulumi.definitions.pod.targets import Target, change_containers, entries
from velapulumi.definitions.pod.template import POD_KINDS
from velapulumi.spec import Many


class Variables(Target):
    """The variables of one container."""

    replace: bool = Field(False, description="Whether the variables it has are dropped.")
    env: dict[str, str] = Field({}, description="Variables to set, by name.")
    unset: Many[str] = Field((), description="Names of variables to take away.")


class Parameters(Variables):
    """Parameters of ``env``."""

    containers: Many[Variables] | None = Field(
        None, description="Variables of several containers, instead of the other parameters."
    )


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Set and take away variables; new ones come last, in the order of their names."""
    return change_containers(parameters, parameters.containers, context, workload, _variables)


def _variables(target: Variables, container: Mapping[str, Any]) -> Manifest:
    kept = [] if target.replace else entries(container, "env")
    result: list[Any] = []
    present = set()
    for entry in kept:
        name = str(entry.get("name"))
        present.add(name)
        if name not in target.unset:
            new = target.env.get(name)
            result.append(entry if new is None else {"name": name, "value": new})
    result += (
        {"name": name, "value": value}
        for name, value in sorted(target.env.items())
        if name not in present and name not in target.unset
    )
    return {"env": RetainKeys(result)}


DEFINITION = TraitDefinition(
    type="env",
    parameters=Parameters,
    summary="Environment variables of one container or several.",
    example={"env": {"LOG_LEVEL": "debug"}, "unset": ["PROXY"]},
    apply=apply,
    applies_to=POD_KINDS,
)
