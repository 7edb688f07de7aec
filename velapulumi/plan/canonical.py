"""Values as the same bytes everywhere (RFC 8785), and what those are called by (SHA-256)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import rfc8785

_LARGEST = 2**53 - 1
"""The largest integer that every reader of JSON takes for what it is."""


def canonical(value: Any) -> bytes:
    """A value as RFC 8785 writes it.

    What JSON cannot say for everybody alike, integers beyond 2⁵³ and text that is no Unicode, is
    put into words.

    Args:
        value: Maps, lists, text, numbers, booleans and None.
    """
    return rfc8785.dumps(_sayable(value))


def digest(value: Any) -> str:
    """SHA-256 of a value's canonical form, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()


def _sayable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_sayable(str(key)): _sayable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_sayable(entry) for entry in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST else str(value)
    if isinstance(value, float) and value - value == 0:
        return value
    return json.dumps(value, default=str)
