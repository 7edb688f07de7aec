"""Finds the definition of a type. A module in the folder of its kind is a type."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Catalog:
    """The definitions an application may use: the built-in ones and those of the project.

    Attributes:
        extra: Further definitions by kind and type; they go before built-in ones.
    """

    extra: Mapping[type[Definition[Any]], Mapping[str, Definition[Any]]] = field(
        default_factory=dict
    )

    def find(self, kind: type[D], type_name: str) -> D | None:
        """The definition of a type, or None when there is none of that name."""
        own = self.extra.get(kind, {}).get(type_name)
        if own is not None:
            assert isinstance(own, kind)
            return own
        return find(kind, type_name)

    def types_of(self, kind: type[Definition[Any]]) -> tuple[str, ...]:
        """All types of a kind, sorted."""
        return tuple(sorted({*types_of(kind), *self.extra.get(kind, {})}))


BUILTIN = Catalog()
"""No more than the built-in definitions."""


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
