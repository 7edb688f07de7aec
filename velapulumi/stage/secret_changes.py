"""How the values of a Secret differ: stacks encrypt them, so the cluster tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from velapulumi.clusters.managed import keys_of_engine
from velapulumi.clusters.secrecy import HIDDEN, SECRET
from velapulumi.definitions.rules.fieldpath import Parts, value_at
from velapulumi.plan.fields import FieldChange
from velapulumi.plan.normal import normal
from velapulumi.stage.secrets import OTHER, changed_values, has_sealed_values
from velapulumi.stage.sides import Facts, managers_at


def secret_changes(facts: Facts, wanted: Mapping[str, Any]) -> Iterator[FieldChange]:
    """The values that the application changes; none of what is no Secret.

    Args:
        facts: What is known of the object.
        wanted: The object as the application wants it.
    """
    live = facts.live.manifest
    if facts.key.kind != SECRET:
        return
    if live is not None and not has_sealed_values(wanted):
        changes = changed_values(live, wanted)
        yield from (change for change in changes if not _is_by_others(facts, change))
    if not _is_another_component(facts, wanted):
        return
    if live is not None:
        yield from _keys_gone(facts, live, wanted)
    elif facts.recorded is not None:
        yield FieldChange(("data",), HIDDEN, OTHER)


def secret_drift(facts: Facts, wanted: Mapping[str, Any]) -> Iterator[FieldChange]:
    """The values that others have changed or taken away: before is what was delivered.

    Args:
        facts: What is known of the object.
        wanted: The object as the application wants it.
    """
    live = facts.live.manifest
    if facts.key.kind != SECRET or live is None:
        return
    changes = _touched(facts, live) if has_sealed_values(wanted) else changed_values(live, wanted)
    for change in changes:
        if _is_by_others(facts, change):
            yield FieldChange(change.path, change.after, change.before)


def _touched(facts: Facts, live: Mapping[str, Any]) -> Iterator[FieldChange]:
    """The delivered values, with what is live; only who has set that tells whether they differ."""
    there = live.get("data") or {}
    outputs = facts.recorded.outputs if facts.recorded else {}
    for key in sorted(keys_of_engine(outputs, "data")):
        yield FieldChange(("data", key), there.get(key), HIDDEN)


def _is_by_others(facts: Facts, change: FieldChange) -> bool:
    """Whether somebody else has set a value, or taken it away, since the stack delivered it."""
    live, recorded = facts.live.manifest, facts.recorded
    if live is None or recorded is None or not recorded.ready:
        return False
    if change.before is None:
        return change.path[-1] in keys_of_engine(recorded.outputs, "data")
    managers = managers_at(facts, change.path)
    if any(each.is_controller for each in managers):
        return True
    # Who has set the same value as the engine holds it as well, and has changed nothing.
    return any(not each.is_ours for each in managers) and not any(e.is_engine for e in managers)


def _keys_gone(
    facts: Facts, live: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Iterator[FieldChange]:
    """The keys that only the engine holds, and that the application no longer names.

    The stack has them encrypted, so who manages them tells.
    """
    names = normal(wanted).get("data") or {}
    for key in sorted((live.get("data") or {}).keys() - names.keys()):
        managers = managers_at(facts, ("data", key))
        if managers and all(manager.is_engine for manager in managers):
            yield FieldChange(("data", key), live["data"][key], None)


def _is_another_component(facts: Facts, wanted: Mapping[str, Any]) -> bool:
    """Whether the component has changed since the Secret was last written."""
    recorded = facts.recorded
    if recorded is None or not recorded.ready:
        return True
    before, now = value_at(_COMPONENT, recorded.manifest), value_at(_COMPONENT, wanted)
    return bool(before != now)


_COMPONENT: Parts = ("metadata", "labels", "app.oam.dev/revision")
