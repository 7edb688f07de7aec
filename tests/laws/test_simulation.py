"""What holds in every run of every workflow, and that a simulation tells what really happens."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from velapulumi.definitions import Done, Failed
from velapulumi.delivery.apply import Errand
from velapulumi.delivery.edge import ClusterEdge, _outcome_of
from velapulumi.errors import ClusterUnreachable, Unhealthy, VelapulumiError
from velapulumi.gate.journal import Journal
from velapulumi.workflow.driver import Driver
from velapulumi.workflow.edge import Acted, Applied, Conclusion, Limits, Outcome
from velapulumi.workflow.entries import ClusterPhase, Entry, Kind
from velapulumi.workflow.phases import StepPhase
from velapulumi.workflow.rollout import Observation, Rollout, Wave
from velapulumi.workflow.rules import waits_for
from velapulumi.workflow.run import Run, run_of
from velapulumi.workflow.simulation import (
    START,
    Played,
    Scenario,
    Unwatched,
    VirtualEdge,
    World,
    play,
)
from velapulumi.workflow.stages import Workflow
from velapulumi.workflow.steps import WorkflowStep

REVISION = "shop-v1:0123456789abcdef"
LIMITS = Limits(patience=20, interval=1)
SCENARIOS = 1000
CLUSTERS = ("a", "b", "c", "d", "e", "f")


def scenario_of(seed: int) -> tuple[Workflow, Scenario]:
    """A workflow and what goes wrong in it, the same for the same number."""
    draw = random.Random(seed)
    steps: list[WorkflowStep] = []
    rollouts: dict[str, Rollout] = {}
    ordered, sub_ordered = draw.random() < 0.5, draw.random() < 0.3
    level: list[str] = []
    for number in range(draw.randint(1, 6)):
        name = f"s{number}"
        if draw.random() < 0.15:
            steps.append(step_of(draw, name, "step-group", level, ordered))
            inner: list[str] = []
            for part in range(draw.randint(1, 3)):
                sub = drawn_step(draw, f"{name}-{part}", inner, sub_ordered, rollouts, group=name)
                steps.append(sub)
                inner.append(sub.name)
        else:
            steps.append(drawn_step(draw, name, level, ordered, rollouts))
        level.append(name)
    delivering = [(cluster, step) for step in rollouts for cluster in rollouts[step].clusters]
    stages = {
        step: SimpleNamespace(name=step, clusters=rollouts[step].clusters) for step in rollouts
    }
    scenario = Scenario(
        sick=frozenset(pair for pair in delivering if draw.random() < 0.15),
        broken=frozenset(s.name for s in steps if s.acts and draw.random() < 0.2),
        unreachable=frozenset(name for name in CLUSTERS if draw.random() < 0.06),
        rejected=frozenset(s.name for s in steps if s.gate and draw.random() < 0.15),
    )
    made: Any = stages
    return Workflow(tuple(steps), made, rollouts), scenario


def drawn_step(
    draw: random.Random,
    name: str,
    level: list[str],
    ordered: bool,
    rollouts: dict[str, Rollout],
    group: str = "",
) -> WorkflowStep:
    kind = draw.choice(["deploy", "deploy", "deploy2env", "suspend", "webhook", "run"])
    step = step_of(draw, name, kind, level, ordered, group)
    if kind.startswith("deploy"):
        rollouts[name] = drawn_rollout(draw)
        step = step.model_copy(update={"stage": name, "approval": draw.random() < 0.2})
    return step


def step_of(
    draw: random.Random,
    name: str,
    kind: str,
    level: list[str],
    ordered: bool,
    group: str = "",
) -> WorkflowStep:
    needs = [other for other in level if draw.random() < 0.3]
    condition = ""
    if draw.random() < 0.25:
        condition = "always"
        if level and draw.random() < 0.6:
            field = draw.choice(["failed", "succeeded", "skipped", "timeout"])
            condition = f'status["{draw.choice(level)}"].{field}'
            needs = needs or ([] if ordered else [draw.choice(level)])
    return WorkflowStep(
        name=name,
        type=kind,
        group=group,
        ordered=ordered,
        depends_on=tuple(needs) if draw.random() < 0.5 or not ordered else (),
        condition=condition,
        timeout=draw.choice([0, 0, 0, 0, 12, 40]),
        duration=draw.choice([None, 4.0]) if kind == "suspend" else None,
    )


def drawn_rollout(draw: random.Random) -> Rollout:
    names = draw.sample(CLUSTERS, draw.randint(1, 6))
    waves, scope = [], draw.choice(["rest", ""])
    while names:
        size = draw.randint(1, len(names))
        wave, names = tuple(names[:size]), names[size:]
        budget = draw.choice([0, 0, 1, 2])
        waves.append(Wave(wave, scope=scope or f"g{len(waves)}", budget=budget))
    if scope:
        budget = draw.choice([0, 1, 2])
        waves = [Wave(wave.clusters, scope=scope, budget=budget) for wave in waves]
    return Rollout(tuple(waves), draw.choice([0, 0, 3]), draw.choice([None, None, 9.0]))


class FakeFleet:
    """Clusters in memory, behind the interface of the real ``Applier``."""

    def __init__(self, workflow: Workflow, scenario: Scenario) -> None:
        self._workflow = workflow
        self._scenario = scenario
        self.content: set[tuple[str, str]] = set()
        self.took = 0.0

    def apply(self, errand: Errand, run: Run, intent: Callable[[], None]) -> Applied:
        name = errand.step.name
        here = list(self._workflow.stages[errand.step.stage or ""].clusters)
        failed: dict[str, VelapulumiError] = {}
        self.took = 0
        for cluster in here:
            if cluster in self._scenario.unreachable and cluster not in errand.lost:
                self.took = 5
                failed[cluster] = ClusterUnreachable(cluster)
                if not errand.tolerant:
                    raise failed[cluster]
        usable = [cluster for cluster in errand.clusters if cluster not in failed]
        fresh = [cluster for cluster in usable if (cluster, name) not in self.content]
        sick = [c for c in errand.clusters if (c, name) in self._scenario.sick]
        if fresh or sick:
            intent()
        self.content |= {(cluster, name) for cluster in fresh}
        self.took += (2 if fresh else 0) + (errand.patience if sick else 5 if fresh else 0)
        for cluster in sick:
            failed.setdefault(cluster, Unhealthy(cluster))
            if not errand.tolerant:
                raise Unhealthy(cluster)
        return Applied(name, changed=bool(fresh), failed=failed)

    def observe(self, step: str, clusters: tuple[str, ...]) -> dict[str, Observation]:
        self.took = 0
        return {name: Observation((name, step) not in self._scenario.sick) for name in clusters}


class EdgeInVirtualTime(ClusterEdge):
    """The real edge, with a clock of its own in the place of threads."""

    def __init__(self, workflow: Workflow, scenario: Scenario, journal: Journal) -> None:
        loaded = SimpleNamespace(steps=())
        run = Run(REVISION, 1)
        application: Any = SimpleNamespace(workflow=workflow, loaded=loaded, run=run)
        nobody: Any = None
        interrupts: Any = SimpleNamespace(stopping=False)
        look: Any = SimpleNamespace(renew=lambda: None)
        super().__init__(application, journal, nobody, interrupts, LIMITS, look)
        self.fleet = FakeFleet(workflow, scenario)
        applier: Any = self.fleet
        self._applier = applier
        self._scenario = scenario
        self._by_name = {step.name: step for step in workflow.steps}
        self._time = START
        self._coming: list[tuple[float, int, Outcome]] = []
        self._taken = 0

    def now(self) -> float:
        return self._time

    def wait(self, until: float | None) -> list[Outcome]:
        moment = self._coming[0][0] if self._coming else None
        if moment is None or (until is not None and moment > until):
            assert until is not None
            self._time = max(self._time, until)
            return []
        self._time = max(self._time, moment)
        found: list[Outcome] = []
        while self._coming and self._coming[0][0] <= self._time:
            found.append(heapq.heappop(self._coming)[2])
        return found

    def approved(self, step: str) -> str | None:
        waits = step in self._scenario.rejected or self._by_name[step].duration is not None
        return None if waits else "somebody"

    def commands(self) -> tuple[Entry, ...]:
        return ()

    def collectable(self) -> tuple[str, ...]:
        return ()

    def _act(self, step: WorkflowStep, run: Run) -> Outcome:
        self.fleet.took = 1
        failed = step.name in self._scenario.broken
        return Acted(step.name, Failed("broken") if failed else Done())

    def _begin(self, step: str, work: Callable[[], Outcome]) -> None:
        outcome = _outcome_of(step, work)
        self._taken += 1
        heapq.heappush(self._coming, (self._time + self.fleet.took, self._taken, outcome))


def entries_by_step(entries: list[Entry]) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    for entry in entries:
        told = (
            entry.kind,
            entry.at - START,
            entry.clusters,
            entry.cluster,
            entry.phase,
            entry.reason,
            tuple(sorted(entry.failed)),
        )
        found.setdefault(entry.step, []).append(told)
    return found


def phases(run: Run, workflow: Workflow) -> dict[str, StepPhase]:
    return {step.name: run.step(step.name).phase for step in workflow.steps}


def really(workflow: Workflow, scenario: Scenario) -> tuple[list[Entry], Conclusion, FakeFleet]:
    entries: list[Entry] = []
    nowhere: Any = None
    edge = EdgeInVirtualTime(workflow, scenario, nowhere)
    driver = Driver(workflow, Run(REVISION, 1), edge, entries.append, Unwatched(), LIMITS)
    return entries, driver.go(), edge.fleet


@pytest.mark.parametrize("block", range(10))
def test_the_simulation_tells_what_really_happens(block: int) -> None:
    size = SCENARIOS // 10
    for seed in range(block * size, (block + 1) * size):
        workflow, scenario = scenario_of(seed)
        played = play(workflow, REVISION, scenario, LIMITS)
        entries, conclusion, fleet = really(workflow, scenario)
        assert entries_by_step(list(played.entries)) == entries_by_step(entries), seed
        assert phases(played.conclusion.run, workflow) == phases(conclusion.run, workflow), seed
        assert played.conclusion.waiting == conclusion.waiting, seed
        assert played.conclusion.lost == conclusion.lost, seed
        assert [type(e) for e in played.conclusion.errors] == [type(e) for e in conclusion.errors]
        assert set(played.world.held) == fleet.content, seed


def check_order(workflow: Workflow, played: Played) -> None:
    """No step begins before those it waits for have ended."""
    ended: set[str] = set()
    for entry in played.entries:
        if entry.kind is Kind.START:
            step = workflow.step(entry.step)
            assert waits_for(workflow.steps, step) <= ended, entry.step
        elif entry.kind is Kind.END:
            ended.add(entry.step)


def check_waves(workflow: Workflow, played: Played) -> None:
    """No wave begins before those before it have settled, within their budget, and baked."""
    for name, rollout in workflow.rollouts.items():
        state: dict[str, ClusterPhase] = {}
        healthy: dict[str, float] = {}
        for entry in (e for e in played.entries if e.step == name):
            if entry.kind is Kind.APPLY:
                wave = next(w for w in rollout.waves if set(entry.clusters) <= set(w.clusters))
                for earlier in rollout.waves[: rollout.waves.index(wave)]:
                    for cluster in earlier.clusters:
                        assert state[cluster] is not ClusterPhase.PROGRESSING
                        if state[cluster] is ClusterPhase.SUCCEEDED:
                            assert entry.at - healthy[cluster] >= rollout.bake
                    lost = [
                        c
                        for w in rollout.waves
                        if w.scope == earlier.scope
                        for c in w.clusters
                        if state.get(c) in (ClusterPhase.FAILED, ClusterPhase.TIMED_OUT)
                    ]
                    assert len(lost) <= earlier.budget
            elif entry.kind is Kind.APPLIED:
                for cluster in entry.clusters:
                    failed = cluster in entry.failed
                    state[cluster] = ClusterPhase.FAILED if failed else ClusterPhase.PROGRESSING
            elif entry.kind is Kind.CLUSTER and entry.cluster is not None:
                for cluster in entry.clusters:
                    state[cluster] = entry.cluster
                    healthy[cluster] = entry.healthy


def check_end(workflow: Workflow, played: Played) -> None:
    """Everything has ended, but for what waits for an approval and what waits for that."""
    found = phases(played.conclusion.run, workflow)
    waiting = {step.name for step in played.conclusion.waiting}
    for step in workflow.steps:
        if found[step.name].finished:
            continue
        assert waiting, f"{step.name} neither ended nor waits"
        assert found[step.name] in (StepPhase.PENDING, StepPhase.SUSPENDING, StepPhase.RUNNING)
        if found[step.name] is StepPhase.RUNNING:
            assert step.type == "step-group"


def test_what_holds_in_every_run() -> None:
    seen: set[StepPhase] = set()
    for seed in range(SCENARIOS):
        workflow, scenario = scenario_of(seed)
        played = play(workflow, REVISION, scenario, LIMITS)
        check_order(workflow, played)
        check_waves(workflow, played)
        check_end(workflow, played)
        told = run_of(played.entries, REVISION, 1)
        assert phases(told, workflow) == phases(played.conclusion.run, workflow), seed
        assert max(played.world.writes.values(), default=0) <= 1, seed
        seen |= set(phases(told, workflow).values())
    assert seen == set(StepPhase), "the scenarios do not lead everywhere"


class Killed(Exception):
    """The process is gone."""


def killed_after(count: int, entries: list[Entry]) -> Callable[[Entry], None]:
    def note(entry: Entry) -> None:
        entries.append(entry)
        if len(entries) == count:
            raise Killed

    return note


def without_timeouts(workflow: Workflow) -> Workflow:
    steps = tuple(step.model_copy(update={"timeout": 0.0}) for step in workflow.steps)
    return Workflow(steps, workflow.stages, workflow.rollouts)


def test_killed_anywhere_it_goes_on_to_the_same_end() -> None:
    points = 0
    for seed in range(0, SCENARIOS, 7):
        workflow, scenario = scenario_of(seed)
        workflow = without_timeouts(workflow)
        whole = play(workflow, REVISION, scenario, LIMITS)
        for count in range(1, len(whole.entries) + 1):
            points += 1
            world, entries = World(), list[Entry]()
            edge = VirtualEdge(workflow, REVISION, scenario, LIMITS, world)
            with pytest.raises(Killed):
                Driver(
                    workflow,
                    Run(REVISION, 1),
                    edge,
                    killed_after(count, entries),
                    Unwatched(),
                    LIMITS,
                ).go()
            run = run_of(entries, REVISION, 1)
            again = VirtualEdge(workflow, REVISION, scenario, LIMITS, world, edge.now() + 3)
            end = Driver(workflow, run, again, entries.append, Unwatched(), LIMITS).go()
            assert phases(end.run, workflow) == phases(whole.conclusion.run, workflow), (
                seed,
                count,
            )
            told = run_of(entries, REVISION, 1)
            assert phases(told, workflow) == phases(whole.conclusion.run, workflow), (seed, count)
            assert world.held == whole.world.held, (seed, count)
            assert max(world.writes.values(), default=0) <= 1, (seed, count)
    assert points > 1000
