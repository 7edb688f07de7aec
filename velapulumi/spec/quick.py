"""The quick way through a YAML text: values of ordinary documents, in one pass over its events.

Whatever is out of the ordinary is left to ``document``, which knows what to say about it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml
from yaml.cyaml import CParser
from yaml.events import (
    Event,
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
    """The value of a text with one document which is a map.

    Args:
        text: YAML text.
        max_depth: How many levels it may have.

    Raises:
        OutOfTheOrdinary: It has problems of any kind, further documents, anchors or tags, or
            something else at its root.
    """
    try:
        next_event = CParser(text).get_event
        next_event()
        next_event()
        root = next_event()
        if type(root) is not MappingStartEvent:
            raise OutOfTheOrdinary
        value: dict[str, Any] = _value(root, next_event, max_depth)
        next_event()
        if type(next_event()) is not StreamEndEvent:
            raise OutOfTheOrdinary
    except (yaml.YAMLError, UnicodeEncodeError, ValueError, KeyError):
        raise OutOfTheOrdinary from None
    return value


def _value(event: Any, next_event: Callable[[], Any], levels: int) -> Any:
    """The value which begins with an event."""
    if event.anchor is not None or event.tag is not None or not levels:
        raise OutOfTheOrdinary
    if type(event) is ScalarEvent:
        text = event.value
        if event.implicit[0] and (kind := kind_of_plain(text)) != "str":
            return CONVERSIONS[kind](text)
        return text
    if type(event) is MappingStartEvent:
        result: dict[str, Any] = {}
        while type(key := next_event()) is ScalarEvent:
            name = key.value
            if name in result or key.anchor is not None or key.tag is not None or (key.implicit[0] and kind_of_plain(name) not in KEY_KINDS):
                raise OutOfTheOrdinary
            result[name] = _value(next_event(), next_event, levels - 1)
        if type(key) is not MappingEndEvent: raise OutOfTheOrdinary
        return result
    if type(event) is SequenceStartEvent:
        items = []
        while type(item := next_event()) is not SequenceEndEvent:
            items.append(_value(item, next_event, levels - 1))
        return items
    raise OutOfTheOrdinary
