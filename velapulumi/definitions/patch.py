"""How a trait's patch changes a workload.

Without a marker values unify as in CUE: maps join, lists join item by item, equal scalars stay
and different ones conflict. A marker around a value in the patch says what happens instead.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from velapulumi.spec import Path, format_path


class PatchConflict(Exception):
    """Two different values for one place of the workload."""

    def __init__(self, path: Path, base: Any, patch: Any) -> None:
        super().__init__(f"{format_path(path)}: conflicting values {base!r} and {patch!r}")


class Marker(ABC):
    """A value in a patch which is not simply unified."""

    @abstractmethod
    def merged(self, base: Any, path: Path) -> Any:
        """The value which takes the place of ``base`` (None when there is none)."""


@dataclass(frozen=True)
class RetainKeys(Marker):
    """Replaces the value (``patchStrategy=retainKeys`` of KubeVela)."""

    value: Any

    def merged(self, base: Any, path: Path) -> Any:
        return self.value


_ABSENT: Any = object()


def unify(base: Any, patch: Any, path: Path = ()) -> Any:
    """Unify a patch into a value.

    Args:
        base: Plain values; not changed.
        patch: Plain values and markers.
        path: Place of ``base`` in the workload, for the message of a conflict.

    Returns:
        The unified value; parts without a change are shared with ``base``.

    Raises:
        PatchConflict: A scalar differs, or the kinds of values do.
    """
    if isinstance(patch, Marker):
        return patch.merged(None if base is _ABSENT else base, path)
    if isinstance(patch, Mapping) and (base is _ABSENT or isinstance(base, Mapping)):
        result: dict[str, Any] = {} if base is _ABSENT else {**base}
        for key, value in patch.items():
            result[key] = unify(result.get(key, _ABSENT), value, (*path, key))
        return result
    if isinstance(patch, list) and (base is _ABSENT or isinstance(base, list)):
        pairs = zip_longest([] if base is _ABSENT else base, patch, fillvalue=_ABSENT)
        return [
            old if new is _ABSENT else unify(old, new, (*path, index))
            for index, (old, new) in enumerate(pairs)
        ]
    if base is _ABSENT or (base == patch and type(base) is type(patch)):
        return patch
    raise PatchConflict(path, base, patch)
