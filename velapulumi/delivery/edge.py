"""The edge of a run on real clusters: each action in a thread of its own."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from threading import Thread

from velapulumi.clusters.identity import Reached, reach
from velapulumi.definitions import Done, Failed, StepContext, StepDefinition, StepError
from velapulumi.delivery.apply import Applier, Errand, Teller
from velapulumi.delivery.collect import Collector
from velapulumi.delivery.gatekeeper import Gatekeeper, why_untouched, words
from velapulumi.delivery.tools import StepTools
from velapulumi.engine.interrupts import Interrupts
from velapulumi.errors import Interrupted, UnknownApplication, VelapulumiError
from velapulumi.gate.approver import who
from velapulumi.gate.journal import Journal
from velapulumi.program.application import Application
from velapulumi.program.standing import read_standing
from velapulumi.project import Project
from velapulumi.render.steps import every_step, parameters_of
from velapulumi.stage.look import SharedLook
from velapulumi.workflow.edge import Acted, Broken, Collected, Limits, Observed, Outcome, Stopped
from velapulumi.workflow.entries import Entry, Kind
from velapulumi.workflow.revision import step_id
from velapulumi.workflow.run import Run
from velapulumi.workflow.steps import WorkflowStep

A_DAY = 86400.0

POLL = 0.5
"""Seconds after which approvals and commands of others are looked at again."""


class ClusterEdge:
    """Does what a run decides, on the clusters of a project.

    Args:
        application: The application.
        journal: Its journal.
        teller: Is told what is done.
        interrupts: Tell whether to stop.
        limits: How long things may take.
        look: What the clusters have.
    """

    def __init__(
        self,
        application: Application,
        journal: Journal,
        teller: Teller,
        interrupts: Interrupts,
        limits: Limits,
        look: SharedLook,
    ) -> None:
        self._application = application
        self._look = look
        self._journal = journal
        self._interrupts = interrupts
        self._limits = limits
        self._applier = Applier(application, teller, interrupts, look)
        self._collector = Collector(application, teller, interrupts, limits.patience)
        self._outcomes: queue.Queue[Outcome | Exception] = queue.Queue()
        self._gatekeeper = Gatekeeper(look)
        self._values = application.run.values
        self._steps = {step.name: step for step in every_step(application.loaded.steps)}

    def now(self) -> float:
        return time.time()

    def wait(self, until: float | None) -> Sequence[Outcome]:
        left = POLL if until is None else min(until - time.time(), POLL)
        found: list[Outcome | Exception] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._outcomes.get(timeout=max(left, 0.001)))
            while True:
                found.append(self._outcomes.get_nowait())
        for outcome in found:
            if isinstance(outcome, Exception):
                raise outcome
        return [outcome for outcome in found if not isinstance(outcome, Exception)]

    @property
    def stopping(self) -> bool:
        return self._interrupts.stopping

    def approved(self, step: str) -> str | None:
        application = self._application.reread()
        decision = self._gatekeeper.look(application, step)
        return None if decision is None else words(decision)

    @property
    def closed(self) -> Mapping[str, VelapulumiError]:
        """Why gates are closed that wait for more than a first approval, by their names."""
        return self._gatekeeper.closed

    def commands(self) -> Sequence[Entry]:
        return self._journal.follow()

    def apply(
        self,
        step: WorkflowStep,
        clusters: tuple[str, ...],
        run: Run,
        intent: Callable[[], None],
    ) -> None:
        self._values = run.values
        rollout = self._application.workflow.rollouts[step.name]
        gone = (n for n, c in run.step(step.name).clusters.items() if c.phase.lost)
        errand = Errand(
            step,
            clusters,
            frozenset(gone),
            any(wave.budget for wave in rollout.waves),
            self._patience(step, run),
        )
        self._begin(step.name, lambda: self._applier.apply(errand, run, intent))

    def _patience(self, step: WorkflowStep, run: Run) -> float:
        """How long an object of a step may take, so that the step itself is not overdue by it."""
        deadline = self._application.workflow.rollouts[step.name].deadline
        patience = min(self._limits.patience if deadline is None else deadline, A_DAY)
        if step.timeout:
            began = run.step(step.name).started or self.now()
            patience = min(patience, max(began + step.timeout - self.now(), 1))
        return patience

    def observe(self, step: WorkflowStep, clusters: tuple[str, ...]) -> None:
        self._begin(
            step.name, lambda: Observed(step.name, self._applier.observe(step.name, clusters))
        )

    def act(self, step: WorkflowStep, run: Run) -> None:
        def work() -> Outcome:
            try:
                return self._act(step, run)
            finally:
                self._look.renew()

        self._begin(step.name, work)

    def publish(self, step: WorkflowStep, run: Run) -> None:
        self._begin(step.name, lambda: Acted(step.name, self._applier.made(step.name)))

    def collectable(self) -> Sequence[str]:
        return self._collector.stages(self._values)

    def collect(self, stage: str, intent: Callable[[], None]) -> None:
        def work() -> Outcome:
            try:
                return Collected(stage, self._collector.collect(stage, self._values, intent))
            except Interrupted:
                return Stopped(stage)
            except VelapulumiError as error:
                return Collected(stage, error=error)

        self._begin(stage, work)

    def _begin(self, step: str, work: Callable[[], Outcome]) -> None:
        def run() -> None:
            try:
                outcome: Outcome | Exception = _outcome_of(step, work)
            except Exception as error:
                outcome = error  # a mistake of this program, raised where it is seen
            self._outcomes.put(outcome)

        # A thread that does not end with its work would keep a process that is to stop now.
        Thread(target=run, name=step, daemon=True).start()

    def _act(self, step: WorkflowStep, run: Run) -> Outcome:
        application = self._application.taken_up(run)
        written = next(s for s in every_step(application.loaded.steps) if s.name == step.name)
        definition = application.catalog.find(StepDefinition, step.type)
        parameters = parameters_of(application.loaded, written)
        if definition is None or definition.act is None or parameters is None:
            text = "its parameters are not valid with the values it was given"
            return Acted(step.name, Failed(text))
        described = application.loaded.application
        key = step_id(str(application.revision), run.number, step.name)
        context = StepContext(
            app_name=described.name,
            app_namespace=described.namespace,
            app_revision=application.revision.name,
            application={
                "apiVersion": "core.oam.dev/v1beta1",
                "kind": "Application",
                "metadata": {
                    "name": described.name,
                    "namespace": described.namespace,
                    "labels": described.labels,
                    "annotations": described.annotations,
                },
                "spec": described.spec,
            },
            name=step.name,
            id=key,
            memory=run.step(step.name).memory,
        )
        tools = StepTools(
            application.project,
            partial(self._reached, step),
            lambda name: _phase_of(application.project, name),
            self._applier.delivered,
            self._interrupts,
        )
        try:
            result = definition.act(parameters, context, tools)
        except StepError as error:
            return Acted(step.name, error)
        if isinstance(result, Done):
            given = parameters.model_dump(mode="json")
            result = replace(result, values={"parameter": given, **result.values})
        return Acted(step.name, result)

    def _reached(self, step: WorkflowStep, name: str) -> Reached:
        if text := why_untouched(self._application.reread(), step, name):
            raise StepError(text)
        known = self._applier.reached(name)
        found = known or reach(self._application.project, [name])[name]
        if isinstance(found, VelapulumiError):
            raise StepError(found.message)
        return found


def _outcome_of(step: str, work: Callable[[], Outcome]) -> Outcome:
    """What came of some work for a step."""
    try:
        return work()
    except Interrupted:
        return Stopped(step)
    except VelapulumiError as error:
        return Broken(step, error)


def _phase_of(project: Project, application: str) -> str | None:
    try:
        return str(read_standing(project, application).progress.phase)
    except UnknownApplication:
        return None


def record(application: Application, journal: Journal) -> Callable[[Entry], None]:
    """A function that notes an entry for good, a run's first one in the gate file before.

    Args:
        application: The application.
        journal: Its journal.
    """

    def note(entry: Entry) -> None:
        if entry.kind is Kind.BEGIN:
            application.begin()
            entry = entry.model_copy(update={"by": who()})
        journal.append(entry)

    return note
