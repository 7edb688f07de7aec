"""``velapulumi workflow suspend``, ``resume``, ``terminate`` and ``restart``."""

from __future__ import annotations

import click


@click.command()
@click.argument("application", metavar="APP")
@click.option("-s", "--step", metavar="STEP", help="The step at which it is held.")
def suspend(application: str, step: str | None) -> None:
    """Hold the workflow of an application.

    What is under way finishes; an `up` that is at work then ends, and no other goes on before
    somebody resumes the workflow.
    """
    from velapulumi.delivery import commands
    from velapulumi.project import find_project

    commands.suspend(find_project(), application, step)
    click.echo(f"Successfully suspend workflow{_where(application, step)}")


@click.command()
@click.argument("application", metavar="APP")
@click.option("-s", "--step", metavar="STEP", help="Only the step of this name.")
@click.option("-m", "--comment", default="", help="Why you approve; kept in the ledger.")
def resume(application: str, step: str | None, comment: str) -> None:
    """Approve what an application waits at, and lift a suspension.

    That is `velapulumi approve` without showing the plan: it counts for exactly what would change
    now, once, in the run that waits.
    """
    from velapulumi.delivery import commands
    from velapulumi.project import find_project

    resumed = commands.resume(find_project(), application, step, comment)
    if resumed is None:
        click.echo(f"workflow {application} is not suspended.")
        return
    click.echo(f"Successfully resume workflow{_where(application, step)}")
    for decided in resumed.approved:
        mark = "signed" if decided.signed else "unsigned, local"
        gate, plan = decided.proposal.gate.name, decided.proposal.plan.digest[:12]
        click.echo(f"Approved {gate} for {resumed.revision}, plan {plan} ({mark}).", err=True)
        for reason in decided.decision.reasons:
            click.secho(f"Still missing: {reason}", fg="yellow", err=True)
    if resumed.lifted:
        click.echo("The workflow is not suspended any more.", err=True)
    if resumed.edited:
        click.secho(
            "Warning: the Application file has been edited since; the next up starts over with it",
            fg="yellow",
            err=True,
        )


@click.command()
@click.argument("application", metavar="APP")
def terminate(application: str) -> None:
    """End the workflow of an application; its running and waiting steps have failed.

    What was delivered stays. An `up` that is at work ends; to begin anew, restart the workflow.
    """
    from velapulumi.delivery import commands
    from velapulumi.project import find_project

    commands.terminate(find_project(), application)
    click.echo(f"Successfully terminate workflow: {application}")


@click.command()
@click.argument("application", metavar="APP")
@click.option("-s", "--step", metavar="STEP", help="Begin again with this failed step.")
def restart(application: str, step: str | None) -> None:
    """Begin another run of the revision an application is at, or begin again with a failed step.

    Steps that start over have to be approved again.
    """
    from velapulumi.cli.workflow.words import up_command
    from velapulumi.delivery import commands
    from velapulumi.project import find_project

    project = find_project()
    restarted = commands.restart(project, application, step)
    text = f" {application} from step {step}" if step is not None else f": {application}"
    click.echo(f"Successfully restart workflow{text}")
    if restarted.steps:
        click.echo(f"Starting over: {', '.join(restarted.steps)}.", err=True)
    if restarted.running:
        click.echo(f"It is gone on with by {restarted.running}.", err=True)
    else:
        click.echo(f"Next: {up_command(project, restarted.source)}", err=True)


def _where(application: str, step: str | None) -> str:
    """Of what a command was successful, in KubeVela's form; with a step a blank ends it."""
    return f": {application}" if step is None else f" {application} from step {step} "
