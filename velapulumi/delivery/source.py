"""What an application was delivered from: its file, or the copy of it that was kept."""

from __future__ import annotations

from velapulumi.errors import UsageProblem
from velapulumi.program.application import Application, read_application
from velapulumi.program.standing import Standing
from velapulumi.project import Project, StackConfig, StackName


def source_of(project: Project, standing: Standing) -> StackConfig | None:
    """What an application was last delivered from, as its stacks say, the first stage before all.

    Args:
        project: The project.
        standing: Where the application stands.
    """
    name = standing.application
    planned = [StackName(name, step.stage) for step in standing.steps if step.stage]
    for stack in dict.fromkeys((*planned, *project.stack_names(name))):
        config = project.stack_config(stack)
        if config is not None:
            return config
    return None


def current_application(project: Project, standing: Standing) -> Application:
    """The application as the revision that is current describes it.

    That is the file it was delivered from, or where that has become another revision the copy of it
    that was kept.

    Raises:
        UsageProblem: Neither is that revision any more.
    """
    name, current = standing.application, standing.gate.current
    source = source_of(project, standing)
    kept = project.revision_file(name, standing.recorded.revision.name)
    files = [project.root / source.application] if source else []
    allow_unknown = source is not None and source.allow_unknown
    for file in (*files, kept):
        if not file.is_file():
            continue
        try:
            found = read_application(project, file, allow_unknown=allow_unknown)
        except UsageProblem:
            continue
        if str(found.revision) == current:
            return found
    raise UsageProblem(
        f"no file describes {current} any more, so what it would change cannot be told",
        next_step="Deliver the Application file as it is now: velapulumi up -f FILE",
    )
