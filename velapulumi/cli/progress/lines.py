"""A delivery told in lines on stderr, each with the time since the start."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import RLock

from velapulumi.cli.line import Line, write_data, write_line
from velapulumi.cli.plans import plan_title, stage_lines
from velapulumi.cli.progress import words
from velapulumi.cli.progress.summary import Summary
from velapulumi.errors import VelapulumiError
from velapulumi.plan.document import StagePlan
from velapulumi.program.application import Application
from velapulumi.spec import GROUP
from velapulumi.workflow.driver import RETRIES
from velapulumi.workflow.entries import ClusterPhase, Entry, Kind
from velapulumi.workflow.phases import StepPhase
from velapulumi.workflow.rollout import Observation, lost
from velapulumi.workflow.run import Run
from velapulumi.workflow.stages import Workflow
from velapulumi.workflow.steps import SUSPEND, WorkflowStep

_BESIDE_TIME = " " * 7
"""Puts the lines of a plan below its title, which stands behind the time."""


class Lines:
    """Tells a delivery in lines. Called from several threads, and from a signal handler.

    Args:
        write: Writes a line.
        clock: Tells seconds.
    """

    def __init__(
        self,
        write: Callable[[Line], None] = write_line,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write
        self._clock = clock
        self._start = clock()
        self._lock = RLock()
        self._last = ""
        self._steps: dict[str, WorkflowStep] = {}
        self._workflow = Workflow((), {})
        self._looked_at: set[str] = set()
        self._changed: set[str] = set()
        self._approved: set[str] = set()
        self._seen: dict[str, dict[str, Observation]] = {}
        self._waits: dict[str, str] = {}

    def warning(self, text: str) -> None:
        with self._lock:
            self._write(Line(f"Warning: {text}", "yellow"))

    def planned(self, title: str, plan: StagePlan) -> None:
        with self._lock:
            self._tell(Line(f"{title}: {plan_title(plan)}", bold=True))
            for line in stage_lines(plan, header=False):
                self._write(replace(line, text=f"{_BESIDE_TIME}{line.text}"))
            self._last = ""

    def progress(self, title: str, text: str) -> None:
        self._tell(Line(text, dim=True))

    def begins(self, application: Application) -> None:
        with self._lock:
            workflow = self._workflow = application.workflow
            run = words.begun_again(workflow, application.run)
            self._steps = {step.name: step for step in workflow.steps}
            self._looked_at = {
                step.name
                for step in workflow.steps
                if step.stage is not None and run.step(step.name).phase is StepPhase.SUCCEEDED
            }

    def ends(self) -> None:
        """Lines need no end."""

    def entry(self, entry: Entry, run: Run) -> None:
        with self._lock:
            if text := words.of_run(entry):
                self._tell(Line(text, bold=True))
            elif step := self._steps.get(entry.step):
                for line in self._lines_of(step, entry, run):
                    self._tell_of(step, line)

    def waits(self, step: WorkflowStep, message: str) -> None:
        with self._lock:
            if message and self._waits.get(step.name) != message:
                self._waits[step.name] = message
                self._tell_of(step, Line(f"waits: {message}", dim=True))

    def seen(self, step: WorkflowStep, cluster: str, observation: Observation) -> None:
        with self._lock:
            before = self._seen.setdefault(step.name, {}).get(cluster)
            self._seen[step.name][cluster] = observation
            if not observation.healthy and observation != before:
                lead = "" if observation.unread else f"not healthy yet on {cluster}: "
                text = f"{lead}{observation.message}"
                self._tell_of(step, Line(text, dim=True))

    def approved(self, step: WorkflowStep, by: str) -> None:
        with self._lock:
            self._approved.add(step.name)
            self._tell_of(step, Line(f"approved by {by}", bold=True))

    def concluded(self, summary: Summary) -> None:
        write_data(summary.sentence)

    def failed(self, error: VelapulumiError) -> None:
        """The error itself is told by the command line."""

    def _tell_of(self, step: WorkflowStep, line: Line) -> None:
        title = words.title_of(self._workflow, step)
        self._tell(Line(f"{title}: {line.text}", line.colour, line.bold, line.dim))

    def _tell(self, line: Line) -> None:
        with self._lock:
            if line.text != self._last:
                self._last = line.text
                elapsed = self._clock() - self._start
                text = f"[{elapsed:5.1f}s] {line.text}"
                self._write(Line(text, line.colour, line.bold, line.dim))

    def _lines_of(self, step: WorkflowStep, entry: Entry, run: Run) -> Iterator[Line]:
        match entry.kind:
            case Kind.START:
                yield from self._start_lines(step, entry)
            case Kind.APPLY:
                self._changed.add(step.name)
                if self._is_spread(step):
                    yield Line(f"applies on {words.listed(entry.clusters)}")
            case Kind.APPLIED | Kind.CLUSTER if self._is_spread(step):
                yield from self._cluster_lines(step, entry)
            case Kind.ERROR:
                self._waits[step.name] = entry.message
                count = run.step(step.name).errors
                if count <= RETRIES:
                    text = f"went wrong, is tried again ({count} of {RETRIES}): {entry.message}"
                    yield Line(text, "yellow")
            case Kind.END:
                yield from self._end_lines(step, entry, run)

    def _start_lines(self, step: WorkflowStep, entry: Entry) -> Iterator[Line]:
        for told in (self._seen, self._waits):
            told.pop(step.name, None)
        self._changed.discard(step.name)
        if entry.phase is StepPhase.SUSPENDING:
            yield Line(words.waiting(step, entry.message), "yellow")
        elif step.name not in self._looked_at and step.type != SUSPEND and not step.idle:
            yield Line("began", bold=True)

    def _is_spread(self, step: WorkflowStep) -> bool:
        """Whether a step goes to several clusters, or in a way of its own to one."""
        rollout = self._workflow.rollouts[step.name]
        tolerant = any(wave.budget for wave in rollout.waves)
        own = tolerant or rollout.bake > 0 or rollout.deadline is not None
        return own or len(rollout.clusters) > 1

    def _cluster_lines(self, step: WorkflowStep, entry: Entry) -> Iterator[Line]:
        for name, message in entry.failed.items():
            yield Line(f"{name} has failed: {message}", "red")
        well = [name for name in entry.clusters if name not in entry.failed]
        if not well:
            return
        names, bake = words.listed(well), self._workflow.rollouts[step.name].bake
        if entry.cluster is not None and entry.cluster.lost:
            yield Line(f"{names} {entry.message}", "red")
        elif entry.cluster is ClusterPhase.PROGRESSING and not entry.healthy:
            yield Line(f"{names} not healthy any more", "yellow")
        elif step.name not in self._changed:
            return
        elif entry.kind is Kind.APPLIED:
            yield Line(f"applied on {names}")
        elif entry.cluster is ClusterPhase.SUCCEEDED:
            yield Line(f"{names} healthy" + (f" for {bake:g}s" if bake else ""))
        else:
            yield Line(f"{names} healthy, has to stay so for {bake:g}s")

    def _end_lines(self, step: WorkflowStep, entry: Entry, run: Run) -> Iterator[Line]:
        self._looked_at.discard(step.name)
        if entry.phase is StepPhase.FAILED:
            yield Line(words.failed(step, run, entry), "red")
        elif entry.phase is StepPhase.SKIPPED:
            yield Line(f"skipped, as {words.skipped(self._workflow, run, step, entry)}")
        elif step.stage is not None:
            yield from self._delivered_lines(step, run)
        elif step.type != SUSPEND or step.name not in self._approved:
            yield Line(words.done(step, entry.message), "" if step.type == GROUP else "green")

    def _delivered_lines(self, step: WorkflowStep, run: Run) -> Iterator[Line]:
        rollout = self._workflow.rollouts[step.name]
        without = lost(rollout, run.step(step.name))
        services = [
            (service, cluster, said or "is there")
            for cluster, observation in self._seen.get(step.name, {}).items()
            if cluster not in without
            for service, said in words.services(observation)
        ]
        if step.name not in self._changed:
            yield Line("no change", bold=True)
        elif set(without) == set(rollout.clusters):
            yield Line("delivered nowhere, within what may fail", "red")
        elif not services:
            yield Line("done", "green")
        else:
            for service, cluster, said in services:
                yield Line(f"{service} on {cluster} {said}", "green")
