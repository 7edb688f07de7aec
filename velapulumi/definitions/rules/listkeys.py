"""How a server that merges a list tells its elements apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Keys = Mapping[tuple[str, ...], tuple[str, ...]]
"""The key fields of lists, by the names on the way to each list.

A list of plain values has the one key ``ITSELF``. A list without keys is one value to the server.
"""

ITSELF = ""
"""Stands for the element itself, in a list that holds each plain value at most once."""

_DEFAULTS = {"protocol": "TCP"}
"""Key fields that a manifest may leave out, with the value that the server then assumes."""


def key_fields(keys: Keys, path: Iterable[object]) -> tuple[str, ...] | None:
    """The fields that identify the elements of a list; None where they are not known.

    Args:
        keys: The key fields of lists.
        path: The path of the list; only the names in it count, not the positions.
    """
    return keys.get(tuple(part for part in path if isinstance(part, str)))


def key_value(element: Any, field: str) -> Any:
    """The value of an element's key field; None if it has none.

    Args:
        element: The element.
        field: The key field, or ``ITSELF``.
    """
    if field == ITSELF:
        return element
    return element.get(field, _DEFAULTS.get(field)) if isinstance(element, Mapping) else None
