"""The base of every typed model, and its problems in words for people."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from velapulumi.spec.document import Path

T = TypeVar("T")

MISSING = "is missing"
"""The message about a required field which is not there."""


UNKNOWN_FIELD = "is an unknown field"
"""How the message about a field begins which the model does not have."""


MOST_NAMED = 24
"""How many known words a message about an unknown one may list."""


class StrictModel(BaseModel):
    """A model which takes exactly its own fields, with exactly their types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _empty_list(value: Any) -> Any:
    return () if value is None else value


def _empty_map(value: Any) -> Any:
    return {} if value is None else value


Many = Annotated[tuple[T, ...], Field(strict=False), BeforeValidator(_empty_list)]
"""A list of T in the file, a tuple in the model; null is the empty list."""

Properties = Annotated[dict[str, Any], BeforeValidator(_empty_map)]
"""A free map; null is the empty map."""

Labels = Annotated[dict[str, str], BeforeValidator(_empty_map)]
"""A map of strings; null is the empty map."""


def explain(model: type[BaseModel], error: ValidationError) -> list[tuple[Path, str]]:
    """Put the problems of a validation in words.

    Args:
        model: The model whose validation failed.
        error: What pydantic raised.

    Returns:
        Pairs of the path below the validated value and the message.
    """
    details = error.errors(include_url=False)
    return [(tuple(detail["loc"]), _message(model, detail)) for detail in details]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: the nearest known one, or all if not many."""
    known = sorted(set(known) - {""})
    if close := difflib.get_close_matches(word, known, n=1, cutoff=0.6):
        return f', did you mean "{close[0]}"?'
    return f"; known: {', '.join(known)}" if 0 < len(known) <= MOST_NAMED else ""


def describe(value: Any) -> str:
    """Name a value for people: ``the string "80"``, ``a list``, ``null``."""
    if isinstance(value, str):
        return f"the string {json.dumps(value[:60], ensure_ascii=False)}"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int | float):
        return f"the number {value}"
    return "a map" if isinstance(value, Mapping) else "a list"


_EXPECTED = {
    "string_type": "a string",
    "int_type": "an integer",
    "bool_type": "true or false",
    "float_type": "a number",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a map",
    "model_type": "a map",
}


def _message(model: type[BaseModel], detail: ErrorDetails) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if expected := _EXPECTED.get(kind):
        return f"must be {expected}, is {describe(value)}{_hint(kind, value)}"
    if kind == "missing":
        return MISSING
    if kind == "extra_forbidden":
        return UNKNOWN_FIELD + did_you_mean(
            str(detail["loc"][-1]), _fields(model, tuple(detail["loc"][:-1]))
        )
    if kind in ("literal_error", "enum"):
        return f"must be {context['expected']}, is {describe(value)}"
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']}, is {value}"
    if kind == "less_than_equal":
        return f"must be at most {context['le']}, is {value}"
    if kind == "value_error":
        return str(context["error"])
    return detail["msg"]


def _hint(kind: str, value: Any) -> str:
    if kind == "string_type" and isinstance(value, int | float):
        return f': write "{json.dumps(value)}" in quotes'
    if kind == "int_type" and isinstance(value, str) and value.lstrip("-").isdigit():
        return ": leave out the quotes"
    return ""


def _fields(model: type[BaseModel], path: Path) -> list[str]:
    """Names of the fields of the model found below ``model`` at ``path``."""
    current: Any = model
    for part in path:
        current = _below(current, part)
    found = _model_in(current)
    if found is None:
        return []
    return [field.alias or name for name, field in found.model_fields.items()]


def _below(annotation: Any, part: str | int) -> Any:
    if isinstance(part, int):
        return _inside(annotation, (tuple, list))
    if found := _model_in(annotation):
        for name, field in found.model_fields.items():
            if part in (name, field.alias):
                return field.annotation
    return _inside(annotation, (dict,))


def _inside(annotation: Any, containers: tuple[type, ...]) -> Any:
    """Annotation of the values held by a list or map, looked for through unions."""
    arguments = get_args(annotation)
    if get_origin(annotation) in containers:
        return arguments[1] if get_origin(annotation) is dict else arguments[0]
    return next((found for item in arguments if (found := _inside(item, containers))), None)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (tuple, list, dict):
        return None
    return next((found for item in get_args(annotation) if (found := _model_in(item))), None)
