"""What happens in a run, in plain words; pure functions of its entries and of what was seen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from velapulumi.spec import ALWAYS, GROUP
from velapulumi.workflow.driver import SUSPENDED, begun_anew
from velapulumi.workflow.entries import Entry, Kind
from velapulumi.workflow.phases import Reason, StepPhase
from velapulumi.workflow.rollout import Observation
from velapulumi.workflow.run import Run
from velapulumi.workflow.stages import Workflow
from velapulumi.workflow.steps import SUSPEND, WorkflowStep

_READY = re.compile(r"Ready:(\d+)/(\d+)")


def title_of(workflow: Workflow, step: WorkflowStep) -> str:
    """How people call a step: as its stage when it is the stage's only one, else by its name."""
    sharing = [each for each in workflow.steps if each.stage == step.stage]
    return step.stage if step.stage is not None and len(sharing) == 1 else step.name


def begun_again(workflow: Workflow, run: Run) -> Run:
    """The run as ``up`` takes it up: what has failed starts over."""
    for name in tuple(begun_anew(workflow, run)):
        run = run.with_step(name, run.step(name).anew())
    return run


def of_run(entry: Entry) -> str:
    """What an entry tells of the run as a whole; empty when it tells of a step."""
    by = f" by {entry.by}" if entry.by else ""
    match entry.kind:
        case Kind.SUSPEND:
            return f"the workflow is suspended{by}"
        case Kind.RESUME:
            return f"the workflow is resumed{by}"
        case Kind.TERMINATE:
            return f"the workflow is terminated{by}"
        case Kind.RESTART:
            names = f": {', '.join(entry.steps)}" if entry.steps else ""
            return f"the workflow is restarted{by}{names}"
        case Kind.COLLECT:
            return f"{entry.step}: collects what is no longer delivered"
        case Kind.COLLECTED:
            return f"{entry.step}: has collected what is no longer delivered"
        case _:
            return ""


def waiting(step: WorkflowStep, message: str) -> str:
    """That a step waits for a person, or until some time is over."""
    what = "waits for approval"
    if step.duration is not None:
        what = f"waits {step.duration:g}s, or for approval"
    return _joined(what, _request(step, message))


def waiting_note(step: WorkflowStep, message: str) -> str:
    """The same beside the word that it waits, with what is asked as early as can be."""
    request = _request(step, message)
    if step.duration is not None:
        return _joined(f"{step.duration:g}s", request)
    return request or "for approval"


def _request(step: WorkflowStep, message: str) -> str:
    """What a person is asked; empty when it says no more than that the step waits."""
    return "" if step.approval or message == SUSPENDED else message


def failed(step: WorkflowStep, run: Run, entry: Entry) -> str:
    """That a step has failed, and why."""
    began = run.step(step.name).started or entry.at
    overdue = bool(step.timeout) and entry.at - began >= step.timeout
    if entry.reason is Reason.TIMEOUT and overdue:
        return _joined(f"failed: not done after {step.timeout:g}s", entry.message)
    if entry.reason is Reason.RETRIES:
        return _joined(f"failed after {run.step(step.name).errors} tries", entry.message)
    return _joined("failed", entry.message)


def skipped(workflow: Workflow, run: Run, step: WorkflowStep, entry: Entry) -> str:
    """Why a step is skipped."""
    if step.type == GROUP and entry.reason is not Reason.SKIP:
        return "all its steps were skipped"
    if step.group and run.step(step.group).phase.finished:
        skipped_too = run.step(step.group).phase is StepPhase.SKIPPED
        return f"its group {step.group} {'is skipped' if skipped_too else 'has ended'}"
    if step.condition not in ("", ALWAYS):
        return f"its condition does not hold: {' '.join(step.condition.split())}"
    lacking = [n for n in step.depends_on if run.step(n).phase is not StepPhase.SUCCEEDED]
    names = lacking or [each.name for each in workflow.before(step.name) if each.name in run.failed]
    titles = [title_of(workflow, workflow.step(name)) for name in names]
    return f"{listed(titles or ['what it needs'])} did not succeed"


def done(step: WorkflowStep, message: str) -> str:
    """That a step which delivers nothing has succeeded."""
    if step.idle:
        return "nothing to do, as it leads to no cluster"
    if step.type == SUSPEND:
        return "goes on"
    return _joined("done", message)


def services(observation: Observation) -> Iterator[tuple[str, str]]:
    """The services of a healthy place: each name with what is said of it."""
    for part in filter(None, observation.message.split("; ")):
        name, _, said = part.partition(" ")
        yield name, said


def ready(observation: Observation) -> str:
    """What is ready on a cluster, such as ``Ready:1/1``; all services of a healthy one together."""
    if not observation.healthy:
        said = observation.message.partition(" - ")[0].partition(" ")[2]
        return said if _READY.fullmatch(said) else ""
    texts = [said for _, said in services(observation) if said]
    found = [match for text in texts if (match := _READY.fullmatch(text))]
    if len(found) == len(texts) > 1:
        up, wanted = (sum(int(match[group]) for match in found) for group in (1, 2))
        return f"Ready:{up}/{wanted}"
    return texts[0] if texts else ""


def reason(observation: Observation) -> str:
    """Why a cluster is not healthy, beyond what is ready there; empty when it is."""
    if observation.healthy:
        return ""
    return observation.message.partition(" - ")[2] if ready(observation) else observation.message


def listed(names: Iterable[str]) -> str:
    """Names in a row, the last one after ``and``."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _joined(what: str, message: str) -> str:
    return f"{what}: {message}" if message else what
