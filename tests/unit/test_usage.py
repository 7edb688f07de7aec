"""Who uses a cluster, and what may be detached or deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.helpers import (
    V1,
    deploy,
    deployment,
    joined,
    kubeconfig,
    manifest,
    parsed,
    resource,
    revision,
    store,
    suspend,
)
from velapulumi.clusters.registry import Registry
from velapulumi.delivery.remove import stages_of
from velapulumi.errors import ClusterInUse, UnknownApplication, UnknownCluster, UsageProblem
from velapulumi.gate.file import update_gate
from velapulumi.project import Project, StackName
from velapulumi.status.usage import detach_cluster, rename_cluster, stacks_on, users_of


def use(project: Project, stack: str, cluster: str, **outputs: Any) -> None:
    name = StackName.parse(stack)
    assert name is not None
    store(project, name, deployment(resource(cluster, manifest()), **outputs))


def join(project: Project, name: str) -> None:
    Registry(project).add(joined(name), parsed(kubeconfig(), project.root))


def test_a_cluster_that_nobody_uses_is_detached(project: Project) -> None:
    join(project, "east")
    use(project, "shop.prod", "west")
    store(project, StackName("shop", "staging"), deployment())
    project.config_file(StackName("blog", "prod")).touch()
    assert users_of(project, "east") == []
    detach_cluster(project, "east")
    assert Registry(project).all() == []


def test_one_user_is_told_in_kubevelas_words(project: Project) -> None:
    join(project, "east")
    use(project, "shop.prod", "east", namespace="team")
    user = "application team/shop (env: prod) is currently using cluster east"
    assert users_of(project, "east") == [user]
    with pytest.raises(ClusterInUse) as caught:
        detach_cluster(project, "east")
    assert caught.value.message == f"cluster east is in use now: {user}"
    assert Registry(project).get("east") == joined("east")


def test_what_an_interrupted_run_was_making_uses_its_cluster(project: Project) -> None:
    """Else nobody could end it, or take it back."""
    join(project, "east")
    begun = {"type": "creating", "resource": resource("east", manifest())}
    killed = {**deployment(), "pending_operations": [begun]}
    store(project, StackName("shop", "prod"), killed)
    with pytest.raises(ClusterInUse):
        detach_cluster(project, "east")


def test_two_users_are_counted(project: Project) -> None:
    join(project, "east")
    use(project, "shop.prod", "east")
    use(project, "blog.prod", "east")
    with pytest.raises(ClusterInUse) as caught:
        detach_cluster(project, "east")
    assert caught.value.message == (
        "cluster east is in use now: Found 2 errors. ["
        "(application default/blog (env: prod) is currently using cluster east), "
        "(application default/shop (env: prod) is currently using cluster east)]"
    )


def test_what_is_not_joined_cannot_be_detached(project: Project) -> None:
    with pytest.raises(UnknownCluster, match=r"^no such cluster: east$"):
        detach_cluster(project, "east")
    with pytest.raises(UsageProblem) as caught:
        detach_cluster(project, "local")
    assert caught.value.message == (
        "cannot delete `local` cluster, it is reserved as the local cluster"
    )


def test_a_cluster_is_renamed_while_it_is_used(project: Project) -> None:
    join(project, "east")
    use(project, "shop.prod", "east")
    rename_cluster(project, "east", "west")
    assert [entry.name for entry in Registry(project).all()] == ["west"]


def test_only_the_last_name_of_a_cluster_stays_while_it_is_used(project: Project) -> None:
    for name, second in (("east", 5), ("west", 6), ("north", 7)):
        entry = joined(name, "uid").model_copy(update={"joined": f"2026-01-02T03:04:0{second}Z"})
        Registry(project).add(entry, parsed(kubeconfig(), project.root))
    use(project, "shop.prod", "east")
    for name in ("east", "west", "north"):
        assert stacks_on(project, name) == (StackName("shop", "prod"),)
        assert users_of(project, name) == [
            f"application default/shop (env: prod) is currently using cluster {name}"
        ]
    detach_cluster(project, "west")
    detach_cluster(project, "north")
    with pytest.raises(ClusterInUse, match=r"^cluster east is in use now: application default/sh"):
        detach_cluster(project, "east")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("local", "west", "cannot rename `local` cluster, it is reserved as the local cluster"),
        ("east", "local", "ClusterName cannot be `local`, it is reserved as the local cluster"),
        ("east", "", "ClusterName cannot be empty"),
        ("east", "../x", "cluster name '../x' is not a DNS name"),
        ("east", "east", "cannot set cluster name to east: cluster east is already joined"),
        ("gone", "west", "no such cluster: gone"),
    ],
)
def test_names_that_cannot_be_changed(project: Project, old: str, new: str, message: str) -> None:
    join(project, "east")
    with pytest.raises(UsageProblem) as caught:
        rename_cluster(project, old, new)
    assert caught.value.message.startswith(message)
    assert Registry(project).all() == [joined("east")]


def test_stages_are_deleted_the_last_one_first(project: Project) -> None:
    steps = (deploy("staging"), suspend("ask"), deploy("prod"), deploy("dr"))
    update_gate(project.gate_file("shop"), "shop", lambda gate: gate.begin(revision(V1), steps))
    for stage in ("staging", "prod", "dr", "gone"):
        project.config_file(StackName("shop", stage)).touch()
    project.config_file(StackName("blog", "test")).touch()
    assert stages_of(project, "shop") == ["dr", "prod", "staging", "gone"]
    assert stages_of(project, "blog") == ["test"]
    with pytest.raises(UnknownApplication):
        stages_of(project, "other")
