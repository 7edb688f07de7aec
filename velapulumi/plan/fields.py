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

from velapulumi.definitions.rules.fieldpath import Parts
from velapulumi.definitions.rules.listkeys import ITSELF, Keys, key_fields
from velapulumi.plan.places import (
    NO_KEYS,
    Elements,
    FieldPlace,
    Named,
    by_fields,
    by_names,
    is_equal,
)

REVISION_LABELS = frozenset({"app.oam.dev/appRevision", "app.oam.dev/revision"})
"""The labels that change with every revision."""

_PLAIN = re.compile(r"(?!\d+\Z)[A-Za-z0-9_$-]+")


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


def differences(
    before: Any,
    after: Any,
    path: Parts = (),
    keys: Keys = NO_KEYS,
    *,
    by_position: bool = False,
) -> Iterator[FieldChange]:
    """Compare two values field by field.

    Maps are compared key by key. Lists are compared by the key fields of their elements, as a
    server merges them. Where these are not known, or more names than keys are the same, those whose
    elements all have a ``name`` of their own are compared by that name. Where the common elements
    have changed their order, that is one more change, of their keys or names alone. Other lists are
    compared position by position when they are equally long, and are one change when they are not.
    A boolean never equals a number.

    Args:
        before: A value of maps, lists and scalars; None when there is none.
        after: The other one.
        path: Where both are.
        keys: The key fields of lists, where they are known.
        by_position: Whether elements without names are compared by position in lists of one length
            if their keys differ: what is taken over becomes what is wanted.

    Returns:
        The changes: keys in alphabetical order, elements taken out before the others.
    """
    yield from _Differences(keys, by_position).of(before, after, path, path)


@dataclass(frozen=True)
class _Differences:
    """Compares values whose lists have these key fields."""

    keys: Keys
    by_position: bool

    def of(self, before: Any, after: Any, path: Parts, place: FieldPlace) -> Iterator[FieldChange]:
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            for key in sorted(before.keys() | after.keys(), key=str):
                here = ((*path, key), (*place, key))
                yield from self.of(before.get(key), after.get(key), *here)
        elif isinstance(before, list) and isinstance(after, list):
            yield from self._of_lists(before, after, path, place)
        elif not is_equal(before, after):
            yield FieldChange(path, before, after, place)

    def _of_lists(
        self, before: list[Any], after: list[Any], path: Parts, place: FieldPlace
    ) -> Iterator[FieldChange]:
        fields = key_fields(self.keys, path)
        told = None if fields == () else _told_apart(before, after, fields, self.by_position)
        if fields == ():
            if before != after:
                yield FieldChange(path, before, after, place)
        elif told is not None:
            yield from self._of_elements(*told, path, place)
        elif len(before) == len(after):
            for index, (old, new) in enumerate(zip(before, after, strict=True)):
                yield from self.of(old, new, (*path, index), (*place, index))
        else:
            yield FieldChange(path, before, after, place)

    def _of_elements(
        self, left: Elements, right: Elements, path: Parts, place: FieldPlace
    ) -> Iterator[FieldChange]:
        old_order, new_order = _order(left, right), _order(right, left)
        if old_order != new_order:
            yield FieldChange(path, old_order, new_order, place)
        for index, (name, element) in enumerate(left.items()):
            if name not in right:
                yield FieldChange((*path, index), element, None, (*place, name))
        for index, (name, element) in enumerate(right.items()):
            here = ((*path, index), (*place, name))
            if name in left:
                yield from self.of(left[name], element, *here)
            else:
                yield FieldChange(here[0], None, element, here[1])


def _told_apart(
    before: list[Any], after: list[Any], fields: tuple[str, ...] | None, by_position: bool
) -> tuple[Elements, Elements] | None:
    """The elements of two lists by their key fields, or by their names; None by neither.

    A key may have changed, as when a port gets another number. Keys cannot tell; names can, if more
    names than keys are the same. Positions cannot: others may have put elements before and between.
    """
    old, new = by_fields(before, fields), by_fields(after, fields)
    left, right = by_names(before), by_names(after)
    named = None if left is None or right is None else (left, right)
    if old is None or new is None:
        return named
    common = len(old.keys() & new.keys())
    if named is not None and len(named[0].keys() & named[1].keys()) > common:
        return named
    is_changed = by_position and fields != (ITSELF,) and common < len(old) == len(new)
    return None if is_changed and named is None else (old, new)


def _order(elements: Iterable[Named], others: Container[Named]) -> list[Any]:
    """The elements of a list that are among others, in their order, by what they are told by."""
    return [element.key for element in elements if element in others]


def is_order(before: Any, after: Any) -> bool:
    """Whether two values are lists of the same elements in another order."""
    lists = isinstance(before, list) and isinstance(after, list) and len(before) == len(after)
    return lists and before != after and all(before.count(e) == after.count(e) for e in before)


def ordered(elements: list[Any], order: list[Any]) -> list[Any]:
    """A list in another order.

    Args:
        elements: The list.
        order: What some of its elements are told by, as in a change of their order, or all of it.
            What it does not tell stays where it is.
    """
    names = map(Named.by_key, order)
    found = [at for each in names if (at := each.position(elements)) is not None]
    if len(found) < len(order):
        return order
    ranked = iter(found)
    places = set(found)
    return [elements[next(ranked)] if at in places else e for at, e in enumerate(elements)]


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


def is_revision_label(path: Parts) -> bool:
    """Tell whether a field is a label that changes with every revision."""
    return path[-2:-1] == ("labels",) and path[-1] in REVISION_LABELS


_ATOMIC = frozenset({"subjects", "selector", "nodeSelector"})
"""Lists and maps that Kubernetes replaces as a whole, though their elements have names."""


def owned(
    value: Any,
    shape: Any,
    keys: Keys = NO_KEYS,
    path: Parts = (),
    *,
    by_position: bool = False,
) -> Any:
    """Take from a live object what a manifest names of it.

    Elements of lists are found by their key fields, or else by their ``name`` where all of them
    have one, and keep the order they have in the live object. Other lists are followed position by
    position when they are equally long, and taken as a whole when they are not.

    Args:
        value: The live object, or a part of it.
        shape: The manifest, or the same part of it.
        keys: The key fields of lists, where they are known.
        path: Where both are.
        by_position: As for ``differences``.

    Returns:
        The value without what the shape does not name.
    """
    if isinstance(value, Mapping) and isinstance(shape, Mapping):
        return {
            key: value[key]
            if key in _ATOMIC
            else owned(value[key], shape[key], keys, (*path, key), by_position=by_position)
            for key in shape
            if key in value
        }
    fields = key_fields(keys, path)
    if isinstance(value, list) and isinstance(shape, list) and shape and fields != ():
        if told := _told_apart(value, shape, fields, by_position):
            found, shapes = told
            return [
                owned(found[e], shapes[e], keys, path, by_position=by_position)
                for e in found
                if e in shapes
            ]
        if len(value) == len(shape):
            pairs = zip(value, shape, strict=True)
            return [
                owned(each, wanted, keys, path, by_position=by_position) for each, wanted in pairs
            ]
    return value
