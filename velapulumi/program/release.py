"""Objects that the engine does not delete, once a stack does not hold them any more.

These are the ones that other applications share and the ones that are never deleted. The engine
only forgets them; what they say of their owner is put right here.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from velapulumi.clusters.identity import Reached
from velapulumi.clusters.sharing import give_up
from velapulumi.errors import VelapulumiError
from velapulumi.plan.changes import ObjectKey
from velapulumi.program.record import RecordedObject, StageRecord
from velapulumi.render.rules import owner_of

LEFT_BEHIND = "leftBehind"
"""The stack output that lists what is never deleted."""


def forgotten(record: StageRecord, held: Container[ObjectKey] = ()) -> tuple[RecordedObject, ...]:
    """What the engine will not delete of what a stack holds and shall not hold any more.

    Args:
        record: What the stack holds.
        held: What it shall go on holding; nothing when the application is deleted.
    """
    kept = (entry for entry in record.objects if entry.retained)
    return tuple(
        entry
        for entry in (*kept, *record.read)
        if ObjectKey.of(entry.cluster, entry.manifest) not in held
    )


def release(
    application: str,
    record: StageRecord,
    objects: Iterable[RecordedObject],
    clusters: Mapping[str, Reached | VelapulumiError],
) -> None:
    """Give up the application's part in objects; what others share goes to the next of them.

    Args:
        application: ``<namespace>/<name>``.
        record: What the stack holds.
        objects: Objects of it, as ``forgotten`` gave them.
        clusters: Their clusters by name.

    Raises:
        VelapulumiError: Why a cluster cannot be used, or an object not be changed; running it again
            goes on.
    """
    left_behind = record.outputs.get(LEFT_BEHIND) or ()
    for entry in objects:
        cluster = clusters[entry.cluster]
        if isinstance(cluster, VelapulumiError):
            raise cluster
        name = full_name(ObjectKey.of(entry.cluster, entry.manifest))
        give_up(cluster.client, entry.manifest, application, left_behind=name in left_behind)


def full_name(key: ObjectKey) -> str:
    """One object over all clusters, as a text."""
    return f"{key.cluster} {key.api_version} {key}"


def application_of(record: StageRecord) -> str:
    """The application a stack belongs to, ``<namespace>/<name>``; empty when it holds nothing.

    The stack of an update that never finished has no outputs, so its objects say it.
    """
    name, namespace = record.outputs.get("application"), record.outputs.get("namespace")
    if name and namespace:
        return f"{namespace}/{name}"
    return next((owner_of(entry.manifest) for entry in record.objects), "")
