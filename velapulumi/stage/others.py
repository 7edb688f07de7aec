"""What others have set in an object that gets back what it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from velapulumi.clusters.elements import list_keys
from velapulumi.clusters.managed import Manager, managers_of
from velapulumi.definitions.rules.fieldpath import MISSING, Parts
from velapulumi.definitions.rules.listkeys import Keys
from velapulumi.plan.places import Elements, elements_at


def with_others(
    live: Mapping[str, Any],
    before: Mapping[str, Any],
    named: Any,
    is_ours: Callable[[Manager], bool],
) -> Any:
    """An object as it was, with the fields that somebody else has set since.

    A field goes back where the application names it, and where nobody holds it: then it came with
    what the application has written, as a default does, or was taken away.

    Args:
        live: The object as it is, with its managed fields.
        before: What it was.
        named: The fields that the application names.
        is_ours: Whether a manager is the application's.
    """
    keys = list_keys(live)

    def merged(path: Parts, now: Any, old: Any, ours: Any) -> Any:
        """A field as it goes back; MISSING for not at all."""
        if isinstance(now, Mapping) and now and (old is MISSING or isinstance(old, Mapping)):
            return merged_map(path, now, old, ours)
        if isinstance(now, list) and (old is MISSING or isinstance(old, list)):
            elements, earlier = _elements(path, now, keys), _elements(path, old, keys)
            if elements and (earlier or not old or old is MISSING):
                return merged_list(path, elements, earlier, _elements(path, ours, keys)) or old
        return now if is_theirs(path, now, ours) else old

    def merged_map(path: Parts, now: Mapping[str, Any], old: Any, ours: Any) -> Any:
        before = {} if old is MISSING else old
        found = {
            key: merged(
                (*path, key), now.get(key, MISSING), before.get(key, MISSING), _below(ours, key)
            )
            for key in {**before, **now}
        }
        return {key: value for key, value in found.items() if value is not MISSING} or old

    def merged_list(path: Parts, now: Elements, before: Elements, ours: Elements) -> list[Any]:
        found = []
        for index, (name, element) in enumerate(now.items()):
            place, mine = (*path, index), ours.get(name, MISSING)
            if name in before:
                found.append(merged(place, element, before[name], mine))
            elif is_theirs(place, element, mine):
                found.append(element)
        return found + [element for name, element in before.items() if name not in now]

    def is_theirs(path: Parts, now: Any, ours: Any) -> bool:
        if now is MISSING or ours is not MISSING:
            return False
        return any(not is_ours(manager) for manager in managers_of(live, path))

    return merged((), live, before, named)


def held_by_us(live: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a live object that an engine holds, or velapulumi beside it.

    Args:
        live: The object as it is, with its managed fields.
    """
    keys = list_keys(live)

    def held(path: Parts, value: Any) -> Any:
        """A field as far as it is held; MISSING for not at all."""
        if not any(manager.is_ours for manager in managers_of(live, path)):
            return MISSING
        if isinstance(value, Mapping) and value:
            return held_map(path, value)
        if isinstance(value, list) and (told := _elements(path, value, keys)):
            elements = zip(told, (held((*path, i), e) for i, e in enumerate(value)), strict=True)
            return [_element(name.key, each) for name, each in elements if each is not MISSING]
        return value

    def held_map(path: Parts, value: Mapping[str, Any]) -> dict[str, Any]:
        found = {key: held((*path, key), each) for key, each in value.items()}
        return {key: each for key, each in found.items() if each is not MISSING}

    body = {key: value for key, value in live.items() if key != "metadata"}
    metadata = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
    return {**held_map((), body), "metadata": held_map(("metadata",), metadata)}


def _below(value: Any, key: str) -> Any:
    return value.get(key, MISSING) if isinstance(value, Mapping) else MISSING


def _elements(path: Parts, value: Any, keys: Keys) -> Elements:
    return elements_at(path, value, keys) if isinstance(value, list) else {}


def _element(key: Any, held: Any) -> Any:
    """The held part of an element, together with its key."""
    return {**key, **held} if isinstance(key, Mapping) else key
