"""``velapulumi plan``: what delivering an application would change."""

from __future__ import annotations

from pathlib import Path

import click

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
@click.option(
    "--allow-unknown-parameters",
    "allow_unknown",
    is_flag=True,
    help="Ignore parameters no definition knows, with a warning, as KubeVela does.",
)
@click.option(
    "-o",
    "--output",
    "output",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    show_default=True,
    help="How to print it; json is the very document whose SHA-256 an approval names.",
)
def plan(file: Path, stage: str | None, allow_unknown: bool, output: str) -> int:
    """Show what delivering an application would change, stage by stage and cluster by cluster.

    It writes nothing. The exit code is 3 when there are changes, and 0 when there are none.
    """
    from velapulumi.cli.progress.output import write_line
    from velapulumi.cli.review import lines_of, markdown
    from velapulumi.delivery.approvals import plan_of
    from velapulumi.project import find_project

    found = plan_of(find_project(), file, stage, allow_unknown=allow_unknown)
    if output == "json":
        click.echo(found.text.decode())
    elif output == "markdown":
        click.echo("\n".join(markdown(found)))
    else:
        for line in lines_of(found):
            write_line(line, err=False)
    return 0 if found.empty else CHANGES_PENDING
