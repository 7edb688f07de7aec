"""What others have set in an object that gets back what it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from velapulumi.clusters.managed import managers_of
from velapulumi.definitions.rules.fieldpath import MISSING, Parts
from velapulumi.plan.fields import by_name


def with_others(live: Mapping[str, Any], before: Mapping[str, Any], named: Any) -> Any:
    """An object as it was, with the fields that somebody else has set since.

    A field goes back where the application names it, and where nobody holds it: then it came with
    what the application has written, as a default does, or was taken away.

    Args:
        live: The object as it is, with its managed fields.
        before: What it was.
        named: The fields that the application names.
    """

    def merged(path: Parts, now: Any, old: Any, ours: Any) -> Any:
        """A field as it goes back; MISSING for not at all."""
        if isinstance(now, Mapping) and now and (old is MISSING or isinstance(old, Mapping)):
            return merged_map(path, now, old, ours)
        if isinstance(now, list) and now and (old is MISSING or isinstance(old, list)):
            elements, earlier = by_name(now), by_name(old) if isinstance(old, list) else {}
            if elements is not None and earlier is not None:
                return merged_list(path, elements, earlier, _elements(ours)) or old
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

    def merged_list(
        path: Parts, now: dict[str, Any], before: dict[str, Any], ours: Mapping[str, Any]
    ) -> list[Any]:
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
        return any(not manager.is_ours for manager in managers_of(live, path))

    return merged((), live, before, named)


def _below(value: Any, key: str) -> Any:
    return value.get(key, MISSING) if isinstance(value, Mapping) else MISSING


def _elements(value: Any) -> Mapping[str, Any]:
    return (by_name(value) or {}) if isinstance(value, list) else {}
