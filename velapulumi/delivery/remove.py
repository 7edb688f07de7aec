"""Deleting an application, stage by stage, the last one first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from velapulumi.clusters.identity import reach
from velapulumi.delivery.locks import clear_stale_lock
from velapulumi.errors import UnknownApplication
from velapulumi.gate.file import read_gate
from velapulumi.program.environment import engine_environment
from velapulumi.program.release import application_of, forgotten, release
from velapulumi.program.stacks import file_backend, read_record
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
    """Delete the objects of the stages, their stacks, and at last the gate file.

    What the application gives up is written before the engine runs, which has locked the stack only
    from then on. So another run is waited for first.

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

    engine = Engine(project, Listener(progress))
    environment = engine_environment(project)
    for stage in stages:
        stack = StackName(application, stage)
        if file_backend(project, environment) is not None:
            clear_stale_lock(project, stack, environment)
        record = read_record(project, stack)
        if record is None:
            project.config_file(stack).unlink(missing_ok=True)
            continue
        progress(f"{stage}: deleting")
        left = forgotten(record)
        clusters = reach(project, {entry.cluster for entry in left})
        release(application_of(record), record, left, clusters)
        engine.destroy(stack)
        project.config_file(stack).unlink(missing_ok=True)
    project.gate_file(application).unlink(missing_ok=True)
