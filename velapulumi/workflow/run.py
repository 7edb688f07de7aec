"""A run of a workflow: a value that is nothing but what its journal tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from velapulumi.workflow.entries import ClusterPhase, Entry, Kind
from velapulumi.workflow.phases import Reason, StepPhase


@dataclass(frozen=True)
class ClusterRun:
    """Where one cluster stands in the rollout of a step.

    Attributes:
        phase: Its phase.
        applied: When the step's objects were last applied to it; 0 before.
        healthy: Since when it has been seen healthy without a break; 0 when it is not.
        message: Why it has failed.
        proven: Whether it has once been healthy for long enough in this run.
    """

    phase: ClusterPhase = ClusterPhase.TO_APPLY
    applied: float = 0
    healthy: float = 0
    message: str = ""
    proven: bool = False


@dataclass(frozen=True)
class StepRun:
    """What has become of one step.

    Attributes:
        phase: Its phase.
        reason: Why it is in it.
        message: The same in words.
        started: When it began, in seconds since 1970; None before.
        ended: When it ended; None before.
        errors: How often an action of it has gone wrong.
        again: Whether its objects have to be applied once more, for values that are on the way.
        clusters: Where its clusters stand, by name.
        memory: What an acting step remembers while it waits.
        samples: How often it was seen healthy before it ended.
    """

    phase: StepPhase = StepPhase.PENDING
    reason: Reason | None = None
    message: str = ""
    started: float | None = None
    ended: float | None = None
    errors: int = 0
    again: bool = False
    clusters: Mapping[str, ClusterRun] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)
    samples: int = 0

    def anew(self) -> StepRun:
        """The step before its start; clusters that have proven themselves stay proven."""
        return StepRun(clusters=_proven(self.clusters))


@dataclass(frozen=True)
class Run:
    """One run of a workflow.

    Attributes:
        revision: What is run, ``<application>-v<N>:<hash>``; empty before the first run.
        number: The run's number.
        began: When it began, in seconds since 1970; None before.
        ended: When all its steps had ended; None before.
        steps: What has become of its steps, by name; a missing one is pending.
        values: What its steps have published, by name.
        suspended: Whether somebody holds it.
        terminated: Whether somebody has ended it.
        finished: Whether all steps have ended and everything is collected.
    """

    revision: str = ""
    number: int = 0
    began: float | None = None
    ended: float | None = None
    steps: Mapping[str, StepRun] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    suspended: bool = False
    terminated: bool = False
    finished: bool = False

    def step(self, name: str) -> StepRun:
        """What has become of a step."""
        return self.steps.get(name, _PENDING)

    def with_step(self, name: str, step: StepRun) -> Run:
        """The run with one step changed."""
        return replace(self, steps={**self.steps, name: step})

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the steps that have failed."""
        return tuple(name for name, step in self.steps.items() if step.phase is StepPhase.FAILED)


_PENDING = StepRun()


def run_of(entries: Iterable[Entry], revision: str, number: int) -> Run:
    """The run of a revision that a journal tells of; one that has not begun if it tells of none.

    Args:
        entries: The journal's entries, oldest first.
        revision: The revision.
        number: The run's number.
    """
    run = Run(revision, number)
    inside = False
    for entry in entries:
        if entry.kind is Kind.BEGIN:
            inside = (entry.revision, entry.run) == (revision, number)
        if inside:
            run = advance(run, entry)
    return run


def unfinished(entries: Iterable[Entry]) -> frozenset[str]:
    """Names of the steps whose last apply, in whichever run, did not end well on all clusters.

    What it had begun may be in a cluster though no stack holds it.

    Args:
        entries: The journal's entries, oldest first.
    """
    found = set()
    for entry in entries:
        if entry.kind is Kind.APPLY or (entry.kind is Kind.APPLIED and entry.failed):
            found.add(entry.step)
        elif entry.kind is Kind.APPLIED:
            found.discard(entry.step)
    return frozenset(found)


def advance(run: Run, entry: Entry) -> Run:
    """The run after one more entry of its journal."""
    match entry.kind:
        case Kind.BEGIN if (entry.revision, entry.run) == (run.revision, run.number):
            return run if run.began is not None else replace(run, began=entry.at)
        case Kind.BEGIN:
            return Run(entry.revision, entry.run, entry.at)
        case Kind.SUSPEND:
            return replace(run, suspended=True)
        case Kind.RESUME:
            return replace(run, suspended=False)
        case Kind.TERMINATE:
            return _terminated(run, entry)
        case Kind.RESTART:
            return _restarted(run, entry)
        case Kind.FINISH:
            return replace(run, finished=entry.phase is StepPhase.SUCCEEDED, ended=entry.at)
        case Kind.COLLECT | Kind.COLLECTED | Kind.STOP:
            return run
        case _:
            stepped = run.with_step(entry.step, _stepped(run.step(entry.step), entry))
            return replace(stepped, values={**run.values, **entry.values})


def _stepped(step: StepRun, entry: Entry) -> StepRun:
    match entry.kind:
        case Kind.START:
            return replace(
                step.anew(),
                phase=entry.phase or StepPhase.RUNNING,
                started=entry.at,
                reason=entry.reason,
                message=entry.message,
            )
        case Kind.APPLIED:
            return _applied(step, entry)
        case Kind.CLUSTER:
            return _moved(step, entry)
        case Kind.ERROR:
            return replace(step, errors=step.errors + 1, message=entry.message)
        case Kind.WAIT:
            return replace(step, memory=entry.memory, message=entry.message)
        case Kind.END:
            return replace(
                step,
                phase=entry.phase or StepPhase.FAILED,
                reason=entry.reason,
                message=entry.message,
                started=step.started if step.started is not None else entry.at,
                ended=entry.at,
                samples=entry.samples,
            )
        case _:  # an intent changes nothing
            return step


def _applied(step: StepRun, entry: Entry) -> StepRun:
    clusters = dict(step.clusters)
    for name in entry.clusters:
        before = clusters.get(name, ClusterRun())
        if name in entry.failed:
            clusters[name] = ClusterRun(ClusterPhase.FAILED, entry.at, message=entry.failed[name])
        else:
            clusters[name] = replace(before, phase=ClusterPhase.PROGRESSING, applied=entry.at)
    return replace(step, again=entry.again, clusters=clusters)


def _moved(step: StepRun, entry: Entry) -> StepRun:
    clusters = dict(step.clusters)
    for name in entry.clusters:
        before = clusters.get(name, ClusterRun())
        phase = entry.cluster or before.phase
        clusters[name] = replace(
            before,
            phase=phase,
            healthy=entry.healthy,
            message=entry.message,
            proven=phase is ClusterPhase.SUCCEEDED,
        )
    return replace(step, clusters=clusters)


def _terminated(run: Run, entry: Entry) -> Run:
    steps = {
        name: step
        if step.phase.finished
        else replace(step, phase=StepPhase.FAILED, reason=Reason.TERMINATE, ended=entry.at)
        for name, step in run.steps.items()
    }
    return replace(run, steps=steps, terminated=True, suspended=False, ended=entry.at)


def _restarted(run: Run, entry: Entry) -> Run:
    steps = {name: step.anew() if name in entry.steps else step for name, step in run.steps.items()}
    return replace(run, steps=steps, terminated=False, suspended=False, finished=False, ended=None)


def interrupted(run: Run) -> Run:
    """The run as another process takes it up: nothing of it is under way any more.

    What a running step had applied is applied again, which changes nothing where it is there, and
    waited for anew; clusters that have proven themselves stay proven.
    """
    steps = {
        name: replace(step, again=False, clusters=_proven(step.clusters))
        if step.phase is StepPhase.RUNNING
        else step
        for name, step in run.steps.items()
    }
    return replace(run, steps=steps)


def _proven(clusters: Mapping[str, ClusterRun]) -> dict[str, ClusterRun]:
    return {name: ClusterRun(proven=True) for name, each in clusters.items() if each.proven}
