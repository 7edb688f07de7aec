"""``velapulumi workflow``: operate the workflow of an application."""

from __future__ import annotations

import click

from velapulumi.errors import VelapulumiError


@click.group()
def workflow() -> None:
    """Operate the workflow of an application."""


@workflow.command()
@click.argument("application", metavar="APP")
@click.option("-m", "--comment", default="", help="Why you approve; kept in the gate file.")
def resume(application: str, comment: str) -> None:
    """Approve the step an application waits at.

    The approval counts for exactly the revision that waits.
    """
    from velapulumi.gate.approver import who
    from velapulumi.gate.file import Gate, update_gate
    from velapulumi.program.prepare import edited_since
    from velapulumi.project import find_project
    from velapulumi.status.report import read_status

    project = find_project()
    report = read_status(project, application, contact=False)
    waiting = report.progress.waiting
    if waiting is None:
        click.echo(f"workflow {application} is not suspended.")
        return
    seen = (report.gate.current, report.gate.run)

    def approve(gate: Gate) -> Gate:
        if (gate.current, gate.run) != seen:
            raise VelapulumiError(
                f"application {application} has moved on to {gate.current} meanwhile",
                next_step=f"Look again with: velapulumi status {application}",
            )
        return gate.approve(waiting.name, by=who(), comment=comment)

    update_gate(project.gate_file(application), application, approve)
    click.echo(f"Successfully resume workflow: {application}")
    click.echo(f"Approved {waiting.name} for {seen[0]} (unsigned, local).", err=True)
    if edited_since(project, application, seen[0]):
        click.secho(
            "Warning: the Application file has been edited since; the next up starts over with it",
            fg="yellow",
            err=True,
        )
