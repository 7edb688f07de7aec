"""Quantities of Kubernetes, such as ``500m`` and ``1.5Gi``, read and written exactly.

Follows ``resource.Quantity`` of k8s.io/apimachinery.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import ceil
from typing import Any

_DECIMAL = {
    "E": Fraction(10**18), "P": Fraction(10**15), "T": Fraction(10**12), "G": Fraction(10**9),
    "M": Fraction(10**6), "k": Fraction(10**3), "": Fraction(1), "m": Fraction(1, 10**3),
    "u": Fraction(1, 10**6), "n": Fraction(1, 10**9),
}  # fmt: skip
_BINARY = {f"{letter}i": Fraction(1024 ** (6 - n)) for n, letter in enumerate("EPTGMK")}
_SCALES = _DECIMAL | _BINARY
_FORM = re.compile(
    r"(?P<sign>[+-]?)(?P<number>\d+\.?\d*|\.\d+)(?P<suffix>[KMGTPE]i|[numkMGTPE]?|[eE][+-]?\d{1,3})",
    re.ASCII,
)
_LONGEST = 100
_LARGEST_BINARY = 2**63 - 1


def quantity(value: Any) -> Fraction | None:
    """Read a quantity.

    As in Kubernetes, an amount finer than a nano is rounded away from zero, and a binary one is
    capped at 2⁶³ - 1.

    Args:
        value: Text, or a number as YAML has it.

    Returns:
        The amount; None when the value is no quantity.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    # The text of a float is what the server reads; its binary value would be another amount.
    text = str(value).strip()
    found = _FORM.fullmatch(text)
    if found is None or len(text) > _LONGEST:
        return None
    suffix = found["suffix"]
    scale = _SCALES.get(suffix)
    amount = Fraction(found["number"])
    amount *= Fraction(10) ** int(suffix[1:]) if scale is None else scale
    if (amount / _DECIMAL["n"]).denominator > 1:
        amount = ceil(amount / _DECIMAL["n"]) * _DECIMAL["n"]
    if suffix in _BINARY:
        amount = min(amount, Fraction(_LARGEST_BINARY))
    return -amount if found["sign"] == "-" else amount


def canonical_quantity(value: Any) -> Any:
    """Write a quantity in the one form that all its spellings have: the shortest.

    Kubernetes has a canonical form for each of its three formats; equal amounts have one here.

    Args:
        value: Text or a number; what is no quantity stays as it is.
    """
    amount = quantity(value)
    if amount is None:
        return value
    forms = [_in_units(amount, units) for units in (_DECIMAL, _BINARY)]
    return min((form for form in forms if form is not None), key=len)


def _in_units(amount: Fraction, units: dict[str, Fraction]) -> str | None:
    """A whole number of the largest unit that goes into an amount."""
    for suffix, scale in units.items():
        if amount and (amount / scale).denominator == 1:
            return f"{amount / scale}{suffix}"
    return None if amount else "0"
