"""Elements of lists, as an API server tells them apart: by their key fields, not their positions.

A Deployment's containers are known by their name, a Service's ports by port and protocol, and a
finalizer by its own value. The managed fields of a live object say which fields these are. So an
apply reaches each element wherever it stands, and changing a key field makes another element.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from velapulumi.clusters.managed import (
    Fields,
    is_only,
    is_whole,
    leads,
    managed_fields,
    managers_of,
    positions_of,
)
from velapulumi.definitions.rules.fieldpath import MISSING, Parts, value_at
from velapulumi.definitions.rules.listkeys import ITSELF, Keys, key_fields


def list_keys(live: Mapping[str, Any]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """The fields that a server knows the elements of lists by.

    Args:
        live: The object as it is in the cluster, with its managed fields.

    Returns:
        The key fields in alphabetical order, by the names on the way to each list that has some. A
        list that is one value for the server, whatever names its elements have, has none.
    """
    trees = [entry.get("fieldsV1") or {} for entry in managed_fields(live)]
    wholes = {path for tree in trees for path in _wholes_in(tree, ()) if _has_maps(live, path)}
    keyed = {path: fields for tree in trees for path, fields in _keys_in(tree, ())}
    return {**dict.fromkeys(wholes, ()), **keyed}


def _keys_in(
    tree: Fields, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    for key, below in tree.items():
        sort, _, text = key.partition(":")
        if sort == "k":
            yield path, tuple(sorted(json.loads(text)))
        elif sort == "v":
            yield path, (ITSELF,)
        yield from _keys_in(below, (*path, text) if sort == "f" else path)


def _wholes_in(tree: Fields, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key, below in tree.items():
        sort, _, text = key.partition(":")
        here = (*path, text) if sort == "f" else path
        if sort == "f" and is_whole(below):
            yield here
        yield from _wholes_in(below, here)


def _has_maps(value: Any, path: tuple[str, ...]) -> bool:
    """Whether there is a list of maps where some names lead, through lists on the way."""
    if path and isinstance(value, list):
        return any(_has_maps(each, path) for each in value)
    if path:
        return isinstance(value, Mapping) and _has_maps(value.get(path[0]), path[1:])
    return isinstance(value, list) and any(isinstance(each, Mapping) for each in value)


def counterpart(
    live: Mapping[str, Any], manifest: Mapping[str, Any], path: Parts, keys: Keys
) -> Any:
    """What a manifest has where an apply of it writes a field of a live object.

    Args:
        live: The object as it is in the cluster, with its managed fields.
        manifest: The manifest.
        path: Path of the field; numbers are positions in the lists of ``live``.
        keys: The key fields of its lists, as ``list_keys`` gives them.

    Returns:
        The value; MISSING where the manifest does not have the field.
    """
    value: Any = manifest
    for index, part in enumerate(path):
        if isinstance(part, int) and (fields := key_fields(keys, path[:index])):
            element = value_at(path[: index + 1], live)
            part = _position(element, fields, value)
        value = value_at((part,), value)
    return value


def written_fields(
    live: Mapping[str, Any], manifest: Mapping[str, Any], paths: Iterable[Parts]
) -> Iterator[Parts]:
    """The fields that an apply writes of some fields: what it does not name stays as it is.

    Args:
        live: The object as it is in the cluster, with its managed fields.
        manifest: What is applied.
        paths: Paths of the fields; numbers are positions in the lists of ``live``.

    Returns:
        Paths of fields without further ones below that the manifest names, and the given path of a
        field that it does not name. No key fields: an element has the same ones on both sides.
    """
    keys = list_keys(live)
    for path in paths:
        if element_of(keys, path) is None:
            yield from _written(live, path, counterpart(live, manifest, path, keys), keys)


def _written(live: Mapping[str, Any], path: Parts, wanted: Any, keys: Keys) -> Iterator[Parts]:
    there = value_at(path, live)
    lists = isinstance(wanted, list) and isinstance(there, list)
    fields = key_fields(keys, path) if lists else None
    if isinstance(wanted, Mapping):
        for key, value in wanted.items():
            yield from _written(live, (*path, key), value, keys)
    elif fields:
        for position, element in enumerate(there):
            found = value_at((_position(element, fields, wanted),), wanted)
            if isinstance(found, Mapping):
                rest = {key: value for key, value in found.items() if key not in fields}
                yield from _written(live, (*path, position), rest, keys)
    else:
        yield path


def others_elements(
    live: Mapping[str, Any], manifest: Mapping[str, Any], paths: Iterable[Parts], manager: str
) -> tuple[Parts, ...]:
    """The elements that an apply would leave beside those it writes, though they are to go.

    They are elements of the named lists, or those with a named key field, that the manifest does
    not have by their key, and that are not the manager's alone: others have put them there, or
    changed the key of an element.

    Args:
        live: The object as it is in the cluster, with its managed fields.
        manifest: What is applied.
        paths: Paths of the fields that are written; numbers are positions in the lists of ``live``.
        manager: The field manager that applies.
    """
    alone, keys = is_only(manager), list_keys(live)
    found: dict[Parts, None] = {}
    for path in paths:
        for element in _elements(live, path, keys):
            holders = managers_of(live, element)
            is_his = bool(holders) and all(map(alone, holders))
            if not is_his and counterpart(live, manifest, element, keys) is MISSING:
                found[element] = None
    return tuple(found)


def with_elements_given(
    entries: Iterable[dict[str, Any]],
    live: Mapping[str, Any],
    elements: Iterable[Parts],
    manager: str,
) -> list[dict[str, Any]]:
    """Make managed fields in which elements belong to who applies next, so that they go with that.

    Args:
        entries: The managed fields to change.
        live: The object as it is in the cluster, with its managed fields; not changed.
        elements: Paths of the elements; numbers are positions in the object's lists.
        manager: The field manager that is going to apply, and does not name them.
    """
    found, keys = list(entries), list_keys(live)
    for path in elements:
        for at, entry in enumerate(found):
            if entry.get("manager") == manager and entry.get("operation") == "Apply":
                tree = _with_element(entry.get("fieldsV1") or {}, live, path, (), keys)
                found[at] = {**entry, "fieldsV1": tree}
    return found


def _with_element(fields: Fields, value: Any, rest: Parts, before: Parts, keys: Keys) -> Fields:
    """A tree that has an element, beside all that it has already."""
    if not rest:
        names = value if isinstance(value, Mapping) else ()
        return {".": {}, **{f"f:{name}": {} for name in names}, **fields}
    part = rest[0]
    there = value_at((part,), value)
    known = (key for key in fields if leads(key, part, value))
    key = next(known, "") or _key(part, there, key_fields(keys, before) or ())
    below = _with_element(fields.get(key, {}), there, rest[1:], (*before, part), keys)
    return {**fields, key: below}


def _key(part: str | int, value: Any, fields: Iterable[str]) -> str:
    """How managers name a field, or an element of a list."""
    if isinstance(part, str):
        return f"f:{part}"
    if not isinstance(value, Mapping):
        return f"v:{json.dumps(value)}"
    named = {name: value[name] for name in fields if name in value}
    return f"k:{json.dumps(named, separators=(',', ':'))}"


def _elements(live: Mapping[str, Any], path: Parts, keys: Keys) -> Iterator[Parts]:
    """The elements of a list, or the one that a key field is in."""
    value = value_at(path, live)
    if isinstance(value, list) and key_fields(keys, path):
        yield from ((*path, position) for position in range(len(value)))
    elif (element := element_of(keys, path)) is not None:
        yield element


def element_of(keys: Keys, path: Parts) -> Parts | None:
    """The element that a field identifies; None if the field is not a key.

    A plain value identifies itself.

    Args:
        keys: The key fields of lists.
        path: Path of the field.
    """
    if key_fields(keys, path[:-1]) == (ITSELF,) and isinstance(path[-1], int):
        return path
    if len(path) < 2 or not isinstance(path[-2], int):
        return None
    return path[:-1] if path[-1] in (key_fields(keys, path[:-2]) or ()) else None


def _position(element: Any, keys: Iterable[str], elements: Any) -> int:
    """Where a list has the element with the same key; behind its end when it has none."""
    if not isinstance(elements, list):
        return 0
    if not isinstance(element, Mapping):
        return elements.index(element) if element in elements else len(elements)
    named = {key: element[key] for key in keys if key in element}
    return next(iter(positions_of(named, elements)), len(elements))
