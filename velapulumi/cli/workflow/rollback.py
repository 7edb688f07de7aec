"""``velapulumi workflow rollback``: go back to an earlier revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from velapulumi.cli.output import take_fields_option

if TYPE_CHECKING:
    from velapulumi.delivery.rollback import Rollback


@click.command()
@click.argument("application", metavar="APP")
@click.option(
    "--revision",
    metavar="REVISION",
    help="Where to go back to, such as shop-v2; the newest earlier revision whose workflow "
    "succeeded when left out.",
)
@take_fields_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def rollback(
    ctx: click.Context, application: str, revision: str | None, takes_fields: bool, yes: bool
) -> int:
    """Go back to an earlier revision, through the same gates.

    What would change is shown first. The Application file of that revision is kept in the project
    and is delivered as `up` does it, with the same exit codes; with 1 when the answer is no.
    """
    from velapulumi.cli.confirmation import confirmed
    from velapulumi.cli.up import up
    from velapulumi.cli.workflow.words import application_file, up_command
    from velapulumi.delivery.rollback import find_way_back
    from velapulumi.project import find_project
    from velapulumi.status.history import find_revision

    project = find_project()
    target = None if revision is None else find_revision(project, application, revision)
    way = find_way_back(project, application, target, takes_fields=takes_fields)
    _print(way)
    question = f"Roll back application {application} to {way.revision}?"
    if not yes and not confirmed(question, "roll back", "rolled back"):
        return 1
    code = ctx.invoke(
        up,
        file=application_file(project, way.file),
        allow_unknown=way.source is not None and way.source.allow_unknown,
        takes_fields=takes_fields,
    )
    if way.before != way.revision and way.source is not None:
        file = application_file(project, way.source.application)
        click.echo(
            f"The Application file {file} still holds {way.before}; "
            f"to go forward again: {up_command(project, way.source)}",
            err=True,
        )
    return int(code)


def _print(way: Rollback) -> None:
    """Show on stderr what going back changes."""
    from velapulumi.cli.line import Line, write_line
    from velapulumi.cli.plans import stage_lines

    write_line(Line(f"Back from {way.before} to {way.revision}:", bold=True))
    for plan in way.plans:
        for line in stage_lines(plan):
            write_line(line)
    if not way.plans:
        write_line(Line("nothing changes in any stage"))
