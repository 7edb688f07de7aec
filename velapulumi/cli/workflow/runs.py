"""``velapulumi workflow list`` and ``logs``: the runs, and what happened in the current one."""

from __future__ import annotations

from typing import Any

import click

from velapulumi.cli.output import output_option, print_document, print_tabbed


@click.command("list")
@click.argument("application", metavar="[APP]", required=False)
@output_option()
def list_(application: str | None, output: str) -> None:
    """List the runs of an application, or of all in the project, the newest first.

    A run is named after its revision. It is superseded when another one began before it ended.
    """
    from velapulumi.project import find_project
    from velapulumi.status.document import moment
    from velapulumi.status.history import read_runs

    runs = read_runs(find_project(), application)
    if output != "table":
        documents: list[dict[str, Any]] = [
            {
                "application": run.application,
                "revision": run.revision,
                "run": run.number,
                "type": "Application",
                "phase": run.phase,
                "startTime": moment(run.began),
                "endTime": None if run.ended is None else moment(run.ended),
                "by": run.by,
            }
            for run in runs
        ]
        print_document(documents, output)
        return
    if not runs:
        click.echo("No run found.", err=True)
        return
    rows = [
        (
            run.revision.partition(":")[0],
            "Application",
            run.phase,
            moment(run.began),
            "" if run.ended is None else moment(run.ended),
        )
        for run in runs
    ]
    print_tabbed(("NAME", "TYPE", "PHASE", "START-TIME", "END-TIME"), rows)


@click.command()
@click.argument("application", metavar="APP")
@click.option("-s", "--step", metavar="STEP", help="Only what is told of this step.")
@output_option()
def logs(application: str, step: str | None, output: str) -> None:
    """Tell what happened in the current run of an application, as its journal has it."""
    from velapulumi.cli.workflow.story import entry_document, read_story
    from velapulumi.project import find_project
    from velapulumi.status.document import moment

    story = read_story(find_project(), application, step)
    if output != "table":
        print_document([entry_document(told.entry) for told in story], output)
        return
    if not story:
        click.echo("Nothing is told of it yet.", err=True)
    for told in story:
        subject = f"{told.entry.step}: " if told.entry.step else ""
        click.echo(f"{moment(told.entry.at)} {subject}{told.text}")
