"""Values that a component gets from other components once those run (``inputs``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from velapulumi.definitions import ComponentDefinition
from velapulumi.spec import Component, Path, parameter_path

_STAND_INS: tuple[Any, ...] = ("value", 1, True, {}, [], ["value"])
"""One of each kind a parameter can have."""


def with_inputs(component: Component, values: Mapping[str, Any]) -> Component:
    """The component with its inputs filled in.

    Args:
        component: A component whose inputs are all among the values.
        values: Value by the name it is published under.
    """
    properties: Any = component.properties
    for item in component.inputs:
        properties = _put(properties, parameter_path(item.parameter_key), values[item.from_])
    return component.model_copy(update={"properties": properties, "inputs": ()})


def with_stand_ins(component: Component, definition: ComponentDefinition[Any]) -> dict[str, Any]:
    """Properties with something of the right kind where the inputs go.

    For checks, and to tell which objects there will be, before there are values.
    """
    properties: Any = component.properties
    for item in component.inputs:
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
