"""Bringing a step's objects to clusters some of which it may fail on."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.helpers import (
    PROJECT_ID,
    FakeCluster,
    deployment,
    joined,
    kubeconfig,
    manifest,
    marked,
    parsed,
    reached,
    resource,
    store,
)
from velapulumi.clusters.registry import Registry
from velapulumi.delivery.apply import Applier, Errand
from velapulumi.engine.events import Listener
from velapulumi.errors import AccessDenied, ClusterProblem, EngineFailed, ObjectRefused
from velapulumi.plan.document import StagePlan
from velapulumi.program.application import Application, read_application
from velapulumi.project import Project, StackName
from velapulumi.stage.look import SharedLook
from velapulumi.stage.prepare import Prepared
from velapulumi.workflow.edge import Applied

TEXT = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components: [{name: web, type: worker, properties: {image: i}}]
  policies:
  - {name: all, type: topology, properties: {clusters: [east, west]}}
"""
STAGE = "deploy-all"


class Quiet:
    """Nobody is told anything; the plans are taken down."""

    def __init__(self) -> None:
        self.plans: list[StagePlan] = []

    def warning(self, text: str) -> None:
        raise AssertionError(text)

    def planned(self, title: str, plan: StagePlan) -> None:
        self.plans.append(plan)

    def progress(self, title: str, text: str) -> None:
        """Something goes on."""


class Applying(Applier):
    """The engine takes down which clusters it leaves alone, and says what a test has it say."""

    def __init__(self, application: Application, *, stopping: bool = False) -> None:
        interrupts: Any = SimpleNamespace(stopping=stopping)
        self.teller = Quiet()
        super().__init__(application, self.teller, interrupts, SharedLook(application.project))
        self.left_out: list[frozenset[str]] = []
        self.urn = ""
        self.refuses: ClusterProblem | None = None

    def _run_engine(self, prepared: Prepared, *rest: Any) -> None:
        self.left_out.append(prepared.without)
        if self.refuses and self.refuses.cluster not in prepared.without:
            raise self.refuses
        (listener,) = (each for each in rest if isinstance(each, Listener))
        if self.urn and not prepared.without:
            said = SimpleNamespace(severity="error", message="no", urn=self.urn, ephemeral=False)
            listener.on_event(
                SimpleNamespace(
                    diagnostic_event=said, resource_pre_event=None, res_outputs_event=None
                )
            )
            raise EngineFailed("it has failed")

    def go(self, *, tolerant: bool) -> Applied:
        application = self._application
        step = application.workflow.step(STAGE)
        errand = Errand(step, ("east", "west"), frozenset(), tolerant, 0.0)
        return self.apply(errand, application.run, lambda: None)


@pytest.fixture
def live(project: Project, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[dict[str, Any]]]:
    """What the clusters have; all of them answer."""
    found: dict[str, list[dict[str, Any]]] = {"east": [], "west": []}

    def reach(_: Project, names: Iterable[str]) -> dict[str, Any]:
        return {name: reached(name, FakeCluster(*found[name])) for name in names}

    for name in found:
        Registry(project).add(joined(name), parsed(kubeconfig(), project.root))
    for module in ("stage.prepare", "stage.look", "clusters.identity"):
        monkeypatch.setattr(f"velapulumi.{module}.reach", reach)
    monkeypatch.setattr("velapulumi.delivery.failures.unusable", lambda *_: {})
    return found


@pytest.fixture
def application(project: Project) -> Application:
    file = project.root / "app.yaml"
    file.write_text(TEXT)
    return read_application(project, file)


def going(name: str = "web") -> dict[str, Any]:
    """An object that somebody has deleted, and that a finalizer holds."""
    found = manifest(name)
    found["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/held"]}
    return found


def test_what_does_not_go_on_one_cluster_is_that_clusters_failure(
    application: Application, live: dict[str, list[dict[str, Any]]]
) -> None:
    live["east"].append(going())
    applier = Applying(application)
    applied = applier.go(tolerant=True)
    assert list(applied.failed) == ["east"]
    assert applied.failed["east"].message == (
        "Deployment default/web on east is being deleted since 2026-01-01T00:00:00Z; "
        "it waits for a/held"
    )
    assert applier.left_out == [frozenset({"east"})]


@pytest.mark.parametrize(("tolerant", "stopping"), [(False, False), (True, True)])
def test_it_ends_the_step_that_may_not_fail_and_the_run_that_is_to_stop(
    application: Application,
    live: dict[str, list[dict[str, Any]]],
    tolerant: bool,
    stopping: bool,
) -> None:
    for name in ("east", "west"):
        live[name].append(going())
    applier = Applying(application, stopping=stopping)
    with pytest.raises(ObjectRefused, match=r"on east is being deleted .*\n.* on west is being"):
        applier.go(tolerant=tolerant)
    assert applier.left_out == []


@pytest.mark.usefixtures("live")
def test_what_the_engine_says_of_a_renamed_cluster_is_that_clusters_failure(
    project: Project, application: Application
) -> None:
    """The stack calls ``east`` what it called it first."""
    provider = {
        "type": "pulumi:providers:kubernetes",
        "urn": "urn:pulumi:shop.s::p::pulumi:providers:kubernetes::old",
        "inputs": {"clusterIdentifier": "uid-east"},
    }
    store(project, StackName("shop", STAGE), deployment(provider, resource("old", manifest("x"))))
    applier = Applying(application)
    applier.urn = "urn:pulumi:shop.s::p::kubernetes:apps/v1:Deployment::old/default/web"
    applied = applier.go(tolerant=True)
    assert {name: error.message for name, error in applied.failed.items()} == {
        "east": "stack shop.deploy-all: no"
    }
    assert applier.left_out == [frozenset(), frozenset({"east"})]


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("kind", [AccessDenied, ObjectRefused])
def test_what_a_cluster_refuses_beside_the_engine_is_its_failure(
    application: Application, monkeypatch: pytest.MonkeyPatch, kind: type[ClusterProblem]
) -> None:
    monkeypatch.setattr("velapulumi.delivery.apply.unusable", lambda *_: {})
    applier = Applying(application)
    applier.refuses = kind("no")
    applier.refuses.cluster = "east"
    with pytest.raises(kind, match="no"):
        applier.go(tolerant=False)
    assert applier.go(tolerant=True).failed == {"east": applier.refuses}
    assert applier.left_out[-1] == frozenset({"east"})


def test_what_an_interrupted_run_made_goes_with_the_program_that_notes_the_approval(
    project: Project, application: Application, live: dict[str, list[dict[str, Any]]]
) -> None:
    """Gone before that, it would be missing from what was approved."""
    made = marked(manifest("made"))
    pending = [{"type": "creating", "resource": resource("east", made)}]
    held = {**deployment(project=PROJECT_ID), "pending_operations": pending}
    store(project, StackName("shop", STAGE), held)
    live["east"].append(made)
    applier = Applying(application)
    assert applier.go(tolerant=False).changed
    (plan,) = applier.teller.plans
    (east,) = (each for each in plan.clusters if each.cluster == "east")
    assert "delete made" in [f"{each.operation} {each.name}" for each in east.objects]
    assert applier.left_out == [frozenset()]
