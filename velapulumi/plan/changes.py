"""What a delivery would change in one stage: a value, computed without engine or cluster."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

REVISION_LABELS = frozenset({"app.oam.dev/appRevision", "app.oam.dev/revision"})


class Action(StrEnum):
    """What happens to an object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    LEAVE = "leave"


@dataclass(frozen=True, order=True)
class ObjectKey:
    """Names one object over all clusters."""

    cluster: str
    namespace: str
    kind: str
    name: str
    api_version: str

    @classmethod
    def of(cls, cluster: str, manifest: Mapping[str, Any]) -> ObjectKey:
        """The key of a manifest on a cluster."""
        metadata = manifest["metadata"]
        return cls(
            cluster,
            metadata.get("namespace") or "",
            manifest["kind"],
            metadata["name"],
            manifest["apiVersion"],
        )

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"


@dataclass(frozen=True)
class FieldChange:
    """One field that differs; ``None`` stands for a field that is not there."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Change:
    """One object that changes, with its differing fields when it is updated."""

    action: Action
    key: ObjectKey
    fields: tuple[FieldChange, ...] = ()

    @property
    def beyond_revision(self) -> tuple[FieldChange, ...]:
        """The differing fields, without the labels that change with every revision."""
        return tuple(
            field
            for field in self.fields
            if field.path.rpartition("labels.")[2] not in REVISION_LABELS
        )


@dataclass(frozen=True)
class Plan:
    """The changes of one stage, by cluster, namespace and name."""

    stage: str
    changes: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.changes)


def plan_stage(
    stage: str,
    desired: Iterable[tuple[str, Mapping[str, Any]]],
    recorded: Iterable[tuple[str, Mapping[str, Any]]],
    retained: Container[ObjectKey] = (),
) -> Plan:
    """Compare what a stage shall hold with what its stack recorded.

    Args:
        stage: The stage's name.
        desired: Cluster and manifest of each object it shall hold.
        recorded: Cluster and manifest of each object its stack holds.
        retained: Objects that stay in their cluster when the stage no longer holds them.
    """
    wanted = {ObjectKey.of(cluster, manifest): manifest for cluster, manifest in desired}
    held = {ObjectKey.of(cluster, manifest): manifest for cluster, manifest in recorded}
    changes = []
    for key in sorted(wanted.keys() | held.keys()):
        if key not in held:
            changes.append(Change(Action.CREATE, key))
        elif key not in wanted:
            action = Action.LEAVE if key in retained else Action.DELETE
            changes.append(Change(action, key))
        else:
            fields = tuple(_differences("", held[key], wanted[key]))
            if fields:
                changes.append(Change(Action.UPDATE, key, fields))
    return Plan(stage, tuple(changes))


def _differences(path: str, before: Any, after: Any) -> Iterator[FieldChange]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted(before.keys() | after.keys()):
            here = f"{path}.{key}" if path else str(key)
            yield from _differences(here, before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (left, right) in enumerate(zip(before, after, strict=True)):
            yield from _differences(f"{path}[{index}]", left, right)
    elif before != after or isinstance(before, bool) != isinstance(after, bool):
        yield FieldChange(path, before, after)
