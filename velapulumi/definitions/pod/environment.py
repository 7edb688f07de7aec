"""Environment variables of a container."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from velapulumi.definitions.base import Parameters
from velapulumi.spec import Many


class KeyReference(Parameters):
    """One key of a Secret or ConfigMap."""

    name: str = Field(description="Name of the object in the pod's namespace.")
    key: str = Field(description="Key inside the object.")


class ValueFrom(Parameters):
    """Where the value of a variable comes from."""

    secretKeyRef: KeyReference | None = Field(None, description="Key of a Secret.")
    configMapKeyRef: KeyReference | None = Field(None, description="Key of a ConfigMap.")


class EnvironmentVariable(Parameters):
    """One variable, with a value or a source of it."""

    name: str = Field(description="Name of the variable.")
    value: str = Field("", description="Its value.")
    valueFrom: ValueFrom = Field(ValueFrom(), description="Source of its value.")


def environment_entries(variables: Many[EnvironmentVariable]) -> list[dict[str, Any]]:
    """The container's ``env``: exactly the fields which were given."""
    return [variable.model_dump(exclude_unset=True) for variable in variables]
