"""``velapulumi up``: deliver an application up to the next gate."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from velapulumi.cli.output import take_fields_option
from velapulumi.errors import (
    ClusterProblem,
    DeliveryProblem,
    UnknownApplication,
    VelapulumiError,
)


@click.command()
@click.option(
    "-f",
    "--file",
    "file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The Application file.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="How long a stage may take to get healthy, instead of the health policy's probeTimeout.",
)
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
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to tell it; json prints each event as a line of JSON, the last one sums up.",
)
@click.pass_context
def up(
    ctx: click.Context,
    file: Path,
    timeout: float | None,
    allow_unknown: bool,
    takes_fields: bool,
    output: str,
) -> int:
    """Deliver an application, stage by stage, up to the next gate.

    Run it again to go on: a stage that holds the revision and is healthy is left alone. It ends
    with exit code 4 where a person has to approve or has suspended the workflow, with 6 when a
    stage does not get healthy, and with 7 when clusters were left out that may fail.
    """
    from velapulumi.cli.progress import conclude, display_for
    from velapulumi.delivery.deliver import deliver
    from velapulumi.project import find_project

    display = display_for(output)
    try:
        outcome = deliver(
            find_project(),
            file,
            display,
            timeout,
            allow_unknown=allow_unknown,
            takes_fields=takes_fields,
        )
    except (DeliveryProblem, ClusterProblem) as error:
        display.failed(error)
        _go_back(ctx, file, error, allow_unknown=allow_unknown, output=output)
        raise
    except VelapulumiError as error:
        display.failed(error)
        raise
    summary = conclude(outcome.application, outcome.conclusion.run, outcome.changed)
    for step, clusters in summary.lost.items():
        display.warning(
            f"step {step} is not delivered on {', '.join(clusters)}, within what may fail"
        )
    display.concluded(summary)
    if summary.exit_code:
        click.echo(f"Next: velapulumi workflow resume {outcome.application.name}", err=True)
        click.echo(f"then: velapulumi up -f {shlex.quote(str(file))}", err=True)
    return summary.exit_code


def _go_back(
    ctx: click.Context,
    file: Path,
    error: VelapulumiError,
    *,
    allow_unknown: bool,
    output: str,
) -> None:
    """After a failure, deliver the revision before, where that was approved with this delivery."""
    from velapulumi.cli.workflow.words import application_file
    from velapulumi.delivery.rollback import approved_way_back
    from velapulumi.project import find_project

    project = find_project()
    try:
        way = approved_way_back(project, file, allow_unknown=allow_unknown)
    except UnknownApplication:
        return
    except VelapulumiError as problem:
        error.next_step = f"The way back could not be gone: {problem.message}"
        return
    if way is None:
        return
    click.secho(f"Going back to {way.revision}, as was approved with it.", bold=True, err=True)
    code = ctx.invoke(
        up,
        file=application_file(project, way.file),
        allow_unknown=allow_unknown,
        output=output,
    )
    name = way.application.name
    error.next_step = (
        f"{name} went back to {way.revision}, as was approved. Correct {file}, then deliver it."
        if code == 0
        else f"Going back to {way.revision} has not come to its end: velapulumi status {name}"
    )
