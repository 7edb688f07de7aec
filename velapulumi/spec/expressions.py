r"""The expressions of an Application: values that are published, and conditions of steps.

KubeVela evaluates any CUE there. Known here is what such expressions are made of in practice:
fields such as ``output.status.ip``, ``outputs["a-b"].spec`` or ``output.ports[0]``; string literals
with ``\(…)`` in them; numbers, ``true``, ``false``, ``null``; ``+``; the comparisons ``==``,
``!=``, ``<``, ``<=``, ``>``, ``>=``, ``=~``, ``!~``; ``!``, ``&&``, ``||`` and parentheses, which
bind as in CUE.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from velapulumi.spec.document import Path
from velapulumi.spec.terms import (
    Comparison,
    Expression,
    Interpolation,
    InvalidExpression,
    Junction,
    Literal,
    Negation,
    NotThere,
    Reference,
    Sum,
    condition,
    pattern,
    written,
)

__all__ = [
    "CONDITION_ROOTS",
    "ROOTS",
    "STEP_ROOTS",
    "Comparison",
    "Expression",
    "Interpolation",
    "InvalidExpression",
    "Junction",
    "Literal",
    "Negation",
    "NotThere",
    "Reference",
    "Sum",
    "condition",
    "parse_expression",
    "written",
]

ROOTS = ("output", "outputs", "context")
"""Where the fields of a component's ``valueFrom`` begin."""

STEP_ROOTS = (
    "output",
    "outputs",
    "value",
    "response",
    "body",
    "context",
    "parameter",
    "code",
    "message",
)
"""Where the fields of a step's ``valueFrom`` begin."""

CONDITION_ROOTS = ("status", "inputs", "context")
"""Where the fields of a condition (``if``) begin."""

MAX_NESTING = 32

_NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?(?![\w.])")
_INDEX = re.compile(r"[0-9]{1,9}(?![\w.])")
_NAME = re.compile(r"[A-Za-z_$][\w$]*")
_COMPARISON = re.compile(r"[=!<>]=|[=!]~|[<>]")
_NOT = re.compile(r"!(?![=~])")
_TOKEN = re.compile(
    rf'"(?:[^"\\]|\\.)*"|{_NUMBER.pattern}|{_NAME.pattern}|{_COMPARISON.pattern}'
    r"|&&|\|\||[.+\[\]()!]"
)
_PLAIN = re.compile(r'[^"\\\x00-\x1f]+')
_ESCAPE = re.compile(r'\\(?:(["\\/abfnrtv])|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))')
_ESCAPED = dict(zip('"\\/abfnrtv', '"\\/\a\b\f\n\r\t\v', strict=True))
_CONSTANTS = {"true": True, "false": False, "null": None}


def parse_expression(text: str, roots: Sequence[str] = ROOTS) -> Expression:
    """Read an expression.

    Args:
        text: The expression.
        roots: The names at which its fields may begin.

    Raises:
        InvalidExpression: It is not of the form known here; says what is wrong and where.
    """
    return _Parser(text, roots).whole()


class _Parser:
    """Reads one text from left to right."""

    def __init__(self, text: str, roots: Sequence[str]) -> None:
        self._text = text
        self._roots = roots
        self._place = 0
        self._depth = 0

    def whole(self) -> Expression:
        expression = self._either()
        if not self._at_end():
            raise self._unexpected()
        return expression

    def _either(self) -> Expression:
        parts = self._joined(self._all, "||")
        return parts[0] if len(parts) == 1 else Junction("||", parts)

    def _all(self) -> Expression:
        parts = self._joined(self._comparison, "&&")
        return parts[0] if len(parts) == 1 else Junction("&&", parts)

    def _comparison(self) -> Expression:
        left = self._sum()
        sign = self._take(_COMPARISON)
        if not sign:
            return left
        self._skip()
        start = self._place
        right = self._sum()
        if sign in ("=~", "!~") and isinstance(right, Literal) and isinstance(right.content, str):
            try:
                pattern(right.content)
            except InvalidExpression as error:
                raise self._refused(str(error), start) from None
        if self._peek(_COMPARISON):
            raise self._refused("two values are compared at a time, put parentheses around them")
        return Comparison(left, sign, right)

    def _sum(self) -> Expression:
        parts = self._joined(self._operand, "+")
        return parts[0] if len(parts) == 1 else Sum(parts)

    def _joined(self, read: Callable[[], Expression], sign: str) -> tuple[Expression, ...]:
        parts = [read()]
        while self._takes(sign):
            parts.append(read())
        return tuple(parts)

    def _operand(self) -> Expression:
        if self._take(_NOT):
            return Negation(self._nested(self._operand))
        if self._takes("("):
            inner = self._nested(self._either)
            self._expect(")")
            return inner
        if self._at_end():
            raise InvalidExpression("it ends too early")
        if self._text[self._place] == '"':
            return self._string()
        if number := self._take(_NUMBER):
            return Literal(float(number) if "." in number else int(number))
        start = self._place
        name = self._take(_NAME)
        if name in _CONSTANTS:
            return Literal(_CONSTANTS[name])
        if name in self._roots:
            return Reference((name, *self._fields()))
        if not name:
            raise self._unexpected()
        begin = ", ".join(self._roots)
        raise self._refused(f'"{name}" is not known, it must begin with {begin}', start)

    def _nested(self, read: Callable[[], Expression]) -> Expression:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise self._refused("it has too many parentheses inside each other, or too many !")
        expression = read()
        self._depth -= 1
        return expression

    def _fields(self) -> Path:
        path: list[str | int] = []
        while True:
            if self._takes("."):
                path.append(self._take(_NAME) or self._quoted("."))
            elif self._takes("["):
                index = self._take(_INDEX)
                path.append(int(index) if index else self._quoted("["))
                self._expect("]")
            else:
                return tuple(path)

    def _quoted(self, after: str) -> str:
        self._skip()
        start = self._place
        found = self._string() if self._text.startswith('"', start) else None
        if not isinstance(found, Literal) or not isinstance(found.content, str):
            raise self._refused(f'a field is expected after "{after}"', start)
        return found.content

    def _string(self) -> Expression:
        start = self._place
        self._place += 1
        parts: list[Expression] = []
        plain = ""
        while not self._text.startswith('"', self._place):
            if self._place == len(self._text):
                opening = self._text[start:][:20]
                raise self._refused(f'"{opening}" is not understood: it has no end', start)
            if self._text.startswith("\\(", self._place):
                self._place += 2
                parts += (Literal(plain), self._nested(self._either))
                plain = ""
                self._expect(")")
            else:
                plain += self._characters(start)
        self._place += 1
        return Interpolation((*parts, Literal(plain))) if parts else Literal(plain)

    def _characters(self, start: int) -> str:
        """The next characters of a string, or the one that an escape stands for."""
        if match := _PLAIN.match(self._text, self._place):
            self._place = match.end()
            return match[0]
        match = _ESCAPE.match(self._text, self._place)
        if match is not None:
            sign, *codes = match.groups()
            code = int(next(filter(None, codes), "0"), 16)
            if sign or (code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF):
                self._place = match.end()
                return _ESCAPED[sign] if sign else chr(code)
        quoted = self._text[start : self._place + 2]
        raise self._refused(f"{quoted} is not a string that is understood")

    def _at_end(self) -> bool:
        self._skip()
        return self._place == len(self._text)

    def _skip(self) -> None:
        while self._text[self._place : self._place + 1].isspace():
            self._place += 1

    def _peek(self, what: re.Pattern[str]) -> str:
        """The text of the form that comes next; empty when something else does."""
        self._skip()
        match = what.match(self._text, self._place)
        return match[0] if match else ""

    def _take(self, what: re.Pattern[str]) -> str:
        """Like ``_peek``, and goes on behind it."""
        found = self._peek(what)
        self._place += len(found)
        return found

    def _takes(self, sign: str) -> bool:
        self._skip()
        found = self._text.startswith(sign, self._place)
        self._place += len(sign) if found else 0
        return found

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise self._refused(f'"{sign}" is missing')

    def _unexpected(self) -> InvalidExpression:
        rest = self._text[self._place :].strip()[:20]
        if rest.startswith("-"):
            return self._refused(
                f'"{rest}" is not understood: a name with a dash is written in brackets and quotes,'
                ' such as status["my-step"]'
            )
        if token := self._peek(_TOKEN):
            return self._refused(f'"{token}" is not expected there')
        return self._refused(
            f'"{rest}" is not understood: use fields, strings, numbers, + and comparisons'
        )

    def _refused(self, message: str, place: int | None = None) -> InvalidExpression:
        """An error that tells where, counted from 1."""
        where = (self._place if place is None else place) + 1
        return InvalidExpression(f"{message} (at character {where})")
