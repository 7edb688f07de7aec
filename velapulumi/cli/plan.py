"""``velapulumi plan``: what delivering an application would change."""

from __future__ import annotations

from pathlib import Path

import click

from velapulumi.cli.output import take_fields_option
from velapulumi.errors import VelapulumiError

CHANGES_PENDING = 3


@click.command()
@click.option(
    "-f",
    "--file",
    "file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The Application file.",
)
@click.option("--stage", metavar="STAGE", help="Only this stage.")
@click.option("--full", is_flag=True, help="Show all content of the objects that are created.")
@click.option(
    "--allow-unknown-parameters",
    "allow_unknown",
    is_flag=True,
    help="Ignore parameters no definition knows, with a warning, as KubeVela does.",
)
@take_fields_option
@click.option(
    "-o",
    "--output",
    "output",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    show_default=True,
    help="How to print it; json is the very document whose SHA-256 an approval names.",
)
def plan(
    file: Path,
    stage: str | None,
    full: bool,
    allow_unknown: bool,
    takes_fields: bool,
    output: str,
) -> int:
    """Show what delivering an application would change, stage by stage and cluster by cluster.

    It writes nothing. The exit code is 3 when there are changes, 0 when there are none, and 1 when
    an object cannot be delivered.
    """
    from velapulumi.cli.line import write_line
    from velapulumi.cli.plans import lines_of, markdown, plan_refuses, refusal_lines
    from velapulumi.delivery.approvals import plan_of
    from velapulumi.project import find_project

    found = plan_of(
        find_project(), file, stage, allow_unknown=allow_unknown, takes_fields=takes_fields
    )
    if output == "json":
        click.echo(found.text.decode())
    elif output == "markdown":
        click.echo("\n".join(markdown(found, full=full)))
    else:
        for line in lines_of(found, full=full):
            write_line(line, err=False)
    if plan_refuses(found):
        for line in refusal_lines(found):
            write_line(line)
        return VelapulumiError.exit_code
    return 0 if found.empty else CHANGES_PENDING
