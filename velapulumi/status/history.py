"""What was delivered before: the runs in the journals, and the revisions with their kept files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from velapulumi.errors import InvalidFile, UnknownApplication, UsageProblem
from velapulumi.gate.file import Gate, RecordedRevision, read_gate
from velapulumi.program.standing import Standing, read_standing
from velapulumi.project import Project
from velapulumi.spec.document import DocumentRefused, read_document
from velapulumi.spec.external import split_documents
from velapulumi.spec.reading import KIND
from velapulumi.workflow.entries import Entry, Kind
from velapulumi.workflow.phases import WorkflowPhase
from velapulumi.workflow.run import Run, advance

SUPERSEDED = "superseded"
"""Phase of a run that had not ended when another one began."""

_OVER = (WorkflowPhase.SUCCEEDED, WorkflowPhase.FAILED, WorkflowPhase.TERMINATED)
_GATE = ".gate.yaml"
_PUBLISH_VERSION = "app.oam.dev/publishVersion"


@dataclass(frozen=True)
class PastRun:
    """One run of an application.

    Attributes:
        application: The application.
        revision: What it ran, ``<application>-v<N>:<hash>``.
        number: Its number.
        phase: A phase of KubeVela's workflows, or ``superseded``.
        began: When it began, in seconds since 1970.
        ended: When it ended; None while it has not.
        by: Who began it.
    """

    application: str
    revision: str
    number: int
    phase: str
    began: float
    ended: float | None
    by: str


@dataclass(frozen=True)
class PastRevision:
    """One revision of an application.

    Attributes:
        name: Its name, ``<application>-v<N>``.
        hash: Its hash.
        publish_version: What its annotation names it; empty without one.
        succeeded: Whether a run of it has come to its end.
        began: When its last run began, in seconds since 1970; None when the journal tells of none.
        status: ``NotStart``, ``Succeeded``, ``Failed`` or ``Executing or Failed``.
        size: Bytes of its kept file; None without one.
        current: Whether it is the current one.
    """

    name: str
    hash: str
    publish_version: str
    succeeded: bool
    began: float | None
    status: str
    size: int | None
    current: bool


def read_runs(project: Project, application: str | None = None) -> list[PastRun]:
    """The runs in the journals, the newest first.

    Args:
        project: The project.
        application: Whose runs; those of all applications when not given.

    Raises:
        UnknownApplication: Nothing of the application has been delivered.
        InvalidFile: A gate file, a journal or a stack is damaged.
    """
    names = _applications(project) if application is None else [application]
    found = (run for name in names for run in _runs(read_standing(project, name, contact=False)))
    return sorted(found, key=lambda run: run.began, reverse=True)


def read_revisions(project: Project, application: str) -> list[PastRevision]:
    """The revisions of an application, the oldest first.

    Raises:
        UnknownApplication: Nothing of it has been delivered.
        InvalidFile: The gate file, the journal, a stack or a kept file is damaged.
    """
    standing = read_standing(project, application, contact=False)
    runs = _runs(standing)
    return [
        _past_revision(project, standing, runs, recorded) for recorded in standing.gate.revisions
    ]


def find_revision(project: Project, application: str, name: str) -> RecordedRevision:
    """A revision by its name, with or without its hash.

    Raises:
        UnknownApplication: Nothing of the application has been delivered.
        UsageProblem: It has no such revision.
    """
    gate = _gate(project, application)
    for recorded in gate.revisions:
        if name in (recorded.revision.name, str(recorded.revision)):
            return recorded
    raise UsageProblem(
        f"failed to find revision {name} matching the application {application}",
        next_step=f"See all with: velapulumi revision list {application}",
    )


def kept_text(project: Project, application: str, revision: str) -> str:
    """The Application file of a revision, as it was delivered.

    Raises:
        UnknownApplication, UsageProblem: As ``find_revision``; or the file is not kept.
        InvalidFile: It cannot be read.
    """
    name = find_revision(project, application, revision).revision.name
    path = project.revision_file(application, name)
    text = _text(path)
    if text is None:
        raise UsageProblem(
            f"the Application file of {name} is not kept at {path}",
            next_step="Restore it from version control.",
        )
    return text


def documents_of(text: str, file: str) -> list[Any]:
    """The YAML documents of a kept Application file as plain values.

    Raises:
        InvalidFile: It is no YAML.
    """
    try:
        return [read_document(part).value for part in split_documents(text)]
    except DocumentRefused as error:
        problem = error.problems[0]
        raise InvalidFile(f"{file}:{problem.line}: {problem.message}") from error


def _applications(project: Project) -> list[str]:
    names = (path.name.removesuffix(_GATE) for path in project.stacks.glob(f"*{_GATE}"))
    return sorted(name for name in names if read_gate(project.gate_file(name), name).current)


def _gate(project: Project, application: str) -> Gate:
    gate = read_gate(project.gate_file(application), application)
    if not gate.current:
        raise UnknownApplication(f"no application {application} has been delivered here")
    return gate


def _runs(standing: Standing) -> list[PastRun]:
    """The runs of an application, the oldest first."""
    begun: list[tuple[Entry, Run]] = []
    for entry in standing.entries:
        if entry.kind is Kind.BEGIN:
            begun.append((entry, advance(Run(), entry)))
        elif begun:
            begin, run = begun[-1]
            begun[-1] = (begin, advance(run, entry))
    followers = [begin.at for begin, _ in begun[1:]]
    return [
        _past_run(standing, begin, run, follower)
        for (begin, run), follower in zip(begun, [*followers, None], strict=False)
    ]


def _past_run(standing: Standing, begin: Entry, run: Run, follower: float | None) -> PastRun:
    """A run of the journal, and when the next one began."""
    gate = standing.gate
    if follower is None and (run.revision, run.number) == (gate.current, gate.run):
        workflow = standing.progress.workflow
        phase, ended = str(workflow), run.ended if workflow in _OVER else None
    else:
        phase, ended = _last_phase(run), follower if run.ended is None else run.ended
    return PastRun(standing.application, run.revision, run.number, phase, begin.at, ended, begin.by)


def _last_phase(run: Run) -> str:
    """The phase in which a run was left that another one has followed."""
    if run.terminated:
        return str(WorkflowPhase.TERMINATED)
    if run.ended is None:
        return SUPERSEDED
    return str(WorkflowPhase.SUCCEEDED if run.finished else WorkflowPhase.FAILED)


def _past_revision(
    project: Project, standing: Standing, runs: Iterable[PastRun], recorded: RecordedRevision
) -> PastRevision:
    revision, gate = recorded.revision, standing.gate
    mine = [run for run in runs if run.revision == str(revision)]
    phases = [run.phase for run in mine]
    current = gate.current == str(revision)
    if current and all(run.number != gate.run for run in mine):
        phases.append(str(standing.progress.workflow))
    path = project.revision_file(standing.application, revision.name)
    text = _text(path)
    return PastRevision(
        name=revision.name,
        hash=revision.hash,
        publish_version="" if text is None else _publish_version(text, str(path)),
        succeeded=str(WorkflowPhase.SUCCEEDED) in phases,
        began=mine[-1].began if mine else None,
        status=_status(phases),
        size=None if text is None else len(text.encode()),
        current=current,
    )


def _status(phases: Sequence[str]) -> str:
    """KubeVela's word for how the runs of a revision came out, the last one if none succeeded."""
    if not phases:
        return "NotStart"
    if WorkflowPhase.SUCCEEDED in phases:
        return "Succeeded"
    failed = phases[-1] in (WorkflowPhase.FAILED, WorkflowPhase.TERMINATED)
    return "Failed" if failed else "Executing or Failed"


def _publish_version(text: str, file: str) -> str:
    for document in documents_of(text, file):
        if isinstance(document, dict) and document.get("kind") == KIND:
            annotations = (document.get("metadata") or {}).get("annotations") or {}
            return str(annotations.get(_PUBLISH_VERSION) or "")
    return ""


def _text(path: Path) -> str | None:
    """Content of a kept file; None when it is not there.

    Raises:
        InvalidFile: It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InvalidFile(f"{path}: {error}") from error
