"""How an environment's patch changes the properties of a component."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Merge a patch into a map; the patch wins.

    Maps join, level by level. Everything else is replaced: lists as a whole, scalars also by 0,
    false and "", a map by a scalar and the other way round. null is a value, it takes nothing
    away. Follows KubeVela v1.9 and later.

    Args:
        base: Plain values; not changed.
        patch: Plain values.

    Returns:
        The merged map; parts without a change are shared with the arguments.
    """
    result = dict(base)
    for key, value in patch.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            result[key] = merge(old, value)
        else:
            result[key] = value
    return result
