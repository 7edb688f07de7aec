"""Which applications use a cluster; detaching and renaming clusters.

Stacks know clusters by identity, so a name may go or change while they hold objects there. Only the
last name of a cluster stays until nothing is left.
"""

from __future__ import annotations

from collections.abc import Iterator

from velapulumi.clusters.registry import LOCAL, Registry, check_name
from velapulumi.engine.record import StageRecord
from velapulumi.engine.stacks import read_record
from velapulumi.errors import ClusterInUse, UsageProblem
from velapulumi.project import Project, StackName


def stacks_on(project: Project, cluster: str) -> tuple[StackName, ...]:
    """The stacks that hold objects on a cluster.

    Args:
        project: The project.
        cluster: Any name of the cluster.

    Raises:
        InvalidFile: A stack or the registry is damaged.
    """
    return tuple(stack for stack, _ in _holders(project, cluster))


def users_of(project: Project, cluster: str) -> list[str]:
    """The stages with objects on a cluster, in KubeVela's words.

    Args:
        project: The project.
        cluster: Any name of the cluster.

    Raises:
        InvalidFile: A stack or the registry is damaged.
    """
    return [
        f"application {record.outputs.get('namespace') or 'default'}/{stack.application} "
        f"(env: {stack.stage}) is currently using cluster {cluster}"
        for stack, record in _holders(project, cluster)
    ]


def detach_cluster(project: Project, cluster: str) -> None:
    """Forget a name of a cluster and the credentials stored under it.

    Raises:
        UsageProblem: The name is reserved.
        UnknownCluster: No such cluster is joined.
        ClusterInUse: It is the last name of the cluster, and a stack still has objects there.
    """
    if cluster == LOCAL:
        raise UsageProblem("cannot delete `local` cluster, it is reserved as the local cluster")
    registry = Registry(project)
    registry.get(cluster)
    alone = len(registry.names_of(cluster)) == 1
    if alone and (users := users_of(project, cluster)):
        raise ClusterInUse(f"cluster {cluster} is in use now: {_listed(users)}")
    registry.remove(cluster)


def rename_cluster(project: Project, old: str, new: str) -> None:
    """Give a cluster another name; what stacks hold there stays as it is.

    Raises:
        UsageProblem: A name is reserved, not allowed or that of another cluster.
        UnknownCluster: No such cluster is joined.
    """
    if old == LOCAL:
        raise UsageProblem("cannot rename `local` cluster, it is reserved as the local cluster")
    registry = Registry(project)
    registry.get(old)
    check_name(new)
    registry.rename(old, new)


def _holders(project: Project, cluster: str) -> Iterator[tuple[StackName, StageRecord]]:
    """The stacks with objects on a cluster, perhaps of an interrupted run, and what they hold."""
    names = Registry(project).names()
    wanted = names.canonical(cluster)
    for stack in project.stack_names():
        record = read_record(project, stack)
        used = (*record.objects, *record.pending.values()) if record else ()
        if record and any(names.canonical(each.cluster) == wanted for each in used):
            yield stack, record


def _listed(users: list[str]) -> str:
    if len(users) < 2:
        return "".join(users)
    texts = ", ".join(f"({user})" for user in users)
    return f"Found {len(users)} errors. [{texts}]"
