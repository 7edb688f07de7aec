"""What a server tells the elements of a list apart by, where it merges the list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Keys = Mapping[tuple[str, ...], tuple[str, ...]]
"""The key fields of lists, by the names on the way to each list.

A list of plain values has ``ITSELF``. One without any key field is one value for the server.
"""

ITSELF = ""
"""In place of a key field: the element itself, of a list that has each plain value once."""

_DEFAULTS = {"protocol": "TCP"}
"""Key fields that may be left out, as with ports, and what a server then takes them for."""


def key_fields(keys: Keys, path: Iterable[object]) -> tuple[str, ...] | None:
    """The fields that a server knows the elements of a list by; None where that is not known.

    Args:
        keys: The key fields of lists.
        path: Where the list is; whatever is no name in it is an element on the way.
    """
    return keys.get(tuple(part for part in path if isinstance(part, str)))


def key_value(element: Any, field: str) -> Any:
    """What an element has in a key field; None for nothing.

    Args:
        element: The element.
        field: The key field, or ``ITSELF``.
    """
    if field == ITSELF:
        return element
    return element.get(field, _DEFAULTS.get(field)) if isinstance(element, Mapping) else None
