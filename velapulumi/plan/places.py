"""Places of fields: paths that stay true when others add elements to lists on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from velapulumi.definitions.rules.fieldpath import MISSING, Parts, value_at
from velapulumi.definitions.rules.listkeys import ITSELF, Keys, key_fields, key_value

NO_KEYS: Keys = {}


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
        return all(is_equal(key_value(element, name), value) for name, value in self.fields)


FieldPlace = tuple[str | int | Named, ...]
"""A path that still leads to the same field when others have put elements into its lists."""


Elements = dict[Named, Any]
"""The elements of a list by what they are told by, in their order."""


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
    return by_fields(elements, fields) or by_names(elements) or {}


def by_fields(elements: list[Any], fields: tuple[str, ...] | None) -> Elements | None:
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


def by_names(elements: list[Any]) -> Elements | None:
    """The elements of a list as ``by_name`` gives them."""
    named = by_name(elements)
    return None if named is None else {Named.of(name): each for name, each in named.items()}


def by_name(elements: list[Any]) -> dict[str, Any] | None:
    """The elements of a list by their name; None when one has none, or two have the same."""
    named: dict[str, Any] = {}
    for element in elements:
        name = element.get("name") if isinstance(element, Mapping) else None
        if not isinstance(name, str) or name in named:
            return None
        named[name] = element
    return named


def place_of(path: Parts, value: Any, keys: Keys = NO_KEYS) -> FieldPlace:
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


def is_below(path: FieldPlace, tops: Iterable[FieldPlace]) -> bool:
    """Tell whether a field is one of some fields, or part of one."""
    return any(path[: len(top)] == top for top in tops)


def _below(value: Any, part: str | int) -> Any:
    found = value_at((part,), value)
    return None if found is MISSING else found


def is_equal(before: Any, after: Any) -> bool:
    # In Python True equals 1, in a manifest it does not.
    return bool(before == after) and isinstance(before, bool) == isinstance(after, bool)
