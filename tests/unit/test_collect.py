"""Deleting what an application does not deliver any more: what goes, what is handed over."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
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
from velapulumi.delivery import collect
from velapulumi.delivery.collect import Collector
from velapulumi.delivery.deliver import check_stages
from velapulumi.delivery.remove import Removal
from velapulumi.engine import automation
from velapulumi.engine.editing import without
from velapulumi.engine.interrupts import Interrupts
from velapulumi.engine.stacks import read_record
from velapulumi.errors import ApprovalStale, ClusterUnreachable, ObjectRefused
from velapulumi.gate.journal import Journal
from velapulumi.plan.document import StagePlan
from velapulumi.plan.objects import ObjectKey
from velapulumi.program.application import Application, read_application
from velapulumi.program.leaving import abandoned
from velapulumi.project import Project, StackName
from velapulumi.stage.look import Look
from velapulumi.stage.prepare import prepare
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

    def up(
        self,
        stack: StackName,
        program: Callable[[], None],
        *_: object,
        settle: Iterable[ObjectKey] = (),
    ) -> None:
        assert not [*settle]  # a step that holds something unready has not delivered
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
        self.plans: list[tuple[str, StagePlan]] = []

    def warning(self, text: str) -> None:
        raise AssertionError(text)

    def planned(self, title: str, plan: StagePlan) -> None:
        self.plans.append((title, plan))

    def progress(self, title: str, text: str) -> None:
        Shop.done.append(f"tell {text}")


class Shop:
    """The application on three clusters, and what its stacks hold."""

    done: list[str]

    def __init__(self, project: Project) -> None:
        self.project = project
        self.live: dict[str, dict[str, Any]] = {}
        for cluster in ("east", "west", "north"):
            Registry(project).add(joined(cluster), parsed(kubeconfig(), project.root))
            self.live[cluster] = {}
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
        """Let a stage hold objects, and its clusters have them."""
        for cluster, each in objects:
            self.live[cluster][each["metadata"]["name"]] = each
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
            (
                title,
                [f"{o.operation} {o.name} {c.cluster}" for c in plan.clusters for o in c.changed],
            )
            for title, plan in self.teller.plans
        ]

    def reach(self, project: Project, names: Iterable[str]) -> dict[str, Any]:
        """Every cluster answers, with what it has."""
        return {name: reached(name, FakeCluster(*self.live[name].values())) for name in names}


def path_of(project: Project, stage: str) -> Path:
    return project.state / "backend/.pulumi/stacks/test" / f"shop.{stage}.json"


@pytest.fixture
def shop(project: Project, monkeypatch: pytest.MonkeyPatch) -> Shop:
    shop = Shop(project)
    monkeypatch.setattr(automation, "Engine", FakeEngine)
    monkeypatch.setattr("velapulumi.stage.prepare.reach", shop.reach)
    monkeypatch.setattr("velapulumi.stage.look.reach", shop.reach)
    Shop.done = []
    return shop


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
    assert shop.going() == [(EAST, ["forget web west"])]
    assert shop.stages() == []


def test_what_nobody_has_approved_is_not_touched(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even what is only given up beside the engine."""

    def refuse(*_: object) -> None:
        raise ApprovalStale("nobody has approved it")

    monkeypatch.setattr(collect, "authorize", refuse)
    west = prepare(shop.application, WEST).desired[0].entry
    shop.delivered(EAST, (west.cluster, west.manifest), GONE)
    shop.delivered(WEST)
    with pytest.raises(ApprovalStale):
        shop.collect(EAST)
    assert (shop.done, shop.going()) == ([], [])


def test_what_others_share_is_released_and_then_forgotten(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def release(application: str, going: Iterable[Any], clusters: Mapping[str, Any]) -> None:
        Shop.done.append(f"release {application} {' '.join(each.key.name for each in going)}")

    monkeypatch.setattr("velapulumi.stage.release.release", release)
    shared = manifest("shared")
    shared["metadata"]["annotations"] = {"app.oam.dev/shared-by": "default/shop,team/blog"}
    shop.delivered(EAST, ("east", shared))
    assert shop.collect(EAST)
    assert shop.done == ["intent", "release default/shop shared", f"forget shop.{EAST} shared"]
    assert shop.going() == [(EAST, ["disown shared east"])]


def test_an_approval_is_used_before_what_it_was_of_goes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine's program asks for it once more, of what is there then."""
    monkeypatch.setattr(collect, "authorize", lambda *_: ("use",))
    monkeypatch.setattr(collect, "note", lambda _, uses: Shop.done.append(f"note {uses[0]}"))
    west = prepare(shop.application, WEST).desired[0].entry
    shop.delivered(EAST, (west.cluster, west.manifest), GONE)
    shop.delivered(WEST)
    assert shop.collect(EAST)
    assert shop.done == ["intent", "note use", f"forget shop.{EAST} web", f"up shop.{EAST}"]


def test_what_is_forgotten_is_not_among_what_is_deleted(shop: Shop) -> None:
    west = prepare(shop.application, WEST).desired[0].entry
    shop.delivered(EAST, (west.cluster, west.manifest), GONE)
    shop.delivered(WEST)
    assert shop.collect(EAST)
    assert shop.done == ["intent", f"forget shop.{EAST} web", f"up shop.{EAST}"]
    assert shop.going() == [(EAST, ["delete gone east", "forget web west"])]


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
        "velapulumi.stage.prepare.reach", lambda _, names: dict.fromkeys(names, gone)
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
        "tell old: deleting",
        "forget shop.old web",
        "destroy shop.old",
    ]
    assert shop.going() == [("old", ["delete gone east", "forget web west"])]
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


def removal(project: Project, *resources: Mapping[str, Any], **outputs: Any) -> Removal:
    stack = StackName("shop", "old")
    store(project, stack, deployment(*resources, **outputs))
    return Removal.of(project, stack)


def test_destroying_releases_what_stays_before(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[str] = []

    def release(application: str, going: Iterable[Any], clusters: Mapping[str, Any]) -> None:
        assert application == "default/shop"
        assert Shop.done == ["tell old: deleting"]
        released.extend(f"{each.key.name} {each.key.cluster}" for each in going)
        assert set(clusters) == {"east", "west"}

    monkeypatch.setattr("velapulumi.stage.release.release", release)
    shop.live["east"] |= {"kept": manifest("kept")}
    shop.live["west"] |= {"web": manifest("web")}
    kept = resource("east", manifest("kept"), retainOnDelete=True)
    found = removal(shop.project, kept, resource("west", manifest("web")))
    fake: Any = FakeEngine(shop.project)
    found.run(fake, lambda text: Shop.done.append(f"tell {text}"))
    assert released == ["kept east"]
    assert Shop.done == ["tell old: deleting", "destroy shop.old"]
    assert not shop.project.config_file(StackName("shop", "old")).exists()


def test_what_stays_in_its_cluster_is_told_so(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("velapulumi.stage.release.release", lambda *_: None)
    kept = resource("east", manifest("kept"), retainOnDelete=True)
    shop.live["east"] |= {"kept": manifest("kept"), "gone": manifest("gone")}
    left = {"leftBehind": ["east apps/v1 Deployment default/kept"]}
    found = deployment(kept, resource(*GONE), **left)
    store(shop.project, StackName("shop", "old"), found)
    shop.collect("old")
    assert shop.going() == [("old", ["delete gone east", "disown kept east"])]


def test_what_has_gone_or_is_somebody_elses_now_is_forgotten_before(shop: Shop) -> None:
    theirs = manifest("theirs")
    theirs["metadata"]["labels"] |= {"app.oam.dev/name": "blog"}
    shop.live["east"] |= {"theirs": theirs}
    shop.hold("old", ("east", manifest("theirs")), GONE, ("east", manifest("lost")))
    shop.live["east"] = {"theirs": theirs, "gone": manifest("gone")}
    assert shop.collect("old")
    assert shop.done == ["intent", "tell old: deleting", "forget shop.old theirs lost",
                         "destroy shop.old"]  # fmt: skip
    assert shop.going() == [("old", ["delete gone east", "forget lost east", "forget theirs east"])]


def test_a_stack_on_a_silent_cluster_is_not_deleted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.hold("old", GONE)
    gone = ClusterUnreachable("no answer")
    monkeypatch.setattr("velapulumi.stage.look.reach", lambda _, names: dict.fromkeys(names, gone))
    with pytest.raises(ClusterUnreachable):
        shop.collect("old")
    assert shop.done == ["intent"]


def test_a_namespace_with_objects_of_others_is_not_deleted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = manifest("team", apiVersion="v1", kind="Namespace")
    del made["metadata"]["namespace"]
    theirs = manifest("theirs", metadata={"name": "theirs", "namespace": "team", "labels": {}})
    client = FakeCluster(made, GONE[1], contents=[theirs, theirs, GONE[1]])
    monkeypatch.setattr(
        "velapulumi.stage.look.reach",
        lambda _, names: {name: reached(name, client) for name in names},
    )
    shop.hold("old", ("east", made), GONE)
    with pytest.raises(ObjectRefused) as caught:
        shop.collect("old")
    assert caught.value.message == (
        "Namespace team on east cannot be deleted: it holds 2 Deployment of nobody"
    )
    assert shop.done == ["intent"]


NAMESPACE = {**manifest("data", apiVersion="v1", kind="Namespace"), "spec": {}}
NAMESPACE["metadata"] = {**NAMESPACE["metadata"], "name": "data"}
del NAMESPACE["metadata"]["namespace"]
INSIDE = manifest("inside")
INSIDE["metadata"]["namespace"] = "data"


class Filled(FakeCluster):
    """A cluster whose namespaces hold what is there of them."""

    def list_all(self, namespace: str) -> Iterator[Mapping[str, Any]]:
        for entry in self._live.values():
            if entry["metadata"].get("namespace") == namespace:
                yield entry


@pytest.fixture
def filled(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    def reach(_: Project, names: Iterable[str]) -> dict[str, Any]:
        return {name: reached(name, Filled(*shop.live[name].values())) for name in names}

    monkeypatch.setattr("velapulumi.stage.prepare.reach", reach)
    monkeypatch.setattr("velapulumi.stage.look.reach", reach)
    return shop


def test_what_lies_in_a_namespace_goes_before_it_whatever_stages_they_are_of(filled: Shop) -> None:
    filled.delivered(EAST, ("east", NAMESPACE))
    filled.delivered(WEST, ("east", INSIDE))
    check_stages(filled.application, Look(filled.project))
    assert filled.stages() == [WEST, EAST]
    assert not filled.collect(EAST)  # as long as the other one has not been collected
    assert filled.done == []
    assert filled.collect(WEST)
    filled.delivered(WEST)
    del filled.live["east"]["inside"]
    assert filled.collect(EAST)
    assert filled.going() == [(WEST, ["delete inside east"]), (EAST, ["delete data east"])]


def test_an_abandoned_stage_waits_for_what_lies_in_its_namespace(filled: Shop) -> None:
    filled.hold("a-old", ("east", NAMESPACE))
    filled.hold("b-old", ("east", INSIDE))
    assert filled.stages() == ["b-old", "a-old"]
    filled.collect("a-old")
    assert filled.done == ["intent"]
    filled.collect("b-old")
    filled.hold("b-old")
    del filled.live["east"]["inside"]
    filled.collect("a-old")
    assert filled.going() == [
        ("b-old", ["delete inside east"]),
        ("a-old", ["delete data east"]),
    ]


def test_a_namespace_with_something_that_another_stage_delivers_is_not_deleted(
    filled: Shop,
) -> None:
    made = {**NAMESPACE, "metadata": {**NAMESPACE["metadata"], "name": "default"}}
    filled.delivered(EAST)
    filled.hold("old", ("east", made))
    with pytest.raises(ObjectRefused, match="it holds 1 Deployment of this application"):
        filled.collect("old")
    assert filled.done == ["intent"]
