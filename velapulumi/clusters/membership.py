"""Joining a cluster: it must answer, and a name never changes hands unseen. Probing it later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from velapulumi.clusters.client import Cluster
from velapulumi.clusters.identity import reach
from velapulumi.clusters.kubeconfig import read_kubeconfig
from velapulumi.clusters.registry import JoinedCluster, RecordedVersion, Registry, check_name
from velapulumi.errors import VelapulumiError, WrongCluster
from velapulumi.project import Project


def join_cluster(
    project: Project, path: Path, name: str | None, labels: Mapping[str, str] | None = None
) -> tuple[JoinedCluster, tuple[str, ...]]:
    """Join the cluster a kubeconfig's current context names.

    A cluster that is joined already gets another name, an alias.

    Args:
        project: The project.
        path: The kubeconfig.
        name: Its name; that of the context's cluster when not given.
        labels: Its labels, all of them; those it was joined with before when not given.

    Returns:
        The joined cluster, and its other names, the canonical one first unless it is this one.

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
        joined=before.joined if before else _joined_after(known, identity.uid),
        labels=dict(labels),
        version=RecordedVersion.of(identity.version),
        formerly=before.formerly if before else (),
    )
    registry.add(joined, kubeconfig)
    return joined, tuple(each for each in registry.names_of(name) if each != name)


def _joined_after(known: Iterable[JoinedCluster], uid: str) -> str:
    """The time for a new name of a cluster: now, and later than its other names were joined.

    The earliest name is the canonical one. A new name must not become it, not even when it is
    joined in the same second or on a machine whose clock is behind.
    """
    times = [datetime.fromisoformat(entry.joined) for entry in known if entry.uid == uid]
    later = [time + timedelta(seconds=1) for time in times]
    return max([datetime.now(UTC), *later]).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def probe_cluster(project: Project, name: str) -> JoinedCluster:
    """Contact a joined cluster and record its version anew, for all of its names.

    Raises:
        UnknownCluster: It is not joined, or this machine has no credentials for it.
        ClusterUnreachable: It does not answer or refuses the credentials.
        WrongCluster: It is not the one that was joined.
    """
    reached = reach(project, [name])[name]
    if isinstance(reached, VelapulumiError):
        raise reached
    version = RecordedVersion.of(reached.identity.version)
    registry = Registry(project)
    for each in registry.names_of(name):
        if registry.get(each).version != version:
            registry.update(each, lambda entry: entry.model_copy(update={"version": version}))
    return registry.get(name)
