r"""The expressions by which a component publishes values (``outputs[].valueFrom``).

KubeVela evaluates any CUE there. Known here is what such expressions are made of in practice:
fields of ``output``, ``outputs`` and ``context``, string literals with ``\(…)`` in them, whole
numbers, and ``+`` between strings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ROOTS = ("output", "outputs", "context")

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<number>-?\d{1,18})(?![\w.])
      | (?P<name>[A-Za-z_$][\w$]*)
      | (?P<sign>[.+\[\]()])
    )""",
    re.VERBOSE,
)
_INTERPOLATION = re.compile(r"\\\(([^()]*)\)")


class InvalidExpression(ValueError):
    """The text is no expression that is known here."""


class NotThere(Exception):
    """A field the expression names is not there (yet)."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


@dataclass(frozen=True)
class Reference:
    """A field: its path from one of ROOTS."""

    path: tuple[str | int, ...]

    def value(self, scope: Mapping[str, Any]) -> Any:
        value: Any = scope
        for index, part in enumerate(self.path):
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                raise NotThere(_written(self.path[: index + 1])) from None
        return value


@dataclass(frozen=True)
class Literal:
    """A string or number as written."""

    text: str | int

    def value(self, scope: Mapping[str, Any]) -> Any:
        return self.text


@dataclass(frozen=True)
class Joined:
    """Strings put together."""

    parts: tuple[Expression, ...]
    interpolated: bool

    def value(self, scope: Mapping[str, Any]) -> Any:
        values = [part.value(scope) for part in self.parts]
        if self.interpolated:
            return "".join(v if isinstance(v, str) else json.dumps(v) for v in values)
        if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            return sum(values)
        if not all(isinstance(value, str) for value in values):
            raise InvalidExpression("+ joins strings or adds whole numbers, not a mixture")
        return "".join(values)


Expression = Reference | Literal | Joined


def parse_expression(text: str) -> Expression:
    """Read an expression.

    Raises:
        InvalidExpression: It is not of the form known here; says what is wrong.
    """
    tokens = _tokens(text)
    try:
        expression = _sum(tokens)
    except RecursionError:
        raise InvalidExpression("it has too many parentheses inside each other") from None
    if tokens:
        raise InvalidExpression(f'"{tokens[0][1]}" is not expected there')
    return expression


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, place = [], 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            rest = text[place:].strip()
            raise InvalidExpression(f'"{rest[:20]}" is not understood: use fields, strings and +')
        assert match.lastgroup is not None
        tokens.append((match.lastgroup, match[match.lastgroup]))
        place = match.end()
    return tokens


def _sum(tokens: list[tuple[str, str]]) -> Expression:
    parts = [_term(tokens)]
    while tokens and tokens[0] == ("sign", "+"):
        tokens.pop(0)
        parts.append(_term(tokens))
    return parts[0] if len(parts) == 1 else Joined(tuple(parts), interpolated=False)


def _term(tokens: list[tuple[str, str]]) -> Expression:
    if not tokens:
        raise InvalidExpression("it ends too early")
    kind, text = tokens.pop(0)
    if kind == "string":
        return _string(text)
    if kind == "number":
        return Literal(int(text))
    if kind == "name" and text in ROOTS:
        return Reference((text, *_fields(tokens)))
    if (kind, text) == ("sign", "("):
        inner = _sum(tokens)
        _expect(tokens, ")")
        return inner
    raise InvalidExpression(f'"{text}" is not known, it must begin with {", ".join(ROOTS)}')


def _fields(tokens: list[tuple[str, str]]) -> list[str | int]:
    path: list[str | int] = []
    while tokens and tokens[0] in (("sign", "."), ("sign", "[")):
        _, sign = tokens.pop(0)
        kind, text = tokens.pop(0) if tokens else ("", "")
        if sign == "." and kind == "name":
            path.append(text)
        elif kind == "string":
            path.append(_plain(text))
        elif sign == "[" and kind == "number":
            path.append(int(text))
        else:
            raise InvalidExpression(f'a field is expected after "{sign}"')
        if sign == "[":
            _expect(tokens, "]")
    return path


def _string(text: str) -> Expression:
    parts: list[Expression] = []
    place = 1
    for match in _INTERPOLATION.finditer(text, 1, len(text) - 1):
        parts.append(Literal(_plain(f'"{text[place : match.start()]}"')))
        parts.append(parse_expression(match[1]))
        place = match.end()
    rest = Literal(_plain(f'"{text[place:-1]}"'))
    return Joined((*parts, rest), interpolated=True) if parts else rest


def _plain(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        raise InvalidExpression(f"{text} is not a string that is understood") from None
    assert isinstance(value, str)
    return value


def _expect(tokens: list[tuple[str, str]], sign: str) -> None:
    if not tokens or tokens.pop(0) != ("sign", sign):
        raise InvalidExpression(f'"{sign}" is missing')


def _written(path: tuple[str | int, ...]) -> str:
    first, *rest = path
    return str(first) + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in rest)
