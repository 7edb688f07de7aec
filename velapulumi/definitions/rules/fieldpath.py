"""Paths of fields, such as ``spec.template.spec.containers[0].image``.

A key with dots or slashes stands in brackets: ``metadata.annotations[example.org/owner]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator

Parts: TypeAlias = tuple[str | int, ...]
"""A path, part by part: keys of maps and positions in lists."""

MISSING = object()
"""Stands for a field that is not there."""

_PART = re.compile(
    r"""\.?(?P<key>[^.\[\]"'*]+)|\[(?P<quote>["']?)(?P<inner>[^\]"'*]+)(?P=quote)\]"""
)


def parse_field_path(text: str) -> Parts:
    """Read a path.

    Raises:
        ValueError: It is none; the text is for people.
    """
    parts: list[str | int] = []
    end = 0
    while end < len(text):
        found = _PART.match(text, end)
        starts_well = found is not None and (text[end] != ".") == (end == 0 or text[end] == "[")
        if found is None or not starts_well:
            raise ValueError(
                "must be the path of one field such as spec.template.spec.containers[0].image, "
                "with a key that holds dots in brackets"
            )
        if found["key"] is not None:
            parts.append(found["key"])
        else:
            inner = found["inner"]
            parts.append(int(inner) if inner.isdecimal() and not found["quote"] else inner)
        end = found.end()
    if not parts:
        raise ValueError("must not be empty")
    return tuple(parts)


def _checked(text: str) -> str:
    parse_field_path(text)
    return text


FieldPath = Annotated[str, AfterValidator(_checked)]
"""A text that is a path of a field."""


def value_at(path: Iterable[str | int], value: Any) -> Any:
    """What a value holds at a path; MISSING when there is no such field."""
    for part in path:
        if not _has(value, part):
            return MISSING
        value = value[part]
    return value


def with_value_at(path: Parts, value: Any, new: Any) -> Any:
    """A value with another one at a path; unchanged where the path cannot be walked.

    Args:
        path: The path; maps on the way are made, elements of lists are not.
        value: The value; not changed itself.
        new: What it shall hold there.
    """
    if not path:
        return new
    part, rest = path[0], path[1:]
    if isinstance(part, str) and isinstance(value, Mapping):
        if part not in value and any(isinstance(entry, int) for entry in rest):
            return value
        return {**value, part: with_value_at(rest, value.get(part, {}), new)}
    if isinstance(part, int) and _has(value, part):
        changed = with_value_at(rest, value[part], new)
        return [*value[:part], changed, *value[part + 1 :]]
    return value


def without_value_at(path: Parts, value: Any) -> Any:
    """A value without the field at a path; unchanged where there is none.

    Args:
        path: The path.
        value: The value; not changed itself.
    """
    part, rest = path[0], path[1:]
    if not _has(value, part):
        return value
    if rest:
        return with_value_at((part,), value, without_value_at(rest, value[part]))
    if isinstance(part, str):
        return {key: below for key, below in value.items() if key != part}
    return [*value[:part], *value[part + 1 :]]


def _has(value: Any, part: str | int) -> bool:
    if isinstance(part, str):
        return isinstance(value, Mapping) and part in value
    return isinstance(value, list) and part < len(value)
