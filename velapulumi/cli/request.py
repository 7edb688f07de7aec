"""``velapulumi request``: ask for the approval of a run, so that its approvers know for whom."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("application", metavar="APP")
@click.option("--for", "subject", metavar="PERSON", default="", help="For whom, if not for you.")
@click.option("-m", "--comment", default="", help="Why.")
@click.option(
    "--key",
    type=click.Path(dir_okay=False, path_type=Path),
    help="SSH key to sign with; a .pub file when an agent holds the other half.",
)
def request(application: str, subject: str, comment: str, key: Path | None) -> None:
    """Ask for the approval of an application's current run.

    Where the gate policy does not let who asks approve, the ledger has to tell who asks. A machine
    that delivers for somebody says so with --for.
    """
    from velapulumi.delivery.approvals import ask
    from velapulumi.project import find_project

    asked = ask(find_project(), application, subject=subject, comment=comment, key=key)
    mark = "" if asked.signed else " (unsigned)"
    whom = f" for {subject}" if subject else ""
    click.echo(f"Requested approval of {asked.revision} by {asked.by}{mark}{whom}")
    click.echo(f"Next: velapulumi approve {application}", err=True)
