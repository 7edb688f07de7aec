"""Playing a workflow on virtual clusters and in virtual time, by the driver that runs it."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from velapulumi.definitions import Done, Failed
from velapulumi.errors import ClusterUnreachable, Unhealthy, VelapulumiError
from velapulumi.spec import STEP_ROOTS, parse_expression
from velapulumi.workflow.driver import Driver
from velapulumi.workflow.edge import Acted, Applied, Broken, Conclusion, Limits, Observed, Outcome
from velapulumi.workflow.entries import Entry
from velapulumi.workflow.rollout import Observation
from velapulumi.workflow.run import Run
from velapulumi.workflow.stages import Workflow
from velapulumi.workflow.steps import WorkflowStep

START = 1_000_000_000.0
"""When virtual time begins; any number but 0, which means never."""

APPLYING, STARTING, ACTING, ASKING = 2.0, 5.0, 1.0, 5.0
"""Seconds it takes to apply, to get healthy, to act, and to find that nobody answers."""

SOMEBODY = "somebody"
"""Who gives the approvals of a simulation."""


@dataclass(frozen=True)
class Scenario:
    """What goes wrong in a simulation.

    Attributes:
        sick: Cluster and step of deliveries that never get healthy.
        broken: Acting steps that fail.
        unreachable: Clusters that do not answer.
        rejected: Steps that nobody approves.
    """

    sick: frozenset[tuple[str, str]] = frozenset()
    broken: frozenset[str] = frozenset()
    unreachable: frozenset[str] = frozenset()
    rejected: frozenset[str] = frozenset()


@dataclass
class World:
    """Virtual clusters: which revision of a step each has, by cluster and step.

    Attributes:
        held: The revisions.
        writes: How often something was written, by the same keys.
    """

    held: dict[tuple[str, str], str] = field(default_factory=dict)
    writes: dict[tuple[str, str], int] = field(default_factory=dict)

    def apply(self, cluster: str, step: str, revision: str) -> None:
        """Write a step's objects to a cluster."""
        self.held[cluster, step] = revision
        self.writes[cluster, step] = self.writes.get((cluster, step), 0) + 1


@dataclass(frozen=True)
class Played:
    """What a simulation has shown.

    Attributes:
        entries: The entries of the journal.
        conclusion: How far the run came.
        approvals: Names of the steps that needed an approval.
        seconds: How long it took, in virtual time.
        world: The clusters as they are at the end.
    """

    entries: tuple[Entry, ...]
    conclusion: Conclusion
    approvals: tuple[str, ...]
    seconds: float
    world: World


class VirtualEdge:
    """The edge of a run on virtual clusters.

    Args:
        workflow: The workflow.
        revision: The revision that is run.
        scenario: What goes wrong.
        limits: How long things may take.
        world: The clusters.
        now: The time it is at the beginning.
    """

    stopping = False

    def __init__(
        self,
        workflow: Workflow,
        revision: str,
        scenario: Scenario,
        limits: Limits,
        world: World,
        now: float = START,
    ) -> None:
        self.approvals: dict[str, None] = {}
        self._workflow = workflow
        self._revision = revision
        self._scenario = scenario
        self._limits = limits
        self._world = world
        self._now = now
        self._coming: list[tuple[float, int, Outcome]] = []
        self._count = 0

    def now(self) -> float:
        return self._now

    def wait(self, until: float | None) -> Sequence[Outcome]:
        ends = math.inf if until is None else until
        if not self._coming or self._coming[0][0] > ends:
            self._now = max(self._now, ends)
            return ()
        self._now = max(self._now, self._coming[0][0])
        found = []
        while self._coming and self._coming[0][0] <= self._now:
            found.append(heapq.heappop(self._coming)[2])
        return found

    def approved(self, step: str) -> str | None:
        if self._workflow.step(step).duration is not None:
            return None  # it goes on by itself
        self.approvals[step] = None
        return None if step in self._scenario.rejected else SOMEBODY

    def commands(self) -> Sequence[Entry]:
        return ()

    def apply(
        self,
        step: WorkflowStep,
        clusters: tuple[str, ...],
        run: Run,
        intent: Callable[[], None],
    ) -> None:
        rollout = self._workflow.rollouts[step.name]
        tolerant = any(wave.budget for wave in rollout.waves)
        failed: dict[str, VelapulumiError] = {
            name: ClusterUnreachable(f"cluster {name} cannot be reached")
            for name in self._silent(step, run)
        }
        asked = ASKING if failed else 0.0
        if failed and not tolerant:
            self._later(asked, Broken(step.name, next(iter(failed.values()))))
            return
        fresh = [
            name
            for name in clusters
            if name not in failed and self._world.held.get((name, step.name)) != self._revision
        ]
        sick = [name for name in clusters if (name, step.name) in self._scenario.sick]
        if fresh or sick:
            intent()
        for name in fresh:
            self._world.apply(name, step.name, self._revision)
        patience = self._patience(step, run)
        failed |= {
            name: Unhealthy(f"{step.stage} is not healthy on {name} after {patience:g}s")
            for name in sick
            if name not in failed
        }
        took = asked + (APPLYING if fresh else 0) + (patience if sick else STARTING if fresh else 0)
        if sick and not tolerant:
            self._later(took, Broken(step.name, failed[sick[0]]))
            return
        self._later(took, Applied(step.name, changed=bool(fresh), failed=failed))

    def observe(self, step: WorkflowStep, clusters: tuple[str, ...]) -> None:
        sick = self._scenario.sick
        seen = {name: Observation((name, step.name) not in sick) for name in clusters}
        self._later(0, Observed(step.name, seen))

    def act(self, step: WorkflowStep, run: Run) -> None:
        if step.name in self._scenario.broken:
            self._later(ACTING, Acted(step.name, Failed("it fails, as it was told to")))
        else:
            self._later(ACTING, Acted(step.name, Done(values=stand_ins(step))))

    def publish(self, step: WorkflowStep, run: Run) -> None:
        self._later(0, Acted(step.name, Done(values=stand_ins(step))))

    def collectable(self) -> Sequence[str]:
        return ()

    def collect(self, stage: str, intent: Callable[[], None]) -> None:
        raise AssertionError("a simulation begins with nothing to collect")

    def _silent(self, step: WorkflowStep, run: Run) -> Iterable[str]:
        """The clusters of a step's stage that do not answer, but those it has failed on before."""
        lost = {name for name, each in run.step(step.name).clusters.items() if each.phase.lost}
        names = self._workflow.stages[step.stage or ""].clusters
        return (n for n in names if n in self._scenario.unreachable and n not in lost)

    def _patience(self, step: WorkflowStep, run: Run) -> float:
        deadline = self._workflow.rollouts[step.name].deadline
        patience = self._limits.patience if deadline is None else min(deadline, 86400.0)
        if step.timeout:
            left = (run.step(step.name).started or self._now) + step.timeout - self._now
            patience = min(patience, max(left, 1))
        return patience

    def _later(self, seconds: float, outcome: Outcome) -> None:
        self._count += 1
        heapq.heappush(self._coming, (self._now + seconds, self._count, outcome))


class Unwatched:
    """A watcher that looks away."""

    def entry(self, entry: Entry, run: Run) -> None: ...

    def waits(self, step: WorkflowStep, message: str) -> None: ...

    def seen(self, step: WorkflowStep, cluster: str, observation: Observation) -> None: ...

    def approved(self, step: WorkflowStep, by: str) -> None: ...


def play(
    workflow: Workflow,
    revision: str,
    scenario: Scenario,
    limits: Limits,
    context: Mapping[str, Any] | None = None,
) -> Played:
    """Play a workflow from its beginning on empty clusters.

    Args:
        workflow: The workflow.
        revision: What is delivered, ``<application>-v<N>:<hash>``.
        scenario: What goes wrong.
        limits: How long things may take.
        context: What conditions know as ``context``.
    """
    entries: list[Entry] = []
    world = World()
    edge = VirtualEdge(workflow, revision, scenario, limits, world)
    run = Run(revision, 1)
    driver = Driver(workflow, run, edge, entries.append, Unwatched(), limits, context)
    conclusion = driver.go()
    return Played(tuple(entries), conclusion, tuple(edge.approvals), edge.now() - START, world)


def stand_ins(step: WorkflowStep) -> dict[str, Any]:
    """Values for a step's outputs: the word ``value`` wherever one is looked for."""
    values: dict[str, Any] = {}
    for output in step.outputs:
        for path in parse_expression(output.value_from, STEP_ROOTS).references():
            _put(values, path)
    return values


def _put(values: Any, path: Sequence[str | int]) -> None:
    for part, following in zip(path, (*path[1:], None), strict=True):
        fresh: Any = "value" if following is None else [] if isinstance(following, int) else {}
        if isinstance(part, int):
            values += [None] * (part + 1 - len(values))
            values[part] = values[part] or fresh
        else:
            values.setdefault(part, fresh)
        values = values[part]
