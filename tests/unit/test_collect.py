"""Deleting what an application does not deliver any more: what goes, what is handed over."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.helpers import (
    FakeCluster,
    deployment,
    joined,
    kubeconfig,
    manifest,
    parsed,
    reached,
    resource,
    store,
)
from velapulumi.clusters.registry import Registry
from velapulumi.delivery import collect, engine
from velapulumi.delivery.collect import Collector, abandoned, destroy
from velapulumi.delivery.interrupts import Interrupts
from velapulumi.errors import ClusterUnreachable
from velapulumi.gate.journal import Journal
from velapulumi.plan.changes import Action, ObjectKey, Plan
from velapulumi.program.application import Application, read_application
from velapulumi.program.prepare import prepare
from velapulumi.program.record import without
from velapulumi.program.stacks import read_record
from velapulumi.project import Project, StackName
from velapulumi.workflow.entries import Entry, Kind

TEXT = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components: [{name: web, type: worker, properties: {image: i}}]
  policies:
  - {name: east, type: topology, properties: {clusters: [east]}}
  - {name: west, type: topology, properties: {clusters: [west, north]}}
"""
KEEP = """\
  - name: keep
    type: garbage-collect
    properties: {rules: [{selector: {resourceNames: [gone]}, strategy: onAppDelete}]}
"""
EAST, WEST = "deploy-east", "deploy-west"


class FakeEngine:
    """Takes down what it is told, and forgets as it is told."""

    def __init__(self, project: Project, *_: object) -> None:
        self._project = project

    def up(self, stack: StackName, program: Callable[[], None], *_: object) -> None:
        Shop.done.append(f"up {stack}")

    def forget(self, stack: StackName, objects: Iterable[ObjectKey]) -> None:
        path = path_of(self._project, stack.stage)
        document = json.loads(path.read_text())
        before = read_record(self._project, stack)
        latest = document["checkpoint"]["latest"]
        document["checkpoint"]["latest"] = without(latest, frozenset(objects))
        path.write_text(json.dumps(document))
        after = read_record(self._project, stack)
        assert before is not None
        assert after is not None
        gone = [e for e in before.objects if e not in after.objects]
        names = " ".join(e.manifest["metadata"]["name"] for e in gone)
        Shop.done.append(f"forget {stack} {names}".rstrip())

    def destroy(self, stack: StackName, clusters: object) -> None:
        Shop.done.append(f"destroy {stack}")


class Teller:
    """Takes down the plans it is told of."""

    def __init__(self) -> None:
        self.plans: list[tuple[str, Plan]] = []

    def warning(self, text: str) -> None:
        raise AssertionError(text)

    def planned(self, title: str, plan: Plan) -> None:
        self.plans.append((title, plan))

    def progress(self, title: str, text: str) -> None:
        Shop.done.append(f"tell {text}")


class Shop:
    """The application on three clusters, and what its stacks hold."""

    done: list[str]

    def __init__(self, project: Project) -> None:
        self.project = project
        for cluster in ("east", "west", "north"):
            Registry(project).add(joined(cluster), parsed(kubeconfig(), project.root))
        self.write(TEXT)
        self.teller = Teller()

    def write(self, text: str) -> None:
        (self.project.root / "app.yaml").write_text(text)

    @property
    def application(self) -> Application:
        return read_application(self.project, self.project.root / "app.yaml")

    def delivered(
        self, stage: str, *more: tuple[str, Mapping[str, Any]], revision: str = ""
    ) -> None:
        """Let a stage hold what it delivers, and more."""
        application = self.application
        application.begin()
        now = revision or str(application.revision)
        made = prepare(application, stage)
        objects = [(d.entry.cluster, d.entry.manifest) for d in made.desired if d.entry.target]
        self.hold(stage, *objects, *more, steps={stage: now}, revision=now)

    def hold(self, stage: str, *objects: tuple[str, Mapping[str, Any]], **outputs: Any) -> None:
        """Let a stage hold objects."""
        resources = [
            resource(cluster, each, urn=f"urn:pulumi:x::p::kubernetes:y::{cluster}/{number}")
            for number, (cluster, each) in enumerate(objects)
        ]
        store(self.project, StackName("shop", stage), deployment(*resources, **outputs))

    @property
    def collector(self) -> Collector:
        interrupts = Interrupts(lambda: None)
        return Collector(self.application, self.teller, interrupts, 60)

    def stages(self) -> list[str]:
        return self.collector.stages({})

    def collect(self, stage: str) -> bool:
        return self.collector.collect(stage, {}, lambda: self.done.append("intent"))

    def going(self) -> list[tuple[str, list[str]]]:
        """What the plans that were told take away."""
        return [
            (title, [f"{c.action} {c.key.name} {c.key.cluster}" for c in plan.changes])
            for title, plan in self.teller.plans
        ]


def path_of(project: Project, stage: str) -> Path:
    return project.state / "backend/.pulumi/stacks/test" / f"shop.{stage}.json"


@pytest.fixture
def shop(project: Project, monkeypatch: pytest.MonkeyPatch) -> Shop:
    def reach(project: Project, names: Iterable[str]) -> dict[str, Any]:
        return {name: reached(name, FakeCluster()) for name in names}

    monkeypatch.setattr(engine, "Engine", FakeEngine)
    monkeypatch.setattr("velapulumi.program.prepare.reach", reach)
    monkeypatch.setattr(collect, "reach", reach)
    Shop.done = []
    return Shop(project)


GONE = ("east", manifest("gone"))


def test_what_holds_only_what_is_delivered_is_not_collected(shop: Shop) -> None:
    assert shop.stages() == []
    shop.delivered(EAST)
    shop.delivered(WEST)
    assert shop.stages() == []


def test_a_stage_is_collected_when_it_holds_more_than_it_delivers(shop: Shop) -> None:
    shop.delivered(EAST, GONE)
    shop.delivered(WEST)
    assert shop.stages() == [EAST]
    assert shop.collect(EAST)
    assert shop.done == ["intent", f"up shop.{EAST}"]
    assert shop.going() == [(EAST, ["delete gone east"])]


def test_what_has_not_delivered_this_revision_is_not_collected(shop: Shop) -> None:
    shop.delivered(EAST, GONE, revision="shop-v9:0123456789abcdef")
    assert shop.stages() == []
    assert not shop.collect(EAST)
    assert not shop.collect(WEST)
    assert (shop.done, shop.going()) == ([], [])


def test_what_a_policy_keeps_is_not_collected(shop: Shop) -> None:
    shop.write(TEXT + KEEP)
    shop.delivered(EAST, GONE)
    shop.hold("old", GONE)
    assert shop.stages() == []
    assert list(abandoned(shop.application)) == []


def test_what_another_stage_has_taken_over_is_only_forgotten(shop: Shop) -> None:
    west = prepare(shop.application, WEST).desired[0].entry
    moved = (west.cluster, west.manifest)
    shop.delivered(EAST, moved)
    shop.delivered(WEST)
    assert shop.stages() == [EAST]
    assert shop.collect(EAST)
    assert shop.done == ["intent", f"forget shop.{EAST} web"]
    assert shop.going() == []
    assert shop.stages() == []


def test_what_is_forgotten_is_not_among_what_is_deleted(shop: Shop) -> None:
    west = prepare(shop.application, WEST).desired[0].entry
    shop.delivered(EAST, (west.cluster, west.manifest), GONE)
    shop.delivered(WEST)
    assert shop.collect(EAST)
    assert shop.done == ["intent", f"forget shop.{EAST} web", f"up shop.{EAST}"]
    assert shop.going() == [(EAST, ["delete gone east"])]


def test_a_cluster_that_was_lost_is_left_as_it_is(shop: Shop) -> None:
    shop.delivered(WEST, ("west", manifest("gone")), ("north", manifest("gone")))
    application = shop.application
    journal = Journal(shop.project.journal_file("shop"))
    revision, run = str(application.revision), application.gate.run
    journal.append(Entry(at=1, kind=Kind.BEGIN, revision=revision, run=run))
    journal.append(
        Entry(at=2, kind=Kind.APPLIED, step=WEST, clusters=("north",), failed={"north": "gone"})
    )
    assert shop.stages() == [WEST]
    assert shop.collect(WEST)
    assert shop.going() == [(WEST, ["delete gone west"])]


def test_a_cluster_that_does_not_answer_stops_it_before_anything(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.delivered(EAST, GONE)
    gone = ClusterUnreachable("no answer")
    monkeypatch.setattr(
        "velapulumi.program.prepare.reach", lambda _, names: dict.fromkeys(names, gone)
    )
    with pytest.raises(ClusterUnreachable):
        shop.collect(EAST)
    assert shop.done == []


def test_stacks_to_which_no_step_delivers_come_last(shop: Shop) -> None:
    shop.delivered(EAST, GONE)
    shop.hold("a-first", GONE)
    shop.hold("z-empty")
    store(shop.project, StackName("blog", "old"), deployment(resource(*GONE)))
    assert [str(stack) for stack in abandoned(shop.application)] == ["shop.a-first", "shop.z-empty"]
    assert shop.stages() == [EAST, "a-first", "z-empty"]


def test_such_a_stack_is_deleted_but_for_what_others_hold(shop: Shop) -> None:
    shop.delivered(WEST)
    west = prepare(shop.application, WEST).desired[0].entry
    shop.hold("old", (west.cluster, west.manifest), GONE)
    assert shop.collect("old")
    assert shop.done == [
        "intent",
        "forget shop.old web",
        "tell old: deleting",
        "destroy shop.old",
    ]
    assert shop.going() == [("old", ["delete gone east"])]
    assert not shop.project.config_file(StackName("shop", "old")).exists()
    assert shop.project.config_file(StackName("shop", WEST)).exists()


def test_a_configuration_without_a_stack_goes_too(shop: Shop) -> None:
    shop.delivered(EAST)
    config = shop.project.config_file(StackName("shop", "old"))
    config.touch()
    assert shop.collect("old")
    assert shop.done == ["intent"]
    assert not config.exists()


def test_what_steps_have_published_counts(shop: Shop) -> None:
    """A component that has its input from a step is what is delivered, with the value."""
    shop.write(
        TEXT
        + """\
  workflow:
    steps:
    - name: look
      type: read-object
      properties: {apiVersion: v1, kind: ConfigMap, name: tags, cluster: east}
      outputs: [{name: tag, valueFrom: output.value.data.tag}]
    - name: apply
      type: apply-component
      inputs: [{from: tag, parameterKey: image}]
      properties: {component: web, cluster: east}
"""
    )
    application = shop.application
    known = application.taken_up(replace(application.run, values={"tag": "new"}))
    (entry,) = [d.entry for d in prepare(known, "apply").desired]
    (container,) = entry.manifest["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "new"
    now = str(application.revision)
    application.begin()
    shop.hold("apply", (entry.cluster, entry.manifest), GONE, steps={"apply": now}, revision=now)
    collector = shop.collector
    assert collector.stages({"tag": "new"}) == ["apply"]
    assert collector.collect("apply", {"tag": "new"}, lambda: None)
    assert shop.going() == [("apply", ["delete gone east"])]


def test_destroying_releases_what_stays_before(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[str] = []

    def release(application: str, record: Any, objects: Any, clusters: Mapping[str, Any]) -> None:
        assert Shop.done == ["tell old: deleting"]
        released.extend(f"{e.manifest['metadata']['name']} {e.cluster}" for e in objects)
        assert set(clusters) == {"east", "west"}

    monkeypatch.setattr(collect, "release", release)
    stack = StackName("shop", "old")
    kept = resource("east", manifest("kept"), retainOnDelete=True)
    store(shop.project, stack, deployment(kept, resource("west", manifest("web"))))
    fake: Any = FakeEngine(shop.project)
    destroy(shop.project, stack, fake, lambda text: Shop.done.append(f"tell {text}"))
    assert released == ["kept east"]
    assert Shop.done == ["tell old: deleting", "destroy shop.old"]
    assert not shop.project.config_file(stack).exists()


def test_what_stays_in_its_cluster_is_told_so(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "release", lambda *_: None)
    kept = resource("east", manifest("kept"), retainOnDelete=True)
    store(shop.project, StackName("shop", "old"), deployment(kept, resource(*GONE)))
    shop.collect("old")
    ((_, plan),) = shop.teller.plans
    assert {change.key.name: change.action for change in plan.changes} == {
        "kept": Action.LEAVE,
        "gone": Action.DELETE,
    }
