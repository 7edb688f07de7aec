"""What a field manager holds in a live object and a manifest does not name.

The next apply of that manager takes it away. It is there when a run has ended in the middle: the
server has what it asked for then, and its stack may have what was asked for before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from velapulumi.clusters.managed import (
    Fields,
    Manager,
    is_held,
    is_whole,
    managed_fields,
    manager_of_entry,
    managers_of,
    positions_of,
)
from velapulumi.definitions.rules.fieldpath import MISSING, Parts, value_at


def fields_beyond(
    live: Mapping[str, Any], manifest: Mapping[str, Any], holds: Callable[[Manager], bool]
) -> Iterator[Parts]:
    """Find the fields that go with the next apply of a manifest, though nothing says so.

    What other managers hold as well stays, and is not among them.

    Args:
        live: The object as it is in the cluster, with its managed fields.
        manifest: The object as it is wanted, in the API version of ``live``.
        holds: Tells who is going to apply, or has applied in its place.

    Returns:
        Their paths; numbers are positions in the lists of ``live``.
    """
    for path in _beyond(live, manifest, holds, lambda part, node: is_whole(node)):
        if all(holds(manager) for manager in managers_of(live, path)):
            yield path


def elements_beyond(
    live: Mapping[str, Any], manifest: Mapping[str, Any], holds: Callable[[Manager], bool]
) -> Iterator[Parts]:
    """Find the list elements that the next apply of a manifest removes.

    Everything that others have set in them is removed, too. An element stays only if another
    manager holds the element itself.

    Args:
        live: The object as it is in the cluster, with its managed fields.
        manifest: The object as it is wanted, in the API version of ``live``.
        holds: Tells who is going to apply, or has applied in its place.

    Returns:
        Their paths; numbers are positions in the lists of ``live``. No element is inside another.
    """
    for path in _beyond(live, manifest, holds, _is_element):
        if all(holds(manager) for manager in managers_of(live, path, itself=True)):
            yield path


_Ends = Callable[[str | int, Fields], bool]
"""Whether the search ends at a node that is not wanted, by the part of the path to it."""


def _is_element(part: str | int, node: Fields) -> bool:
    return isinstance(part, int) and is_held(node)


def _beyond(
    live: Mapping[str, Any],
    manifest: Mapping[str, Any],
    holds: Callable[[Manager], bool],
    ends: _Ends,
) -> Iterable[Parts]:
    """The paths, each once, that a manager has applied, and that are live and not wanted."""
    found: dict[Parts, None] = {}
    for entry in managed_fields(live):
        manager = manager_of_entry(entry)
        applied = manager.operation == "Apply" and not manager.subresource and holds(manager)
        if applied and entry.get("apiVersion") == manifest["apiVersion"]:
            paths = _in_tree(entry.get("fieldsV1") or {}, live, manifest, (), ends)
            found |= dict.fromkeys(paths)
    return found


def _in_tree(fields: Fields, live: Any, wanted: Any, path: Parts, ends: _Ends) -> Iterator[Parts]:
    """The paths of a tree that are live and not wanted.

    Args:
        fields: The tree.
        live: What the object has where the tree is.
        wanted: What the manifest has there; MISSING for nothing.
        path: The path to the tree.
        ends: Where to end.
    """
    for key, node in fields.items():
        for part in _parts(key, live):
            here = _counterpart(key, part, wanted)
            if here is MISSING and ends(part, node):
                yield (*path, part)
            elif not is_whole(node):
                yield from _in_tree(node, value_at((part,), live), here, (*path, part), ends)


def _parts(key: str, live: Any) -> list[str] | list[int]:
    """Where a key of a tree leads in what is live; nowhere when that has gone."""
    sort, _, text = key.partition(":")
    if sort == "f":
        return [text] if isinstance(live, Mapping) and text in live else []
    if not isinstance(live, list):
        return []
    if sort == "k":
        return positions_of(json.loads(text), live)
    return [at for at, each in enumerate(live) if sort == "v" and each == json.loads(text)]


def _counterpart(key: str, part: str | int, wanted: Any) -> Any:
    """What a manifest has of what a key of a tree leads to; MISSING for nothing."""
    if isinstance(part, str):
        return value_at((part,), wanted) if isinstance(wanted, Mapping) else MISSING
    found = _parts(key, wanted)
    return wanted[found[0]] if found else MISSING
