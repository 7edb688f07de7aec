"""Durations as text, as Go writes them.

Source: ``time.ParseDuration`` of Go, and the days which KubeVela takes as a step's ``timeout``.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

_SECONDS = {
    "ns": Fraction(1, 1_000_000_000),
    "us": Fraction(1, 1_000_000),
    "µs": Fraction(1, 1_000_000),
    "μs": Fraction(1, 1_000_000),  # the Greek letter; Go takes both
    "ms": Fraction(1, 1_000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3_600),
    "d": Fraction(86_400),
}
_SHOWN = ("d", "h", "m", "s")
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([^0-9.]*)")
_LONGEST = 2**63 / 1e9
"""Go counts nanoseconds in 64 bits: some 292 years."""


def parse_duration(text: str) -> float:
    """The seconds a duration means, such as 135.0 for ``2m15s``.

    Args:
        text: Numbers with units (``ns``, ``us``, ``ms``, ``s``, ``m``, ``h``, ``d``), or ``0``.

    Raises:
        ValueError: It is not of that form, is negative or too long; says why.
    """
    if text.startswith("-"):
        raise _refused(text, "it must not be negative")
    rest = text.removeprefix("+")
    if rest == "0":
        return 0.0
    if not rest:
        raise _refused(text, "it is empty, write a number with a unit such as 30s or 2m15s")
    parts: list[float] = []
    place = 0
    while place < len(rest):
        part = _PART.match(rest, place)
        if part is None:
            raise _refused(text, "write numbers with units, such as 30s or 2m15s")
        number, unit = part.groups()
        if not unit:
            raise _refused(text, f"{number} has no unit, such as s, m or h")
        if unit not in _SECONDS:
            raise _refused(text, f'unknown unit "{unit}"')
        length = _SECONDS[unit]
        seconds = float(number) * length.numerator / length.denominator
        parts.append(min(seconds, _LONGEST))
        place = part.end()
    total = math.fsum(parts)
    if total >= _LONGEST:
        raise _refused(text, "it is too long, at most 292 years can be told")
    return total


def format_duration(seconds: float) -> str:
    """A duration in short form for messages, such as ``45s``, ``2m15s``, ``1h`` or ``3d``.

    Args:
        seconds: At least 0; from one second on it is rounded to whole seconds.
    """
    milliseconds = round(seconds * 1000)
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    rest, parts = round(seconds), []
    for unit in _SHOWN:
        count, rest = divmod(rest, int(_SECONDS[unit]))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _refused(text: str, reason: str) -> ValueError:
    return ValueError(f"failed to parse duration {text}: {reason}")
