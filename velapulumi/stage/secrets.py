"""The values of Secrets: compared where that can be done, and shown to nobody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from velapulumi.clusters.secrecy import HIDDEN, SECRET, VALUES, is_secret_value
from velapulumi.definitions.rules.listkeys import Keys
from velapulumi.engine.values import SEALED
from velapulumi.plan.fields import FieldChange, differences, owned
from velapulumi.plan.normal import changed_fields, normal

OTHER = "[another secret]"


def hidden(kind: str, changes: Iterable[FieldChange]) -> Iterator[FieldChange]:
    """Changes without values that nobody may see.

    Args:
        kind: The kind of the object.
        changes: Its changes.
    """
    for change in changes:
        if is_secret_value(kind, change.path):
            before = None if change.before is None else HIDDEN
            after = None if change.after is None else OTHER if before else HIDDEN
            yield FieldChange(change.path, before, after)
        else:
            yield change


def changes_outside_secrets(
    wanted: Mapping[str, Any],
    recorded: Mapping[str, Any],
    outputs: Mapping[str, Any],
    keys: Keys,
    *,
    by_position: bool = False,
) -> Iterator[FieldChange]:
    """The changes outside the values of Secrets and of what a stack has encrypted."""
    for change in changed_fields(
        without_values(wanted),
        without_values(recorded),
        without_values(outputs),
        keys,
        by_position=by_position,
    ):
        if not _is_sealed(change.before):
            yield change


def without_values(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    if manifest.get("kind") != SECRET:
        return manifest
    return {key: value for key, value in manifest.items() if key not in VALUES}


def changed_values(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[FieldChange]:
    before, after = (
        normal(each).get("data") or {} for each in (owned(live, _merged(wanted)), wanted)
    )
    yield from differences(before, after, ("data",))


def _merged(secret: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Secret with all its values where the cluster keeps them."""
    return {**secret, "data": normal(secret).get("data") or {}}


def has_sealed_values(manifest: Mapping[str, Any]) -> bool:
    """Whether the values of a Secret are encrypted, as a stack has them."""
    return any(_is_sealed(manifest.get(key)) for key in VALUES)


def _is_sealed(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {SEALED}
