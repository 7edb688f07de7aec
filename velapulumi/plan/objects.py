"""Names of objects over all clusters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, order=True)
class ObjectKey:
    """Identifies one object: its cluster, group and kind, namespace and name.

    The version of its API is no part of it: ``autoscaling/v1`` and ``autoscaling/v2`` serve one and
    the same object.

    Attributes:
        cluster: The canonical name of the cluster, one for each identity.
        namespace: Its namespace; empty for none.
        kind: Its kind.
        name: Its name.
        group: Its API group; empty for the core one.
    """

    cluster: str
    namespace: str
    kind: str
    name: str
    group: str

    @classmethod
    def of(cls, cluster: str, manifest: Mapping[str, Any]) -> ObjectKey:
        """The key of a manifest on a cluster."""
        metadata = manifest["metadata"]
        return cls(
            cluster,
            metadata.get("namespace") or "",
            manifest["kind"],
            metadata["name"],
            manifest["apiVersion"].rpartition("/")[0],
        )

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"
