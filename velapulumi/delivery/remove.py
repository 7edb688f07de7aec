"""Deleting an application, stage by stage, the last one first."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from velapulumi.clusters.identity import Reached
from velapulumi.delivery.failures import named_by_finalizers
from velapulumi.delivery.runlock import running
from velapulumi.engine.environment import engine_environment
from velapulumi.engine.interrupts import Interrupts
from velapulumi.engine.locks import clear_stale_lock
from velapulumi.engine.record import StageRecord, application_of
from velapulumi.engine.stacks import file_backend, read_record
from velapulumi.errors import UnknownApplication, VelapulumiError
from velapulumi.gate.file import read_gate
from velapulumi.plan.document import Operation, StagePlan
from velapulumi.plan.objects import ObjectKey
from velapulumi.program.application import Application
from velapulumi.program.identity import project_id
from velapulumi.project import Project, StackName
from velapulumi.stage.facts import other_of, removal_facts
from velapulumi.stage.look import Look
from velapulumi.stage.operations import Decision, decide
from velapulumi.stage.plan import removal_plan as stage_removal_plan
from velapulumi.stage.refusals import refuse
from velapulumi.stage.release import let_go
from velapulumi.stage.sides import Other

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
    """

    project: Project
    stack: StackName
    record: StageRecord | None
    look: Look
    decisions: tuple[Decision, ...]

    @classmethod
    def of(
        cls, project: Project, stack: StackName, application: Application | None = None
    ) -> Removal:
        """Find out what deleting a stack does; writes nothing.

        Args:
            project: The project.
            stack: The stack.
            application: The application, whose other stages go on holding what they hold; None
                when all of it is deleted.
        """
        record = read_record(project, stack)
        look = Look(project)
        if record is None:
            return cls(project, stack, None, look, ())

        def other(key: ObjectKey) -> Other | None:
            return other_of(application, stack.stage, key) if application else None

        identity = project_id(project, [record])
        number = application.revision.number if application else None
        facts = removal_facts(identity, record, application_of(record), look, other, number)
        return cls(project, stack, record, look, tuple(map(decide, facts)))

    @property
    def plan(self) -> StagePlan:
        """What happens, as it is shown."""
        return stage_removal_plan(self.project, self.stack.stage, self.decisions, self.look)

    @property
    def waits(self) -> bool:
        """Whether another stage has still to take an object that would be deleted here."""
        return any(each.operation is Operation.HAND_OVER for each in self.decisions)

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
            progress(f"{self.stack.stage}: deleting")
            clusters = self.look.clusters
            forget = partial(engine.forget, self.stack)
            let_go(application_of(self.record), self.decisions, clusters, forget)
            reached = [each for each in clusters.values() if isinstance(each, Reached)]
            with named_by_finalizers(self.project, self.decisions):
                engine.destroy(self.stack, reached)
        self.project.config_file(self.stack).unlink(missing_ok=True)


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


def removal_plan(
    project: Project, application: str, stages: Sequence[str]
) -> tuple[StagePlan, ...]:
    """What deleting an application does, stage by stage; writes nothing.

    Args:
        project: The project.
        application: The application.
        stages: Its stages in the order they are to go.
    """
    return tuple(Removal.of(project, StackName(application, stage)).plan for stage in stages)


def remove(
    project: Project, application: str, stages: Sequence[str], progress: Callable[[str], None]
) -> None:
    """Delete the objects of the stages, their stacks, and at last what is recorded of them.

    Args:
        project: The project.
        application: The application.
        stages: Its stages in the order they are to go.
        progress: Is told of each step.

    Raises:
        VelapulumiError: Why a stage could not be deleted; the ones before it in order are not
            touched, and running it again goes on.
    """
    from velapulumi.engine.automation import Engine
    from velapulumi.engine.events import Listener

    interrupts = Interrupts(
        lambda: progress("stopping when what is under way is done; once more to stop now")
    )
    with running(project, application, "delete"), interrupts.handled():
        engine = Engine(project, Listener(progress), interrupts)
        for stage in stages:
            Removal.of(project, StackName(application, stage)).check()
        for stage in stages:
            removal = Removal.of(project, StackName(application, stage))
            removal.check()
            removal.run(engine, progress)
        project.gate_file(application).unlink(missing_ok=True)
        project.journal_file(application).unlink(missing_ok=True)
        kept = project.revision_file(application, "any").parent
        shutil.rmtree(kept, ignore_errors=True)
