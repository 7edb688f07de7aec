"""The objects of joined clusters which an Application refers to, before it is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from velapulumi.definitions import Reference
from velapulumi.spec import Application, inspect_application, read_text

REF_OBJECTS = "ref-objects"


def references_of(path: Path) -> tuple[Reference, ...]:
    """References of all ``ref-objects`` components, those that patches bring in included.

    What is wrong with the file or a reference is left to ``load``.

    Raises:
        InvalidApplication: The file cannot be read at all.
    """
    text = read_text(path)
    if REF_OBJECTS not in text:
        return ()
    from velapulumi.definitions.components.ref_objects import DEFINITION, references

    application, _ = inspect_application(text, str(path))
    found: dict[Reference, None] = {}
    for properties in _properties(application):
        parameters, _ = DEFINITION.read(properties)
        if parameters is not None:
            found |= dict.fromkeys(references(parameters, application.namespace))
    return tuple(found)


def _properties(application: Application) -> Iterator[dict[str, Any]]:
    """Properties of every map in the Application which is a component of that type."""
    pending: list[Any] = [application.spec]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if value.get("type") == REF_OBJECTS and isinstance(value.get("properties"), dict):
                yield value["properties"]
            pending += value.values()
        elif isinstance(value, list):
            pending += value
