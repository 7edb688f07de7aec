"""``up``: run an application's workflow on its clusters, as far as the gates let it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from velapulumi.clusters.registry import LOCAL, Registry
from velapulumi.delivery.apply import Teller
from velapulumi.delivery.edge import ClusterEdge, record
from velapulumi.delivery.gatekeeper import withdraw
from velapulumi.delivery.remove import Removal
from velapulumi.delivery.runlock import running
from velapulumi.engine.interrupts import Interrupts
from velapulumi.engine.stacks import read_record
from velapulumi.errors import (
    Interrupted,
    PartlyDelivered,
    RunEnded,
    StepFailed,
    UsageProblem,
    VelapulumiError,
)
from velapulumi.gate.journal import Journal
from velapulumi.program.application import Application, read_application
from velapulumi.program.leaving import abandoned
from velapulumi.project import Project
from velapulumi.render import Loaded
from velapulumi.stage.asking import ask, refused_by
from velapulumi.stage.facts import decide_stage
from velapulumi.stage.look import Look, SharedLook
from velapulumi.stage.prepare import prepared_steps
from velapulumi.stage.refusals import refuse
from velapulumi.workflow.driver import Driver, begun_anew
from velapulumi.workflow.edge import Conclusion, Limits, Watcher
from velapulumi.workflow.entries import Entry, Kind
from velapulumi.workflow.run import advance
from velapulumi.workflow.steps import WorkflowStep

STOPPING = "stopping when what is under way is done; once more to stop now"
DEFAULT_INTERVAL = 1.0
DEFAULT_TIMEOUT = 300.0


class Reporter(Teller, Watcher, Protocol):
    """Is told how a delivery goes on."""

    def begins(self, application: Application) -> None: ...

    def ends(self) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """How far a delivery came.

    Attributes:
        application: The application as it then was.
        conclusion: How far its run came.
    """

    application: Application
    conclusion: Conclusion

    @property
    def changed(self) -> tuple[str, ...]:
        """Names of the stages that were changed."""
        return self.conclusion.changed

    @property
    def waiting(self) -> tuple[WorkflowStep, ...]:
        """The steps that wait for approval."""
        return self.conclusion.waiting


def deliver(
    project: Project,
    file: Path,
    reporter: Reporter,
    timeout: float | None = None,
    *,
    allow_unknown: bool = False,
    takes_fields: bool = False,
) -> Outcome:
    """Run an application's workflow up to its end or to where somebody has to decide.

    Run again it goes on from where it stands; a stage that holds the revision and is healthy is
    left alone, and a run that has failed begins once more with what has failed.

    Args:
        project: The project.
        file: The Application file.
        reporter: Is told how it goes on.
        timeout: Seconds a stage may take to get healthy; the health policy's when not given.
        allow_unknown: Whether unknown parameters are ignored with a warning.
        takes_fields: Whether new fields that others hold are taken from them.

    Raises:
        VelapulumiError: Why it did not come to its end; what has succeeded stays.
    """
    application = read_application(
        project, file, allow_unknown=allow_unknown, takes_fields=takes_fields
    )
    for warning in (*application.loaded.warnings, *_left_alone(application)):
        reporter.warning(warning)
    _check_placements(application)
    interrupts = Interrupts(lambda: reporter.progress("", STOPPING))
    journal = Journal(project.journal_file(application.name))
    with running(project, application.name, "up"), interrupts.handled():
        journal.read()  # from here on it tells what others add
        application = application.reread()
        if application.run.terminated:
            raise RunEnded(
                f"the workflow of {application.name} is terminated",
                next_step=f"Begin anew with: velapulumi workflow restart {application.name}",
            )
        look = SharedLook(project)
        check_stages(application, look.get())
        reporter.begins(application)
        try:
            conclusion, closed = _run(application, journal, reporter, interrupts, timeout, look)
        finally:
            reporter.ends()
    failure = failure_of(application.name, str(application.revision), conclusion)
    if failure is None and not conclusion.run.suspended:
        failure = next((closed[s.name] for s in conclusion.waiting if s.name in closed), None)
    if failure is not None:
        raise failure
    return Outcome(application.reread(), conclusion)


def _run(
    application: Application,
    journal: Journal,
    reporter: Reporter,
    interrupts: Interrupts,
    timeout: float | None,
    look: SharedLook,
) -> tuple[Conclusion, Mapping[str, VelapulumiError]]:
    """Run the workflow: how far it came, and why gates are closed whose approval does not count."""
    limits = limits_of(application.loaded, timeout)
    note = record(application, journal)
    edge = ClusterEdge(application, journal, reporter, interrupts, limits, look)
    run = application.run
    if run.failed and not run.suspended:
        steps = tuple(begun_anew(application.workflow, run))
        entry = Entry(at=edge.now(), kind=Kind.RESTART, steps=steps)
        note(entry)
        # What was approved of a step that has failed itself is still to be done.
        withdraw(application.project, application.name, set(steps) - set(run.failed))
        run = advance(run, entry)
        reporter.entry(entry, run)
    driver = Driver(
        application.workflow,
        run,
        edge,
        note,
        reporter,
        limits,
        context_of(application.loaded, application.revision.name),
    )
    return driver.go(), edge.closed


def limits_of(loaded: Loaded, timeout: float | None = None) -> Limits:
    """How long things may take: what is asked for, else what the health policy says.

    Args:
        loaded: The application.
        timeout: Seconds a stage may take to get healthy, if given.
    """
    health = loaded.health
    return Limits(
        patience=timeout or (float(health.probe_timeout) if health else DEFAULT_TIMEOUT),
        interval=float(health.probe_interval) if health else DEFAULT_INTERVAL,
    )


def context_of(loaded: Loaded, revision: str) -> dict[str, object]:
    """What conditions know as ``context``.

    Args:
        loaded: The application.
        revision: Name of its revision, such as ``shop-v3``.
    """
    described = loaded.application
    return {
        "name": described.name,
        "appName": described.name,
        "namespace": described.namespace,
        "appRevision": revision,
        "appLabels": described.labels,
        "appAnnotations": described.annotations,
    }


def failure_of(name: str, revision: str, conclusion: Conclusion) -> VelapulumiError | None:
    """What a run that did not come to its end, or not everywhere, ends with.

    Args:
        name: The application's name.
        revision: The revision that was run.
        conclusion: How far the run came.
    """
    run = conclusion.run
    if conclusion.stopped:
        return Interrupted(f"stopped while delivering {name}")
    if run.terminated:
        return RunEnded(
            f"the workflow of {name} was terminated",
            next_step=f"Begin anew with: velapulumi workflow restart {name}",
        )
    if conclusion.errors and (run.failed or not conclusion.lost):
        return conclusion.errors[0]
    if run.failed:
        told = {step: run.step(step).message for step in run.failed}
        texts = [f"{step}: {message}" for step, message in told.items() if message] or told
        return StepFailed(f"the workflow of {name} has failed at {'; '.join(texts)}")
    if conclusion.lost and not (conclusion.waiting or run.suspended):
        places = "; ".join(f"{step} on {', '.join(lost)}" for step, lost in conclusion.lost.items())
        return PartlyDelivered(f"{revision} is delivered but for {places}, within what may fail")
    return None


def _check_placements(application: Application) -> None:
    """Refuse, before anything is touched, what is placed nowhere or on a cluster not joined.

    Raises:
        UsageProblem: No environment is delivered, or one has no cluster of its own.
        UnknownCluster: One is placed on a cluster that is not joined.
    """
    if not application.workflow.stages:
        raise UsageProblem(
            f"{application.file}: no step delivers to a cluster, so there is nothing to do",
            next_step="Add a topology policy that names joined clusters, or an env-binding policy.",
        )
    registry = Registry(application.project)
    for stage in application.workflow.stages.values():
        for cluster in stage.clusters:
            if cluster == LOCAL:
                raise UsageProblem(
                    f"{application.file}: stage {stage.name} is placed on the control plane's own "
                    "cluster, and there is no control plane here",
                    next_step="Name a joined cluster in its topology policy or env placement.",
                )
            registry.get(cluster)


def check_stages(application: Application, look: Look) -> None:
    """Refuse, before anything is written, what a later stage would be refused for.

    Stages that are delivered only under a condition are checked when their turn comes.

    Args:
        application: The application.
        look: What the clusters have.

    Raises:
        VelapulumiError: Something cannot be delivered; all of it is named.
    """
    if application.authority.problems:
        application.authority.check()
    stages = application.workflow.stages
    sure = {name: stage.steps for name, stage in stages.items() if not stage.is_conditional}
    decisions = [
        decision
        for name, steps in sure.items()
        for _, decision in decide_stage(
            list(prepared_steps(application, name, steps, look)), look, after_others=True
        )
    ]
    for stack in abandoned(application):
        decisions += Removal.of(application.project, stack, application).decisions
    refuse(decisions)
    for error in refused_by(ask(decisions, look)):
        raise error


def _left_alone(application: Application) -> Iterator[str]:
    """What is to be said of stacks which no step delivers to any more and which hold objects."""
    going = set(abandoned(application))
    for stack in application.project.stack_names(application.name):
        if stack.stage not in application.workflow.stages:
            kept = read_record(application.project, stack)
            if kept is not None and kept.objects:
                what = (
                    "is deleted when the workflow has succeeded, "
                    "but for what other stages take over"
                    if stack in going
                    else "stays as it is until the application is deleted"
                )
                yield (
                    f"no step delivers to stage {stack.stage} any more: "
                    f"what its stack {stack} holds {what}"
                )
