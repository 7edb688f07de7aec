"""``velapulumi trust``: the gate policy and the keys in force."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def trust() -> None:
    """See and change who may approve.

    What is in force is kept in the ledger of each application. A change of the files in the folder
    gates counts when those have signed it who may do that under the policy before.
    """


@trust.command()
@click.argument("application", metavar="APP")
def show(application: str) -> None:
    """Print the policy and the signers in force for an application."""
    import json

    import yaml

    from velapulumi.delivery.trust import state_of_trust
    from velapulumi.project import find_project

    found = state_of_trust(find_project(), application)
    if found.in_force.empty:
        click.echo("Nothing is in force: one approval is enough, and it need not be signed.")
    if found.in_force.policy:
        document = json.loads(found.in_force.policy)
        click.echo(yaml.safe_dump(document, sort_keys=False), nl=False)
    for title, text in (
        ("allowed signers", found.in_force.signers),
        ("revoked keys", found.in_force.revoked),
    ):
        if text:
            click.echo(f"# {title}\n{text.rstrip()}")
    if found.differs:
        click.secho(
            "The files in the folder gates are others. "
            f"Next: velapulumi trust adopt {application}, or take them back",
            fg="yellow",
            err=True,
        )


@trust.command()
@click.argument("application", metavar="APP")
@click.option("-m", "--comment", default="", help="Why.")
@click.option(
    "--key",
    type=click.Path(dir_okay=False, path_type=Path),
    help="SSH key to sign with; a .pub file when an agent holds the other half.",
)
def adopt(application: str, comment: str, key: Path | None) -> None:
    """Put the files in the folder gates in force, or sign that they shall be.

    Under a policy this takes those whom its `changes` names, as many as it says; approvals given
    before do not count after it.
    """
    from velapulumi.delivery.trust import adopt as adopt_files
    from velapulumi.project import find_project

    adopted = adopt_files(find_project(), application, comment=comment, key=key)
    mark = "" if adopted.signed else " (unsigned)"
    if adopted.in_force:
        click.echo(f"Policy and signers of {application} are in force, by {adopted.by}{mark}")
    else:
        click.echo(f"Signed by {adopted.by}; they are not in force yet")
        click.echo("Others whom the policy names have to adopt them, too.", err=True)
