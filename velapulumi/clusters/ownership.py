"""Objects that are in a cluster already when a stage wants to create them.

The provider would take them over in silence. Here only what the same application left behind, as
an interrupted run does, is taken over; anybody else's is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from velapulumi.clusters.client import Cluster
from velapulumi.clusters.identity import Reached
from velapulumi.errors import ObjectNotOurs

_NAME, _NAMESPACE = "app.oam.dev/name", "app.oam.dev/namespace"
_MANAGER = "pulumi-kubernetes"


@dataclass(frozen=True)
class Leftover:
    """An object the application left in a cluster: as it is there, and as it is wanted now."""

    client: Cluster
    live: Mapping[str, Any]
    manifest: Mapping[str, Any]


def find_leftovers(
    objects: Iterable[tuple[str, Mapping[str, Any]]], clusters: Mapping[str, Reached]
) -> list[Leftover]:
    """Find those of some objects that exist already.

    Args:
        objects: Cluster and manifest of each object that is to be created.
        clusters: The clusters by name.

    Returns:
        The objects that the same application left.

    Raises:
        ObjectNotOurs: One exists that belongs to nobody or to another application; the texts
            follow KubeVela's.
        ClusterUnreachable: A cluster stopped answering.
    """
    found: list[Leftover] = []
    for cluster, manifest in objects:
        client = clusters[cluster].client
        metadata = manifest["metadata"]
        live = client.read(manifest)
        if live is None:
            continue
        labels, ours = live["metadata"].get("labels") or {}, metadata.get("labels") or {}
        place = f"{manifest['kind']} {metadata.get('namespace') or ''}/{metadata['name']}"
        if not labels.get(_NAME):
            raise ObjectNotOurs(
                f"{place} exists on {cluster} but not managed by any application now"
            )
        if (labels[_NAME], labels.get(_NAMESPACE)) != (ours.get(_NAME), ours.get(_NAMESPACE)):
            raise ObjectNotOurs(
                f"existing object {place} on {cluster} is managed by other application "
                f"{labels.get(_NAMESPACE)}/{labels[_NAME]}"
            )
        found.append(Leftover(client, live, manifest))
    return found


def take_over(leftovers: Iterable[Leftover]) -> None:
    """Bring what a dead run left to what is wanted now, and give up its hold on the fields.

    The engine draws a new field manager for every object it creates. The dead run's manager would
    be in its way, and what only the dead run had set would stay; so the object is applied once more
    in the dead manager's name and then taken from it.

    Raises:
        ClusterUnreachable: A cluster stopped answering or refused.
    """
    for leftover in leftovers:
        entries = leftover.live["metadata"].get("managedFields") or []
        managers = [entry["manager"] for entry in entries if _is_engine(entry)]
        if not managers:
            continue
        for manager in managers:
            leftover.client.apply(leftover.manifest, manager)
        kept = [entry for entry in entries if not _is_engine(entry)]
        leftover.client.merge(
            leftover.manifest,
            {"metadata": {"managedFields": kept or [_placeholder(leftover.manifest)]}},
        )


def _is_engine(entry: Mapping[str, Any]) -> bool:
    return str(entry.get("manager", "")).startswith(_MANAGER)


def _placeholder(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manager that holds one label nobody changes.

    Where an object has no manager at all, the server invents one that holds every field.
    """
    return {
        "manager": "velapulumi",
        "operation": "Update",
        "apiVersion": manifest["apiVersion"],
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": {f"f:{_NAME}": {}}}},
    }
