"""Making sure, before anything is changed, that each cluster answers and is the one it was."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from velapulumi.clusters.client import Cluster, Identity
from velapulumi.clusters.registry import JoinedCluster, Registry
from velapulumi.errors import VelapulumiError, WrongCluster
from velapulumi.project import Project


@dataclass(frozen=True)
class Reached:
    """A cluster that answered and is the one joined under its name.

    Attributes:
        joined: What is recorded of it.
        identity: What it says of itself now, its version included.
        client: How to talk to it.
    """

    joined: JoinedCluster
    identity: Identity
    client: Cluster

    @property
    def warning(self) -> str:
        """That another version is recorded than it runs now; empty when it is not so."""
        recorded, live = self.joined.version, self.identity.version
        if recorded is None or (recorded.minor, recorded.git_version) == (
            live.minor,
            live.git_version,
        ):
            return ""
        name = self.joined.name
        return (
            f"cluster {name} runs {live.git_version} now, {recorded.git_version} is recorded: "
            f"run `velapulumi cluster probe {name}`"
        )


def open_cluster(project: Project, name: str) -> tuple[JoinedCluster, Cluster]:
    """A client for a joined cluster; the cluster itself is not contacted yet.

    Raises:
        UnknownCluster: It is not joined, or this machine has no credentials for it.
        ClusterUnreachable: The credentials cannot be used.
    """
    registry = Registry(project)
    joined = registry.get(name)
    client = Cluster(name, registry.kubeconfig(name), scratch=project.credentials / "run")
    return joined, client


def reach(project: Project, names: Iterable[str]) -> dict[str, Reached | VelapulumiError]:
    """Contact clusters side by side.

    Args:
        project: The project they are joined to.
        names: Their names.

    Returns:
        For each name the reached cluster, or why it is not usable: ``UnknownCluster``,
        ``ClusterUnreachable`` or ``WrongCluster``.
    """
    wanted = sorted(set(names))
    if not wanted:
        return {}
    with ThreadPoolExecutor(max_workers=min(len(wanted), 16)) as pool:
        return dict(zip(wanted, pool.map(lambda name: _reach(project, name), wanted), strict=True))


def unusable(project: Project, names: Iterable[str]) -> dict[str, VelapulumiError]:
    """The clusters that cannot be used now, and why.

    Args:
        project: The project they are joined to.
        names: The names of those that are contacted.
    """
    answers = reach(project, names)
    return {name: error for name, error in answers.items() if isinstance(error, VelapulumiError)}


def _reach(project: Project, name: str) -> Reached | VelapulumiError:
    try:
        joined, client = open_cluster(project, name)
        identity = client.identity()
    except VelapulumiError as error:
        return error
    if identity.uid != joined.uid:
        return WrongCluster(
            f"cluster {name} at {client.endpoint} is not the one joined under that name: "
            f"its identity is {identity.uid}, joined was {joined.uid}"
        )
    return Reached(joined, identity, client)
