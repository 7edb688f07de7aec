"""What must hold of a run when people, processes and clusters do something at a bad moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
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
    store,
)
from tests.unit.test_desired import TWICE
from tests.unit.test_driver import LIMITS, REVISION, phases, workflow
from velapulumi.clusters.registry import Registry
from velapulumi.definitions import Done
from velapulumi.delivery.apply import Applier, Errand
from velapulumi.delivery.failures import FailedRun
from velapulumi.errors import EngineFailed, Unhealthy, VelapulumiError
from velapulumi.gate.promotion import missing
from velapulumi.program.application import Application, read_application
from velapulumi.project import Project, StackName
from velapulumi.spec import Input, Output
from velapulumi.stage.look import SharedLook
from velapulumi.stage.prepare import Prepared, prepare
from velapulumi.workflow.driver import Driver, begun_anew
from velapulumi.workflow.edge import Acted, Collected
from velapulumi.workflow.entries import Entry, Kind
from velapulumi.workflow.phases import StepPhase
from velapulumi.workflow.run import Run, StepRun, advance, run_of
from velapulumi.workflow.simulation import ACTING, Scenario, Unwatched, VirtualEdge, World
from velapulumi.workflow.stages import Workflow
from velapulumi.workflow.steps import WorkflowStep

CALLING = """\
    - {name: call, type: webhook, properties: {url: {value: "http://127.0.0.1:1"}}}
"""

GROUPED = """\
    - name: both
      type: step-group
      subSteps:
      - {name: good, type: webhook, properties: {url: {value: "http://127.0.0.1:1"}}}
      - {name: bad, type: webhook, properties: {url: {value: "http://127.0.0.1:2"}}}
"""

LATER_FIRST = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop, namespace: retail}
spec:
  components:
  - {name: web, type: worker, properties: {image: busybox}}
  policies:
  - {name: prod, type: topology, properties: {clusters: [east]}}
  - {name: staging, type: topology, properties: {clusters: [west]}}
  workflow:
    mode: {steps: DAG}
    steps:
    - {name: to-prod, type: deploy, dependsOn: [to-staging], properties: {policies: [prod]}}
    - {name: to-staging, type: deploy, properties: {policies: [staging]}}
"""


class Held(VirtualEdge):
    """Somebody holds or ends the run when its last step has acted; there is something to delete."""

    kind = Kind.SUSPEND
    told = True
    collected: tuple[str, ...] = ()

    def act(self, step: WorkflowStep, run: Run) -> None:
        super().act(step, run)
        self.told = False

    def commands(self) -> tuple[Entry, ...]:
        told, self.told = self.told, True
        return () if told else (Entry(at=self.now(), kind=self.kind),)

    def collectable(self) -> tuple[str, ...]:
        return ("old",)

    def collect(self, stage: str, intent: Callable[[], None]) -> None:
        self.collected += (stage,)
        self._later(1, Collected(stage))


@pytest.mark.parametrize("kind", [Kind.SUSPEND, Kind.TERMINATE])
def test_a_run_that_is_held_or_ended_deletes_nothing(kind: Kind) -> None:
    calling = workflow(CALLING)
    edge = Held(calling, REVISION, Scenario(), LIMITS, World())
    edge.kind = kind
    end = Driver(calling, Run(REVISION, 1), edge, lambda _: None, Unwatched(), LIMITS).go()
    assert phases(end.run) == {"call": StepPhase.SUCCEEDED}
    assert edge.collected == ()
    assert not end.run.finished


def test_run_again_only_what_has_not_succeeded_in_a_group_starts_over() -> None:
    grouped = workflow(GROUPED)
    edge = VirtualEdge(grouped, REVISION, Scenario(broken=frozenset({"bad"})), LIMITS, World())
    end = Driver(grouped, Run(REVISION, 1), edge, lambda _: None, Unwatched(), LIMITS).go()
    assert end.run.step("both").phase is StepPhase.FAILED
    assert list(begun_anew(grouped, end.run)) == ["both", "bad"]


def test_a_group_that_took_too_long_starts_over_with_what_was_left_of_it() -> None:
    grouped = workflow(GROUPED)
    steps = {
        "both": StepRun(StepPhase.FAILED),
        "good": StepRun(StepPhase.SUCCEEDED),
        "bad": StepRun(StepPhase.SKIPPED),
    }
    assert list(begun_anew(grouped, Run(REVISION, 1, steps=steps))) == ["both", "bad"]
    steps["bad"] = StepRun(StepPhase.SUCCEEDED)
    assert list(begun_anew(grouped, Run(REVISION, 1, steps=steps))) == ["both", "good", "bad"]


def test_a_run_begins_once_whoever_writes_it_down() -> None:
    begin = Entry(at=1, kind=Kind.BEGIN, revision=REVISION, run=1)
    start = Entry(at=2, kind=Kind.START, step="call")
    hold = Entry(at=4, kind=Kind.SUSPEND)
    run = run_of((begin, start, replace_at(begin, 3), hold), REVISION, 1)
    assert run.step("call").phase is StepPhase.RUNNING
    assert (run.began, run.suspended) == (1, True)
    other = advance(run, Entry(at=5, kind=Kind.BEGIN, revision=REVISION, run=2))
    assert (other.number, other.steps, other.suspended) == (2, {}, False)


def replace_at(entry: Entry, at: float) -> Entry:
    return entry.model_copy(update={"at": at})


def test_the_approval_a_step_needs_is_asked_for_by_its_name() -> None:
    step = deploy("prod", approval=True)
    read_again = Workflow((step.model_copy(),), {})
    reason = f"step deploy-prod is not approved for {V1}"
    assert missing(read_again, step, V1, {}, lambda name: False, Run()) == (reason,)


class Passing(VirtualEdge):
    """The step ``read`` gives a secret, all others what they were given."""

    def act(self, step: WorkflowStep, run: Run) -> None:
        given = [run.values[item.from_] for item in step.inputs]
        result = Done(values={"response": given[0] if given else "pss"}, secret=not given)
        self._later(ACTING, Acted(step.name, result))


def test_what_is_made_of_a_secret_is_not_written_either() -> None:
    def acting(name: str, took: str, gives: str) -> WorkflowStep:
        inputs = (Input.model_validate({"from": took, "parameterKey": "it"}),) if took else ()
        outputs = (Output.model_validate({"name": gives, "valueFrom": "response"}),)
        return WorkflowStep(name=name, type="webhook", inputs=inputs, outputs=outputs)

    steps = (acting("read", "", "password"), acting("pass", "password", "passed"))
    passing = Workflow((*steps, acting("last", "passed", "again")), {})
    edge = Passing(passing, REVISION, Scenario(), LIMITS, World())
    entries: list[Entry] = []
    end = Driver(passing, Run(REVISION, 1), edge, entries.append, Unwatched(), LIMITS).go()
    assert end.run.values == {"password": "pss", "passed": "pss", "again": "pss"}
    assert not any(entry.values for entry in entries)


def test_a_step_waits_for_one_that_the_file_has_later(project: Project) -> None:
    for cluster in ("east", "west"):
        Registry(project).add(joined(cluster), parsed(kubeconfig(), project.root))
    file = project.root / "app.yaml"
    file.write_text(LATER_FIRST)
    application = read_application(project, file)
    prepared = prepare(application, "to-prod")
    assert sorted(prepared.clusters) == ["east", "west"]
    assert prepared.missing == ("stage to-staging has not been delivered completely",)
    now = str(application.revision)
    store(project, StackName("shop", "to-staging"), deployment(steps={"to-staging": now}))
    delivered = replace(application.reread(), revision=application.revision)
    assert prepare(delivered, "to-prod").missing == ()


def test_a_step_that_the_run_has_skipped_is_not_delivered(project: Project) -> None:
    Registry(project).add(joined("east"), parsed(kubeconfig(), project.root))
    file = project.root / "app.yaml"
    file.write_text(TWICE)
    application = read_application(project, file)
    stage, now = "canary", str(application.revision)
    run = application.run.with_step("all", StepRun(StepPhase.SKIPPED))
    skipped = replace(application, run=run)
    assert prepare(skipped, stage).step.name == "canary"
    step = application.workflow.step("all")
    assert "step all is skipped in this run" in prepare(skipped, stage, step=step).missing
    both = {"canary": now, "all": now}
    store(project, StackName("shop", stage), deployment(steps=both, revision=now))
    held = replace(application.reread(), revision=application.revision, run=run)
    assert "step all is skipped in this run" not in prepare(held, stage, step=step).missing
    neither = run.with_step("canary", StepRun(StepPhase.SKIPPED))
    assert prepare(replace(application, run=neither), stage).missing == (
        "step all is skipped in this run",
    )


class Rounds(Applier):
    """The engine fails on one cluster after the other, then on none of them."""

    def __init__(self, application: Application, *failing: str) -> None:
        nobody: Any = None
        super().__init__(application, nobody, nobody, SharedLook(application.project))
        self._failing = [*failing, ""]
        self.left_out: list[frozenset[str]] = []

    def _round(self, prepared: Prepared, *_: Any) -> tuple[bool, dict[str, VelapulumiError]]:
        self.left_out.append(prepared.without)
        name = self._failing.pop(0)
        return True, {name: Unhealthy(name)} if name else {}

    def _unusable(self, *_: Any) -> Iterator[tuple[str, VelapulumiError]]:
        return iter(())

    def _warn(self, prepared: Prepared) -> None:
        """Nobody is there to be warned."""


def test_a_cluster_that_fails_only_when_another_is_left_out_has_failed(project: Project) -> None:
    for cluster in ("east", "west"):
        Registry(project).add(joined(cluster), parsed(kubeconfig(), project.root))
    file = project.root / "app.yaml"
    file.write_text(LATER_FIRST.replace("[west]", "[west, east]"))
    application = read_application(project, file)
    applier = Rounds(application, "east", "west")
    errand = Errand(
        application.workflow.step("to-staging"), ("west", "east"), frozenset(), True, 1.0
    )
    applied = applier.apply(errand, application.run, lambda: None)
    assert set(applied.failed) == {"east", "west"}
    assert applier.left_out == [frozenset(), frozenset({"east"}), frozenset({"east", "west"})]


class Heard:
    """A listener that has heard an error of the engine, of no cluster."""

    def errors_of(self, name: str) -> str:
        return "" if name else "the engine is broken"


def test_a_cluster_left_out_is_not_why_the_engine_failed(project: Project) -> None:
    for cluster in ("east", "west"):
        Registry(project).add(joined(cluster), parsed(kubeconfig(), project.root))
    file = project.root / "app.yaml"
    file.write_text(LATER_FIRST.replace("[west]", "[west, east]"))
    application = read_application(project, file)
    step = application.workflow.step("to-staging")
    stage = step.stage or ""
    store(
        project,
        StackName("shop", stage),
        deployment(resource("east", manifest(), initErrors=["late"])),
    )
    left_out = frozenset({"east"})
    prepared = Prepared(application, application.workflow.stages[stage], step, {}, None, left_out)
    heard: Any = Heard()
    failed = FailedRun(prepared, (), heard, {}, 1.0, tolerant=True)
    with pytest.raises(EngineFailed, match="on its own"):
        failed.places(EngineFailed("on its own"))
