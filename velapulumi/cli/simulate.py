"""``velapulumi simulate``: play a workflow on virtual clusters and in virtual time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from velapulumi.errors import UsageProblem, WaitingForApproval

if TYPE_CHECKING:
    from velapulumi.errors import VelapulumiError
    from velapulumi.workflow.simulation import Played, Scenario
    from velapulumi.workflow.stages import Workflow


@click.command()
@click.option(
    "-f",
    "--file",
    required=True,
    type=click.Path(path_type=Path),
    help="File with the Application.",
)
@click.option(
    "--fail",
    "failures",
    multiple=True,
    metavar="[CLUSTER@]STEP",
    help="This step never gets healthy on this cluster; without a cluster, this acting step fails.",
)
@click.option(
    "--unreachable", multiple=True, metavar="CLUSTER", help="This cluster does not answer."
)
@click.option("--reject", multiple=True, metavar="STEP", help="Nobody approves this step.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to print it.",
)
@click.option(
    "--allow-unknown-parameters",
    "allow_unknown",
    is_flag=True,
    help="Ignore parameters no definition knows, with a warning, as KubeVela does.",
)
def simulate(
    file: Path,
    failures: tuple[str, ...],
    unreachable: tuple[str, ...],
    reject: tuple[str, ...],
    output: str,
    allow_unknown: bool,
) -> int:
    """Play the workflow of an application on virtual clusters and in virtual time.

    Nothing is contacted and nothing is changed. It is run by what runs it for real: the same steps
    wait, fail and are skipped. Applying takes two virtual seconds, getting healthy five. Approvals
    are given at once and listed. Ends with the exit code that `up` would end with.
    """
    from velapulumi.cli.dry_run import surroundings_of
    from velapulumi.delivery.deliver import context_of, failure_of, limits_of
    from velapulumi.errors import InvalidApplication
    from velapulumi.render import load
    from velapulumi.workflow.revision import revision_of
    from velapulumi.workflow.simulation import play
    from velapulumi.workflow.stages import workflow_of

    loaded = load(file, surroundings_of(file, allow_unknown))
    for warning in loaded.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if loaded.obstacles:
        raise InvalidApplication(str(file), loaded.obstacles)
    workflow = workflow_of(loaded)
    revision = revision_of(loaded, ())
    played = play(
        workflow,
        str(revision),
        _scenario(workflow, failures, unreachable, reject),
        limits_of(loaded),
        context_of(loaded, revision.name),
    )
    failure = failure_of(loaded.application.name, str(revision), played.conclusion)
    waiting = played.conclusion.waiting
    code = failure.exit_code if failure else WaitingForApproval.exit_code if waiting else 0
    if output == "json":
        _print_json(workflow, played, code)
    else:
        _print_table(workflow, played, failure)
    return code


def _scenario(
    workflow: Workflow, failures: Sequence[str], unreachable: Sequence[str], reject: Sequence[str]
) -> Scenario:
    """What goes wrong, as asked for.

    Raises:
        UsageProblem: A cluster or step is not there, or cannot go wrong in that way.
    """
    from velapulumi.workflow.simulation import Scenario

    clusters = {name for stage in workflow.stages.values() for name in stage.clusters}
    acting = [step.name for step in workflow.steps if step.acts]
    gates = [step.name for step in workflow.steps if step.gate]
    sick, broken = set(), set()
    for text in failures:
        cluster, at, step = text.rpartition("@")
        if at:
            _known("delivering step", step, workflow.rollouts)
            _known(f"cluster of step {step}", cluster, workflow.rollouts[step].clusters)
            sick.add((cluster, step))
        else:
            _known("acting step", step, acting)
            broken.add(step)
    for cluster in unreachable:
        _known("cluster", cluster, clusters)
    for step in reject:
        _known("step that waits for approval", step, gates)
    return Scenario(frozenset(sick), frozenset(broken), frozenset(unreachable), frozenset(reject))


def _known(what: str, name: str, names: Iterable[str]) -> None:
    from velapulumi.spec import did_you_mean

    if name not in names:
        raise UsageProblem(f'there is no {what} "{name}"{did_you_mean(name, names)}')


def _print_table(workflow: Workflow, played: Played, failure: VelapulumiError | None) -> None:
    from velapulumi.cli.output import print_table
    from velapulumi.cli.workflow.story import story_of
    from velapulumi.spec.durations import format_duration
    from velapulumi.workflow.simulation import START

    rows = [
        (f"{told.entry.at - START:g}s", told.entry.step, told.text)
        for told in story_of(workflow.steps, played.entries)
    ]
    print_table(("TIME", "STEP", "EVENT"), rows)
    click.echo()
    waiting = ", ".join(step.name for step in played.conclusion.waiting)
    took = format_duration(played.seconds)
    if failure is not None:
        click.echo(f"It would fail after {took}: {failure.message}")
    elif waiting:
        click.echo(f"It would wait for the approval of {waiting} after {took}.")
    else:
        click.echo(f"It would succeed after {took}.")
    if played.approvals:
        click.echo(f"Approvals needed: {', '.join(played.approvals)}.")
    for cluster, state in _clusters(workflow, played).items():
        click.echo(f"{cluster}: {', '.join(state) or 'nothing is delivered'}")


def _print_json(workflow: Workflow, played: Played, code: int) -> None:
    from velapulumi.cli.output import print_document
    from velapulumi.workflow.simulation import START

    events = [
        entry.model_dump(mode="json", exclude_defaults=True, exclude={"at", "healthy"})
        | {"seconds": entry.at - START}
        for entry in played.entries
    ]
    document = {
        "events": events,
        "seconds": played.seconds,
        "approvals": list(played.approvals),
        "waiting": [step.name for step in played.conclusion.waiting],
        "clusters": _clusters(workflow, played),
        "exit": code,
    }
    print_document(document, "json")


def _clusters(workflow: Workflow, played: Played) -> dict[str, list[str]]:
    """The delivering steps that have reached each cluster."""
    names: dict[str, list[Any]] = {
        name: [] for stage in workflow.stages.values() for name in stage.clusters
    }
    for cluster, step in played.world.held:
        names[cluster].append(step)
    return names
