"""Joining a cluster: it must answer, and a name never changes hands unseen."""

from __future__ import annotations

from pathlib import Path

from velapulumi.clusters.client import Cluster
from velapulumi.clusters.kubeconfig import read_kubeconfig
from velapulumi.clusters.registry import JoinedCluster, Registry, check_name
from velapulumi.errors import WrongCluster
from velapulumi.files import now
from velapulumi.project import Project


def join_cluster(
    project: Project, path: Path, name: str | None
) -> tuple[JoinedCluster, tuple[str, ...]]:
    """Join the cluster a kubeconfig's current context names.

    Args:
        project: The project.
        path: The kubeconfig.
        name: Its name; that of the context's cluster when not given.

    Returns:
        The joined cluster, and the names under which the very same one was joined before.

    Raises:
        InvalidKubeconfig: The kubeconfig cannot be used.
        UsageProblem: The name is not allowed.
        ClusterUnreachable: The cluster does not answer or refuses the credentials.
        WrongCluster: Another cluster is joined under that name.
    """
    kubeconfig = read_kubeconfig(path)
    name = kubeconfig.cluster if name is None else name
    check_name(name)
    registry = Registry(project)
    known = registry.all()
    identity = Cluster(name, kubeconfig.document, scratch=project.credentials / "run").identity()
    for entry in known:
        if entry.name == name and entry.uid != identity.uid:
            raise WrongCluster(
                f"cluster {name} is already joined and is another cluster, at {entry.endpoint}",
                next_step=f"Choose another --name, or first: velapulumi cluster detach {name}",
            )
    joined = JoinedCluster(
        name=name,
        type=kubeconfig.kind,
        endpoint=kubeconfig.endpoint,
        uid=identity.uid,
        joined=now(),
    )
    registry.add(joined, kubeconfig)
    twins = tuple(e.name for e in known if e.uid == identity.uid and e.name != name)
    return joined, twins
