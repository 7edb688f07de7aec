"""Fields of objects: how two values differ, field by field, and how a field is called.

A field is a typed path, a tuple of keys and positions. It is joined to text only to be read by
people: a key of a ConfigMap such as ``metadata.labels.x`` is one part, and data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from velapulumi.definitions.rules.fieldpath import MISSING, Parts, value_at

REVISION_LABELS = frozenset({"app.oam.dev/appRevision", "app.oam.dev/revision"})
"""The labels that change with every revision."""

_PLAIN = re.compile(r"(?!\d+\Z)[A-Za-z0-9_$-]+")


@dataclass(frozen=True)
class Named:
    """The element of a list that has a name, wherever in the list it stands.

    Attributes:
        name: Its name.
    """

    name: str


FieldPlace = tuple[str | int | Named, ...]
"""A path that still leads to the same field when others have put elements into its lists."""


@dataclass(frozen=True)
class FieldChange:
    """One field that differs.

    Attributes:
        path: Where it is. An element of a list is told by its position afterwards; one that was
            taken out, by its position before.
        before: Its value before; None when it was not there.
        after: Its value afterwards; None when it is not there any more.
        place: Where it is whatever order lists have, so in both values; its path when not told.
    """

    path: Parts
    before: Any
    after: Any
    place: FieldPlace = field(default=(), compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", self.place or self.path)

    def below(self, key: str, before: Any, after: Any) -> FieldChange:
        """The change of a field below."""
        return FieldChange((*self.path, key), before, after, (*self.place, key))


def differences(before: Any, after: Any, path: Parts = ()) -> Iterator[FieldChange]:
    """Compare two values field by field.

    Maps are compared key by key. Lists whose elements all have a ``name`` of their own are
    compared by that name, as a server merges them; where the common elements have changed their
    order, that is one more change, of their names alone. Other lists are compared position by
    position when they are equally long, and are one change when they are not. A boolean never
    equals a number.

    Args:
        before: A value of maps, lists and scalars; None when there is none.
        after: The other one.
        path: Where both are.

    Returns:
        The changes: keys in alphabetical order, elements taken out before the others.
    """
    yield from _differences(before, after, path, path)


def _differences(before: Any, after: Any, path: Parts, place: FieldPlace) -> Iterator[FieldChange]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted(before.keys() | after.keys(), key=str):
            yield from _differences(before.get(key), after.get(key), (*path, key), (*place, key))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _list_differences(before, after, path, place)
    elif not _same(before, after):
        yield FieldChange(path, before, after, place)


def _list_differences(
    before: list[Any], after: list[Any], path: Parts, place: FieldPlace
) -> Iterator[FieldChange]:
    left, right = by_name(before), by_name(after)
    if left is not None and right is not None:
        old_order, new_order = _names(left, right), _names(right, left)
        if old_order != new_order:
            yield FieldChange(path, old_order, new_order, place)
        for index, (name, element) in enumerate(left.items()):
            if name not in right:
                yield FieldChange((*path, index), element, None, (*place, Named(name)))
        for index, (name, element) in enumerate(right.items()):
            here = ((*path, index), (*place, Named(name)))
            if name in left:
                yield from _differences(left[name], element, *here)
            else:
                yield FieldChange(here[0], None, element, here[1])
    elif len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences(old, new, (*path, index), (*place, index))
    else:
        yield FieldChange(path, before, after, place)


def _names(elements: Iterable[str], others: Container[str]) -> list[dict[str, str]]:
    """The elements of a list that are among others, in their order, by their names alone."""
    return [{"name": name} for name in elements if name in others]


def is_order(before: Any, after: Any) -> bool:
    """Whether two values are lists of the same elements in another order."""
    lists = isinstance(before, list) and isinstance(after, list) and len(before) == len(after)
    return lists and before != after and all(before.count(e) == after.count(e) for e in before)


def ordered(elements: list[Any], order: list[Any]) -> list[Any]:
    """A list in another order.

    Args:
        elements: The list.
        order: The names of some of its elements, as ``differences`` tells them. What it does not
            name stays where it is.
    """
    names = [*(by_name(order) or ())]
    if by_name(elements) is None or not names:
        return order
    named = sorted(
        (e for e in elements if e["name"] in names), key=lambda e: names.index(e["name"])
    )
    ranked = iter(named)
    return [next(ranked) if each["name"] in names else each for each in elements]


def one_by_one(changes: Iterable[FieldChange], *, both: bool = False) -> Iterator[FieldChange]:
    """Changes in which a map that goes is the fields that go: others may hold some of them.

    Args:
        changes: The changes.
        both: Whether a map that comes is the fields that come, too.
    """
    for change in changes:
        before, after = change.before, change.after
        if isinstance(before, Mapping) and before and after is None:
            below = [change.below(key, value, None) for key, value in before.items()]
        elif both and isinstance(after, Mapping) and after and before is None:
            below = [change.below(key, None, value) for key, value in after.items()]
        else:
            yield change
            continue
        yield from one_by_one(below, both=both)


def by_name(elements: list[Any]) -> dict[str, Any] | None:
    """The elements of a list by their name; None when one has none, or two have the same."""
    named: dict[str, Any] = {}
    for element in elements:
        name = element.get("name") if isinstance(element, Mapping) else None
        if not isinstance(name, str) or name in named:
            return None
        named[name] = element
    return named


def _same(before: Any, after: Any) -> bool:
    # In Python True equals 1, in a manifest it does not.
    return bool(before == after) and isinstance(before, bool) == isinstance(after, bool)


def written(path: Parts) -> str:
    """A path as people read it, such as ``spec.template.spec.containers[0].image``.

    A key that a dot or a position could be mistaken for stands in brackets and quotes:
    ``metadata.annotations["example.org/owner"]``. Different paths never read the same.
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part)}]"
    return text


def is_below(path: Parts, tops: Iterable[Parts]) -> bool:
    """Tell whether a field is one of some fields, or part of one."""
    return any(path[: len(top)] == top for top in tops)


def is_revision_label(path: Parts) -> bool:
    """Tell whether a field is a label that changes with every revision."""
    return path[-2:-1] == ("labels",) and path[-1] in REVISION_LABELS


_ATOMIC = frozenset({"subjects", "selector", "nodeSelector"})
"""Lists and maps that Kubernetes replaces as a whole, though their elements have names."""


def owned(value: Any, shape: Any) -> Any:
    """Take from a live object what a manifest names of it.

    Elements of lists are found by their ``name`` where all of them have one, and keep the order
    they have in the live object. Other lists are followed position by position when they are
    equally long, and taken as a whole when they are not.

    Args:
        value: The live object, or a part of it.
        shape: The manifest, or the same part of it.

    Returns:
        The value without what the shape does not name.
    """
    if isinstance(value, Mapping) and isinstance(shape, Mapping):
        return {
            key: value[key] if key in _ATOMIC else owned(value[key], shape[key])
            for key in shape
            if key in value
        }
    if isinstance(value, list) and isinstance(shape, list) and shape:
        found, shapes = by_name(value), by_name(shape)
        if found is not None and shapes is not None:
            return [owned(found[name], shapes[name]) for name in found if name in shapes]
        if len(value) == len(shape):
            return [owned(each, wanted) for each, wanted in zip(value, shape, strict=True)]
    return value


def place_of(path: Parts, value: Any) -> FieldPlace:
    """Turn a path into a place.

    Args:
        path: The path.
        value: The value whose positions it has.
    """
    place: list[str | int | Named] = []
    for part in path:
        elements = by_name(value) if isinstance(part, int) and isinstance(value, list) else None
        if elements is not None and isinstance(part, int) and part < len(value):
            place.append(Named(value[part]["name"]))
        else:
            place.append(part)
        value = _below(value, part)
    return tuple(place)


def located(place: FieldPlace, value: Any) -> Parts | None:
    """Find a place in a value: its path there, or None where an element is missing.

    Args:
        place: The place; its last part need not be there.
        value: The value.
    """
    path: list[str | int] = []
    for part in place:
        if isinstance(part, Named):
            names = list(by_name(value) or ()) if isinstance(value, list) else []
            if part.name not in names:
                return None
            part = names.index(part.name)
        path.append(part)
        value = _below(value, part)
    return tuple(path)


def all_located(places: Iterable[FieldPlace], value: Any) -> list[Parts]:
    """Find places in a value: their paths there, without those whose element is missing.

    Args:
        places: The places.
        value: The value.
    """
    return [path for place in places if (path := located(place, value)) is not None]


def _below(value: Any, part: str | int) -> Any:
    found = value_at((part,), value)
    return None if found is MISSING else found
