"""Which of its steps a stage has come to, and what counts as delivered then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.helpers import (
    FakeCluster,
    deployment,
    give,
    joined,
    kubeconfig,
    manifest,
    parsed,
    reached,
    resource,
    store,
)
from tests.unit.test_desired import BOTH, TWICE
from velapulumi.clusters.registry import Registry
from velapulumi.errors import ObjectMissing, UnknownCluster
from velapulumi.program.application import Application, read_application
from velapulumi.program.authority import read_authority
from velapulumi.project import Project, StackName
from velapulumi.stage.facts import decide_stage
from velapulumi.stage.look import Look
from velapulumi.stage.operations import Decision
from velapulumi.stage.prepare import Prepared, prepare
from velapulumi.stage.refusals import refuse
from velapulumi.workflow.entries import ClusterPhase
from velapulumi.workflow.phases import StepPhase
from velapulumi.workflow.rollout import Rollout, Wave
from velapulumi.workflow.run import ClusterRun, StepRun

OTHER = "shop-v9:0123456789abcdef"


@pytest.fixture
def application(project: Project) -> Application:
    """One stage with the steps ``canary`` and ``all``, not delivered yet."""
    Registry(project).add(joined("east"), parsed(kubeconfig(), project.root))
    file = project.root / "app.yaml"
    file.write_text(TWICE)
    return read_application(project, file)


def held(application: Application, **steps: str) -> Application:
    """The application when its steps hold revisions; ``now`` stands for its own."""
    now = str(application.revision)
    recorded = {name: now if text == "now" else text for name, text in steps.items()}
    stack = StackName("shop", "canary")
    store(application.project, stack, deployment(steps=recorded))
    found = application.reread()
    return replace(found, revision=application.revision)


def at(application: Application, index: int) -> Prepared:
    stage = application.workflow.stages["canary"]
    return Prepared(application, stage, stage.steps[index], {})


@pytest.mark.parametrize(
    ("steps", "index", "images", "delivered"),
    [
        ({}, 0, ["i"], {"canary": "now"}),
        ({}, 1, ["new", "i"], {"all": "now"}),
        ({"canary": "now"}, 0, ["i"], {"canary": "now"}),
        ({"canary": "now"}, 1, ["new", "i"], {"canary": "now", "all": "now"}),
        ({"canary": OTHER}, 1, ["new", "i"], {"canary": OTHER, "all": "now"}),
        ({"canary": "now", "all": "now"}, 0, ["new", "i"], {"canary": "now", "all": "now"}),
        ({"canary": OTHER, "all": OTHER}, 0, ["i"], {"canary": "now", "all": OTHER}),
        ({"canary": OTHER, "all": "now"}, 0, ["i"], {"canary": "now"}),
        ({"canary": "now", "all": OTHER}, 0, ["i"], {"canary": "now", "all": OTHER}),
    ],
)
def test_a_stage_goes_no_further_than_its_step_has_come(
    application: Application,
    steps: dict[str, str],
    index: int,
    images: list[str],
    delivered: dict[str, str],
) -> None:
    found = at(held(application, **steps), index)
    containers = [
        desired.entry.manifest["spec"]["template"]["spec"]["containers"][0]["image"]
        for desired in found.desired
    ]
    assert containers == images
    now = str(application.revision)
    assert found.delivered == {n: now if t == "now" else t for n, t in delivered.items()}


@pytest.mark.parametrize(
    ("steps", "step"),
    [
        ({}, "canary"),
        ({"canary": "now"}, "all"),
        ({"canary": "now", "all": OTHER}, "all"),
        ({"canary": "now", "all": "now"}, "all"),
        ({"canary": OTHER, "all": "now"}, "canary"),
    ],
)
def test_by_hand_the_first_step_that_is_not_done_is_next(
    application: Application, steps: dict[str, str], step: str
) -> None:
    assert prepare(held(application, **steps), "canary").step.name == step


THRICE = (
    BOTH
    + """\
    - {name: more, type: deploy, properties: {policies: [east], auto: false}}
"""
)


@pytest.fixture
def wide(project: Project) -> Application:
    """One stage with the steps ``canary``, ``all`` and ``more``, the last one by approval."""
    for cluster in ("east", "west"):
        Registry(project).add(joined(cluster), parsed(kubeconfig(), project.root))
    file = project.root / "app.yaml"
    file.write_text(THRICE)
    return read_application(project, file)


def approving(application: Application, step: str) -> Application:
    application.begin()
    give(application.project, step)
    return replace(
        application, authority=read_authority(application.project, "shop", application.run.number)
    )


@pytest.mark.parametrize(
    ("steps", "index", "approved", "included"),
    [
        ({}, 0, False, "canary"),
        ({}, 1, False, "all"),
        ({}, 2, True, "more"),
        ({"canary": "now"}, 1, False, "canary all"),
        ({"canary": "now"}, 2, True, "canary more"),
        ({"canary": OTHER}, 1, False, "all"),
        ({"canary": "now", "all": "now", "more": "now"}, 0, True, "canary all more"),
        ({"canary": "now", "all": "now", "more": "now"}, 0, False, "canary all"),
        ({"canary": "now", "all": "now", "more": "now"}, 1, True, "canary all more"),
        ({"canary": "now", "all": OTHER, "more": "now"}, 0, True, "canary"),
        ({"canary": OTHER, "all": "now", "more": "now"}, 0, True, "canary"),
        ({"canary": OTHER, "all": "now", "more": "now"}, 1, True, "all more"),
    ],
)
def test_a_stage_includes_what_has_delivered(
    wide: Application, steps: dict[str, str], index: int, approved: bool, included: str
) -> None:
    application = held(wide, **steps)
    found = at(approving(application, "more") if approved else application, index)
    assert [step.name for step in found.included] == included.split()


@pytest.mark.parametrize(
    ("only", "without", "complete"),
    [
        (None, "", True),
        (None, "west", True),
        ("east west", "", True),
        ("east", "", False),
        ("east", "west", True),
        ("", "east west", True),
        ("", "", False),
        ("west", "west", False),
        ("east west north", "", True),
    ],
)
def test_a_step_is_delivered_when_all_its_clusters_have_it_but_those_left_out(
    wide: Application, only: str | None, without: str, complete: bool
) -> None:
    found = replace(
        at(held(wide, canary="now", all=OTHER), 1),
        only=None if only is None else frozenset(only.split()),
        without=frozenset(without.split()),
    )
    now = str(wide.revision)
    assert found.complete is complete
    assert found.delivered == {"canary": now} | ({"all": now} if complete else {})


def test_what_one_wave_brings_is_beside_what_the_other_clusters_have(wide: Application) -> None:
    found = replace(at(held(wide, canary="now"), 1), only=frozenset({"west"}))
    assert sorted((d.entry.cluster, d.entry.component) for d in found.desired) == [
        ("east", "web"),
        ("west", "extra"),
        ("west", "web"),
    ]


def test_a_step_that_goes_in_waves_is_not_delivered_all_at_once(wide: Application) -> None:
    step = wide.workflow.step("all")
    waves = Rollout((Wave(("east",)), Wave(("west",))))
    rollouts = {**wide.workflow.rollouts, "all": waves}
    application = replace(wide, workflow=replace(wide.workflow, rollouts=rollouts))
    reason = "step all goes in waves, `velapulumi up` does that"
    fresh = replace(held(application, canary="now"), workflow=application.workflow)
    done = replace(held(application, canary="now", all="now"), workflow=application.workflow)
    stage = wide.workflow.stages["canary"]
    assert reason in Prepared(fresh, stage, step, {}).missing
    assert reason not in Prepared(fresh, stage, step, {}, frozenset({"east"})).missing
    assert reason not in Prepared(done, stage, step, {}).missing


def test_collecting_spares_what_later_steps_have_still_to_deliver(
    application: Application,
) -> None:
    """``all`` has not delivered this revision, so what it delivers stays as it is."""
    extra, gone = manifest("extra"), manifest("gone")
    now = str(application.revision)
    document = deployment(
        *(resource("east", each) for each in (manifest("web"), extra, gone)),
        steps={"canary": now},
        revision=now,
    )
    store(application.project, StackName("shop", "canary"), document)
    found = at(application.reread(), 0)
    assert components(found) == ["web", "extra", "gone"]
    assert components(replace(found, collecting=True)) == ["web", "extra"]
    document["resources"][0]["outputs"]["steps"] = {"canary": now, "all": now}
    store(application.project, StackName("shop", "canary"), document)
    done = replace(at(application.reread(), 1), collecting=True)
    assert components(done) == ["web", "extra"]
    assert all(desired.entry.target for desired in done.desired)


def components(found: Prepared) -> list[str]:
    return [desired.entry.component for desired in found.desired]


@pytest.mark.parametrize(
    ("steps", "phases", "approved", "succeeded"),
    [
        ({}, {}, True, False),
        ({"canary": "now", "all": "now"}, {}, True, False),
        ({"canary": "now", "all": "now", "more": "now"}, {}, True, True),
        ({"canary": "now", "all": "now", "more": "now"}, {}, False, True),
        ({"canary": "now", "all": "now", "more": OTHER}, {}, True, False),
        ({"canary": "now", "all": "now"}, {"more": StepPhase.SKIPPED}, False, True),
        ({"canary": "now", "all": "now"}, {"more": StepPhase.SUCCEEDED}, True, False),
    ],
)
def test_a_workflow_has_succeeded_by_what_the_stacks_hold(
    wide: Application,
    steps: dict[str, str],
    phases: dict[str, StepPhase],
    approved: bool,
    succeeded: bool,
) -> None:
    application = held(wide, **steps)
    application = approving(application, "more") if approved else application
    run = replace(application.run, steps={n: StepRun(phase) for n, phase in phases.items()})
    assert replace(application, run=run).succeeded is succeeded


ASK = "{name: ask, type: suspend}"
TELL = "{name: ask, type: print-message-in-status, properties: {message: m}}"


@pytest.mark.parametrize(
    ("step", "phase", "approved", "succeeded"),
    [
        (ASK, None, False, False),
        (ASK, None, True, True),
        (ASK, StepPhase.SUCCEEDED, False, True),
        (ASK, StepPhase.SKIPPED, False, True),
        (TELL, None, False, False),
        (TELL, StepPhase.SUCCEEDED, False, True),
        (TELL, StepPhase.FAILED, False, False),
    ],
)
def test_steps_that_deliver_nothing_have_succeeded_by_the_journal(
    project: Project, step: str, phase: StepPhase | None, approved: bool, succeeded: bool
) -> None:
    Registry(project).add(joined("east"), parsed(kubeconfig(), project.root))
    file = project.root / "app.yaml"
    file.write_text(f"{TWICE}    - {step}\n")
    application = held(read_application(project, file), canary="now", all="now")
    application = approving(application, "ask") if approved else application
    steps = {} if phase is None else {"ask": StepRun(phase)}
    assert replace(application, run=replace(application.run, steps=steps)).succeeded is succeeded


def test_lost_clusters_are_those_a_step_failed_on(wide: Application) -> None:
    gone = {
        name: ClusterRun(phase)
        for name, phase in (
            ("east", ClusterPhase.FAILED),
            ("west", ClusterPhase.SUCCEEDED),
            ("north", ClusterPhase.TIMED_OUT),
        )
    }
    run = replace(wide.run, steps={"all": StepRun(clusters=gone)})
    application = replace(wide, run=run)
    assert application.lost("all") == {"east", "north"}
    assert application.lost("canary") == frozenset()


def test_a_cluster_left_out_is_not_asked_for(wide: Application) -> None:
    found = replace(at(wide, 0), clusters={"east": reached("east", FakeCluster())})
    assert list(replace(found, without=frozenset({"west"})).check_clusters()) == ["east"]
    gone = UnknownCluster("no cluster west")
    broken = replace(found, clusters={**found.clusters, "west": gone})
    with pytest.raises(UnknownCluster):
        broken.check_clusters()
    assert list(replace(broken, without=frozenset({"west"})).check_clusters()) == ["east"]


def test_a_namespace_that_is_not_there_is_refused(application: Application) -> None:
    def decided(*lacking: str) -> list[Decision]:
        known = {"east": reached("east", FakeCluster(lacking=lacking))}
        found = replace(at(application, 0), clusters=known)
        decisions = decide_stage([found], Look(application.project, known))
        return [decision for _, decision in decisions]

    with pytest.raises(ObjectMissing) as caught:
        refuse(decided("default"))
    assert str(caught.value) == "namespace default does not exist on east"
    assert caught.value.next_step == "Create it there: kubectl create namespace default"
    refuse(decided())
