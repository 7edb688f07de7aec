"""Values that a component or a step gets from others once those have run (``inputs``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from velapulumi.definitions import Definition
from velapulumi.spec import Component, Path, SubStep, parameter_path

Taker = TypeVar("Taker", Component, SubStep)

_STAND_INS: tuple[Any, ...] = ("value", "1", 1, True, {}, [], ["value"])
"""One of each kind a parameter can have."""


def with_inputs(taker: Taker, values: Mapping[str, Any]) -> Taker:
    """The component or step with its inputs filled in.

    Args:
        taker: A component or step whose inputs are all among the values.
        values: Value by the name it is published under.
    """
    properties: Any = taker.properties
    for item in taker.inputs:
        properties = _put(properties, parameter_path(item.parameter_key), values[item.from_])
    return taker.model_copy(update={"properties": properties, "inputs": ()})


def with_stand_ins(taker: Component | SubStep, definition: Definition[Any]) -> dict[str, Any]:
    """Properties with something of the right kind where the inputs go.

    For checks, and to tell which objects there will be, before there are values.
    """
    properties: Any = taker.properties
    for item in taker.inputs:
        path = parameter_path(item.parameter_key)
        if not path:
            continue
        tries = [_put(properties, path, value) for value in _STAND_INS]
        properties = next(
            (
                one
                for one in tries
                if not any(place[: len(path)] == path for place, _ in definition.read(one)[1])
            ),
            tries[0],
        )
    assert isinstance(properties, dict)
    return properties


def _put(value: Any, path: Path, new: Any) -> Any:
    """A value with another at some path, which is made where it is not there."""
    if not path:
        return new
    head, rest = path[0], path[1:]
    if isinstance(head, int):
        items = list(value) if isinstance(value, list) else []
        items += [{} if rest else None] * (head + 1 - len(items))
        items[head] = _put(items[head], rest, new)
        return items
    entries = dict(value) if isinstance(value, Mapping) else {}
    return {**entries, head: _put(entries.get(head), rest, new)}
