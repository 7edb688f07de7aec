"""``velapulumi status``: where an application stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from velapulumi.cli.output import output_option, print_document, print_table

if TYPE_CHECKING:
    from velapulumi.status.report import Status


@click.command()
@click.argument("application", metavar="APP")
@output_option()
def status(application: str, output: str) -> None:
    """Show where an application stands, from its stacks, gate file and clusters."""
    from datetime import UTC, datetime

    from velapulumi.project import find_project
    from velapulumi.status.document import COLUMNS, status_document, status_row
    from velapulumi.status.report import read_status

    report = read_status(find_project(), application)
    if output != "table":
        print_document(status_document(report), output)
        return
    print_table(COLUMNS, [status_row(report, datetime.now(UTC))])
    _hints(report)


def _hints(report: Status) -> None:
    """What a person wants to know beside the one row; not data, so on stderr."""
    for entry in report.services:
        service = entry.service
        if not service.healthy:
            details = " - ".join(part for part in (service.message, service.reason) if part)
            click.secho(
                f"{entry.stage}: {service.name} on {service.cluster} is not healthy: {details}",
                fg="red",
                err=True,
            )
    if report.progress.waiting:
        click.echo(
            f"Waits at {report.progress.waiting.name}. "
            f"Next: velapulumi workflow resume {report.application}",
            err=True,
        )
