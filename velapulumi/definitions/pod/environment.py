"""Environment variables of a container."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from velapulumi.definitions.base import Parameters
from velapulumi.spec import Many


class KeyReference(Parameters):
    """One key of a Secret or ConfigMap."""

    name: str = Field(description="Name of the object in the pod's namespace.")
    key: str = Field(description="Key inside the object.")
    optional: bool = Field(False, description="Whether it may be missing; then so is the variable.")


class FieldReference(Parameters):
    """A field of the pod."""

    fieldPath: str = Field(description="Path of the field, such as metadata.name.")


class ValueFrom(Parameters):
    """Where the value of a variable comes from."""

    secretKeyRef: KeyReference | None = Field(None, description="Key of a Secret.")
    configMapKeyRef: KeyReference | None = Field(None, description="Key of a ConfigMap.")
    fieldRef: FieldReference | None = Field(None, description="Field of the pod.")

    @model_validator(mode="after")
    def _is_one_source(self) -> ValueFrom:
        if len(self.model_fields_set) != 1:
            raise ValueError("needs exactly one of secretKeyRef, configMapKeyRef and fieldRef")
        return self


class EnvironmentVariable(Parameters):
    """One variable, with a value or a source of it."""

    name: str = Field(description="Name of the variable.")
    value: str = Field("", description="Its value.")
    valueFrom: ValueFrom | None = Field(None, description="Source of its value.")

    @model_validator(mode="after")
    def _has_one_value(self) -> EnvironmentVariable:
        if self.value and self.valueFrom:
            raise ValueError("has both value and valueFrom: leave one of them out")
        return self


def environment_entries(variables: Many[EnvironmentVariable]) -> list[dict[str, Any]]:
    """The container's ``env``: exactly the fields which were given."""
    return [variable.model_dump(exclude_unset=True) for variable in variables]
