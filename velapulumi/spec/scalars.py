"""Values of YAML scalars, as Kubernetes reads YAML 1.1.

Dates and numbers written with colons stay strings.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from yaml.resolver import Resolver

CORE = "tag:yaml.org,2002:"
MAX_INTEGER = 2**53
"""The largest whole number that arrives as it is written: the engine carries numbers as doubles."""

KEY_KINDS = frozenset({"str", "value", "timestamp"})
"""Kinds of scalars which may be keys of a map: those that are strings."""


@lru_cache(maxsize=2048)
def kind_of_plain(text: str) -> str:
    """Kind of a scalar without quotes and tag, such as ``str`` or ``int``, as PyYAML finds it."""
    for tag, pattern in Resolver.yaml_implicit_resolvers.get(text[:1], ()):
        if pattern.match(text):
            return str(tag.removeprefix(CORE))
    return "str"


_BOOLEANS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
_BASES = {"0x": 16, "0b": 2, "0o": 8}


def _integer(text: str) -> int | str:
    if ":" in text:
        return text
    digits = text.replace("_", "").lower()
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    base = _BASES.get(digits[:2]) or (8 if digits.startswith("0") and len(digits) > 1 else 10)
    if len(digits) > 80:
        raise ValueError("the number is too large")
    try:
        value = sign * int(digits, base)
    except ValueError:
        raise ValueError(f"is not a number: {text}") from None
    if abs(value) > MAX_INTEGER:
        raise ValueError("the number is too large: the engine rounds whole numbers beyond 2^53")
    return value


def _float(text: str) -> float | str:
    if ":" in text:
        return text
    digits = text.replace("_", "").lower()
    try:
        value = float(digits.replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        raise ValueError(f"is not a number: {text}") from None
    if not math.isfinite(value):
        raise ValueError("the number must be finite")
    return value


def _boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError(f"is neither true nor false: {text}") from None


def _null(text: str) -> None:
    return None


CONVERSIONS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "timestamp": str,
    "value": str,
    "int": _integer,
    "float": _float,
    "bool": _boolean,
    "null": _null,
}
"""By kind what turns the text of a scalar into its value; raises ValueError for one without."""
