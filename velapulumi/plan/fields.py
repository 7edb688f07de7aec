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
from velapulumi.definitions.rules.listkeys import ITSELF, Keys, key_fields, key_value

REVISION_LABELS = frozenset({"app.oam.dev/appRevision", "app.oam.dev/revision"})
"""The labels that change with every revision."""

_PLAIN = re.compile(r"(?!\d+\Z)[A-Za-z0-9_$-]+")

_NO_KEYS: Keys = {}


@dataclass(frozen=True)
class Named:
    """The element of a list that has these values in some fields, wherever it stands.

    Attributes:
        fields: The fields with their values: its ``name``, or the key fields of its list. A plain
            value has the one field ``ITSELF``.
    """

    fields: tuple[tuple[str, Any], ...]

    @classmethod
    def of(cls, name: str) -> Named:
        """The element that has a name."""
        return cls((("name", name),))

    @classmethod
    def by_key(cls, key: Any) -> Named:
        """The element with this key, in the form of ``key``."""
        return cls(tuple(key.items()) if isinstance(key, Mapping) else ((ITSELF, key),))

    @property
    def key(self) -> Any:
        """What identifies it: a map of its fields, or the plain value."""
        found = dict(self.fields)
        return found.get(ITSELF, found)

    def position(self, elements: Any) -> int | None:
        """Where a list has it; None where it has none, or several."""
        if not isinstance(elements, list):
            return None
        found = [at for at, each in enumerate(elements) if self._is(each)]
        return found[0] if len(found) == 1 else None

    def _is(self, element: Any) -> bool:
        return all(_same(key_value(element, name), value) for name, value in self.fields)


FieldPlace = tuple[str | int | Named, ...]
"""A path that still leads to the same field when others have put elements into its lists."""

Elements = dict[Named, Any]
"""The elements of a list by what they are told by, in their order."""


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
    before: Any, after: Any, path: Parts = (), keys: Keys = _NO_KEYS
) -> Iterator[FieldChange]:
    """Compare two values field by field.

    Maps are compared key by key. Lists are compared by the key fields of their elements, as a
    server merges them. Where these are not known, or more names than keys are the same, those whose
    elements all have a ``name`` of their own are compared by that name. Lists of the same length
    without names, but with different keys, are compared by position: a key may have changed. Where
    the common elements have changed their order, that is one more change, of their keys or names
    alone. Other lists are compared position by position when they are equally long, and are one
    change when they are not. A boolean never equals a number.

    Args:
        before: A value of maps, lists and scalars; None when there is none.
        after: The other one.
        path: Where both are.
        keys: The key fields of lists, where they are known.

    Returns:
        The changes: keys in alphabetical order, elements taken out before the others.
    """
    yield from _Differences(keys).of(before, after, path, path)


@dataclass(frozen=True)
class _Differences:
    """Compares values whose lists have these key fields."""

    keys: Keys

    def of(self, before: Any, after: Any, path: Parts, place: FieldPlace) -> Iterator[FieldChange]:
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            for key in sorted(before.keys() | after.keys(), key=str):
                here = ((*path, key), (*place, key))
                yield from self.of(before.get(key), after.get(key), *here)
        elif isinstance(before, list) and isinstance(after, list):
            yield from self._of_lists(before, after, path, place)
        elif not _same(before, after):
            yield FieldChange(path, before, after, place)

    def _of_lists(
        self, before: list[Any], after: list[Any], path: Parts, place: FieldPlace
    ) -> Iterator[FieldChange]:
        fields = key_fields(self.keys, path)
        told = None if fields == () else _told_apart(before, after, fields)
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


def _by(elements: list[Any], fields: tuple[str, ...] | None) -> Elements | None:
    """The elements of a list by some fields; None where these do not tell each of them."""
    if not fields:
        return None
    found: dict[Named, Any] = {}
    for element in elements:
        values = tuple((name, key_value(element, name)) for name in fields)
        if not all(isinstance(value, str | int) for _, value in values) or Named(values) in found:
            return None
        found[Named(values)] = element
    return found


def _told_apart(
    before: list[Any], after: list[Any], fields: tuple[str, ...] | None
) -> tuple[Elements, Elements] | None:
    """The elements of two lists by their key fields, or by their names; None by neither.

    When two lists of the same length have different keys, a key may have changed, as when a port
    gets another number. Keys cannot tell; names can, if more names than keys are the same.
    """
    old, new = _by(before, fields), _by(after, fields)
    left, right = _named(by_name(before)), _named(by_name(after))
    named = None if left is None or right is None else (left, right)
    if old is None or new is None:
        return named
    common = len(old.keys() & new.keys())
    if named is not None:
        return named if len(named[0].keys() & named[1].keys()) > common else (old, new)
    is_changed = fields != (ITSELF,) and common < len(old) == len(new)
    return None if is_changed else (old, new)


def elements_at(path: Iterable[str | int | Named], elements: list[Any], keys: Keys) -> Elements:
    """The elements of a list by their key fields, or by their names; none by neither.

    Args:
        path: The list.
        elements: Its elements.
        keys: The key fields of lists, where they are known.
    """
    fields = key_fields(keys, path)
    if fields == ():
        return {}
    return _by(elements, fields) or _named(by_name(elements)) or {}


def _named(elements: Mapping[str, Any] | None) -> Elements | None:
    if elements is None:
        return None
    return {Named.of(name): element for name, element in elements.items()}


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


def is_below(path: FieldPlace, tops: Iterable[FieldPlace]) -> bool:
    """Tell whether a field is one of some fields, or part of one."""
    return any(path[: len(top)] == top for top in tops)


def is_revision_label(path: Parts) -> bool:
    """Tell whether a field is a label that changes with every revision."""
    return path[-2:-1] == ("labels",) and path[-1] in REVISION_LABELS


_ATOMIC = frozenset({"subjects", "selector", "nodeSelector"})
"""Lists and maps that Kubernetes replaces as a whole, though their elements have names."""


def owned(value: Any, shape: Any, keys: Keys = _NO_KEYS, path: Parts = ()) -> Any:
    """Take from a live object what a manifest names of it.

    Elements of lists are found by their key fields, or else by their ``name`` where all of them
    have one, and keep the order they have in the live object. Other lists are followed position by
    position when they are equally long, and taken as a whole when they are not.

    Args:
        value: The live object, or a part of it.
        shape: The manifest, or the same part of it.
        keys: The key fields of lists, where they are known.
        path: Where both are.

    Returns:
        The value without what the shape does not name.
    """
    if isinstance(value, Mapping) and isinstance(shape, Mapping):
        return {
            key: value[key] if key in _ATOMIC else owned(value[key], shape[key], keys, (*path, key))
            for key in shape
            if key in value
        }
    fields = key_fields(keys, path)
    if isinstance(value, list) and isinstance(shape, list) and shape and fields != ():
        if told := _told_apart(value, shape, fields):
            found, shapes = told
            return [owned(found[e], shapes[e], keys, path) for e in found if e in shapes]
        if len(value) == len(shape):
            pairs = zip(value, shape, strict=True)
            return [owned(each, wanted, keys, path) for each, wanted in pairs]
    return value


def place_of(path: Parts, value: Any, keys: Keys = _NO_KEYS) -> FieldPlace:
    """Turn a path into a place.

    Args:
        path: The path.
        value: The value whose positions it has.
        keys: The key fields of lists, where they are known.
    """
    place: list[str | int | Named] = []
    for index, part in enumerate(path):
        if isinstance(part, int) and isinstance(value, list) and part < len(value):
            told = elements_at(path[:index], value, keys)
            place.append([*told][part] if told else part)
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
            if (found := part.position(value)) is None:
                return None
            part = found
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


def as_far_as(manifest: Any, place: FieldPlace, path: Parts) -> Parts:
    """A path with the positions of another value, as far as that goes.

    Args:
        manifest: The other value.
        place: The place that the path leads to.
        path: The path, with the positions of its own value.
    """
    ends = range(len(path), 0, -1)
    found = ((located(place[:end], manifest), path[end:]) for end in ends)
    return next(((*here, *rest) for here, rest in found if here is not None), path)


def _below(value: Any, part: str | int) -> Any:
    found = value_at((part,), value)
    return None if found is MISSING else found
