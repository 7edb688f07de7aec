"""``velapulumi delete``: take an application away from all its clusters."""

from __future__ import annotations

import click


@click.command()
@click.argument("application", metavar="APP")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete(application: str, yes: bool) -> int:
    """Delete an application: its objects and stacks, the last stage first, and its gate file.

    Ends with exit code 1 when the answer is no.
    """
    from velapulumi.cli.confirmation import confirmed
    from velapulumi.delivery.remove import remove, stages_of
    from velapulumi.project import find_project

    project = find_project()
    stages = stages_of(project, application)
    question = f"Delete application {application} from {', '.join(stages)}?"
    if not yes and not confirmed(question, "delete", "deleted"):
        return 1
    remove(project, application, stages, lambda text: click.echo(text, err=True))
    click.echo(f"Application {application} deleted.")
    return 0
