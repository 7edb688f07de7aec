"""What is done right before the engine creates an object that is there already.

It is done in a hook of the engine, so it comes in the order in which objects wait for each other.
Until the engine has created the object its stack does not hold it, however the run ends. So the
stack reads the object first, under a name that says what for, and the next run finds that.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from velapulumi.clusters.client import Cluster
from velapulumi.clusters.ownership import Leftover, take_over
from velapulumi.clusters.sharing import change_live
from velapulumi.engine.record import StageRecord
from velapulumi.errors import PlanChanged
from velapulumi.plan.objects import ObjectKey
from velapulumi.plan.operation import Operation
from velapulumi.plan.places import all_located
from velapulumi.render.rules import orphans
from velapulumi.stage.look import live_of
from velapulumi.stage.operations import Decision, decide
from velapulumi.stage.refusals import check_going, still_going
from velapulumi.stage.shown import check_shown, shown_of

_POLL = 0.5
"""Seconds after which an object that is being deleted is looked at again."""


def is_taken(each: Decision) -> bool:
    """Whether the engine creates an object though it is there.

    Args:
        each: What was decided about it.
    """
    made = each.facts.recorded is None and each.facts.wanted is not None
    return made and each.operation in _TAKEN


def owed(
    decisions: Iterable[Decision], record: StageRecord | None, delivered: Container[ObjectKey]
) -> frozenset[ObjectKey]:
    """What an interrupted run had begun to make, and is left to a later run.

    Its cluster does not answer; or nothing is decided of it yet, as its step or wave comes later,
    or its cluster is left out.

    Args:
        decisions: What was decided about the objects of a stage.
        record: What the stack holds.
        delivered: What the stage delivers, with all its steps.
    """
    decided = {each.key: each for each in decisions}
    left = (e.key for e in decided.values() if e.operation is Operation.OWED and e.facts.begun)
    pending = record.pending if record else ()
    later = (key for key in pending if key in delivered and key not in decided)
    return frozenset((*left, *later))


def owed_names(
    decisions: Sequence[Decision], record: StageRecord | None, delivered: Container[ObjectKey]
) -> list[str]:
    """What is owed of that, and of what is only read, as a stack names it.

    The stack has nothing else of it then: the engine drops what it does not read any more, and
    would ask a silent cluster for it.

    Args:
        decisions: What was decided about the objects of a stage.
        record: What the stack holds.
        delivered: What the stage delivers, with all its steps.
    """
    if record is None:
        return []
    unread = {
        each.key
        for each in decisions
        if each.operation is Operation.OWED and each.facts.recorded is None
    }
    begun = owed(decisions, record, delivered)
    found = [entry for entry in record.pending.values() if entry.key in begun]
    found += [entry for entry in record.read if entry.key in unread]
    return [entry.owed_name for entry in found]


def take(each: Decision, manifest: Mapping[str, Any], client: Cluster, patience: float) -> None:
    """Have the engine find an object as it creates it, or find nothing where it is made anew.

    Args:
        each: What was decided about it.
        manifest: What the engine creates.
        client: Its cluster.
        patience: Seconds it may take to go.

    Raises:
        PlanChanged: Something else would be done to it than was shown.
        ClusterUnreachable: The cluster stopped answering or refused access.
        ObjectRefused: It cannot become what is wanted, or does not go.
    """
    change_live(client, manifest, partial(_act, each, manifest, client))
    if each.operation is Operation.REPLACE:
        _wait(each, manifest, client, patience)


def _act(
    each: Decision, manifest: Mapping[str, Any], client: Cluster, live: Mapping[str, Any]
) -> None:
    """Act on an object as it is now, where that is still what was decided on."""
    now = decide(replace(each.facts, live=live_of(live)))
    check_going([now])
    check_shown([now], shown_of([each]))
    if each.operation is Operation.REPLACE:
        client.delete(manifest, live["metadata"]["resourceVersion"], orphans=orphans(live))
    else:
        adopted = each.operation is Operation.TAKE_OVER and each.cause is None
        paths = tuple(all_located(now.taken, live))
        take_over(Leftover(client, live, manifest, adopted, paths))


def _wait(each: Decision, manifest: Mapping[str, Any], client: Cluster, patience: float) -> None:
    until = time.monotonic() + patience
    while (live := client.read(manifest)) is not None:
        if time.monotonic() > until:
            where = f"{each.key} on {each.key.cluster}"
            again = PlanChanged(f"{where} was deleted to be created again; others were faster")
            raise still_going([(each, live_of(live))]) or again
        time.sleep(_POLL)


_TAKEN = (Operation.TAKE_OVER, Operation.HAND_OVER, Operation.REPLACE)
