"""Deleting an application, stage by stage, the last one first."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence

from velapulumi.delivery.collect import destroy
from velapulumi.delivery.interrupts import Interrupts
from velapulumi.delivery.runlock import running
from velapulumi.errors import UnknownApplication
from velapulumi.gate.file import read_gate
from velapulumi.project import Project, StackName


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
    from velapulumi.delivery.engine import Engine
    from velapulumi.delivery.events import Listener

    interrupts = Interrupts(
        lambda: progress("stopping when what is under way is done; once more to stop now")
    )
    with running(project, application, "delete"), interrupts.handled():
        engine = Engine(project, Listener(progress), interrupts)
        for stage in stages:
            destroy(project, StackName(application, stage), engine, progress)
        project.gate_file(application).unlink(missing_ok=True)
        project.journal_file(application).unlink(missing_ok=True)
        kept = project.revision_file(application, "any").parent
        shutil.rmtree(kept, ignore_errors=True)
