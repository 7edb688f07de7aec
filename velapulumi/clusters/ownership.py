"""Objects that are in a cluster already when a stage wants to create or replace them.

The provider would take them over in silence. Here that is done in the open: what was decided to be
taken over is brought to what is wanted, and nothing is left to be forced later, as the fields are
freed of all other managers.

Fields of the stage's own objects that others have changed are won back one by one: the named ones
are freed of all other managers, then the manifest is applied without force.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from velapulumi.clusters.client import Cluster
from velapulumi.clusters.elements import others_elements, with_elements_given, written_fields
from velapulumi.clusters.managed import (
    ENGINE,
    OWN,
    is_only,
    kept_from_engine,
    managed_fields,
    manager_of_entry,
    without_fields,
)
from velapulumi.clusters.sharing import change_live
from velapulumi.definitions.rules.fieldpath import MISSING, Parts, value_at
from velapulumi.render.rules import SHARERS, sharers_of


@dataclass(frozen=True)
class Leftover:
    """An object that may be taken over.

    Attributes:
        client: Its cluster.
        live: The object as it is there.
        manifest: The object as it is wanted now.
        adopted: Whether others hold its fields, too, who have to let them go.
        paths: The fields that change; numbers are positions in the lists of ``live``.
    """

    client: Cluster
    live: Mapping[str, Any]
    manifest: Mapping[str, Any]
    adopted: bool = False
    paths: tuple[Parts, ...] = ()


def take_over(leftover: Leftover) -> None:
    """Bring what is there to what is wanted now, and give up every hold on the fields.

    The engine draws a new field manager for every object it creates. A dead run's manager would
    be in its way, and what only the dead run had set would stay; so the object is applied once more
    in the dead manager's name and then taken from it. What is adopted is applied by force once, in
    a name of its own, and then the wanted fields are taken from everybody.

    Args:
        leftover: The object.

    Raises:
        ClusterUnreachable: The cluster stopped answering or refused access.
        ObjectRefused: The object cannot become what is wanted.
    """
    client, live, manifest = leftover.client, leftover.live, leftover.manifest
    managers = [entry["manager"] for entry in managed_fields(live) if _is_hold(entry)]
    if leftover.adopted:
        managers = [OWN]  # engines of others are others: what they have set beside it stays
        _give_elements(leftover)
    if not managers:
        return
    for manager in managers:
        live = client.apply(manifest, manager) or live
    gone = [entry for entry in managed_fields(live) if entry.get("manager") in managers]
    kept = [entry for entry in managed_fields(live) if entry not in gone]
    if leftover.adopted:
        for entry in gone:
            kept = [_freed(other, entry.get("fieldsV1") or {}) for other in kept]
        if value_at(SHARERS, live) is not MISSING and not sharers_of(manifest):
            client.merge(manifest, {"metadata": {"annotations": {SHARERS[-1]: None}}})
    _set_managed(client, manifest, kept)


def _give_elements(leftover: Leftover) -> None:
    """Have the elements go with the apply that get another key: to the server, they are others."""
    client, live, manifest = leftover.client, leftover.live, leftover.manifest
    elements = others_elements(live, manifest, leftover.paths, OWN)
    if not elements:
        return
    own = {
        "manager": OWN,
        "operation": "Apply",
        "apiVersion": manifest["apiVersion"],
        "fieldsType": "FieldsV1",
    }
    entries = without_fields(live, elements, is_only(OWN))
    if not any(is_only(OWN)(manager_of_entry(entry)) for entry in entries):
        entries.append(own)
    given = with_elements_given(entries, live, elements, OWN)
    _set_managed(client, manifest, given, live["metadata"]["resourceVersion"])


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
        done = client.replace(body, OWN)
        if done is not None:
            kept = [entry for entry in managed_fields(done) if entry.get("manager") != OWN]
            _set_managed(client, manifest, kept)

    change_live(client, manifest, act)


def take_fields(
    client: Cluster,
    manifest: Mapping[str, Any],
    live: Mapping[str, Any],
    paths: Iterable[Parts],
    manager: str,
) -> None:
    """Take fields from everybody else, so that one manager can apply them without force.

    Only who manages them changes, not their values. Of a field with others below, those are taken
    that the manifest names, except that an atomic list or map is always taken as a whole; so are
    elements of lists whose key others have changed. Nothing is written when nobody has to give
    anything up.

    Args:
        client: The object's cluster.
        manifest: The object as it is going to be applied.
        live: The object as it was read, in the API version of the manifest.
        paths: The fields; numbers are positions in the lists of ``live``.
        manager: The field manager that is going to apply.

    Raises:
        ClusterUnreachable: The cluster stopped answering or refused access.
        ObjectRefused: The object has changed since it was read; the status is 409.
    """
    entries = _taken(live, manifest, paths, manager)
    if entries != managed_fields(live):
        _set_managed(client, manifest, entries, live["metadata"]["resourceVersion"])


def prepare_update(
    client: Cluster,
    manifest: Mapping[str, Any],
    live: Mapping[str, Any],
    paths: Iterable[Parts],
    manager: str,
) -> None:
    """Have the engine's next update change what the manifest names, and nothing else.

    The named fields are taken from everybody else, as ``take_fields`` does. What others have set
    and the manifest does not name is kept from the engine.

    Args:
        client: The object's cluster.
        manifest: The object as the engine is going to apply it.
        live: The object as it was read, in the API version of the manifest.
        paths: The fields to take; numbers are positions in the lists of ``live``.
        manager: The field manager that the engine applies as.

    Raises:
        ClusterUnreachable: The cluster stopped answering or refused access.
        ObjectRefused: The object has changed since it was read; the status is 409.
    """
    entries = kept_from_engine(_taken(live, manifest, paths, manager), manager)
    if entries != managed_fields(live):
        _set_managed(client, manifest, entries, live["metadata"]["resourceVersion"])


def _taken(
    live: Mapping[str, Any], manifest: Mapping[str, Any], paths: Iterable[Parts], manager: str
) -> list[dict[str, Any]]:
    """The managed fields in which nobody but one manager has what it writes of some fields."""
    paths = tuple(paths)
    elements = others_elements(live, manifest, paths, manager)
    lost = (*written_fields(live, manifest, paths), *elements)
    entries = without_fields(live, lost, is_only(manager))
    return with_elements_given(entries, live, elements, manager)


def mend(
    client: Cluster,
    manifest: Mapping[str, Any],
    live: Mapping[str, Any],
    paths: Iterable[Parts],
    manager: str,
) -> dict[str, Any] | None:
    """Bring fields of an object back to what the manifest says; only these are won from others.

    A controller that writes the status changes the object as well: who is refused because it has
    changed may read it, compare and mend once more. Where the apply is refused, the fields that
    were taken have no manager until the next one.

    Args:
        client: The object's cluster.
        manifest: The object as it is wanted.
        live: The object as it was read, in the API version of the manifest.
        paths: The fields to win; numbers are positions in the lists of ``live``.
        manager: The field manager to apply as.

    Returns:
        The object as it then is; None when its kind or namespace is not there.

    Raises:
        ClusterUnreachable: The cluster stopped answering or refused access.
        ObjectRefused: The object has changed or gone since it was read, somebody else owns
            another field with another value, or the object cannot become what is wanted.
    """
    take_fields(client, manifest, live, paths, manager)
    # An apply creates what is not there; with a UID it can only change the object of that UID.
    metadata = {**manifest["metadata"], "uid": live["metadata"]["uid"]}
    return client.apply({**manifest, "metadata": metadata}, manager, force=False)


def _set_managed(
    client: Cluster,
    manifest: Mapping[str, Any],
    entries: list[dict[str, Any]],
    resource_version: str = "",
) -> None:
    """Say who manages the fields of an object; in the state it was seen in, if that is given.

    Where it has no manager at all, the server invents one that holds every field. So then one is
    put that holds a label nobody changes.
    """
    nobody = {
        "manager": OWN,
        "operation": "Update",
        "apiVersion": manifest["apiVersion"],
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": {"f:app.oam.dev/name": {}}}},
    }
    held = [entry for entry in entries if entry.get("fieldsV1", True)]
    metadata: dict[str, Any] = {"managedFields": held or [nobody]}
    if resource_version:
        metadata["resourceVersion"] = resource_version
    client.merge(manifest, {"metadata": metadata})


def _is_hold(entry: Mapping[str, Any]) -> bool:
    """Whether a dead run holds fields: its engine, or it died in the middle of adopting."""
    manager = str(entry.get("manager", ""))
    return manager.startswith(ENGINE) or (manager == OWN and entry.get("operation") == "Apply")


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
        elif (left := _without(below, others[key])).keys() - {"."}:
            rest[key] = left  # without anything below, it would say that all below is held
    return rest
