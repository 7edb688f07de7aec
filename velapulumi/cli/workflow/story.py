"""The journal of a run in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from velapulumi.cli.progress import words
from velapulumi.errors import UsageProblem
from velapulumi.program.standing import read_standing
from velapulumi.project import Project
from velapulumi.workflow.entries import Entry, Kind
from velapulumi.workflow.phases import StepPhase
from velapulumi.workflow.run import Run, advance
from velapulumi.workflow.stages import Workflow
from velapulumi.workflow.steps import WorkflowStep


@dataclass(frozen=True)
class Told:
    """An entry, and what it says in words."""

    entry: Entry
    text: str


def read_story(project: Project, application: str, step: str | None = None) -> list[Told]:
    """What the journal tells of the current run.

    Args:
        project: The project.
        application: The application.
        step: The step it is to tell of; of the whole run when not given.

    Raises:
        UnknownApplication: Nothing of the application has been delivered.
        UsageProblem: It has no such step.
        InvalidFile: The gate file, the journal or a stack is damaged.
    """
    standing = read_standing(project, application, contact=False)
    steps = standing.steps
    names = [each.name for each in steps]
    if step is not None and step not in names:
        raise UsageProblem(
            f"can not find step {step}",
            next_step=f"The steps of the workflow are: {', '.join(names)}.",
        )
    entries = _of_run(standing.entries, standing.gate.current, standing.gate.run)
    return [
        told for told in story_of(steps, entries) if step is None or _is_about(told.entry, step)
    ]


def story_of(steps: Sequence[WorkflowStep], entries: Sequence[Entry]) -> Iterator[Told]:
    """The entries of one run, each in words.

    Args:
        steps: The steps of the workflow.
        entries: The entries, the one that begins the run first.
    """
    workflow, by_name = Workflow(tuple(steps), {}), {step.name: step for step in steps}
    run = Run()
    for entry in entries:
        run = advance(run, entry)
        step = by_name.get(entry.step)
        text = _of_step(workflow, step, run, entry) if step else ""
        yield Told(entry, text or _of_whole(entry))


def entry_document(entry: Entry) -> dict[str, Any]:
    """An entry as the journal has it."""
    document = entry.model_dump(mode="json", exclude_defaults=True)
    for field in {"at", "healthy"} & document.keys():
        moment = datetime.fromtimestamp(document[field], UTC)
        document[field] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return document


def _of_run(entries: Sequence[Entry], revision: str, number: int) -> list[Entry]:
    found: list[Entry] = []
    inside = False
    for entry in entries:
        if entry.kind is Kind.BEGIN:
            inside = (entry.revision, entry.run) == (revision, number)
            found = [] if inside else found
        if inside:
            found.append(entry)
    return found


def _is_about(entry: Entry, step: str) -> bool:
    collects = entry.kind in (Kind.COLLECT, Kind.COLLECTED)  # these name a stage
    return (entry.step == step and not collects) or step in entry.steps


def _of_whole(entry: Entry) -> str:
    match entry.kind:
        case Kind.BEGIN:
            by = f" by {entry.by}" if entry.by else ""
            return f"run {entry.run} of {entry.revision} begins{by}"
        case Kind.COLLECT:
            return "collects what is no longer delivered"
        case Kind.COLLECTED:
            return "has collected what is no longer delivered"
        case Kind.FINISH:
            return f"the workflow has {entry.phase}"
        case Kind.STOP:
            return "the run stops here, the next up goes on"
        case _:
            return words.of_run(entry) or entry.message or str(entry.kind)


def _of_step(workflow: Workflow, step: WorkflowStep, run: Run, entry: Entry) -> str:
    where = words.listed(entry.clusters) if entry.clusters else ""
    match entry.kind:
        case Kind.START:
            waits = entry.phase is StepPhase.SUSPENDING
            return words.waiting(step, entry.message) if waits else "begins"
        case Kind.APPLY:
            return f"applies on {where}"
        case Kind.APPLIED:
            return "; ".join(_applied(entry))
        case Kind.CLUSTER:
            said = f": {entry.message}" if entry.message else ""
            since = ", healthy" if entry.healthy else ""
            return f"{where} {entry.cluster}{since}{said}"
        case Kind.ACT:
            return "acts"
        case Kind.ERROR:
            return f"went wrong ({run.step(step.name).errors}), is tried again: {entry.message}"
        case Kind.WAIT:
            return f"waits: {entry.message}"
        case Kind.END:
            return _end(workflow, step, run, entry)
        case _:
            return ""


def _applied(entry: Entry) -> Iterator[str]:
    for name, message in entry.failed.items():
        yield f"failed on {name}: {message}"
    if well := [name for name in entry.clusters if name not in entry.failed]:
        again = ", with values still missing" if entry.again else ""
        yield f"applied on {words.listed(well)}{again}"


def _end(workflow: Workflow, step: WorkflowStep, run: Run, entry: Entry) -> str:
    if entry.phase is StepPhase.FAILED:
        return words.failed(step, run, entry)
    if entry.phase is StepPhase.SKIPPED:
        return f"skipped, as {words.skipped(workflow, run, step, entry)}"
    return words.done(step, entry.message)
