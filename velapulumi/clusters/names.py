"""The names of clusters. A cluster is what its identity says, and it may have several names.

One name of each identity is canonical: the one that was joined first. The others are aliases.
Everything above the registry works with canonical names, so there a name is as good as an identity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from velapulumi.clusters.registry import JoinedCluster


class ClusterNames:
    """The names of all joined clusters at one moment.

    Args:
        clusters: The joined clusters, one entry for each name.
    """

    def __init__(self, clusters: Iterable[JoinedCluster] = ()) -> None:
        self._by_uid: dict[str, list[JoinedCluster]] = {}
        for entry in sorted(clusters, key=_age):
            self._by_uid.setdefault(entry.uid, []).append(entry)
        self._by_name = {
            entry.name: entries for entries in self._by_uid.values() for entry in entries
        }
        self._by_former_name = {
            former: entries
            for entries in self._by_uid.values()
            for entry in entries
            for former in entry.formerly
            if former not in self._by_name
        }

    def canonical(self, name: str) -> str:
        """The canonical name of a cluster; a name that is not joined stays as it is."""
        return self.names_of(name)[0]

    def names_of(self, name: str) -> tuple[str, ...]:
        """All names of the cluster of this name, the canonical one first."""
        return tuple(entry.name for entry in self._by_name.get(name, ())) or (name,)

    def name_of(self, uid: str) -> str | None:
        """The canonical name of an identity; None when it is not joined."""
        entries = self._by_uid.get(uid)
        return entries[0].name if entries else None

    def aliases(self) -> Mapping[str, str]:
        """The canonical name of each alias."""
        return {
            entry.name: entries[0].name
            for entries in self._by_uid.values()
            for entry in entries[1:]
        }

    def first_name(self, uid: str) -> str | None:
        """The name an identity had first, which its objects carry; None when it is not joined.

        It stays the same when the cluster is renamed or the name detached, so that objects do not
        change then. Only when another cluster is given that name, the cluster loses it.
        """
        entries = self._by_uid.get(uid)
        if not entries:
            return None
        return next(iter(entries[0].formerly), entries[0].name)

    def renamed(self, name: str) -> str | None:
        """The canonical name of a cluster that once had a name which is not joined now."""
        entries = self._by_former_name.get(name)
        return entries[0].name if entries else None

    def every_name(self, names: Iterable[str]) -> tuple[str, ...]:
        """All names that some clusters have or had, each once.

        Whoever compares names with patterns compares them all, so that nobody escapes a pattern by
        giving a cluster another name.

        Args:
            names: A name of each cluster, joined or not.
        """
        found: dict[str, None] = {}
        for name in names:
            found[name] = None
            for entry in self._by_name.get(name) or self._by_former_name.get(name) or ():
                found |= dict.fromkeys((entry.name, *entry.formerly))
        return tuple(found)


def _age(entry: JoinedCluster) -> tuple[datetime, str]:
    return datetime.fromisoformat(entry.joined), entry.name
