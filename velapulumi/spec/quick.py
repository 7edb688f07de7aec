"""The quick way through a YAML text: the values of an ordinary document, without its lines.

Whatever is out of the ordinary is left to ``document``, which knows what to say about it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml
from yaml._yaml import CParser
from yaml.events import (
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from velapulumi.spec.scalars import CONVERSIONS, KEY_KINDS, kind_of_plain


class OutOfTheOrdinary(Exception):
    """The text needs the careful way."""


def read_quickly(text: str, max_depth: int) -> dict[str, Any]:
    """Read a text with one document which is a map.

    Args:
        text: YAML text.
        max_depth: How many levels it may have.

    Raises:
        OutOfTheOrdinary: It has a problem of any kind, further documents, anchors or tags, or
            something else than a map at its root.
    """
    try:
        next_event: Callable[[], Any] = CParser(text).get_event
        _, _, root = next_event(), next_event(), next_event()
        if type(root) is not MappingStartEvent:
            raise OutOfTheOrdinary
        value: dict[str, Any] = _value(root, next_event, max_depth)
        _, end = next_event(), next_event()
    except (yaml.YAMLError, ValueError, KeyError):
        raise OutOfTheOrdinary from None
    if type(end) is not StreamEndEvent:
        raise OutOfTheOrdinary
    return value


def _value(event: Any, next_event: Callable[[], Any], levels: int) -> Any:
    """The value that begins with an event and has at most so many levels.

    Raises:
        OutOfTheOrdinary: As ``read_quickly``.
        KeyError, ValueError: A scalar has no value.
    """
    if event.anchor is not None or event.tag is not None or not levels:
        raise OutOfTheOrdinary
    kind = type(event)
    if kind is ScalarEvent:
        text = event.value
        if event.implicit[0] and (scalar := kind_of_plain(text)) != "str":
            return CONVERSIONS[scalar](text)
        return text
    if kind is MappingStartEvent:
        entries: dict[str, Any] = {}
        while type(key := next_event()) is ScalarEvent:
            name = key.value
            if (
                name in entries
                or key.anchor is not None
                or key.tag is not None
                or (key.implicit[0] and kind_of_plain(name) not in KEY_KINDS)
            ):
                raise OutOfTheOrdinary
            entries[name] = _value(next_event(), next_event, levels - 1)
        if type(key) is not MappingEndEvent:
            raise OutOfTheOrdinary
        return entries
    if kind is SequenceStartEvent:
        items = []
        while type(item := next_event()) is not SequenceEndEvent:
            items.append(_value(item, next_event, levels - 1))
        return items
    raise OutOfTheOrdinary
