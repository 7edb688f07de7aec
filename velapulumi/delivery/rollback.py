"""Going back to an earlier revision: which one, from which file, and what that would change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from velapulumi.delivery.remove import Removal
from velapulumi.delivery.runlock import holder
from velapulumi.delivery.source import source_of
from velapulumi.engine.record import StageRecord
from velapulumi.errors import RunInProgress, UsageProblem
from velapulumi.gate.file import RecordedRevision
from velapulumi.plan.document import StagePlan
from velapulumi.program.application import Application, read_application
from velapulumi.program.leaving import abandoned
from velapulumi.program.standing import Standing, read_standing
from velapulumi.project import Project, StackConfig
from velapulumi.stage.look import Look
from velapulumi.stage.plan import plan_document
from velapulumi.workflow.entries import Entry, Kind
from velapulumi.workflow.phases import StepPhase


@dataclass(frozen=True)
class Rollback:
    """A way back.

    Attributes:
        application: The application, as its kept file describes it.
        before: The revision that is current now, ``<application>-v<N>:<hash>``.
        source: What that was delivered from; None when it is not told.
        plans: What changes in each stage where anything does, in order; stages that go come last. A
            stage whose last delivery did not finish is among them even without a known change.
    """

    application: Application
    before: str
    source: StackConfig | None
    plans: tuple[StagePlan, ...]

    @property
    def revision(self) -> str:
        """Where it leads, ``<application>-v<N>:<hash>``."""
        return str(self.application.revision)

    @property
    def file(self) -> Path:
        """The kept Application file."""
        return self.application.file


def find_way_back(
    project: Project,
    application: str,
    target: RecordedRevision | None = None,
    *,
    takes_fields: bool = False,
) -> Rollback:
    """Find out what going back would change; changes nothing.

    Args:
        project: The project.
        application: The application.
        target: The revision to go back to; when not given the newest one before the current one
            whose run has succeeded, or, where the journal tells of none, of which it tells no run.
        takes_fields: Whether new fields that others hold are taken from them.

    Raises:
        UnknownApplication: Nothing of it has been delivered.
        RunInProgress: It is being delivered.
        UsageProblem: There is no such revision, or its file cannot be delivered as that any more.
        InvalidApplication: The kept file is not valid any more.
    """
    standing = read_standing(project, application, contact=False)
    if running := holder(project, application):
        raise RunInProgress(
            "can not rollback a running workflow",
            next_step=f"It is run by {running}. Wait for that to end, or end it with: "
            f"velapulumi workflow terminate {application}",
        )
    target = target or _earlier(standing)
    source = source_of(project, standing)
    read = _read(project, target, application, source)
    described = replace(read, takes_fields=takes_fields)
    return Rollback(described, standing.gate.current, source, tuple(_plans(described)))


def approved_way_back(
    project: Project, file: Path, *, allow_unknown: bool = False
) -> Rollback | None:
    """The way back that was approved together with a delivery which has begun; None for none.

    Args:
        project: The project.
        file: The Application file that was delivered.
        allow_unknown: Whether unknown parameters are ignored.

    Raises:
        UsageProblem: The revision before cannot be delivered as that any more.
    """
    application = read_application(project, file, allow_unknown=allow_unknown).name
    standing = read_standing(project, application, contact=False)
    current = standing.gate
    for gate in standing.steps:
        decision = standing.decision(gate.name) if gate.gate else None
        if decision is None or not standing.authority.may_go_back(
            decision, current.current, current.run
        ):
            continue
        plan = standing.authority.plans(decision.plan)
        before = {stage.before for stage in plan.stages} if plan else set()
        target = current.recorded(before.pop()) if len(before) == 1 else None
        if target is not None:
            return find_way_back(project, application, target)
    return None


def _earlier(standing: Standing) -> RecordedRevision:
    before = standing.gate.revisions[: standing.gate.revisions.index(standing.recorded)]
    succeeded = _succeeded(standing.entries)
    run = {entry.revision for entry in standing.entries}
    for found in (
        [each for each in before if str(each.revision) in succeeded],
        [each for each in before if str(each.revision) not in run],
    ):
        if found:
            return found[-1]
    name = standing.application
    raise UsageProblem(
        f"failed to find previous succeeded revision of application {name}",
        next_step=f"See all with: velapulumi revision list {name}, and name one with --revision.",
    )


def _succeeded(entries: Iterable[Entry]) -> set[str]:
    """The revisions of which a run has come to its end."""
    found, current = set(), ""
    for entry in entries:
        if entry.kind is Kind.BEGIN:
            current = entry.revision
        elif entry.kind is Kind.FINISH and entry.phase is StepPhase.SUCCEEDED:
            found.add(current)
    return found


def _read(
    project: Project, target: RecordedRevision, name: str, source: StackConfig | None
) -> Application:
    """The application as the kept file of a revision describes it."""
    revision = target.revision
    kept = project.revision_file(name, revision.name)
    if not kept.is_file():
        raise UsageProblem(
            f"the Application file of {revision.name} is not kept at {kept}",
            next_step="Restore it from version control, or deliver the Application file you want "
            "with: velapulumi up -f FILE",
        )
    allow_unknown = source is not None and source.allow_unknown
    application = read_application(project, kept, allow_unknown=allow_unknown)
    if str(application.revision) != str(revision):
        raise UsageProblem(
            f"{kept} does not render to {revision} any more: it is {application.revision} now, as "
            "the file, a definition or the clusters it is for have changed since",
            next_step="Undo that change, or deliver the file as a new revision with: "
            f"velapulumi up -f {kept}",
        )
    return application


def _plans(application: Application) -> Iterator[StagePlan]:
    """What delivering an application changes, stage by stage, old objects included."""
    look = Look(application.project)
    stages = {name: stage.steps for name, stage in application.workflow.stages.items()}
    found = list(plan_document(application, stages, look).stages)
    found += (
        Removal.of(application.project, stack, application).plan for stack in abandoned(application)
    )
    for plan in found:
        if not plan.empty or _is_unfinished(application.all_records.get(plan.stage)):
            yield plan


def _is_unfinished(record: StageRecord | None) -> bool:
    """Whether the last delivery to a stage has failed half way, so its record may be behind."""
    return record is not None and bool(record.objects) and not record.steps
