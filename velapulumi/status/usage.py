"""Which applications use a cluster, and detaching one that none does."""

from __future__ import annotations

from velapulumi.clusters.registry import LOCAL, Registry
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
    users = users_of(project, cluster)
    if users:
        texts = ", ".join(f"({user})" for user in users)
        found = users[0] if len(users) == 1 else f"Found {len(users)} errors. [{texts}]"
        raise ClusterInUse(f"cluster {cluster} is in use now: {found}")
    registry.remove(cluster)
