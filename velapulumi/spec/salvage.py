"""Validation which keeps what is right, so that one mistake does not hide the next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from velapulumi.spec.document import Path
from velapulumi.spec.model import explain

M = TypeVar("M", bound=BaseModel)

MAX_REPAIRS = 8
"""Each round goes at least one level deeper, and the models have fewer levels than this."""

_EMPTY: dict[str, Any] = {
    "string_type": "",
    "missing": "",
    "tuple_type": [],
    "dict_type": {},
    "model_type": {},
}
_REMOVED = object()


def validate_what_can_be(model: type[M], value: Any) -> tuple[M | None, list[tuple[Path, str]]]:
    """Validate; on errors, leave out what is unknown and replace what is wrong by empty values.

    Args:
        model: What the value should be.
        value: Plain values; not changed.

    Returns:
        The model of what is right, or None when that cannot be had, and all problems of the
        value as path and message.
    """
    problems: list[tuple[Path, str]] = []
    for _ in range(MAX_REPAIRS):
        try:
            return model.model_validate(value), problems
        except ValidationError as error:
            problems = problems or explain(model, error)
            value = _repaired(value, error.errors(include_url=False))
    return None, problems


def _repaired(value: Any, details: Iterable[ErrorDetails]) -> Any:
    replaced = {detail["loc"]: _EMPTY.get(detail["type"], _REMOVED) for detail in details}
    return _rebuilt(value, (), replaced)


def _rebuilt(value: Any, path: Path, replaced: dict[Path, Any]) -> Any:
    if path in replaced:
        return replaced[path]
    if not any(place[: len(path)] == path for place in replaced):
        return value
    if isinstance(value, list):
        items = [_rebuilt(item, (*path, index), replaced) for index, item in enumerate(value)]
        return [item for item in items if item is not _REMOVED]
    missing = {place[-1]: None for place in replaced if place[:-1] == path}
    entries = {
        key: _rebuilt(item, (*path, key), replaced) for key, item in (missing | value).items()
    }
    return {key: item for key, item in entries.items() if item is not _REMOVED}
