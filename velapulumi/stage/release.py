"""Ending the application's part in objects that the engine does not delete.

These are the ones that other applications share and the ones that are never deleted. The engine
only forgets them; what they say of their owner is put right here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from velapulumi.clusters.identity import Reached
from velapulumi.clusters.sharing import give_up
from velapulumi.engine.record import RecordedObject, StageRecord
from velapulumi.errors import VelapulumiError
from velapulumi.plan.document import Cause, Operation
from velapulumi.render.rules import owner_of
from velapulumi.stage.operations import Decision
from velapulumi.stage.taken import restore

LEFT_BEHIND = "leftBehind"
"""The stack output that lists what is never deleted."""


def released(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """The objects whose part of the application is ended beside the engine.

    Args:
        decisions: What was decided about the objects of a stage.
    """
    return tuple(each for each in decisions if _is_released(each))


def _is_released(each: Decision) -> bool:
    recorded = each.facts.recorded
    last = each.operation is Operation.DELETE and recorded is not None and recorded.retained
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
        left_behind = each.facts.left_behind or each.facts.treatment.never_deleted
        give_up(cluster.client, each.facts.object, application, left_behind=left_behind)


def full_name(entry: RecordedObject) -> str:
    """One object over all clusters, as a stack writes it: by the handle of its cluster."""
    return f"{entry.handle} {entry.manifest['apiVersion']} {entry.key}"


def application_of(record: StageRecord) -> str:
    """The application a stack belongs to, ``<namespace>/<name>``; empty when it holds nothing.

    The stack of an update that never finished has no outputs, so its objects say it.
    """
    name, namespace = record.outputs.get("application"), record.outputs.get("namespace")
    if name and namespace:
        return f"{namespace}/{name}"
    return next((owner_of(entry.manifest) for entry in record.objects), "")
