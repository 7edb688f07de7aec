"""Deleting an application, stage by stage, the last one first."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from velapulumi.clusters.identity import Reached
from velapulumi.delivery.failures import named_by_finalizers
from velapulumi.delivery.runlock import running
from velapulumi.engine.environment import engine_environment
from velapulumi.engine.handles import names_of
from velapulumi.engine.interrupts import Interrupts
from velapulumi.engine.locks import clear_stale_lock
from velapulumi.engine.record import StageRecord, application_of
from velapulumi.engine.stacks import file_backend, read_record
from velapulumi.errors import ClusterUnreachable, PlanChanged, UnknownApplication, VelapulumiError
from velapulumi.gate.file import read_gate
from velapulumi.plan.document import StagePlan
from velapulumi.plan.objects import ObjectKey
from velapulumi.plan.operation import Operation
from velapulumi.program.application import Application
from velapulumi.program.identity import project_id
from velapulumi.project import Project, StackName
from velapulumi.render.rules import owner_of, sharers_of
from velapulumi.stage.facts import going_elsewhere, removed
from velapulumi.stage.guests import Elsewhere, awaited, inner_first
from velapulumi.stage.look import Look
from velapulumi.stage.operations import Decision, decide
from velapulumi.stage.plan import removal_plan as stage_removal_plan
from velapulumi.stage.refusals import refuse
from velapulumi.stage.release import let_go
from velapulumi.stage.removal import Removed
from velapulumi.stage.shown import check_deleted, shown_of

if TYPE_CHECKING:
    from velapulumi.engine.automation import Engine


@dataclass(frozen=True)
class Removal:
    """What deleting a stack with all it holds does.

    Attributes:
        project: The project.
        stack: The stack.
        record: What it holds; None when there is no such stack.
        look: What the clusters have.
        decisions: What happens to its objects.
        application: The application, ``<namespace>/<name>``; empty when it holds nothing.
    """

    project: Project
    stack: StackName
    record: StageRecord | None
    look: Look
    decisions: tuple[Decision, ...]
    application: str = ""

    @classmethod
    def of(
        cls,
        project: Project,
        stack: StackName,
        application: Application | None = None,
        *,
        after_others: bool = True,
    ) -> Removal:
        """Find out what deleting a stack does; writes nothing.

        Args:
            project: The project.
            stack: The stack.
            application: The application, whose other stages go on holding what they hold; None
                when all of it is deleted.
            after_others: Whether what other stages delete counts as gone; else it is waited for.
        """
        record = read_record(project, stack)
        look = Look(project)
        if record is None:
            return cls(project, stack, None, look, ())
        if application:
            found = removed(application, stack.stage, record, look)
            elsewhere: Elsewhere = partial(going_elsewhere, application, stack.stage, look)
        else:
            found = _removed(project, stack, record, look)
            elsewhere = partial(_going_with, project, stack, look)
        facts = found.facts(elsewhere, after_others=after_others)
        return cls(project, stack, record, look, tuple(map(decide, facts)), found.application)

    @property
    def plan(self) -> StagePlan:
        """What happens, as it is shown."""
        return stage_removal_plan(self.project, self.stack.stage, self.decisions, self.look)

    @property
    def waits(self) -> bool:
        """Whether another stage has still to take or to delete something before this one goes."""
        return any(
            each.operation is Operation.HAND_OVER or not each.facts.pruned
            for each in self.decisions
        )

    def check(self) -> None:
        """Refuse what cannot be deleted.

        Raises:
            VelapulumiError: Something is refused, or a cluster does not answer.
        """
        refuse(self.decisions)
        for decision in self.decisions:
            cluster = self.look.clusters.get(decision.key.cluster)
            if isinstance(cluster, VelapulumiError):
                raise cluster
            if decision.operation is Operation.OWED:
                raise ClusterUnreachable(decision.facts.live.detail)

    def run(self, engine: Engine, progress: Callable[[str], None]) -> None:
        """Delete what the stack holds, the stack itself and its configuration.

        What the application gives up is written before the engine runs, which has locked the stack
        only from then on. So another run is waited for first.

        Args:
            engine: The engine.
            progress: Is told of each step.

        Raises:
            VelapulumiError: Why it could not be deleted; running it again goes on.
        """
        environment = engine_environment(self.project)
        if file_backend(self.project, environment) is not None:
            clear_stale_lock(self.project, self.stack, environment)
        if self.record is not None:
            deletes = any(each.operation is Operation.DELETE for each in self.decisions)
            progress(f"{self.stack.stage}: {'deleting' if deletes else 'removing its stack'}")
            clusters = self.look.clusters
            forget = partial(engine.forget, self.stack)
            let_go(self.application, self.decisions, clusters, forget)
            reached = [each for each in clusters.values() if isinstance(each, Reached)]
            with named_by_finalizers(self.project, self.decisions):
                engine.destroy(self.stack, reached)
        self.project.config_file(self.stack).unlink(missing_ok=True)


def _removed(project: Project, stack: StackName, record: StageRecord, look: Look) -> Removed:
    """A stack of an application that is deleted as a whole: no stage goes on holding anything."""
    identity = project_id(project, [record])
    application = application_of(record) or _by_objects(stack, record, look)
    return Removed(identity, record, application, look, lambda key: None)


def _by_objects(stack: StackName, record: StageRecord, look: Look) -> str:
    """The application of a stack that has only read: what it shares by now, or has taken over.

    Empty where that does not tell.
    """
    look.read({entry.key: entry.manifest for entry in record.entries})
    found = (look.live(entry.key, entry.manifest).manifest for entry in record.entries)
    names = {name for live in found if live for name in (owner_of(live), *sharers_of(live))}
    ours = [name for name in names if name.rpartition("/")[2] == stack.application]
    return ours[0] if len(ours) == 1 else ""


def _going_with(
    project: Project, stack: StackName, look: Look
) -> Mapping[str, Collection[ObjectKey]]:
    """What is deleted with the other stacks of an application that is deleted as a whole."""
    others = {
        each: read_record(project, each)
        for each in project.stack_names(stack.application)
        if each != stack
    }
    return {
        each.stage: _removed(project, each, record, look).going()
        for each, record in others.items()
        if record is not None
    }


def stages_of(project: Project, application: str) -> list[str]:
    """The stages an application has stacks for, the last one first.

    Raises:
        UnknownApplication: It has none here.
        InvalidFile: The gate file is damaged.
    """
    stages = [name.stage for name in project.stack_names(application)]
    if not stages:
        raise UnknownApplication(f"no application {application} has been delivered here")
    gate = read_gate(project.gate_file(application), application)
    recorded = gate.recorded(gate.current)
    order = [step.stage for step in recorded.steps] if recorded else []
    return sorted(
        stages, key=lambda stage: order.index(stage) if stage in order else -1, reverse=True
    )


def removals(project: Project, application: str, stages: Sequence[str]) -> tuple[Removal, ...]:
    """What deleting an application does, stage by stage as they are to go; writes nothing.

    What lies in a namespace, or is of a kind by its definition, goes before that.

    Args:
        project: The project.
        application: The application.
        stages: Its stages, in the order in which they go otherwise.
    """
    found = {stage: Removal.of(project, StackName(application, stage)) for stage in stages}
    order = inner_first({stage: awaited(each.decisions) for stage, each in found.items()})
    return tuple(found[stage] for stage in order)


def remove(
    project: Project,
    application: str,
    shown: Sequence[Removal],
    progress: Callable[[str], None],
) -> None:
    """Delete the objects of the stages, their stacks, and at last what is recorded of them.

    Args:
        project: The project.
        application: The application.
        shown: What was shown of each stage, in the order they are to go.
        progress: Is told of each step.

    Raises:
        PlanChanged: Something would be deleted that was not shown to be.
        VelapulumiError: Why a stage could not be deleted; the ones before it in order are not
            touched, and running it again goes on.
    """
    from velapulumi.engine.automation import Engine
    from velapulumi.engine.events import Listener

    interrupts = Interrupts(
        lambda: progress("stopping when what is under way is done; once more to stop now")
    )
    with running(project, application, "delete"), interrupts.handled():
        _check_stacks(project, application, shown)
        for each in shown:
            _as_shown(each)
        for each in shown:
            removal = _as_shown(each)
            deleted = [e.key for e in removal.decisions if e.operation is Operation.DELETE]
            listener = Listener(progress, names_of(removal.record), deleted=deleted)
            removal.run(Engine(project, listener, interrupts), progress)
        project.gate_file(application).unlink(missing_ok=True)
        project.journal_file(application).unlink(missing_ok=True)
        kept = project.revision_file(application, "any").parent
        shutil.rmtree(kept, ignore_errors=True)


def _check_stacks(project: Project, application: str, shown: Sequence[Removal]) -> None:
    """Refuse to delete an application that has got another stack since."""
    known = {each.stack for each in shown}
    new = [str(stack) for stack in project.stack_names(application) if stack not in known]
    if new:
        raise PlanChanged(f"there are stacks that were not there before: {', '.join(new)}")


def _as_shown(shown: Removal) -> Removal:
    """What deleting a stack does now.

    Raises:
        PlanChanged: It deletes something that was not shown to be deleted.
        VelapulumiError: Something is refused, or a cluster does not answer.
    """
    now = Removal.of(shown.project, shown.stack)
    now.check()
    check_deleted(now.decisions, shown_of(shown.decisions))
    return now
