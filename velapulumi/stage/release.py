"""Ending the application's part in objects that the engine does not delete.

These are the ones that other applications share and the ones that are never deleted. The engine
only forgets them; what they say of their owner is put right here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from velapulumi.clusters.client import Cluster
from velapulumi.clusters.identity import Reached
from velapulumi.clusters.sharing import change_live, give_up
from velapulumi.engine.record import RecordedObject
from velapulumi.errors import VelapulumiError
from velapulumi.plan.document import Cause, Operation
from velapulumi.stage.operations import Decision
from velapulumi.stage.taken import restore

LEFT_BEHIND = "leftBehind"
"""The stack output that lists what is never deleted."""


def is_taken_out(each: Decision) -> bool:
    """Whether an object must be taken out of the stack, as the engine would delete it otherwise.

    It is another stage's or somebody else's by now, or the application ends its part in it.

    Args:
        each: What was decided about it.
    """
    recorded = each.facts.recorded
    forgets = recorded is None or (recorded.retained and each.cause is not Cause.RESTORED)
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
    return last or each.operation is Operation.DISOWN


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
        VelapulumiError: Why a cluster cannot be used, or an object not be changed; running it again
            goes on.
    """
    for each in decisions:
        cluster = clusters[each.key.cluster]
        if isinstance(cluster, VelapulumiError):
            raise cluster
        if each.cause is Cause.RESTORED:
            restore(cluster.client, each)
            continue
        if each.operation is Operation.DELETE:
            _delete(cluster.client, each)
            continue
        left_behind = each.facts.left_behind or each.facts.treatment.never_deleted
        give_up(cluster.client, each.facts.object, application, left_behind=left_behind)


def _delete(client: Cluster, each: Decision) -> None:
    """Delete an object that the engine would only forget."""
    manifest = each.facts.object
    change_live(
        client, manifest, lambda live: client.delete(manifest, live["metadata"]["resourceVersion"])
    )


def full_name(entry: RecordedObject) -> str:
    """One object over all clusters, as a stack writes it: by the handle of its cluster."""
    return f"{entry.handle} {entry.manifest['apiVersion']} {entry.key}"
