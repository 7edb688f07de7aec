"""Looking at clusters for one plan: each object, namespace and kind is read once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

from velapulumi.clusters.client import Cluster
from velapulumi.clusters.identity import Reached, reach
from velapulumi.errors import AccessDenied, ClusterUnreachable, VelapulumiError
from velapulumi.plan.objects import ObjectKey
from velapulumi.project import Project
from velapulumi.stage.sides import Live
from velapulumi.stage.situation import Place, Presence

NAMESPACE = "Namespace"
CRD = "CustomResourceDefinition"
_AT_ONCE = 8
_FRESH = 10.0
"""Seconds after which a shared look is old."""


class Look:
    """What clusters have, as one plan sees it.

    Args:
        project: The project the clusters are joined to.
        clusters: The clusters that were contacted already, reached or not; others are contacted
            when something on them is looked at.
    """

    def __init__(
        self, project: Project, clusters: Mapping[str, Reached | VelapulumiError] | None = None
    ) -> None:
        self.clusters: dict[str, Reached | VelapulumiError] = dict(clusters or {})
        self._project = project
        self._live: dict[ObjectKey, Live] = {}
        self._namespaces: dict[tuple[str, str], bool] = {}
        self._contents: dict[ObjectKey, Sequence[Mapping[str, Any]] | None] = {}

    def contact(self, names: Iterable[str]) -> None:
        """Contact the clusters that have not been contacted yet."""
        self.clusters |= reach(self._project, set(names) - self.clusters.keys())

    def read(self, objects: Mapping[ObjectKey, Mapping[str, Any]]) -> None:
        """Read objects side by side.

        Args:
            objects: The manifest that names each.
        """
        self.contact(key.cluster for key in objects)
        unread = {key: manifest for key, manifest in objects.items() if key not in self._live}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = pool.map(lambda each: self._read(*each), unread.items())
            self._live |= dict(zip(unread, found, strict=True))

    def live(self, key: ObjectKey, manifest: Mapping[str, Any]) -> Live:
        """What a cluster has of an object.

        Args:
            key: What identifies it.
            manifest: Names it.
        """
        self.read({key: manifest})
        return self._live[key]

    def place(self, key: ObjectKey, manifest: Mapping[str, Any]) -> Place:
        """Whether a cluster can take an object, as far as the credentials tell.

        Args:
            key: What identifies it.
            manifest: The object.
        """
        cluster = self.clusters.get(key.cluster)
        if not isinstance(cluster, Reached):
            return Place.READY
        try:
            kinds = cluster.client.kinds(manifest["apiVersion"])
            if key.kind not in kinds:
                return Place.NO_KIND
            namespaced = kinds[key.kind][1]
            if namespaced and key.namespace and not self.has_namespace(cluster, key.namespace):
                return Place.NO_NAMESPACE
        except ClusterUnreachable:
            return Place.READY
        return Place.READY

    def has_namespace(self, cluster: Reached, name: str) -> bool:
        """Whether a cluster has a namespace; it counts as there where nobody may look."""
        where = cluster.joined.name, name
        if where not in self._namespaces:
            manifest = {"apiVersion": "v1", "kind": NAMESPACE, "metadata": {"name": name}}
            try:
                found = cluster.client.read(manifest)
            except ClusterUnreachable:
                found = manifest
            going = found is not None and "deletionTimestamp" in found["metadata"]
            self._namespaces[where] = found is not None and not going
        return self._namespaces[where]

    def contents(
        self, key: ObjectKey, manifest: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]] | None:
        """The objects in a namespace, or of the kind that a CRD defines; None where it is hidden.

        A cluster keeps the objects of a kind that it no longer serves.

        Args:
            key: What identifies the Namespace or the CRD; of others there are none.
            manifest: The object as it is live.

        Raises:
            AccessDenied: There is no right to list some of them.
            ClusterUnreachable: No answer.
        """
        cluster = self.clusters.get(key.cluster)
        if not isinstance(cluster, Reached):
            return ()
        if key not in self._contents:
            found = _held_by(cluster.client, key, manifest)
            self._contents[key] = None if found is None else tuple(found)
        return self._contents[key]

    def _read(self, key: ObjectKey, manifest: Mapping[str, Any]) -> Live:
        cluster = self.clusters[key.cluster]
        if not isinstance(cluster, Reached):
            return Live(Presence.UNKNOWN, detail=cluster.message)
        try:
            found = cluster.client.read(manifest)
            if found is None and not cluster.client.serves(manifest):
                cluster.client.forget_kinds()  # its kind may have come since they were listed
                found = cluster.client.read(manifest)
        except AccessDenied as error:
            return Live(Presence.FORBIDDEN, detail=error.message)
        except ClusterUnreachable as error:
            return Live(Presence.UNKNOWN, detail=error.message)
        return Live(Presence.ABSENT) if found is None else live_of(found)


def live_of(found: Mapping[str, Any]) -> Live:
    """What a cluster has of an object that it has answered with."""
    going = "deletionTimestamp" in found["metadata"]
    return Live(Presence.DELETING if going else Presence.PRESENT, found)


def _held_by(
    client: Cluster, key: ObjectKey, manifest: Mapping[str, Any]
) -> Iterable[Mapping[str, Any]] | None:
    """The objects in a namespace, or of the kind that a CRD defines; None when it is not served."""
    if key.kind == NAMESPACE:
        return client.list_all(key.name)
    if key.kind != CRD:
        return ()
    spec = manifest.get("spec") or {}
    kind = str((spec.get("names") or {}).get("kind"))
    for version in spec.get("versions") or ():
        api_version = f"{spec['group']}/{version['name']}"
        if version.get("served") and _serves(client, {"apiVersion": api_version, "kind": kind}):
            return client.list_kind(api_version, kind)
    return None


def _serves(client: Cluster, named: Mapping[str, Any]) -> bool:
    """Whether a cluster has a kind, which may have come since its kinds were listed."""
    if client.serves(named):
        return True
    client.forget_kinds()
    return client.serves(named)


class SharedLook:
    """One look that several plans share, so that nothing is read twice to be shown once.

    It is taken anew after anything was written, and when it is old. What is written is decided by
    a look of its own right before, so an old one causes a refusal, or leaves a change of the last
    seconds to the next run.

    Args:
        project: The project the clusters are joined to.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._look: Look | None = None
        self._until = 0.0
        self._lock = Lock()

    def get(self) -> Look:
        """The look, taken anew when it is old; steps that run side by side share it."""
        with self._lock:
            if self._look is None or time.monotonic() > self._until:
                self._look = Look(self._project, self.reached())
                self._until = time.monotonic() + _FRESH
            return self._look

    def renew(self) -> None:
        """Have the next look taken anew, as something was written."""
        self._until = 0.0

    def reached(self) -> dict[str, Reached | VelapulumiError]:
        """The clusters that have answered."""
        clusters = self._look.clusters if self._look else {}
        return {name: found for name, found in clusters.items() if isinstance(found, Reached)}
