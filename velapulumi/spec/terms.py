"""What expressions are made of, and the values they have (see ``expressions``).

Source of the rules: the specification of CUE, from which this language takes a small part. Ordering
and ``=~`` know no mixture of kinds; ``==`` finds different kinds to be different.
"""

from __future__ import annotations

import json
import operator
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from velapulumi.spec.document import Path
from velapulumi.spec.model import describe

Scope = Mapping[str, Any]
Scalar = str | int | float | bool | None

_LARGEST = 10**300
_ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


class InvalidExpression(ValueError):
    """The text is no expression that is known here, or its values do not fit together."""


class NotThere(Exception):
    """A field the expression names is not there (yet)."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


@dataclass(frozen=True)
class Reference:
    """A field: its path from one of the roots."""

    path: Path

    def value(self, scope: Scope) -> Any:
        value: Any = scope
        for index, part in enumerate(self.path):
            try:
                value = _field(value, part)
            except (KeyError, IndexError):
                raise NotThere(written(self.path[: index + 1])) from None
        return value

    def references(self) -> Iterator[Path]:
        yield self.path


@dataclass(frozen=True)
class Literal:
    """A string, number, true, false or null as written."""

    content: Scalar

    def value(self, scope: Scope) -> Any:
        return self.content

    def references(self) -> Iterator[Path]:
        yield from ()


@dataclass(frozen=True)
class Interpolation:
    """A string with expressions in it; what they give that is no string is written as JSON."""

    parts: tuple[Expression, ...]

    def value(self, scope: Scope) -> Any:
        values = (part.value(scope) for part in self.parts)
        return "".join(value if isinstance(value, str) else _as_json(value) for value in values)

    def references(self) -> Iterator[Path]:
        return _references(*self.parts)


@dataclass(frozen=True)
class Sum:
    """Strings put together, or numbers added."""

    parts: tuple[Expression, ...]

    def value(self, scope: Scope) -> Any:
        values: list[Any] = [part.value(scope) for part in self.parts]
        kinds = {_kind(value) for value in values}
        if kinds == {"string"}:
            return "".join(values)
        if kinds != {"number"}:
            raise InvalidExpression("+ joins strings or adds numbers, not a mixture")
        if any(abs(value) > _LARGEST for value in values):
            raise InvalidExpression("the numbers are too large to be added")
        return sum(values)

    def references(self) -> Iterator[Path]:
        return _references(*self.parts)


@dataclass(frozen=True)
class Comparison:
    """Two values compared by ``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``=~`` or ``!~``."""

    left: Expression
    sign: str
    right: Expression

    def value(self, scope: Scope) -> bool:
        left: Any = self.left.value(scope)
        right: Any = self.right.value(scope)
        if self.sign in ("==", "!="):
            return _equal(self.sign, left, right) == (self.sign == "==")
        kinds = {_kind(left), _kind(right)}
        if self.sign in _ORDERS:
            if kinds not in ({"string"}, {"number"}):
                raise InvalidExpression(
                    f"{self.sign} compares two numbers or two strings, "
                    f"not {describe(left)} with {describe(right)}"
                )
            return bool(_ORDERS[self.sign](left, right))
        if kinds != {"string"}:
            raise InvalidExpression(
                f"{self.sign} looks for a pattern in a string, both are strings, "
                f"not {describe(left)} and {describe(right)}"
            )
        return (pattern(right).search(left) is not None) == (self.sign == "=~")

    def references(self) -> Iterator[Path]:
        return _references(self.left, self.right)


@dataclass(frozen=True)
class Negation:
    """``!`` before something that is true or false."""

    inner: Expression

    def value(self, scope: Scope) -> bool:
        return not _truth(self.inner.value(scope), "! stands before what is")

    def references(self) -> Iterator[Path]:
        return self.inner.references()


@dataclass(frozen=True)
class Junction:
    """``&&`` or ``||``: from left to right, and no further than needed."""

    sign: str
    parts: tuple[Expression, ...]

    def value(self, scope: Scope) -> bool:
        enough = self.sign == "||"
        for part in self.parts:
            if _truth(part.value(scope), f"{self.sign} joins what is") == enough:
                return enough
        return not enough

    def references(self) -> Iterator[Path]:
        return _references(*self.parts)


Expression = Reference | Literal | Interpolation | Sum | Comparison | Negation | Junction


def condition(expression: Expression, scope: Scope) -> bool:
    """Whether a condition holds.

    Args:
        expression: What ``parse_expression`` gave.
        scope: The values of its roots.

    Raises:
        InvalidExpression: It gives neither true nor false.
        NotThere: A field it needs is not there.
    """
    return _truth(expression.value(scope), "a condition is")


def pattern(text: str) -> re.Pattern[str]:
    r"""A regular expression, with classes such as ``\d`` limited to ASCII as in Go.

    Raises:
        InvalidExpression: It is none, or one that Go and Python understand differently.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # Python's word for [[:alpha:]] of Go
            return re.compile(text, re.ASCII)
    except (re.error, ValueError, OverflowError, RecursionError, FutureWarning) as error:
        raise InvalidExpression(
            f"{describe(text)} is not a regular expression that is understood: {error}"
        ) from None


def written(path: Path) -> str:
    """A path as an expression has it, such as ``status["a-b"].failed``."""
    first, *rest = path
    return str(first) + "".join(_step(part) for part in rest)


def _field(value: Any, part: str | int) -> Any:
    has_such = isinstance(value, list if isinstance(part, int) else Mapping)
    if not has_such:
        raise KeyError(part)
    return value[part]


def _step(part: str | int) -> str:
    if isinstance(part, str) and part.isidentifier():
        return f".{part}"
    return f"[{json.dumps(part, ensure_ascii=False)}]"


def _references(*parts: Expression) -> Iterator[Path]:
    for part in parts:
        yield from part.references()


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "container"


def _equal(sign: str, left: Any, right: Any) -> bool:
    kind = _kind(left)
    if kind != _kind(right):
        return False
    if kind == "container":
        raise InvalidExpression(
            f"{sign} compares strings, numbers, true, false and null, "
            f"not {describe(left)} with {describe(right)}"
        )
    return bool(left == right)


def _truth(value: Any, what: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidExpression(f"{what} true or false, not {describe(value)}")
    return value


def _as_json(value: Any) -> str:
    try:
        return json.dumps(value)
    except (ValueError, RecursionError):
        raise InvalidExpression("a value is too large to be put into a string") from None
