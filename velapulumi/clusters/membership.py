"""Joining a cluster: it must answer, and a name never changes hands unseen. Probing it later."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from velapulumi.clusters.client import Cluster
from velapulumi.clusters.identity import reach
from velapulumi.clusters.kubeconfig import read_kubeconfig
from velapulumi.clusters.registry import JoinedCluster, RecordedVersion, Registry, check_name
from velapulumi.errors import VelapulumiError, WrongCluster
from velapulumi.files import now
from velapulumi.project import Project


def join_cluster(
    project: Project, path: Path, name: str | None, labels: Mapping[str, str] | None = None
) -> tuple[JoinedCluster, tuple[str, ...]]:
    """Join the cluster a kubeconfig's current context names.

    Args:
        project: The project.
        path: The kubeconfig.
        name: Its name; that of the context's cluster when not given.
        labels: Its labels, all of them; those it was joined with before when not given.

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
    before = next((entry for entry in known if entry.name == name), None)
    if before is not None and before.uid != identity.uid:
        raise WrongCluster(
            f"cluster {name} is already joined and is another cluster, at {before.endpoint}",
            next_step=f"Choose another --name, or first: velapulumi cluster detach {name}",
        )
    if labels is None:
        labels = before.labels if before else {}
    joined = JoinedCluster(
        name=name,
        type=kubeconfig.kind,
        endpoint=kubeconfig.endpoint,
        uid=identity.uid,
        joined=now(),
        labels=dict(labels),
        version=RecordedVersion.of(identity.version),
    )
    registry.add(joined, kubeconfig)
    twins = tuple(e.name for e in known if e.uid == identity.uid and e.name != name)
    return joined, twins


def probe_cluster(project: Project, name: str) -> JoinedCluster:
    """Contact a joined cluster and record its version anew.

    Raises:
        UnknownCluster: It is not joined, or this machine has no credentials for it.
        ClusterUnreachable: It does not answer or refuses the credentials.
        WrongCluster: It is not the one that was joined.
    """
    reached = reach(project, [name])[name]
    if isinstance(reached, VelapulumiError):
        raise reached
    version = RecordedVersion.of(reached.identity.version)
    if version == reached.joined.version:
        return reached.joined
    return Registry(project).update(
        name, lambda entry: entry.model_copy(update={"version": version})
    )
