"""Ending the application's part in objects that the engine does not delete.

These are the ones that other applications share, the ones that are never deleted, and the ones
that were taken over. The engine only forgets them; what they say of their owner is put right here.

It is always done before the stack forgets them. Whoever is killed in between finds them in the
stack the next time, and what is done already is then nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from velapulumi.clusters.client import Cluster
from velapulumi.clusters.identity import Reached
from velapulumi.clusters.managed import OWN
from velapulumi.clusters.sharing import change_live, give_up
from velapulumi.definitions.rules.fieldpath import value_at
from velapulumi.engine.record import StageRecord
from velapulumi.errors import ObjectRefused, PlanChanged, VelapulumiError
from velapulumi.plan.fields import written
from velapulumi.plan.normal import normal
from velapulumi.plan.objects import ObjectKey
from velapulumi.plan.operation import Cause, Operation
from velapulumi.render.rules import TAKEN, orphans, owner_of, project_of, sharers_of
from velapulumi.stage.operations import Decision
from velapulumi.stage.sides import as_before, fields_back

LEFT_BEHIND = "leftBehind"
"""The stack output that lists what is never deleted."""


def is_taken_out(each: Decision) -> bool:
    """Whether an object must be taken out of the stack, as the engine would delete it otherwise.

    It is another stage's or somebody else's by now, or the application ends its part in it.

    Args:
        each: What was decided about it.
    """
    recorded = each.facts.recorded
    forgets = recorded is None or recorded.retained
    return each.operation is Operation.FORGET or (
        each.operation is Operation.DISOWN and not forgets
    )


def released(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """The objects whose part of the application is ended beside the engine.

    Args:
        decisions: What was decided about the objects of a stage.
    """
    return tuple(each for each in decisions if _is_released(each))


def _is_released(each: Decision) -> bool:
    recorded = each.facts.recorded
    last = each.operation is Operation.DELETE and (recorded is None or recorded.retained)
    return last or (each.operation is Operation.DISOWN and each.cause is not Cause.FREED)


def let_go(
    application: str,
    decisions: Iterable[Decision],
    clusters: Mapping[str, Reached | VelapulumiError],
    forget: Callable[[frozenset[ObjectKey]], None],
) -> None:
    """End the application's part in objects, then take out of the stack what would be deleted.

    Args:
        application: ``<namespace>/<name>``.
        decisions: What was decided.
        clusters: Their clusters by name.
        forget: Takes objects out of the stack.

    Raises:
        PlanChanged: An object is not what was decided on any more.
        VelapulumiError: Why a cluster cannot be used, an object not be changed, or the stack not be
            written; running it again goes on.
    """
    found = tuple(decisions)
    release(application, released(found), clusters)
    if gone := frozenset(each.key for each in found if is_taken_out(each)):
        forget(gone)


def release(
    application: str,
    decisions: Iterable[Decision],
    clusters: Mapping[str, Reached | VelapulumiError],
) -> None:
    """End the application's part in objects; what others share goes to the next of them.

    Args:
        application: ``<namespace>/<name>``.
        decisions: What was decided, as ``released`` gave it.
        clusters: Their clusters by name.

    Raises:
        PlanChanged: An object is not what was decided on any more; nothing is done to it.
        VelapulumiError: Why a cluster cannot be used, or an object not be changed; running it again
            goes on.
    """
    for each in decisions:
        cluster = clusters[each.key.cluster]
        if isinstance(cluster, VelapulumiError):
            raise cluster
        client, check = cluster.client, partial(_check, each)
        if each.cause is Cause.RESTORED:
            _restore(client, each)
        elif each.operation is Operation.DELETE:
            _delete(client, each)
        else:
            give_up(client, each.facts.object, application, check)


def _restore(client: Cluster, each: Decision) -> None:
    """Give an object back the values it had before it was taken over."""

    def act(live: Mapping[str, Any]) -> None:
        _check(each, live)
        now = replace(each.facts, live=replace(each.facts.live, manifest=live))
        if more := [field.path for field in fields_back(now) if field not in each.changes]:
            raise _changed(each, ", ".join(sorted(map(written, more))))
        body = as_before(now)
        if normal(body) != normal(live) and client.replace(body, OWN) is None:
            raise ObjectRefused(
                f"{each.key} on {each.key.cluster} cannot get back what it was: it is not there as "
                f"{body['apiVersion']} any more",
                next_step=f"Make it what it shall be by hand, take the annotation {TAKEN[-1]} and "
                "the labels of the application off, and run the command again.",
            )

    change_live(client, each.facts.object, act)


def _delete(client: Cluster, each: Decision) -> None:
    """Delete an object that the engine would only forget."""
    manifest = each.facts.object

    def act(live: Mapping[str, Any]) -> None:
        _check(each, live)
        client.delete(manifest, live["metadata"]["resourceVersion"], orphans=orphans(live))

    change_live(client, manifest, act)


def _check(each: Decision, live: Mapping[str, Any]) -> None:
    """Refuse to act on what is not what was decided on.

    Raises:
        PlanChanged: It is another object, or says something else of whose it is.
    """
    decided, now = _says(each.facts.live.manifest or {"metadata": {}}), _says(live)
    if differing := [name for name, value in now.items() if value != decided[name]]:
        raise _changed(each, ", ".join(differing))


def _says(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What an object says of which one it is and whose, by what that is called."""
    return {
        "which object it is": manifest["metadata"].get("uid"),
        "its owner": (owner_of(manifest), project_of(manifest)),
        "who shares it": sharers_of(manifest),
        "what it was before it was taken over": value_at(TAKEN, manifest),
    }


def _changed(each: Decision, what: str) -> PlanChanged:
    where = f"{each.key} on {each.key.cluster}"
    return PlanChanged(f"{where} has changed since it was decided what happens to it: {what}")


def left_behind(record: StageRecord | None) -> frozenset[ObjectKey]:
    """The objects of which a stack says that they are never deleted.

    Its outputs name them. Of what an interrupted run was making they say nothing yet; there it is
    what the engine was to keep, and that not because others share it.

    Args:
        record: What the stack holds; None for nothing.
    """
    if record is None:
        return frozenset()
    names = frozenset(map(str, record.outputs.get(LEFT_BEHIND) or ()))
    named = {entry.key for entry in record.entries if entry.full_name in names}
    kept = {
        entry.key
        for entry in record.pending.values()
        if entry.retained and not sharers_of(entry.manifest)
    }
    return frozenset(named | kept)
