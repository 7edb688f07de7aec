"""What people and programs are told while a workflow runs, played by the real driver."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from rich.console import Console

from velapulumi.cli.line import Line
from velapulumi.cli.progress import Display, conclude, display_for, is_live, words
from velapulumi.cli.progress.board import Board, Row, fitted
from velapulumi.cli.progress.jsonl import JsonLines
from velapulumi.cli.progress.lines import Lines
from velapulumi.cli.progress.live import Live, table
from velapulumi.definitions import Done, Failed, Result, StepError, Waiting
from velapulumi.errors import ClusterUnreachable, Unhealthy, VelapulumiError
from velapulumi.gate.file import Gate
from velapulumi.gate.ledger import Ledger, Trust
from velapulumi.plan.document import ClusterPlan, PlannedField, PlannedObject, Refusal, StagePlan
from velapulumi.plan.operation import Cause, Operation
from velapulumi.program.application import Application
from velapulumi.program.authority import Authority
from velapulumi.project import Project
from velapulumi.render import Surroundings, parse
from velapulumi.render.surroundings import ClusterFacts
from velapulumi.workflow.driver import Driver
from velapulumi.workflow.edge import (
    Acted,
    Applied,
    Broken,
    Collected,
    Conclusion,
    Limits,
    Observed,
    Outcome,
)
from velapulumi.workflow.entries import Entry, Kind
from velapulumi.workflow.phases import StepPhase
from velapulumi.workflow.revision import Revision
from velapulumi.workflow.rollout import Observation
from velapulumi.workflow.run import Run, StepRun
from velapulumi.workflow.stages import workflow_of
from velapulumi.workflow.steps import WorkflowStep

Answer = TypeVar("Answer")

NOON = 1893499200.0  # 2030-01-01T12:00:00Z
SEED = (Path(__file__).parents[2] / "examples/01-seed/app.yaml").read_text("utf-8")
WELL = Observation(True, "web Ready:1/1")
STARTING = Observation(False, "web Ready:0/1 - its pods are starting")
STUCK = Observation(
    False,
    "web Ready:0/1 - pod web-5d8f7c: ImagePullBackOff: Back-off pulling image "
    '"registry.example.com/web:2.0"',
)

FLEET = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop, namespace: retail}
spec:
  components:
  - {name: web, type: worker, properties: {image: busybox}}
  policies:
  - {name: all, type: topology, properties: {clusters: [canary, east, west]}}
  workflow:
    steps:
    - name: roll
      type: deploy
      properties:
        policies: [all]
        decisionGroups: [{groupName: first, clusters: [canary]}]
        rolloutStrategy:
          type: ProgressivePerGroup
          progressivePerGroup:
            mandatoryDecisionGroups: [{groupName: first}]
            minSuccessTime: 5s
            progressDeadline: 8s
            maxFailures: 1
    - name: after
      type: step-group
      subSteps:
      - {name: tell, type: webhook, properties: {url: {value: "http://127.0.0.1:1"}}}
      - {name: settle, type: suspend, properties: {duration: 3s, message: Let caches warm up.}}
    - {name: mourn, type: run, if: status.roll.failed, properties: {command: ["true"]}}
    - {name: check, type: run, properties: {command: ["true"]}}
"""


def application(text: str, run: Run | None = None) -> Application:
    clusters = {name: ClusterFacts() for name in ("canary", "east", "west")}
    loaded = parse(text, "app.yaml", Surroundings(clusters=clusters))
    revision = Revision(name=f"{loaded.application.name}-v1", hash="0123456789abcdef")
    return Application(
        project=Project(Path("project"), "test", Path("stacks")),
        file=Path("app.yaml"),
        plain=loaded,
        loaded=loaded,
        workflow=workflow_of(loaded),
        gate=Gate(application=loaded.application.name),
        records={},
        revision=revision,
        run=run or Run(str(revision), 1),
        authority=Authority(Ledger(loaded.application.name), Trust()),
    )


def plan(stage: str, *clusters: str, **more: Any) -> StagePlan:
    web = PlannedObject(
        api_version="apps/v1",
        kind="Deployment",
        namespace="default",
        name="web",
        **{"operation": Operation.CREATE, **more},
    )
    return StagePlan(
        stage=stage,
        steps=(stage,),
        clusters=tuple(ClusterPlan(cluster=n, uid=n, objects=(web,)) for n in clusters),
    )


@dataclass
class Script:
    """How the world answers: each list is gone through, and its last entry stays."""

    unchanged: Sequence[str] = ()
    looks: Mapping[tuple[str, str], list[Observation]] = field(default_factory=dict)
    acts: Mapping[str, list[Result | StepError]] = field(default_factory=dict)
    approvals: Mapping[str, str] = field(default_factory=dict)
    orders: list[Entry] = field(default_factory=list)
    broken: Mapping[str, VelapulumiError] = field(default_factory=dict)
    failed: Mapping[str, VelapulumiError] = field(default_factory=dict)
    collects: Sequence[str] = ()


class ScriptedEdge:
    """An edge in virtual time: an apply takes two seconds, all else a tenth of one."""

    stopping = False

    def __init__(self, script: Script) -> None:
        self.script = script
        self.time = NOON
        self.display: Display | None = None
        self._coming: list[tuple[float, Outcome]] = []
        self._left = list(script.collects)

    def now(self) -> float:
        return self.time

    def wait(self, until: float | None) -> Sequence[Outcome]:
        ahead = [time for time, _ in self._coming] + ([until] if until is not None else [])
        orders = [order.at for order in self.script.orders]
        self.time = max(min(ahead + orders), self.time)
        due = [outcome for time, outcome in self._coming if time <= self.time]
        self._coming = [each for each in self._coming if each[0] > self.time]
        return due

    def approved(self, step: str) -> str | None:
        return self.script.approvals.get(step)

    def commands(self) -> Sequence[Entry]:
        due = [order for order in self.script.orders if order.at <= self.time]
        self.script.orders = [order for order in self.script.orders if order not in due]
        return due

    def apply(
        self, step: WorkflowStep, clusters: tuple[str, ...], run: Run, intent: Callable[[], None]
    ) -> None:
        known = run.step(step.name).clusters
        fresh = [name for name in clusters if name not in known]
        if step.name in self.script.unchanged:
            self._come(0.1, Applied(step.name))
        elif step.name in self.script.broken:
            self._come(2, Broken(step.name, self.script.broken[step.name]))
        else:
            intent()
            assert self.display
            title = step.stage or ""
            self.display.planned(title, plan(title, *fresh))
            for name in fresh:
                self.display.progress(title, f"Deployment web on {name}: creating")
            failed = {n: e for n, e in self.script.failed.items() if n in fresh}
            self._come(2, Applied(step.name, changed=True, failed=failed))

    def observe(self, step: WorkflowStep, clusters: tuple[str, ...]) -> None:
        seen = {name: _next(self.script.looks.get((step.name, name), [WELL])) for name in clusters}
        self._come(0.1, Observed(step.name, seen))

    def act(self, step: WorkflowStep, run: Run) -> None:
        self._come(0.1, Acted(step.name, _next(self.script.acts.get(step.name, [Done()]))))

    def publish(self, step: WorkflowStep, run: Run) -> None:
        self._come(0.1, Acted(step.name, Done()))

    def collectable(self) -> Sequence[str]:
        return self._left

    def collect(self, stage: str, intent: Callable[[], None]) -> None:
        intent()
        self._come(1, Collected(stage, changed=True))

    def _come(self, seconds: float, outcome: Outcome) -> None:
        self._coming.append((round(self.time + seconds, 3), outcome))


def _next(answers: list[Answer]) -> Answer:
    return answers.pop(0) if len(answers) > 1 else answers[0]


def play(made: Application, script: Script, display: Display, edge: ScriptedEdge) -> Conclusion:
    """Run an application's workflow as the script has it."""
    edge.display = display
    display.begins(made)
    limits = Limits(patience=4, interval=1)
    conclusion = Driver(made.workflow, made.run, edge, lambda _: None, display, limits).go()
    display.ends()
    return conclusion


def fleet_script() -> Script:
    """One cluster of three never gets ready, which is within what may fail."""
    return Script(
        looks={
            ("roll", "canary"): [STARTING, WELL],
            ("roll", "east"): [STUCK],
            ("roll", "west"): [WELL, STARTING, WELL],
        },
        acts={
            "tell": [
                StepError("the receiver answers 503"),
                Waiting("the receiver starts"),
                Done(message="sent"),
            ],
            "check": [Failed("it ended with exit code 1")],
        },
    )


def lines_of(made: Application, script: Script) -> tuple[str, Conclusion]:
    edge = ScriptedEdge(script)
    lines: list[str] = []
    display = Lines(lambda line: lines.append(line.text), edge.now)
    conclusion = play(made, script, display, edge)
    return "\n".join(lines) + "\n", conclusion


def test_a_delivery_up_to_its_gate_and_on_from_there() -> None:
    first = application(SEED)
    text, conclusion = lines_of(first, Script())
    assert text == (
        "[  0.0s] staging: began\n"
        "[  0.0s] staging: 1 change\n"
        "         cluster-staging\n"
        "           + Deployment default/web\n"
        "[  0.0s] Deployment web on cluster-staging: creating\n"
        "[  2.1s] staging: web on cluster-staging Ready:1/1\n"
        "[  2.1s] manual-approval: waits for approval\n"
    )
    summary = conclude(first, conclusion.run, conclusion.changed)
    assert (summary.exit_code, summary.sentence) == (
        4,
        "Application default/example-app waits at manual-approval to promote "
        "example-app-v1:0123456789abcdef.",
    )
    second = application(SEED, conclusion.run)
    script = Script(unchanged=["deploy-staging"], approvals={"manual-approval": "ann"})
    text, conclusion = lines_of(second, script)
    assert text == (
        "[  0.0s] manual-approval: approved by ann\n"
        "[  0.2s] staging: no change\n"
        "[  0.2s] prod: began\n"
        "[  0.2s] prod: 1 change\n"
        "         cluster-prod\n"
        "           + Deployment default/web\n"
        "[  0.2s] Deployment web on cluster-prod: creating\n"
        "[  2.3s] prod: web on cluster-prod Ready:1/1\n"
    )
    summary = conclude(second, conclusion.run, conclusion.changed)
    assert (summary.exit_code, summary.sentence) == (
        0,
        "Application default/example-app runs example-app-v1:0123456789abcdef in all stages.",
    )
    third = application(SEED, conclusion.run)
    text, conclusion = lines_of(third, Script(unchanged=["deploy-staging", "deploy-prod"]))
    assert text == "[  0.2s] staging: no change\n[  0.4s] prod: no change\n"
    assert conclude(third, conclusion.run, conclusion.changed).sentence == (
        "Application default/example-app runs example-app-v1:0123456789abcdef in all stages; "
        "no change."
    )


def test_waves_retries_groups_and_skips_in_lines() -> None:
    text, _ = lines_of(application(FLEET), fleet_script())
    assert text == (
        "[  0.0s] roll: began\n"
        "[  0.0s] roll: applies on canary\n"
        "[  0.0s] roll: 1 change\n"
        "         canary\n"
        "           + Deployment default/web\n"
        "[  0.0s] Deployment web on canary: creating\n"
        "[  2.0s] roll: applied on canary\n"
        "[  2.1s] roll: not healthy yet on canary: web Ready:0/1 - its pods are starting\n"
        "[  3.2s] roll: canary healthy, has to stay so for 5s\n"
        "[  8.3s] roll: canary healthy for 5s\n"
        "[  8.3s] roll: applies on east and west\n"
        "[  8.3s] roll: 2 changes\n"
        "         east, west\n"
        "           + Deployment default/web\n"
        "[  8.3s] Deployment web on east: creating\n"
        "[  8.3s] Deployment web on west: creating\n"
        "[ 10.3s] roll: applied on east and west\n"
        f"[ 10.4s] roll: not healthy yet on east: {STUCK.message}\n"
        "[ 10.4s] roll: west healthy, has to stay so for 5s\n"
        "[ 11.5s] roll: not healthy yet on west: web Ready:0/1 - its pods are starting\n"
        "[ 11.5s] roll: west not healthy any more\n"
        "[ 12.6s] roll: west healthy, has to stay so for 5s\n"
        "[ 17.7s] roll: west healthy for 5s\n"
        f"[ 18.3s] roll: east not healthy after 8s: {STUCK.message}\n"
        "[ 18.3s] roll: web on canary Ready:1/1\n"
        "[ 18.3s] roll: web on west Ready:1/1\n"
        "[ 18.3s] after: began\n"
        "[ 18.3s] tell: began\n"
        "[ 18.3s] settle: waits 3s, or for approval: Let caches warm up.\n"
        "[ 18.4s] tell: went wrong, is tried again (1 of 10): the receiver answers 503\n"
        "[ 19.5s] tell: waits: the receiver starts\n"
        "[ 20.6s] tell: done: sent\n"
        "[ 21.3s] settle: goes on\n"
        "[ 21.3s] after: done\n"
        "[ 21.3s] mourn: skipped, as its condition does not hold: status.roll.failed\n"
        "[ 21.3s] check: began\n"
        "[ 21.4s] check: failed: it ended with exit code 1\n"
    )


def test_failures_and_what_follows_from_them_in_lines() -> None:
    text, _ = lines_of(
        application(SEED), Script(looks={("deploy-staging", "cluster-staging"): [STUCK]})
    )
    assert text.splitlines()[-4:] == [
        f"[  2.1s] staging: not healthy yet on cluster-staging: {STUCK.message}",
        f"[  6.0s] staging: failed: cluster-staging: not healthy after 4s: {STUCK.message}",
        "[  6.0s] manual-approval: skipped, as staging did not succeed",
        "[  6.0s] prod: skipped, as staging did not succeed",
    ]
    broken = Script(broken={"deploy-staging": Unhealthy("stage staging is not healthy after 4s")})
    text, _ = lines_of(application(SEED), broken)
    assert "[  2.0s] staging: failed: stage staging is not healthy after 4s\n" in text


def test_a_cluster_that_cannot_be_looked_at_is_not_called_unhealthy() -> None:
    gone = ClusterUnreachable("cluster east at https://x cannot be reached: refused")
    silent = Observation(False, gone.message, gone)
    script = Script(looks={("deploy-staging", "cluster-staging"): [STUCK, silent]})
    text, conclusion = lines_of(application(SEED), script)
    assert text.splitlines()[-4:-2] == [
        f"[  3.2s] staging: {gone.message}",
        f"[  6.0s] staging: failed: cluster-staging: {gone.message}",
    ]
    assert conclusion.errors == (gone,)


def test_a_cluster_that_does_not_answer_is_told_when_it_may_fail() -> None:
    script = fleet_script()
    script.failed = {"west": ClusterUnreachable("cluster west: no answer")}
    script.looks = {}
    text, conclusion = lines_of(application(FLEET), script)
    assert "[  9.2s] roll: west has failed: cluster west: no answer\n" in text
    assert "[  9.2s] roll: applied on east\n" in text
    assert "on west Ready" not in text
    assert conclusion.lost == {"roll": ("west",)}


def test_steps_that_give_up_or_take_too_long() -> None:
    text, _ = lines_of(
        application(FLEET),
        Script(acts={"tell": [StepError("no route")], "check": [Done()]}),
    )
    assert "went wrong, is tried again (10 of 10): no route" in text
    assert "tell: failed after 11 tries: no route" in text
    slow = FLEET.replace("{name: tell, ", "{name: tell, timeout: 5s, ")
    text, _ = lines_of(application(slow), Script(acts={"tell": [Waiting("the receiver starts")]}))
    assert "tell: failed: not done after 5s: the receiver starts" in text
    assert "after: failed" in text
    assert "check: skipped, as after and tell did not succeed" in text


def test_what_operators_do_is_told() -> None:
    script = Script(
        orders=[
            Entry(at=NOON + 1, kind=Kind.SUSPEND, by="ann"),
            Entry(at=NOON + 2, kind=Kind.RESUME, by="bob"),
        ]
    )
    script.collects = ()
    text, _ = lines_of(application(SEED), script)
    assert "[  1.0s] the workflow is suspended by ann\n" in text
    assert "[  2.0s] the workflow is resumed by bob\n" in text
    made = application(SEED)
    text, conclusion = lines_of(made, Script(orders=[Entry(at=NOON + 1, kind=Kind.SUSPEND)]))
    assert text.endswith("[  1.0s] the workflow is suspended\n")
    summary = conclude(made, conclusion.run, conclusion.changed)
    assert (summary.exit_code, summary.sentence) == (
        4,
        "Application default/example-app is suspended by an operator on the way to "
        "example-app-v1:0123456789abcdef.",
    )


def test_several_waiting_steps_and_skipped_stages_are_in_the_sentence() -> None:
    text = SEED.replace(
        "steps:\n",
        "mode: {steps: DAG}\n    steps:\n"
        "      - {name: ask, type: suspend, properties: {message: Is it Monday?}}\n",
    )
    made = application(text)
    _, conclusion = lines_of(made, Script(unchanged=["deploy-staging", "deploy-prod"]))
    assert "waits at ask (Is it Monday?) and manual-approval to promote" in (
        conclude(made, conclusion.run, conclusion.changed).sentence
    )
    made = application(SEED)
    run = made.run.with_step("deploy-staging", step_run(StepPhase.SUCCEEDED))
    run = run.with_step("manual-approval", step_run(StepPhase.SUCCEEDED))
    run = run.with_step("deploy-prod", step_run(StepPhase.SKIPPED))
    assert conclude(made, run, ["staging"]).sentence.endswith("in all stages but prod (skipped).")


def step_run(phase: StepPhase, **fields: Any) -> StepRun:
    return StepRun(phase, **fields)


def test_no_line_comes_twice_in_a_row_and_none_waits_for_itself() -> None:
    told: list[str] = []

    def write(line: Line) -> None:
        told.append(line.text)
        if len(told) == 1:
            lines.progress("", "stopping")  # as a signal's handler does

    lines = Lines(write, lambda: 0.0)
    for text in ("creating", "created", "created", "creating"):
        lines.progress("staging", text)
    assert [text.partition("] ")[2] for text in told] == [
        "creating",
        "stopping",
        "created",
        "creating",
    ]


def test_a_plan_stands_below_its_title() -> None:
    told: list[tuple[str, str]] = []
    lines = Lines(lambda line: told.append((line.text, line.colour)), lambda: 0.0)
    change = PlannedField(path=("spec", "replicas"), before=1, after=3)
    lines.planned("prod", plan("prod", "east", operation=Operation.UPDATE, fields=(change,)))
    assert told == [
        ("[  0.0s] prod: 1 change", ""),
        ("         east", ""),
        ("           ~ Deployment default/web", "yellow"),
        ("               spec.replicas: 1 → 3", ""),
    ]


def test_a_plan_without_changes_says_what_goes_on() -> None:
    told: list[str] = []
    lines = Lines(lambda line: told.append(line.text), lambda: 0.0)
    lines.planned("prod", plan("prod", "east", operation=Operation.NONE, cause=Cause.UNREADY))
    assert told[0] == "[  0.0s] prod: goes on with what did not finish"
    assert told[-1] == "           · Deployment default/web (did not get ready)"


def test_plans_of_two_waves_each_have_a_title() -> None:
    told: list[str] = []
    lines = Lines(lambda line: told.append(line.text), lambda: 0.0)
    lines.planned("prod", plan("prod", "east"))
    lines.planned("prod", plan("prod", "west"))
    assert [text for text in told if "change" in text] == ["[  0.0s] prod: 1 change"] * 2


def json_of(made: Application, script: Script) -> tuple[list[dict[str, Any]], JsonLines]:
    edge = ScriptedEdge(script)
    told: list[str] = []
    display = JsonLines(told.append, edge.now)
    conclusion = play(made, script, display, edge)
    if not conclusion.run.failed:
        display.concluded(conclude(made, conclusion.run, conclusion.changed))
    return [json.loads(line) for line in told], display


def test_json_lines_of_a_plan_say_what_happens_to_each_object() -> None:
    told: list[str] = []
    change = PlannedField(path=("data", "a.b"), before=None, after="x")
    drift = PlannedField(path=("spec", "replicas"), before=7, after=3, managers=("kubectl",))
    refusal = Refusal(code="VP204", message="it is not ours", next_step="Rename it.")
    lines = JsonLines(told.append, lambda: NOON)
    plans: list[dict[str, Any]] = [
        {"operation": Operation.NONE},
        {"operation": Operation.UPDATE, "fields": (change,), "drift": (drift,)},
        {"operation": Operation.TAKE_OVER, "cause": Cause.INTERRUPTED},
        {"operation": Operation.DISOWN, "other": "a", "irreversible": ("gone",)},
        {"operation": Operation.REFUSE, "refusal": refusal, "remarks": ("old",)},
    ]
    for more in plans:
        lines.planned("prod", plan("prod", "east", **more))
    nothing, *found = (json.loads(line)["changes"] for line in told)
    known = {
        "cluster": "east", "namespace": "default", "apiVersion": "apps/v1", "kind": "Deployment",
        "name": "web",
    }  # fmt: skip
    assert nothing == []
    assert [change for (change,) in found] == [
        {
            "action": "update",
            "operation": "update",
            **known,
            "fields": [{"path": 'data["a.b"]', "before": None, "after": "x"}],
            "drift": [
                {
                    "path": "spec.replicas",
                    "before": 7,
                    "after": 3,
                    "left": False,
                    "managers": ["kubectl"],
                }
            ],
        },
        {"action": "update", "operation": "take-over", **known, "cause": "interrupted"},
        {
            "action": "leave",
            "operation": "disown",
            **known,
            "other": "a",
            "irreversible": ["gone"],
        },
        {
            "action": "refuse",
            "operation": "refuse",
            **known,
            "refusal": {
                "code": "VP204",
                "message": "it is not ours",
                "next_step": "Rename it.",
            },
            "remarks": ["old"],
        },
    ]


def test_json_lines_of_a_delivery() -> None:
    events, _ = json_of(application(SEED), Script(collects=[]))
    start = {"time": "2030-01-01T12:00:00.000Z"}
    applied = {"time": "2030-01-01T12:00:02.000Z"}
    seen = {"time": "2030-01-01T12:00:02.100Z"}
    cluster = "cluster-staging"
    revision = "example-app-v1:0123456789abcdef"
    assert events == [
        {
            "type": "begins",
            **start,
            "application": "example-app",
            "namespace": "default",
            "revision": revision,
            "run": 1,
        },
        {"type": "begin", **start, "revision": revision, "run": 1},
        {"type": "start", **start, "step": "deploy-staging"},
        {"type": "apply", **start, "step": "deploy-staging", "clusters": [cluster]},
        {
            "type": "planned",
            **start,
            "title": "staging",
            "changes": [
                {
                    "action": "create",
                    "operation": "create",
                    "cluster": cluster,
                    "namespace": "default",
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": "web",
                }
            ],
        },
        {
            "type": "progress",
            **start,
            "title": "staging",
            "text": f"Deployment web on {cluster}: creating",
        },
        {"type": "applied", **applied, "step": "deploy-staging", "clusters": [cluster]},
        {
            "type": "seen",
            **seen,
            "step": "deploy-staging",
            "cluster": cluster,
            "healthy": True,
            "message": "web Ready:1/1",
        },
        {
            "type": "cluster",
            **seen,
            "step": "deploy-staging",
            "clusters": [cluster],
            "cluster": "Succeeded",
            "healthy": seen["time"],
        },
        {
            "type": "end",
            **seen,
            "step": "deploy-staging",
            "phase": "succeeded",
            "samples": 1,
        },
        {
            "type": "start",
            **seen,
            "step": "manual-approval",
            "phase": "suspending",
            "reason": "Suspend",
            "message": "Suspended by field suspend",
        },
        {
            "type": "summary",
            **seen,
            "phase": "suspending",
            "revision": revision,
            "changed": ["staging"],
            "waiting": [{"step": "manual-approval"}],
            "lost": {},
            "exit": 4,
        },
    ]


def test_json_lines_tell_what_is_seen_or_waited_for_once() -> None:
    events, display = json_of(application(FLEET), fleet_script())
    east = [event for event in events if event["type"] == "seen" and event["cluster"] == "east"]
    assert [(event["healthy"], event["message"]) for event in east] == [(False, STUCK.message)]
    waits = [event["message"] for event in events if event["type"] == "waits"]
    assert waits == ["the receiver answers 503", "the receiver starts"]
    told: list[str] = []
    display._write = told.append
    display.failed(Unhealthy("step check has failed"))
    assert json.loads(told[0]) == {
        "type": "summary",
        "time": "2030-01-01T12:00:21.400Z",
        "phase": "failed",
        "revision": "shop-v1:0123456789abcdef",
        "changed": ["roll"],
        "waiting": [],
        "lost": {"roll": ["east"]},
        "exit": 6,
        "error": {
            "code": "VP303",
            "message": "step check has failed",
            "next": Unhealthy.next_step,
        },
    }


def test_json_lines_of_what_has_not_begun() -> None:
    told: list[str] = []
    display = JsonLines(told.append, lambda: NOON)
    display.warning("the trait is deprecated")
    display.failed(VelapulumiError("app.yaml is not there"))
    first, last = map(json.loads, told)
    assert first == {
        "type": "warning",
        "time": "2030-01-01T12:00:00.000Z",
        "text": "the trait is deprecated",
    }
    assert (last["type"], last["phase"], last["revision"], last["exit"]) == (
        "summary",
        "initializing",
        "",
        1,
    )


class Frames(Lines):
    """Draws the board at some times, as a terminal of 80 columns shows it."""

    def __init__(self, edge: ScriptedEdge, times: Sequence[float]) -> None:
        super().__init__(lambda line: None, edge.now)
        self._edge = edge
        self._times = list(times)
        self._board = Board(application(SEED).workflow, Run())
        self.drawn: dict[float, str] = {}

    def begins(self, application: Application) -> None:
        self._board = Board.of(application.workflow, application.run)

    def ends(self) -> None:
        now = self._edge.now()
        self.drawn[now - NOON] = drawn(self._board.rows(now))

    def progress(self, title: str, text: str) -> None:
        self._board = self._board.worked(title, text)

    def entry(self, entry: Entry, run: Run) -> None:
        self._draw()
        self._board = self._board.after(entry, run)

    def waits(self, step: WorkflowStep, message: str) -> None:
        self._board = self._board.noted(step.name, "", message)

    def seen(self, step: WorkflowStep, cluster: str, observation: Observation) -> None:
        self._draw()
        self._board = self._board.observed(step.name, cluster, observation)

    def _draw(self) -> None:
        """Draw the board as it was at the times that have come."""
        while self._times and NOON + self._times[0] <= self._edge.now() + 0.001:
            time = self._times.pop(0)
            self.drawn[time] = drawn(self._board.rows(NOON + time))


def drawn(rows: Sequence[Row]) -> str:
    console = Console(file=io.StringIO(), width=80, record=True)
    console.print(table(rows, 80))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    return "\n".join(line.rstrip() for line in lines) + "\n"


def frames(made: Application, script: Script, *times: float) -> list[str]:
    edge = ScriptedEdge(script)
    display = Frames(edge, times)
    play(made, script, display, edge)
    return list(display.drawn.values())


def test_rows_while_a_fleet_is_delivered() -> None:
    shown = frames(application(FLEET), fleet_script(), 1, 5, 12, 19)
    assert shown[0] == (
        "● applying   roll      canary    1s  creating (Deployment web)\n"
        "· pending    roll      east\n"
        "· pending    roll      west\n"
        "· pending    after\n"
        "· pending      tell\n"
        "· pending      settle\n"
        "· pending    mourn\n"
        "· pending    check\n"
    )
    assert shown[1].splitlines()[:2] == [
        "● proving    roll      canary    5s  Ready:1/1  healthy for 2s of 5s",
        "· pending    roll      east",
    ]
    assert shown[2].splitlines()[:3] == [
        "✓ done       roll      canary    8s  Ready:1/1",
        "● starting   roll      east      3s  Ready:0/1  ImagePullBackOff: Back-off pu…",
        "● starting   roll      west      3s  Ready:0/1  its pods are starting",
    ]
    assert shown[3].splitlines()[3:6] == [
        "● running    after               0s",
        "● running      tell              0s  1 of 10 tries: the receiver answers 503",
        "◆ waits        settle            0s  3s: Let caches warm up.",
    ]
    assert shown[4] == (
        "✓ done       roll      canary    8s  Ready:1/1\n"
        "✗ timed out  roll      east     10s  Ready:0/1  ImagePullBackOff: Back-off pu…\n"
        "✓ done       roll      west      9s  Ready:1/1\n"
        "✓ done       after               3s\n"
        "✓ done         tell              2s  sent\n"
        "✓ done         settle            3s\n"
        "- skipped    mourn                   its condition does not hold: status.roll…\n"
        "✗ failed     check               0s  it ended with exit code 1\n"
    )


def test_rows_of_a_step_that_has_failed_as_a_whole() -> None:
    broken = Script(broken={"roll": Unhealthy("cluster canary: no answer")})
    assert frames(application(FLEET), broken)[-1].splitlines()[:3] == [
        "✗ failed     roll      3 clusters    2s  cluster canary: no answer",
        "- skipped    after                       roll did not succeed",
        "- skipped      tell                      its group after is skipped",
    ]
    cause = "pod web-5d8f7c: ImagePullBackOff: no such image"
    text = f"stage staging is not healthy after 4s: web on cluster-staging Ready:0/1 - {cause}"
    broken = Script(broken={"deploy-staging": Unhealthy(text)})
    assert frames(application(SEED), broken)[-1].splitlines()[0] == (
        "✗ failed     staging          cluster-staging    2s  ImagePullBackOff: no suc…"
    )
    made = application(SEED)
    orders = [Entry(at=NOON + 1, kind=Kind.TERMINATE, by="ann")]
    assert frames(made, Script(orders=orders))[-1] == (
        "✗ failed     staging          cluster-staging    1s  the workflow was termina…\n"
        "· pending    manual-approval\n"
        "· pending    prod             cluster-prod\n"
    )


def test_what_has_failed_is_no_failure_any_more_when_it_is_run_again() -> None:
    made = application(SEED)
    run = made.run.with_step("deploy-staging", step_run(StepPhase.FAILED))
    run = run.with_step("deploy-prod", step_run(StepPhase.SKIPPED))
    assert {row.state for row in Board.of(made.workflow, run).rows(NOON)} == {"pending"}


def test_rows_of_a_delivery_that_goes_on() -> None:
    _, conclusion = lines_of(application(SEED), Script())
    made = application(SEED, conclusion.run)
    approved = {"manual-approval": "ann"}
    script = Script(unchanged=["deploy-staging"], approvals=approved)
    shown = frames(made, script, 0.05)
    assert shown == [
        "○ checking   staging          cluster-staging    0s\n"
        "✓ done       manual-approval                     0s\n"
        "· pending    prod             cluster-prod\n",
        "✓ no change  staging          cluster-staging    0s  Ready:1/1\n"
        "✓ done       manual-approval                     0s\n"
        "✓ done       prod             cluster-prod       2s  Ready:1/1\n",
    ]


@pytest.mark.parametrize(
    ("observation", "ready", "reason"),
    [
        (WELL, "Ready:1/1", ""),
        (Observation(True, "web Ready:1/1; db Ready:2/2"), "Ready:3/3", ""),
        (Observation(True, "web Ready:1/1; job done"), "Ready:1/1", ""),
        (Observation(True, "job"), "", ""),
        (Observation(True), "", ""),
        (STARTING, "Ready:0/1", "its pods are starting"),
        (
            Observation(False, "web Deployment web is not there"),
            "",
            "web Deployment web is not there",
        ),
        (
            Observation(False, "web Ready:0/1 - a - b; db Ready:0/2 - c"),
            "Ready:0/1",
            "a - b; db Ready:0/2 - c",
        ),
    ],
)
def test_what_is_ready_and_why_not(observation: Observation, ready: str, reason: str) -> None:
    assert (words.ready(observation), words.reason(observation)) == (ready, reason)


def test_rows_that_do_not_fit_are_joined_by_state() -> None:
    rows = [
        Row("done", "roll", "a", "Ready:1/1", 3),
        Row("failed", "roll", "b", "", 2, "no answer"),
        Row("done", "roll", "c", "Ready:1/1", 5),
        Row("pending", "roll", "d"),
        Row("pending", "roll", "e"),
        Row("waits", "ask", note="for approval"),
    ]
    assert fitted(rows, 6) == rows
    assert fitted(rows, 5) == [
        Row("done", "roll", "2 clusters", "", 5),
        Row("failed", "roll", "b", "", 2, "no answer"),
        Row("pending", "roll", "2 clusters"),
        Row("waits", "ask", note="for approval"),
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (59.9, "59s"), (185, "3m05s"), (3725, "1h02m")]
)
def test_lengths_of_time_are_short(seconds: float | None, text: str) -> None:
    assert drawn([Row("done", "web", elapsed=seconds)]).split()[3:] == ([text] if text else [])


def test_long_names_leave_room_in_the_width() -> None:
    row = Row("proving", "n" * 60, "c" * 60, "Ready:1/1", 3, "a reason " * 20)
    assert drawn([row, Row("no change", "web")]).splitlines()[0] == (
        f"● proving    {'n' * 17}…  {'c' * 17}…    3s  Ready:1/1  a reaso…"
    )


def on_terminal(made: Application, script: Script, height: int = 30) -> list[str]:
    """What stays on a terminal, line by line, without what was drawn over."""
    edge = ScriptedEdge(script)
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, height=height, highlight=False)
    with pytest.MonkeyPatch.context() as patch:
        # What the clock of this machine would draw in between is no part of the script.
        patch.setattr("velapulumi.cli.progress.live._REFRESHES", 0.001)
        display = Live(console, edge.now)
    display.warning("the trait is deprecated")
    play(made, script, display, edge)
    return screen(stream.getvalue())


def screen(output: str) -> list[str]:
    """The lines of a terminal after some output, by the few controls that are in use."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[\??[\d;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", output):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part.endswith("A") and part[0] == "\x1b":
            row -= int(part[2:-1])
        elif part[0] not in "\x1b\r":
            lines[row] += part
    return [line.rstrip() for line in lines if line.rstrip()]


def test_a_terminal_keeps_plans_warnings_and_the_last_rows() -> None:
    script = Script(looks={("deploy-staging", "cluster-staging"): [STARTING, WELL]})
    script.orders = [
        Entry(at=NOON + 1, kind=Kind.SUSPEND, by="ann"),
        Entry(at=NOON + 1.5, kind=Kind.RESUME, by="ann"),
    ]
    assert on_terminal(application(SEED), script) == [
        "Warning: the trait is deprecated",
        "[  0.0s] staging: 1 change",
        "         cluster-staging",
        "           + Deployment default/web",
        "[  1.0s] the workflow is suspended by ann",
        "[  1.5s] the workflow is resumed by ann",
        "✓ done       staging          cluster-staging    3s  Ready:1/1",
        "◆ waits      manual-approval                     0s  for approval",
        "· pending    prod             cluster-prod",
    ]


def test_a_small_terminal_shows_fewer_rows() -> None:
    shown = on_terminal(application(FLEET), fleet_script(), height=9)
    assert shown[-7:] == [
        "✓ done       roll      2 clusters    9s",
        "✗ timed out  roll      east         10s  Ready:0/1  ImagePullBackOff: Back-of…",
        "✓ done       after                   3s",
        "✓ done         tell                  2s  sent",
        "✓ done         settle                3s",
        "- skipped    mourn                       its condition does not hold: status.…",
        "✗ failed     check                   0s  it ended with exit code 1",
    ]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Latin(Terminal):
    encoding = "iso-8859-1"


@pytest.mark.parametrize(
    ("stream", "environment", "live"),
    [
        (Terminal(), {"TERM": "xterm-256color"}, True),
        (Terminal(), {"TERM": "tmux", "NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (Terminal(), {}, False),
        (Latin(), {"TERM": "xterm"}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
    ],
)
def test_rows_are_for_terminals_that_can_show_them(
    stream: io.StringIO, environment: dict[str, str], live: bool
) -> None:
    assert is_live(stream, environment) is live


@pytest.mark.parametrize(
    ("output", "stream", "kind"),
    [
        ("json", Terminal(), JsonLines),
        ("table", Terminal(), Live),
        ("table", io.StringIO(), Lines),
    ],
)
def test_the_output_decides_who_tells(
    output: str, stream: io.StringIO, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stderr", stream)
    assert type(display_for(output)) is kind


@pytest.mark.parametrize("display", ["Lines", "JsonLines"])
def test_a_reader_that_goes_away_does_not_end_a_delivery(display: str) -> None:
    module = "lines" if display == "Lines" else "jsonl"
    reader, writer = os.pipe()
    kept, result = os.pipe()
    os.close(reader)
    code = (
        f"import os\nfrom velapulumi.cli.progress.{module} import {display}\n"
        f"display = {display}()\n"
        "for number in range(20_000): display.progress('', str(number))\n"
        f"os.write({result}, b'went on')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=writer if display == "JsonLines" else subprocess.DEVNULL,
        stderr=writer if display == "Lines" else subprocess.PIPE,
        pass_fds=(result,),
        timeout=60,
        check=False,
    )
    os.close(writer)
    os.close(result)
    with os.fdopen(kept) as stream:
        told = stream.read()
    assert (done.returncode, told, done.stderr or b"") == (0, "went on", b"")
