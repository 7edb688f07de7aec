"""A plan as a person reads it: the objects by cluster, and the fields that differ."""

from __future__ import annotations

import json
from collections.abc import Iterator

from velapulumi.cli.progress.output import Line
from velapulumi.plan.changes import Action, Change, Plan

_SIGNS = {
    Action.CREATE: ("+", "green"),
    Action.UPDATE: ("~", "yellow"),
    Action.DELETE: ("-", "red"),
    Action.LEAVE: ("=", "cyan"),
}
_SHOWN_FIELDS = 5
_SHOWN_LETTERS = 60


def plan_title(plan: Plan) -> str:
    """How much is about to change, in words."""
    count = len(plan.changes)
    if not count:
        return "goes on with what did not finish or was deleted"
    return f"{count} change{'s' if count != 1 else ''}"


def plan_lines(plan: Plan) -> Iterator[Line]:
    """The changes of a plan, those of a cluster under its name."""
    cluster = ""
    for change in plan.changes:
        if change.key.cluster != cluster:
            cluster = change.key.cluster
            yield Line(f"         {cluster}")
        yield from _change_lines(change)


def _change_lines(change: Change) -> Iterator[Line]:
    sign, colour = _SIGNS[change.action]
    fields = change.beyond_revision
    note = " (revision labels only)" if change.fields and not fields else ""
    if change.action is Action.LEAVE:
        note = " (is given up and stays in the cluster)"
    yield Line(f"           {sign} {change.key}{note}", colour)
    for field in fields[:_SHOWN_FIELDS]:
        before, after = _value(field.before), _value(field.after)
        yield Line(f"               {field.path}: {before} → {after}")
    if len(fields) > _SHOWN_FIELDS:
        yield Line(f"               … and {len(fields) - _SHOWN_FIELDS} more")


def _value(value: object) -> str:
    """A field's value in a few words."""
    if value is None:
        return "(none)"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHOWN_LETTERS else f"{text[:_SHOWN_LETTERS]}…"
