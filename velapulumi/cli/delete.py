"""``velapulumi delete``: take an application away from all its clusters."""

from __future__ import annotations

import click


@click.command()
@click.argument("application", metavar="APP")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete(application: str, yes: bool) -> int:
    """Delete an application: its objects and stacks, the last stage first, and its gate file.

    Shows every object that goes, volumes first. Ends with exit code 1 when the answer is no.
    """
    from velapulumi.cli.confirmation import confirmed
    from velapulumi.cli.line import write_line
    from velapulumi.cli.plans import stage_lines
    from velapulumi.delivery.remove import removals, remove, stages_of
    from velapulumi.plan.operation import Operation
    from velapulumi.project import find_project

    project = find_project()
    shown = removals(project, application, stages_of(project, application))
    plans = [each.plan for each in shown]
    stages = [plan.stage for plan in plans]
    for plan in plans:
        for line in stage_lines(plan):
            write_line(line)
    objects = (each for plan in plans for cluster in plan.clusters for each in cluster.objects)
    count = sum(each.operation is Operation.DELETE for each in objects)
    what = f"{count} object{'s' if count != 1 else ''}"
    question = f"Delete application {application} from {', '.join(stages)} ({what})?"
    if not yes and not confirmed(question, "delete", "deleted"):
        return 1
    remove(project, application, shown, lambda text: click.echo(text, err=True))
    click.echo(f"Application {application} deleted.")
    return 0
