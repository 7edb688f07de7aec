"""What is to be seen of a delivery at one moment: a row for each stage and cluster, and each step.

Everything here is a value, so that it can be drawn at any time from any thread.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from velapulumi.cli.progress import words
from velapulumi.spec import GROUP
from velapulumi.workflow.driver import RETRIES
from velapulumi.workflow.entries import ClusterPhase, Entry, Kind
from velapulumi.workflow.phases import Reason, StepPhase
from velapulumi.workflow.rollout import Observation
from velapulumi.workflow.run import ClusterRun, Run, StepRun, interrupted
from velapulumi.workflow.stages import Workflow
from velapulumi.workflow.steps import SUSPEND, WorkflowStep

Place = tuple[str, str]
"""A step and a cluster; without a cluster the step as a whole."""

_POD = re.compile(r"(?:.* Ready:\d+/\d+ - )?(?:pod (\S+)|\[Pod ([^\]]*)\]): (.*)", re.DOTALL)
"""What is said of a pod, by a cluster or by the engine, perhaps after what is ready."""


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        state: The phase in a word or two.
        name: The step, as people call it.
        cluster: The cluster, or how many.
        ready: What is ready there.
        elapsed: Seconds it has taken; None before it has begun.
        note: What it does or waits for.
    """

    state: str
    name: str
    cluster: str = ""
    ready: str = ""
    elapsed: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Board:
    """What is known of a delivery.

    Attributes:
        workflow: Its workflow.
        run: Its run.
        changed: The steps that have begun to change something.
        applying: The places that the engine works on.
        seen: How places were last seen.
        notes: What is said of places beyond that.
        began: When work on a place began.
        ended: When a place came to its end.
    """

    workflow: Workflow
    run: Run
    changed: frozenset[str] = frozenset()
    applying: frozenset[Place] = frozenset()
    seen: Mapping[Place, Observation] = field(default_factory=dict)
    notes: Mapping[Place, str] = field(default_factory=dict)
    began: Mapping[Place, float] = field(default_factory=dict)
    ended: Mapping[Place, float] = field(default_factory=dict)

    @classmethod
    def of(cls, workflow: Workflow, run: Run) -> Board:
        """The board at the begin; what has been delivered is still to be looked at."""
        run = interrupted(words.begun_again(workflow, run))
        for step in workflow.steps:
            state = run.step(step.name)
            if step.stage is not None and state.phase is StepPhase.SUCCEEDED:
                run = run.with_step(step.name, state.anew())
        return cls(workflow, run)

    def after(self, entry: Entry, run: Run) -> Board:
        """The board after one more entry."""
        board = replace(self, run=run)
        step = entry.step
        places = [(step, name) for name in entry.clusters]
        match entry.kind:
            case Kind.START:
                return board._begun(step)
            case Kind.APPLY:
                return replace(
                    board,
                    changed=board.changed | {step},
                    applying=board.applying | set(places),
                    began={**dict.fromkeys(places, entry.at), **board.began},
                )
            case Kind.APPLIED:
                failed = [(step, name) for name in entry.failed]
                return replace(
                    board,
                    applying=board.applying - set(places),
                    notes=_without(board.notes, places),
                    ended={**board.ended, **dict.fromkeys(failed, entry.at)},
                )
            case Kind.CLUSTER if entry.cluster is not ClusterPhase.PROGRESSING:
                return replace(board, ended={**board.ended, **dict.fromkeys(places, entry.at)})
            case Kind.END:
                gone = {place for place in board.applying if place[0] == step}
                notes = _without(board.notes, [(step, ""), *gone])
                return replace(board, applying=board.applying - gone, notes=notes)
            case _:
                return board

    def noted(self, step: str, cluster: str, note: str) -> Board:
        """The board with something said of a place."""
        return replace(self, notes={**self.notes, (step, cluster): note})

    def observed(self, step: str, cluster: str, observation: Observation) -> Board:
        """The board with a place as it was just seen."""
        return replace(self, seen={**self.seen, (step, cluster): observation})

    def worked(self, title: str, text: str) -> Board:
        """The board with what the engine tells of a step's object."""
        for name, cluster in self.applying:
            step = self.workflow.step(name)
            subject, here, said = text.partition(f" on {cluster}: ")
            if here and words.title_of(self.workflow, step) == title:
                return self.noted(name, cluster, f"{_cause(said)} ({subject})")
        return self

    def rows(self, now: float) -> tuple[Row, ...]:
        """The rows, in the order of the workflow.

        Args:
            now: The time, in seconds since 1970.
        """
        return tuple(row for step in self.workflow.steps for row in self._rows_of(step, now))

    def _begun(self, step: str) -> Board:
        """The board when a step begins, once more perhaps."""

        def others(known: Mapping[Place, Any]) -> dict[Place, Any]:
            return {place: value for place, value in known.items() if place[0] != step}

        return replace(
            self,
            changed=self.changed - {step},
            seen=others(self.seen),
            notes=others(self.notes),
            began=others(self.began),
            ended=others(self.ended),
        )

    def _rows_of(self, step: WorkflowStep, now: float) -> Iterator[Row]:
        state = self.run.step(step.name)
        if step.stage is None or not self._by_cluster(step, state):
            yield self._step_row(step, state, now)
            return
        for cluster in self.workflow.rollouts[step.name].clusters:
            yield self._cluster_row(step, state, cluster, now)

    def _by_cluster(self, step: WorkflowStep, state: StepRun) -> bool:
        """Whether a delivering step is at different points on its clusters."""
        if state.phase is StepPhase.FAILED:
            return any(cluster.phase.lost for cluster in state.clusters.values())
        return state.phase in (StepPhase.PENDING, StepPhase.RUNNING, StepPhase.SUCCEEDED)

    def _step_row(self, step: WorkflowStep, state: StepRun, now: float) -> Row:
        names = self.workflow.rollouts[step.name].clusters if step.stage is not None else ()
        skipped = state.phase is StepPhase.SKIPPED
        return Row(
            _STEP_STATES[state.phase],
            self._name(step),
            _count(names),
            elapsed=None if skipped else _elapsed(state.started, state.ended, now),
            note=self._step_note(step, state),
        )

    def _step_note(self, step: WorkflowStep, state: StepRun) -> str:
        end = Entry(
            at=state.ended or 0,
            kind=Kind.END,
            step=step.name,
            phase=state.phase,
            reason=state.reason,
            message=state.message,
        )
        match state.phase:
            case StepPhase.RUNNING:
                note = self.notes.get((step.name, ""), state.message)
                return f"{state.errors} of {RETRIES} tries: {note}" if state.errors else note
            case StepPhase.SUSPENDING:
                return words.waiting_note(step, state.message)
            case StepPhase.SKIPPED:
                return words.skipped(self.workflow, self.run, step, end)
            case StepPhase.FAILED if state.reason is Reason.TERMINATE:
                return "the workflow was terminated"
            case StepPhase.FAILED:
                said = words.failed(step, self.run, end).partition("failed: ")[2]
                return _cause(said or state.message)
            case StepPhase.SUCCEEDED if step.type not in (GROUP, SUSPEND) and state.message:
                return state.message
            case _:
                return ""

    def _cluster_row(self, step: WorkflowStep, state: StepRun, cluster: str, now: float) -> Row:
        place = (step.name, cluster)
        point = state.clusters.get(cluster, ClusterRun())
        seen = self.seen.get(place)
        word = self._cluster_state(step, state, point, place)
        began = self.began.get(place, state.started)
        ended = self.ended.get(place, state.ended)
        return Row(
            word,
            self._name(step),
            cluster,
            words.ready(seen) if seen else "",
            None if word == "pending" else _elapsed(began, ended, now),
            self._cluster_note(step, state, point, place, now),
        )

    def _cluster_note(
        self, step: WorkflowStep, state: StepRun, point: ClusterRun, place: Place, now: float
    ) -> str:
        seen = self.seen.get(place)
        said = _cause(words.reason(seen)) if seen else ""
        if point.phase.lost:
            late = point.phase is ClusterPhase.TIMED_OUT
            return said if late and said else point.message
        if state.phase is not StepPhase.RUNNING:
            return ""
        bake = self.workflow.rollouts[step.name].bake
        if point.phase is ClusterPhase.PROGRESSING and point.healthy and bake:
            return f"healthy for {max(now - point.healthy, 0):.0f}s of {bake:g}s"
        if point.phase is ClusterPhase.SUCCEEDED:
            return ""
        return self.notes.get(place) or self.notes.get((step.name, "")) or said

    def _cluster_state(
        self, step: WorkflowStep, state: StepRun, point: ClusterRun, place: Place
    ) -> str:
        if point.phase is ClusterPhase.TIMED_OUT:
            return "timed out"
        if point.phase is ClusterPhase.FAILED:
            return "failed"
        if state.phase is StepPhase.SUCCEEDED or point.phase is ClusterPhase.SUCCEEDED:
            return "done" if step.name in self.changed else "no change"
        if state.phase is StepPhase.FAILED:
            return "not done"
        if place in self.applying:
            return "applying"
        if state.phase is StepPhase.PENDING:
            return "pending"
        if step.name not in self.changed:
            return "checking"
        if point.phase is ClusterPhase.TO_APPLY:
            return "pending"
        return "proving" if point.healthy else "starting"

    def _name(self, step: WorkflowStep) -> str:
        title = words.title_of(self.workflow, step)
        return f"  {title}" if step.group else title


def fitted(rows: Sequence[Row], height: int) -> Sequence[Row]:
    """The rows, those of one step in the same state as one if there are more than fit.

    Args:
        rows: The rows.
        height: How many there may be.
    """
    if len(rows) <= height:
        return rows
    return [_merged(list(alike)) for _, alike in groupby(_sorted(rows), _likeness)]


def _cause(text: str) -> str:
    """A text with what is the matter with a pod before the pod's long name."""
    match = _POD.fullmatch(text)
    return f"{match[3]} (pod {match[1] or match[2]})" if match else text


def _sorted(rows: Iterable[Row]) -> list[Row]:
    """The rows with those of one name that are alike side by side."""
    order: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        order.setdefault(row.name, {}).setdefault(row.state, []).append(row)
    return [row for states in order.values() for alike in states.values() for row in alike]


def _likeness(row: Row) -> tuple[str, str]:
    return row.name, row.state


def _merged(rows: Sequence[Row]) -> Row:
    if len(rows) == 1:
        return rows[0]
    return Row(
        rows[0].state,
        rows[0].name,
        _count([row.cluster for row in rows]),
        elapsed=max((row.elapsed for row in rows if row.elapsed is not None), default=None),
        note=next((f"{row.cluster}: {row.note}" for row in rows if row.note), ""),
    )


def _count(clusters: Sequence[str]) -> str:
    if len(clusters) < 2:
        return "".join(clusters)
    return f"{len(clusters)} clusters"


def _elapsed(began: float | None, ended: float | None, now: float) -> float | None:
    if began is None:
        return None
    return max((now if ended is None else ended) - began, 0)


def _without(notes: Mapping[Place, str], places: Iterable[Place]) -> dict[Place, str]:
    gone = set(places)
    return {place: note for place, note in notes.items() if place not in gone}


_STEP_STATES = {
    StepPhase.PENDING: "pending",
    StepPhase.RUNNING: "running",
    StepPhase.SUSPENDING: "waits",
    StepPhase.SUCCEEDED: "done",
    StepPhase.FAILED: "failed",
    StepPhase.SKIPPED: "skipped",
}
