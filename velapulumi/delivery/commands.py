"""What people do with a run: hold it, let it go on, end it, begin it anew.

None of this waits for the process that runs the application. Approvals go into the gate file, all
else into the journal, and an ``up`` that is at work follows both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from velapulumi.delivery.approvals import Decided, Proposal, approve, one_by_one, propose
from velapulumi.delivery.gatekeeper import withdraw
from velapulumi.delivery.runlock import holder
from velapulumi.delivery.source import source_of
from velapulumi.errors import (
    InvalidApplication,
    RunEnded,
    RunInProgress,
    UnknownApplication,
    UsageProblem,
    VelapulumiError,
)
from velapulumi.gate.approver import who
from velapulumi.gate.file import Gate, update_gate
from velapulumi.gate.journal import Journal
from velapulumi.program.application import read_application
from velapulumi.program.standing import Standing, read_standing
from velapulumi.project import Project, StackConfig
from velapulumi.workflow.entries import Entry, Kind
from velapulumi.workflow.phases import StepPhase, WorkflowPhase
from velapulumi.workflow.rules import starting_over

NOT_RUNNING = "the workflow in application is not running"


@dataclass(frozen=True)
class Resumed:
    """What was resumed.

    Attributes:
        approved: What was approved.
        revision: The revision they were approved for.
        lifted: Whether a suspension was lifted.
        edited: Whether the Application file has been edited since.
    """

    approved: tuple[Decided, ...]
    revision: str
    lifted: bool
    edited: bool


@dataclass(frozen=True)
class Restarted:
    """What begins anew.

    Attributes:
        steps: Names of the steps that start over; empty for all of them, in a run of their own.
        running: Who is running the application and so goes on with it; empty when nobody is.
        source: What the application was delivered from; None when that is not told.
    """

    steps: tuple[str, ...]
    running: str
    source: StackConfig | None


def suspend(project: Project, application: str, step: str | None = None) -> None:
    """Hold the current run of an application; what is under way finishes.

    Args:
        project: The project.
        application: The application.
        step: A step of it, which must exist; the run is held as a whole all the same.

    Raises:
        UnknownApplication: Nothing of it has been delivered.
        UsageProblem: There is no such step.
        RunEnded: The run has succeeded or is terminated.
    """
    standing = _standing(project, application)
    _check_open(standing, "suspend")
    if standing.run.terminated:
        raise _terminated(standing, "suspend")
    _check_step(standing, step)
    if not standing.run.suspended:
        _tell(project, standing, Kind.SUSPEND)


def resume(
    project: Project, application: str, step: str | None = None, comment: str = ""
) -> Resumed | None:
    """Approve what waits, and lift a suspension.

    While somebody holds the run only those steps are approved that had come to wait before.

    Args:
        project: The project.
        application: The application.
        step: The step to approve; all that wait when not given.
        comment: Why, in the words of whoever approves.

    Returns:
        What was done; None when nothing waits.

    Raises:
        UnknownApplication: Nothing of it has been delivered.
        UsageProblem: There is no such step, or it does not wait.
        RunEnded: The run is terminated.
        UsageProblem: It has to be signed and there is no key, or the key is nobody's.
        ClusterProblem: A cluster cannot be asked what would change.
        VelapulumiError: Another run has begun meanwhile, or somebody else has decided.
    """
    standing = _standing(project, application)
    if standing.run.terminated:
        raise _terminated(standing, "resume")
    _check_step(standing, step)
    proposals = _proposals(project, standing)
    if not proposals and not standing.run.suspended:
        return None
    chosen = tuple(each for each in proposals if step in (None, each.gate.name))
    if not chosen and not standing.run.suspended:
        raise UsageProblem(
            f"step {step} of {application} does not wait for approval",
            next_step=f"What waits is: {', '.join(each.gate.name for each in proposals)}.",
        )
    decided = one_by_one(chosen, lambda proposal: approve(proposal, comment=comment))
    if standing.run.suspended:
        _tell(project, standing, Kind.RESUME)
    return Resumed(
        decided, standing.gate.current, standing.run.suspended, _is_edited(project, standing)
    )


def terminate(project: Project, application: str) -> None:
    """End the current run of an application: its running and waiting steps have failed.

    Raises:
        UnknownApplication: Nothing of it has been delivered.
        RunEnded: The run has succeeded.
    """
    standing = _standing(project, application)
    _check_open(standing, "terminate")
    if not standing.run.terminated:
        _tell(project, standing, Kind.TERMINATE)


def restart(project: Project, application: str, step: str | None = None) -> Restarted:
    """Begin another run of the current revision, or begin again with a failed step.

    Approvals of what starts over do not count any more.

    Args:
        project: The project.
        application: The application.
        step: The failed step; the whole workflow when not given.

    Raises:
        UnknownApplication: Nothing of it has been delivered.
        UsageProblem: There is no such step, or it has not failed.
        RunInProgress: A process runs the workflow that is to begin from its start.
        VelapulumiError: Another run has begun meanwhile; nothing was changed.
    """
    standing = _standing(project, application)
    running = holder(project, application)
    steps: tuple[str, ...] = ()
    if step is None:
        if running:
            raise RunInProgress(
                f"application {application} is being delivered by {running}",
                next_step="Wait for that run to end, or end it with: "
                f"velapulumi workflow terminate {application}",
            )
        _change(project, standing, Gate.restart)
    else:
        _check_failed(standing, step)
        steps = starting_over(standing.steps, step)
        withdraw(project, application, steps)
        _tell(project, standing, Kind.RESTART, steps)
    return Restarted(steps, running, source_of(project, standing))


def _is_edited(project: Project, standing: Standing) -> bool:
    """Whether the file an application was delivered from has become another revision."""
    source = source_of(project, standing)
    file = project.root / source.application if source else None
    if source is None or file is None or not file.is_file():
        return False
    try:
        now = read_application(project, file, allow_unknown=source.allow_unknown)
    except InvalidApplication:
        return True
    return str(now.revision) != standing.gate.current


def _standing(project: Project, application: str) -> Standing:
    try:
        return read_standing(project, application, contact=False)
    except UnknownApplication as error:
        if project.stack_names(application):
            raise UnknownApplication(NOT_RUNNING) from error
        raise


def _proposals(project: Project, standing: Standing) -> tuple[Proposal, ...]:
    """What waits; the application's file is only looked for when something may."""
    gates = any(step.gate for step in standing.steps)
    return propose(project, standing.application) if gates else ()


def _check_open(standing: Standing, verb: str) -> None:
    if standing.progress.workflow is WorkflowPhase.SUCCEEDED:
        name = standing.application
        raise RunEnded(
            f"{verb} workflow not allowed because application {name} is running",
            next_step=f"See where it stands with: velapulumi status {name}",
        )


def _terminated(standing: Standing, verb: str) -> RunEnded:
    return RunEnded(
        f"can not {verb} a terminated workflow",
        next_step=f"Begin anew with: velapulumi workflow restart {standing.application}",
    )


def _check_step(standing: Standing, step: str | None) -> None:
    names = [each.name for each in standing.steps]
    if step == "":
        raise UsageProblem("step can not be empty", next_step=_listed(names))
    if step is not None and step not in names:
        raise UsageProblem(f"can not find step {step}", next_step=_listed(names))


def _check_failed(standing: Standing, step: str) -> None:
    names = [each.name for each in standing.steps]
    if not step:
        raise UsageProblem("step can not be empty", next_step=_listed(names))
    if step not in names:
        raise UsageProblem(f"failed step {step} not found", next_step=_listed(names))
    failed = [s.step.name for s in standing.progress.steps if s.phase is StepPhase.FAILED]
    if step not in failed:
        whole = f"velapulumi workflow restart {standing.application}"
        raise UsageProblem(
            "can not restart from a non-failed step",
            next_step=f"What has failed is: {', '.join(failed) or 'nothing'}; "
            f"to begin the whole workflow anew: {whole}",
        )


def _listed(names: list[str]) -> str:
    return f"The steps of the workflow are: {', '.join(names)}."


def _change(project: Project, standing: Standing, change: Callable[[Gate], Gate]) -> None:
    """Change the gate file, unless another run has begun since it was looked at.

    Raises:
        VelapulumiError: Another run has begun.
    """
    name, seen = standing.application, (standing.gate.current, standing.gate.run)

    def checked(gate: Gate) -> Gate:
        if (gate.current, gate.run) != seen:
            raise VelapulumiError(
                f"application {name} has moved on to {gate.current} meanwhile",
                next_step=f"Look again with: velapulumi status {name}",
            )
        return change(gate)

    update_gate(project.gate_file(name), name, checked)


def _tell(project: Project, standing: Standing, kind: Kind, steps: tuple[str, ...] = ()) -> None:
    """Write into the journal of the current run; one that has not begun begins by that."""
    journal = Journal(project.journal_file(standing.application))
    current, by = standing.gate, who()

    def write(gate: Gate) -> Gate:
        if standing.run.began is None:
            at = time.time()
            begin = Entry(at=at, kind=Kind.BEGIN, revision=current.current, run=current.run, by=by)
            journal.append(begin)
        journal.append(Entry(at=time.time(), kind=kind, steps=steps, by=by))
        return gate

    _change(project, standing, write)
