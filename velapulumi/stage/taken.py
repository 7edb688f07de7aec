"""What objects were before they were taken over, so that the way back can restore them.

A stack keeps that for as long as it holds the object. The values of Secrets are not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from velapulumi.clusters.client import Cluster
from velapulumi.clusters.managed import OWN
from velapulumi.clusters.sharing import change_live
from velapulumi.definitions.rules.fieldpath import (
    MISSING,
    Parts,
    value_at,
    with_value_at,
    without_value_at,
)
from velapulumi.plan.document import Operation
from velapulumi.plan.fields import REVISION_LABELS
from velapulumi.plan.normal import normal
from velapulumi.render.rules import PROJECT
from velapulumi.stage.operations import SECRET, Decision

TAKEN_OVER = "takenOver"
"""The stack output that says what objects were before they were taken over."""


@dataclass(frozen=True)
class Taken:
    """An object that was taken over.

    Attributes:
        revision: Name of the revision that did it, such as ``shop-v3``.
        fields: The fields it has changed with their values before; None for one that was not there.
    """

    revision: str
    fields: tuple[tuple[Parts, Any], ...]

    @property
    def number(self) -> int:
        """The number of the revision."""
        return int(self.revision.rpartition("-v")[2])


def taken_over(outputs: Mapping[str, Any]) -> Mapping[str, Taken]:
    """What objects were before they were taken over, by their full names.

    Args:
        outputs: The outputs of their stack.
    """
    found = {}
    for name, entry in (outputs.get(TAKEN_OVER) or {}).items():
        fields = tuple(
            (tuple(_part(part) for part in field["path"]), field.get("value"))
            for field in entry["fields"]
        )
        found[name] = Taken(entry["revision"], fields)
    return found


def taken_output(
    decisions: Iterable[tuple[str, Decision]], outputs: Mapping[str, Any], revision: str
) -> dict[str, Any]:
    """The stack output: what was kept of objects that stay, and what is taken over now.

    Args:
        decisions: The objects that the stack holds, by their full names.
        outputs: The outputs it had before.
        revision: Name of the revision that is delivered.
    """
    before = outputs.get(TAKEN_OVER) or {}
    found = {}
    for name, decision in decisions:
        if decision.operation is Operation.TAKE_OVER and decision.cause is None:
            found[name] = {"revision": revision, "fields": list(map(_kept, _fields(decision)))}
        elif name in before:
            found[name] = before[name]
    return found


def restore(client: Cluster, decision: Decision) -> None:
    """Give an object back the values it had before it was taken over.

    Args:
        client: Its cluster.
        decision: What was decided about it.

    Raises:
        ClusterUnreachable: The cluster stopped answering or refused access.
        ObjectRefused: The object cannot become what it was.
    """

    def act(live: Mapping[str, Any]) -> None:
        body: Any = live
        for path in _OURS:
            body = without_value_at(path, body)
        for path, value in decision.facts.restores or ():
            if value is None:
                body = without_value_at(path, body)
            else:
                body = with_value_at(path, body, value)
        if normal(body) != normal(live):
            client.replace(body, OWN)

    change_live(client, decision.facts.object, act)


_OURS: tuple[Parts, ...] = tuple(
    ("metadata", "labels", name) for name in (PROJECT, *sorted(REVISION_LABELS))
)
"""Labels that every write sets, and that no plan lists among the fields."""


def _fields(decision: Decision) -> Iterable[tuple[Parts, Any]]:
    live = decision.facts.live.manifest
    for change in decision.changes:
        if decision.key.kind != SECRET or change.path[0] not in ("data", "stringData"):
            value = value_at(change.path, live)
            yield change.path, None if value is MISSING else value


def _kept(field: tuple[Parts, Any]) -> dict[str, Any]:
    path, value = field
    return {"path": list(path)} if value is None else {"path": list(path), "value": value}


def _part(part: Any) -> str | int:
    return int(part) if isinstance(part, int | float) else str(part)
