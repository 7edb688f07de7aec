"""Finds the definition of a type: built in, of an installed package, or of the project.

A module in the folder of its kind is a built-in type.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from velapulumi.definitions import installed
from velapulumi.definitions.base import (
    ComponentDefinition,
    Definition,
    PolicyDefinition,
    TraitDefinition,
)
from velapulumi.definitions.step import StepDefinition
from velapulumi.errors import InvalidDefinition

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

D = TypeVar("D", bound=Definition[Any])

FOLDERS: dict[type[Definition[Any]], str] = {
    ComponentDefinition: "components",
    TraitDefinition: "traits",
    PolicyDefinition: "policies",
    StepDefinition: "steps",
}


@dataclass(frozen=True)
class Catalog:
    """The definitions an application may use.

    Attributes:
        extra: Definitions of the project by kind and type; they go before all others.
    """

    extra: Mapping[type[Definition[Any]], Mapping[str, Definition[Any]]] = field(
        default_factory=dict
    )

    def find(self, kind: type[D], type_name: str) -> D | None:
        """The definition of a type, or None when there is none of that name.

        The packages installed are asked only for a type which is nowhere else.

        Raises:
            InvalidDefinition: A package's definition of it cannot be used.
        """
        definition: Definition[Any] | None = self.extra.get(kind, {}).get(type_name)
        definition = definition or find(kind, type_name)
        if definition is None and (entry := _installed(kind).get(type_name)):
            definition = installed.load(entry, kind)
        assert definition is None or isinstance(definition, kind)
        return definition

    def types_of(self, kind: type[Definition[Any]]) -> tuple[str, ...]:
        """All types of a kind, sorted."""
        return tuple(sorted({*types_of(kind), *_installed(kind), *self.extra.get(kind, {})}))


BUILTIN = Catalog()
"""The definitions without those of a project."""


def types_of(kind: type[Definition[Any]]) -> tuple[str, ...]:
    """All built-in types of a kind of definition, sorted.

    Args:
        kind: One of ComponentDefinition, TraitDefinition, PolicyDefinition, StepDefinition.
    """
    return tuple(_modules(FOLDERS[kind]))


def find(kind: type[D], type_name: str) -> D | None:
    """The built-in definition of a type, or None when there is none of that name."""
    definition = _definition(FOLDERS[kind], type_name)
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


def _installed(kind: type[Definition[Any]]) -> dict[str, EntryPoint]:
    """The entry points of a kind by type.

    Raises:
        InvalidDefinition: One of them stands for a built-in type.
    """
    entries = installed.announced(FOLDERS[kind])
    for type_name, entry in entries.items():
        if type_name in _modules(FOLDERS[kind]):
            raise InvalidDefinition(
                f"{installed.title(entry)} redefines a built-in type",
                next_step="Give it another name; only a project's own folder may redefine a type.",
            )
    return entries
