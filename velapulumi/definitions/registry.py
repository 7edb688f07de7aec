"""Finds the definition of a type. A module in the folder of its kind is a type."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any, TypeVar

from velapulumi.definitions.base import (
    ComponentDefinition,
    Definition,
    PolicyDefinition,
    StepDefinition,
    TraitDefinition,
)

D = TypeVar("D", bound=Definition[Any])

_FOLDERS: dict[type[Definition[Any]], str] = {
    ComponentDefinition: "components",
    TraitDefinition: "traits",
    PolicyDefinition: "policies",
    StepDefinition: "steps",
}


def types_of(kind: type[Definition[Any]]) -> tuple[str, ...]:
    """All types of a kind of definition, sorted.

    Args:
        kind: One of ComponentDefinition, TraitDefinition, PolicyDefinition, StepDefinition.
    """
    return tuple(_modules(_FOLDERS[kind]))


def find(kind: type[D], type_name: str) -> D | None:
    """The definition of a type, or None when there is none of that name."""
    definition = _definition(_FOLDERS[kind], type_name)
    assert definition is None or isinstance(definition, kind)
    return definition


@cache
def _modules(folder: str) -> dict[str, str]:
    """Module of each type of a folder, sorted by type."""
    package = f"velapulumi.definitions.{folder}"
    found = pkgutil.iter_modules(importlib.import_module(package).__path__)
    names = sorted(module.name for module in found)
    return {name.replace("_", "-"): f"{package}.{name}" for name in names}


@cache
def _definition(folder: str, type_name: str) -> Any:
    module = _modules(folder).get(type_name)
    return importlib.import_module(module).DEFINITION if module else None
