"""Deleting an application: nothing is given up while another run uses its stack."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from tests.unit.helpers import FakeCluster, deployment, manifest, reached, resource, store
from velapulumi.clusters.identity import Reached
from velapulumi.delivery import remove
from velapulumi.delivery.remove import Removal
from velapulumi.delivery.runlock import running
from velapulumi.engine import automation, locks
from velapulumi.errors import (
    AccessDenied,
    ClusterUnreachable,
    ObjectRefused,
    PlanChanged,
    RunInProgress,
    StackLocked,
    VelapulumiError,
)
from velapulumi.project import Project, StackName

STACK = StackName("shop", "prod")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done to clusters and stack, in order."""
    found: list[str] = []

    class Engine:
        def __init__(self, *_: object) -> None:
            pass

        def destroy(self, stack: StackName, clusters: object) -> None:
            found.append(f"destroy {stack}")

        def forget(self, stack: StackName, gone: Iterable[Any]) -> None:
            found.append(f"forget {stack} {' '.join(sorted(key.name for key in gone))}")

    def release(application: str, going: Iterable[Any], clusters: Mapping[str, Any]) -> None:
        found.extend(f"release {each.key.name}" for each in going)

    monkeypatch.setattr(automation, "Engine", Engine)
    monkeypatch.setattr("velapulumi.stage.release.release", release)
    live = [manifest("web"), manifest("api")]
    answer(monkeypatch, lambda name: reached(name, FakeCluster(*live)))
    return found


def answer(
    monkeypatch: pytest.MonkeyPatch, clusters: Callable[[str], Reached | VelapulumiError]
) -> None:
    """Have every cluster that is asked for answer."""
    monkeypatch.setattr(
        "velapulumi.stage.look.reach", lambda _, names: {name: clusters(name) for name in names}
    )


def delete(project: Project, *stages: str, shown: Sequence[Removal] | None = None) -> None:
    found = remove.removals(project, "shop", stages or ["prod"])
    remove.remove(project, "shop", found if shown is None else shown, lambda text: None)


def test_objects_are_given_up_before_the_stack_is_gone(project: Project, done: list[str]) -> None:
    store(project, STACK, deployment(resource("east", manifest("web"), retainOnDelete=True)))
    delete(project)
    assert done == ["release web", "destroy shop.prod"]
    assert not project.config_file(STACK).exists()


def test_what_has_gone_is_forgotten_and_nothing_is_said_to_be_deleted(
    project: Project, done: list[str]
) -> None:
    held = [resource("east", manifest(name)) for name in ("web", "lost")]
    store(project, STACK, deployment(*held))
    (removal,) = remove.removals(project, "shop", ["prod"])
    (cluster,) = removal.plan.clusters
    assert {each.name: each.operation for each in cluster.objects} == {
        "web": "delete", "lost": "forget",
    }  # fmt: skip
    assert done == []
    delete(project)
    assert done == ["forget shop.prod lost", "destroy shop.prod"]


@pytest.mark.parametrize("second", [False, True])
def test_a_silent_cluster_stops_it_before_anything_of_any_stage(
    project: Project, done: list[str], monkeypatch: pytest.MonkeyPatch, second: bool
) -> None:
    held = {"prod": "east", "staging": "west"}
    for stage, cluster in held.items():
        store(project, StackName("shop", stage), deployment(resource(cluster, manifest("web"))))
    silent = "west" if second else "east"
    gone = ClusterUnreachable("no answer")
    answer(monkeypatch, lambda name: gone if name == silent else reached(name, FakeCluster()))
    with pytest.raises(ClusterUnreachable):
        delete(project, *held)
    assert done == []
    assert all(project.config_file(StackName("shop", stage)).exists() for stage in held)


def test_what_is_recorded_goes_last(project: Project, done: list[str]) -> None:
    recorded = [
        project.gate_file("shop"),
        project.journal_file("shop"),
        project.revision_file("shop", "shop-v1"),
    ]
    for path in recorded:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    theirs = project.gate_file("blog")
    theirs.touch()
    delete(project)
    assert done == []
    assert [path for path in recorded if path.exists()] == []
    assert not recorded[-1].parent.exists()
    assert theirs.exists()


def test_a_stack_that_is_held_keeps_all_that_is_recorded(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object) -> None:
        raise StackLocked("held")

    monkeypatch.setattr(Removal, "run", locked)
    monkeypatch.setattr(automation, "Engine", lambda *_: None)
    for path in (project.gate_file("shop"), project.journal_file("shop")):
        path.touch()
    with pytest.raises(StackLocked):
        delete(project)
    assert project.gate_file("shop").exists()
    assert project.journal_file("shop").exists()


def test_an_application_that_is_being_delivered_is_not_deleted(
    project: Project, done: list[str]
) -> None:
    store(project, STACK, deployment(resource("east", manifest("web"), retainOnDelete=True)))
    with running(project, "shop", "up"), pytest.raises(RunInProgress) as caught:
        delete(project)
    assert caught.value.message.startswith("application shop is being delivered by ")
    assert done == []
    assert project.config_file(STACK).exists()


def test_nothing_is_given_up_while_another_run_holds_the_stack(
    project: Project, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "PATIENCE", 0.05)
    store(project, STACK, deployment(resource("east", manifest("web"), retainOnDelete=True)))
    folder = project.state / "backend/.pulumi/locks/organization/test/shop.prod"
    folder.mkdir(parents=True)
    owner = {"username": "ann", "hostname": "elsewhere", "pid": 1, "timestamp": "2026-01-01"}
    (folder / "1.json").write_text(json.dumps(owner))
    with pytest.raises(StackLocked, match="is in use by ann@elsewhere"):
        delete(project)
    assert done == []
    assert project.config_file(STACK).exists()


NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "data", "labels": manifest()["metadata"]["labels"]},
}
INSIDE = manifest("inside")
INSIDE["metadata"]["namespace"] = "data"
INFRA, APP = StackName("shop", "infra"), StackName("shop", "app")


class Filled(FakeCluster):
    """A cluster with the namespace and what is in it."""

    def __init__(self, *inside: Mapping[str, Any], error: Exception | None = None) -> None:
        super().__init__(NAMESPACE, *inside)
        self._inside, self._failure = inside, error

    def list_all(self, namespace: str) -> Iterator[Mapping[str, Any]]:
        if self._failure:
            raise self._failure
        yield from self._inside


@pytest.mark.parametrize("stages", [["infra", "app"], ["app", "infra"]])
def test_what_lies_in_a_namespace_goes_before_it_whatever_stages_they_are_of(
    project: Project, done: list[str], monkeypatch: pytest.MonkeyPatch, stages: list[str]
) -> None:
    store(project, INFRA, deployment(resource("east", NAMESPACE)))
    store(project, APP, deployment(resource("east", INSIDE)))

    def cluster(name: str) -> Reached:
        gone = "destroy shop.app" in done
        return reached(name, Filled() if gone else Filled(INSIDE))

    answer(monkeypatch, cluster)
    shown = remove.removals(project, "shop", stages)
    assert [each.stack for each in shown] == [APP, INFRA]
    delete(project, shown=shown)
    assert done == ["destroy shop.app", "destroy shop.infra"]


def test_what_no_stack_holds_keeps_a_namespace(
    project: Project, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store(project, INFRA, deployment(resource("east", NAMESPACE)))
    answer(monkeypatch, lambda name: reached(name, Filled(INSIDE)))
    with pytest.raises(ObjectRefused, match="holds 1 Deployment of this application"):
        delete(project, "infra")
    assert done == []


@pytest.mark.parametrize("error", [AccessDenied("cannot list"), ClusterUnreachable("silent")])
def test_what_nobody_can_look_into_is_not_deleted(
    project: Project, done: list[str], monkeypatch: pytest.MonkeyPatch, error: VelapulumiError
) -> None:
    store(project, INFRA, deployment(resource("east", NAMESPACE)))
    answer(monkeypatch, lambda name: reached(name, Filled(error=error)))
    (shown,) = remove.removals(project, "shop", ["infra"])
    (cluster,) = shown.plan.clusters
    assert [each.operation for each in cluster.objects] in (["refuse"], ["owed"])
    with pytest.raises(type(error), match=error.message):
        delete(project, shown=[shown])
    assert done == []


def theirs(name: str) -> dict[str, Any]:
    """An object as another application has it now."""
    found = manifest(name)
    found["metadata"]["labels"] |= {"app.oam.dev/name": "blog"}
    return found


def test_nothing_is_deleted_when_something_would_be_that_was_not_shown(
    project: Project, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store(project, APP, deployment(resource("east", manifest("web"))))
    store(project, STACK, deployment(resource("east", manifest("api"))))
    answer(monkeypatch, lambda name: reached(name, FakeCluster(manifest("web"), theirs("api"))))
    shown = remove.removals(project, "shop", ["app", "prod"])
    answer(monkeypatch, lambda name: reached(name, FakeCluster(manifest("web"), manifest("api"))))
    with pytest.raises(PlanChanged, match="api on east: shown was forget, now it is delete"):
        delete(project, shown=shown)
    assert done == []


def test_less_than_was_shown_may_be_deleted(
    project: Project, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [resource("east", manifest(name)) for name in ("web", "api")]
    store(project, STACK, deployment(*held))
    shown = remove.removals(project, "shop", ["prod"])
    answer(monkeypatch, lambda name: reached(name, FakeCluster(manifest("web"), theirs("api"))))
    delete(project, shown=shown)
    assert done == ["forget shop.prod api", "destroy shop.prod"]


def test_a_stack_that_has_come_since_is_not_left_without_its_records(
    project: Project, done: list[str]
) -> None:
    store(project, STACK, deployment(resource("east", manifest("web"))))
    shown = remove.removals(project, "shop", ["prod"])
    store(project, APP, deployment(resource("east", manifest("api"))))
    with pytest.raises(PlanChanged, match=r"not there before: shop\.app"):
        delete(project, shown=shown)
    assert done == []
