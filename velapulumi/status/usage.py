"""Which applications use a cluster; detaching and renaming one that none does."""

from __future__ import annotations

from velapulumi.clusters.registry import LOCAL, Registry, check_name
from velapulumi.errors import ClusterInUse, UsageProblem
from velapulumi.program.stacks import read_record
from velapulumi.project import Project


def users_of(project: Project, cluster: str) -> list[str]:
    """The stages with objects on a cluster, in KubeVela's words.

    Raises:
        InvalidFile: A stack is damaged.
    """
    users = []
    for stack in project.stack_names():
        record = read_record(project, stack)
        if record is not None and any(entry.cluster == cluster for entry in record.objects):
            namespace = record.outputs.get("namespace") or "default"
            users.append(
                f"application {namespace}/{stack.application} (env: {stack.stage}) "
                f"is currently using cluster {cluster}"
            )
    return users


def detach_cluster(project: Project, cluster: str) -> None:
    """Forget a cluster and its credentials.

    Raises:
        UsageProblem: The name is reserved.
        UnknownCluster: No such cluster is joined.
        ClusterInUse: A stack still has objects there.
    """
    if cluster == LOCAL:
        raise UsageProblem("cannot delete `local` cluster, it is reserved as the local cluster")
    registry = Registry(project)
    registry.get(cluster)
    if users := _told_users(project, cluster):
        raise ClusterInUse(f"cluster {cluster} is in use now: {users}")
    registry.remove(cluster)


def rename_cluster(project: Project, old: str, new: str) -> None:
    """Give a cluster another name.

    Raises:
        UsageProblem: A name is reserved, not allowed or that of another cluster.
        UnknownCluster: No such cluster is joined.
        ClusterInUse: A stack still has objects there.
    """
    if old == LOCAL:
        raise UsageProblem("cannot rename `local` cluster, it is reserved as the local cluster")
    registry = Registry(project)
    registry.get(old)
    check_name(new)
    if users := _told_users(project, old):
        raise ClusterInUse(f"cluster {old} is not mutable now: {users}")
    registry.rename(old, new)


def _told_users(project: Project, cluster: str) -> str:
    users = users_of(project, cluster)
    if len(users) < 2:
        return "".join(users)
    texts = ", ".join(f"({user})" for user in users)
    return f"Found {len(users)} errors. [{texts}]"
