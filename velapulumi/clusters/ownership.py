"""Objects that are in a cluster already when a stage wants to create or replace them.

The provider would take them over in silence. Here only what the same application left behind, as
an interrupted run does, is taken over, and what nobody owns where a policy asks for it; anybody
else's is refused. Nothing is left to be forced later: the fields are freed of all other managers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from velapulumi.clusters.client import Cluster
from velapulumi.clusters.identity import Reached
from velapulumi.clusters.sharing import change_live
from velapulumi.errors import ObjectNotOurs
from velapulumi.render.rules import owner_of

_ENGINE = "pulumi-kubernetes"
_OWN = "velapulumi"


@dataclass(frozen=True)
class Leftover:
    """An object that may be taken over.

    Attributes:
        client: Its cluster.
        live: The object as it is there.
        manifest: The object as it is wanted now.
        adopted: Whether others hold its fields, too, who have to let them go.
    """

    client: Cluster
    live: Mapping[str, Any]
    manifest: Mapping[str, Any]
    adopted: bool = False


def claim(
    cluster: Reached, live: Mapping[str, Any], manifest: Mapping[str, Any], *, adopt: bool = False
) -> Leftover:
    """Take note of an object that exists and is wanted; writes nothing.

    Args:
        cluster: Its cluster.
        live: The object as it is there.
        manifest: The object as it is wanted.
        adopt: Whether it may be one that no application owns.

    Raises:
        ObjectNotOurs: It belongs to another application, or to nobody and that will not do; the
            texts follow KubeVela's.
    """
    owner, name = owner_of(live), cluster.joined.name
    if not owner and not adopt:
        raise ObjectNotOurs(
            f"{title(manifest)} exists on {name} but not managed by any application now",
            next_step="Delete or rename it, or take it over with a policy of type take-over.",
        )
    if owner and owner != owner_of(manifest):
        raise ObjectNotOurs(
            f"existing object {title(manifest)} on {name} is managed by other application {owner}"
        )
    return Leftover(cluster.client, live, manifest, adopt)


def title(manifest: Mapping[str, Any]) -> str:
    """Kind, namespace and name, as KubeVela writes them."""
    metadata = manifest["metadata"]
    return f"{manifest['kind']} {metadata.get('namespace') or ''}/{metadata['name']}"


def take_over(leftovers: Iterable[Leftover]) -> None:
    """Bring what is there to what is wanted now, and give up every hold on the fields.

    The engine draws a new field manager for every object it creates. A dead run's manager would
    be in its way, and what only the dead run had set would stay; so the object is applied once more
    in the dead manager's name and then taken from it. What is adopted is applied by force once, in
    a name of its own, and then the wanted fields are taken from everybody.

    Raises:
        ClusterUnreachable: A cluster stopped answering or refused access.
        ObjectRefused: An object cannot become what is wanted.
    """
    for leftover in leftovers:
        live = leftover.live
        managers = [entry["manager"] for entry in _managed(live) if _is_hold(entry)]
        if leftover.adopted and _OWN not in managers:
            managers.append(_OWN)
        if not managers:
            continue
        for manager in managers:
            live = leftover.client.apply(leftover.manifest, manager) or live
        gone = [entry for entry in _managed(live) if entry.get("manager") in managers]
        kept = [entry for entry in _managed(live) if entry not in gone]
        if leftover.adopted:
            for entry in gone:
                kept = [_freed(other, entry.get("fieldsV1") or {}) for other in kept]
        _set_managed(leftover.client, leftover.manifest, kept)


def replace(client: Cluster, manifest: Mapping[str, Any]) -> None:
    """Put a manifest in the place of the live object: fields that others have set go.

    What belongs to the cluster stays: status, finalizers and owners.

    Args:
        client: Its cluster.
        manifest: The object as it is wanted.

    Raises:
        ClusterUnreachable: The cluster stopped answering or refused access.
        ObjectRefused: The object cannot become what is wanted, or kept changing.
    """

    def act(live: Mapping[str, Any]) -> None:
        found = live["metadata"]
        owned = {
            key: found[key]
            for key in ("resourceVersion", "finalizers", "ownerReferences")
            if key in found
        }
        body = {**manifest, "metadata": {**manifest["metadata"], **owned}}
        if "status" in live:
            body["status"] = live["status"]
        done = client.replace(body, _OWN)
        if done is not None:
            kept = [entry for entry in _managed(done) if entry.get("manager") != _OWN]
            _set_managed(client, manifest, kept)

    change_live(client, manifest, act)


def _managed(live: Mapping[str, Any]) -> list[dict[str, Any]]:
    return live["metadata"].get("managedFields") or []


def _set_managed(
    client: Cluster, manifest: Mapping[str, Any], entries: list[dict[str, Any]]
) -> None:
    """Say who manages the fields of an object.

    Where it has no manager at all, the server invents one that holds every field. So then one is
    put that holds a label nobody changes.
    """
    nobody = {
        "manager": _OWN,
        "operation": "Update",
        "apiVersion": manifest["apiVersion"],
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": {"f:app.oam.dev/name": {}}}},
    }
    held = [entry for entry in entries if entry.get("fieldsV1", True)]
    client.merge(manifest, {"metadata": {"managedFields": held or [nobody]}})


def _is_hold(entry: Mapping[str, Any]) -> bool:
    """Whether a dead run holds fields: its engine, or it died in the middle of adopting."""
    manager = str(entry.get("manager", ""))
    return manager.startswith(_ENGINE) or (manager == _OWN and entry.get("operation") == "Apply")


def _freed(entry: dict[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """A manager's entry without some fields."""
    if "fieldsV1" not in entry:
        return entry
    return {**entry, "fieldsV1": _without(entry["fieldsV1"], fields)}


def _without(fields: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Fields (as Kubernetes writes them, ``FieldsV1``) that are not among others."""
    rest = {}
    for key, below in fields.items():
        if key not in others:
            rest[key] = below
        elif below and (left := _without(below, others[key])):
            rest[key] = left
    return rest
