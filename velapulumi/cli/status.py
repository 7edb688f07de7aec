"""``velapulumi status``: where an application stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from velapulumi.cli.output import output_option, print_document, print_table

if TYPE_CHECKING:
    from velapulumi.program.standing import Standing
    from velapulumi.stage.sides import DriftedField
    from velapulumi.status.report import Status
    from velapulumi.workflow.steps import WorkflowStep


@click.command()
@click.argument("application", metavar="APP")
@output_option()
def status(application: str, output: str) -> None:
    """Show where an application stands, from its stacks, gate file and clusters."""
    from datetime import UTC, datetime

    from velapulumi.delivery.runlock import holder
    from velapulumi.project import find_project
    from velapulumi.status.document import COLUMNS, status_document, status_row
    from velapulumi.status.report import read_status

    project = find_project()
    report = read_status(project, application)
    if output != "table":
        print_document(status_document(report), output)
        return
    print_table(COLUMNS, [status_row(report, datetime.now(UTC))])
    _print_services(report)
    if running := holder(project, application):
        click.echo(f"{application} is being delivered by {running}.", err=True)
    run = (*_of_run(report.standing), *_of_steps(report.standing))
    for text, colour in (*_of_drift(report), *run):
        click.secho(text, fg=colour, err=True)


def _print_services(report: Status) -> None:
    for entry in report.services:
        service = entry.service
        if not service.healthy:
            details = " - ".join(part for part in (service.message, service.reason) if part)
            click.secho(
                f"{entry.stage}: {service.name} on {service.cluster} is not healthy: {details}",
                fg="red",
                err=True,
            )


def _of_drift(report: Status) -> Iterator[tuple[str, str]]:
    """What others have changed, deleted or taken over, each line with its colour."""
    for each in report.drift:
        where = f"{each.stage}: {each.key} on {each.key.cluster}"
        if each.absent:
            yield f"{where} was deleted in the cluster by others", "yellow"
        if each.taken_by:
            yield f"{where} was taken over by application {each.taken_by}", "yellow"
        if each.is_another:
            yield f"{where} was deleted and created again by others; it is nobody's now", "yellow"
        for field in each.fields:
            yield f"{where}: {_field(each.key.kind, field)}", "yellow"
        for error in each.errors:
            yield f"{where} did not get ready: {error}", "red"


def _field(kind: str, field: DriftedField) -> str:
    """How a field differs from what was delivered, and who has changed it."""
    from velapulumi.cli.plans.values import short
    from velapulumi.clusters.managed import described
    from velapulumi.clusters.secrecy import is_secret_value
    from velapulumi.plan.fields import written
    from velapulumi.status.document import shown

    path, live, delivered = written(field.path), *shown(kind, field)
    who = ", ".join(described(field.managers))
    if is_secret_value(kind, field.path):
        if live is None:
            return f"{path} was removed by others"
        return f"{path} was set by {who}; whether to another value is told by: velapulumi plan"
    by = f" (changed by {who})" if who else ""
    return f"{path} is {_value(short(live))}, delivered was {_value(short(delivered))}{by}"


def _value(text: str | None) -> str:
    return "another value" if text is None else text


def _of_run(standing: Standing) -> Iterator[tuple[str, str | None]]:
    """What a person wants to know of the run as a whole, each line with its colour."""
    from velapulumi.status.document import moment
    from velapulumi.workflow.entries import Kind

    run, command = standing.run, "velapulumi workflow"
    if run.suspended or run.terminated:
        kind, verb = (Kind.TERMINATE, "restart") if run.terminated else (Kind.SUSPEND, "resume")
        entry = next(entry for entry in reversed(standing.entries) if entry.kind is kind)
        word = "terminated" if run.terminated else "suspended"
        by = f" by {entry.by}" if entry.by else ""
        yield (
            f"The workflow was {word}{by} at {moment(entry.at)}. "
            f"Next: {command} {verb} {standing.application}",
            None,
        )


def _of_steps(standing: Standing) -> Iterator[tuple[str, str | None]]:
    """What a person wants to know of single steps, each line with its colour."""
    from velapulumi.workflow.phases import StepPhase

    several = len(standing.progress.waiting) > 1
    for state in standing.progress.steps:
        step, run = state.step, state.run
        if step.gate and (decision := standing.decision(step.name)).break_glass:
            yield f"{step.name} was opened PAST THE POLICY by {', '.join(decision.by)}", "red"
        if state.phase is StepPhase.SUSPENDING:
            option = f" --step {step.name}" if several else ""
            verb = "approve" if standing.authority.policy else "workflow resume"
            yield (
                f"Waits at {step.name}{_how_long(step)}. "
                f"Next: velapulumi {verb} {standing.application}{option}",
                None,
            )
            decision = standing.decision(step.name)
            if decision.rejected:
                yield f"It is {decision.rejected}", "red"
            elif standing.authority.policy or standing.authority.obstacles:
                yield from ((f"  missing: {reason}", None) for reason in decision.reasons)
        elif state.phase is StepPhase.FAILED:
            why = run.message or str(run.reason or "")
            last = f"The last delivery of step {step.name} has failed"
            yield f"Step {step.name} has failed: {why}" if why else last, "red"
        elif state.phase is StepPhase.RUNNING and run.errors:
            times = "once" if run.errors == 1 else f"{run.errors} times"
            yield f"Step {step.name} went wrong {times} and is tried again: {run.message}", "yellow"


def _how_long(step: WorkflowStep) -> str:
    return "" if step.duration is None else f", for {step.duration:g}s or until it is approved"
