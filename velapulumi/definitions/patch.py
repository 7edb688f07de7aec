"""How a trait's patch changes a workload.

Without a marker values unify as in CUE: maps join, lists join item by item, equal scalars stay
and different ones conflict. A marker around a value in the patch says what happens instead; each
stands for one of KubeVela's patch strategies. A marker around the whole patch works on the whole
workload.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from types import NoneType
from typing import Any

from velapulumi.spec import Path, format_path

_ABSENT: Any = object()
_SCALARS = (str, int, float, NoneType)
_MAPS = (dict, Mapping)


class PatchConflict(Exception):
    """Two different values for one place of the workload, or an operation that cannot be done."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{format_path(path)}: {reason}" if path else reason)

    @classmethod
    def between(cls, path: Path, base: Any, patch: Any) -> PatchConflict:
        """The conflict of two values."""
        return cls(path, f"conflicting values {base!r} and {patch!r}")


class Marker:
    """The base of the values in a patch which are not simply unified."""

    def merged(self, base: Any, path: Path) -> Any:
        """The value which takes the place of ``base`` (None when there is none).

        Raises:
            PatchConflict: It contradicts the base.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class RetainKeys(Marker):
    """Replaces the value (``patchStrategy=retainKeys`` and ``replace`` of KubeVela)."""

    value: Any

    def merged(self, base: Any, path: Path) -> Any:
        return self.value


@dataclass(frozen=True)
class ByKey(Marker):
    """Joins a list with items matched by a field (``patchKey`` of KubeVela).

    Matched items unify in place (or, with ``replace``, give way to the patch's item, as with
    ``patchStrategy=retainKeys``); further ones are appended in their order.

    Attributes:
        key: The field; a dotted path reaches deeper, of several parted by commas the first which
            an item has counts.
        items: The patch's items. When none of them has the field, lists join item by item.
        replace: Whether a matched item is replaced as a whole.
    """

    key: str
    items: Sequence[Any]
    replace: bool = False

    def merged(self, base: Any, path: Path) -> Any:
        if base is None:
            return unify(_ABSENT, list(self.items), path)
        fields = [name.strip().split(".") for name in self.key.split(",")]
        keys = [_first_of(fields, item) for item in self.items]
        if not isinstance(base, list) or all(key is None for key in keys):
            return unify(base, list(self.items), path)
        result = list(base)
        places = {
            key: index
            for index, item in enumerate(base)
            if (key := _first_of(fields, item)) is not None
        }
        for key, item in zip(keys, self.items, strict=True):
            if key is not None and key in places:
                index = places[key]
                old = _ABSENT if self.replace else result[index]
                result[index] = unify(old, item, (*path, index))
            else:
                places[key] = len(result)
                result.append(unify(_ABSENT, item, (*path, len(result))))
        return result


@dataclass(frozen=True)
class JsonMerge(Marker):
    """Merges as RFC 7396 says: maps join, null takes away, everything else replaces."""

    value: Any

    def merged(self, base: Any, path: Path) -> Any:
        return _json_merge(base, self.value)


@dataclass(frozen=True)
class JsonPatch(Marker):
    """Carries out the operations of a JSON Patch (RFC 6902) in order."""

    operations: Sequence[Mapping[str, Any]]

    def merged(self, base: Any, path: Path) -> Any:
        import jsonpatch

        try:
            return jsonpatch.apply_patch(base, list(self.operations))
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
            raise PatchConflict(path, str(error)) from None


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
    if base is _ABSENT:
        return _alone(patch, path)
    if isinstance(patch, Marker):
        return patch.merged(base, path)
    if isinstance(patch, list):
        if isinstance(base, list):
            pairs = zip_longest(base, patch, fillvalue=_ABSENT)
            return [
                old if new is _ABSENT else unify(old, new, (*path, index))
                for index, (old, new) in enumerate(pairs)
            ]
    elif isinstance(base, _MAPS) and isinstance(patch, _MAPS):
        result = {**base}
        for key, value in patch.items():
            result[key] = unify(result.get(key, _ABSENT), value, (*path, key))
        return result
    if base == patch and type(base) is type(patch):
        return patch
    raise PatchConflict.between(path, base, patch)


def _alone(patch: Any, path: Path) -> Any:
    """A patch unified with nothing."""
    if isinstance(patch, _SCALARS):
        return patch
    if isinstance(patch, Marker):
        return patch.merged(None, path)
    if isinstance(patch, list):
        return [_alone(item, (*path, index)) for index, item in enumerate(patch)]
    if isinstance(patch, _MAPS):
        return {key: _alone(value, (*path, key)) for key, value in patch.items()}
    return patch


def _first_of(fields: Sequence[Sequence[str]], item: Any) -> Any:
    """The value of the first field an item has, None when it has none; a field is a path."""
    for field in fields:
        value = item
        for part in field:
            value = value.get(part) if isinstance(value, _MAPS) else None
        if value is not None and not isinstance(value, (dict, list)):
            return value
    return None


def _json_merge(base: Any, patch: Any) -> Any:
    if isinstance(patch, _SCALARS) or not isinstance(patch, _MAPS):
        return patch
    result = {**base} if isinstance(base, _MAPS) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _json_merge(result.get(key), value)
    return result
