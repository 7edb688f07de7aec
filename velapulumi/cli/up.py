"""``velapulumi up``: deliver an application up to the next gate."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from velapulumi.errors import WaitingForApproval

if TYPE_CHECKING:
    from velapulumi.clusters.health import Service
    from velapulumi.delivery.deliver import Outcome
    from velapulumi.plan.changes import Change, Plan

_SIGNS = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "delete": ("-", "red"),
    "leave": ("=", "cyan"),
}
_SHOWN_FIELDS = 5
_SHOWN_LETTERS = 60


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
def up(file: Path, timeout: float | None, allow_unknown: bool) -> int:
    """Deliver an application, stage by stage, up to the next gate.

    Run it again to go on: a stage that holds the revision and is healthy is left alone. It ends
    with exit code 4 where a person has to approve, and with 6 when a stage does not get healthy.
    """
    from velapulumi.delivery.deliver import deliver
    from velapulumi.project import find_project

    outcome = deliver(find_project(), file, _Lines(), timeout, allow_unknown=allow_unknown)
    return _conclude(outcome, file)


def _conclude(outcome: Outcome, file: Path) -> int:
    application = outcome.application
    subject = f"Application {application.loaded.application.namespace}/{application.name}"
    revision = application.revision
    if outcome.waiting is None:
        what = f"runs {revision} in all stages"
        click.echo(f"{subject} {what}." if outcome.changed else f"{subject} {what}; no change.")
        return 0
    message = f" ({outcome.waiting.message})" if outcome.waiting.message else ""
    click.echo(f"{subject} waits at {outcome.waiting.name}{message} to promote {revision}.")
    click.echo(f"Next: velapulumi workflow resume {application.name}", err=True)
    click.echo(f"then: velapulumi up -f {shlex.quote(str(file))}", err=True)
    return WaitingForApproval.exit_code


class _Lines:
    """Tells a delivery in lines on stderr, each with the time since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._last = ""

    def warning(self, text: str) -> None:
        click.secho(f"Warning: {text}", fg="yellow", err=True)

    def planned(self, stage: str, plan: Plan) -> None:
        if not plan:
            self._line(f"{stage}: goes on with what did not finish or was deleted", bold=True)
            return
        count = len(plan.changes)
        self._line(f"{stage}: {count} change{'s' if count != 1 else ''}", bold=True)
        cluster = ""
        for change in plan.changes:
            if change.key.cluster != cluster:
                cluster = change.key.cluster
                click.echo(f"         {cluster}", err=True)
            self._change(change)

    def progress(self, text: str) -> None:
        if text != self._last:
            self._last = text
            self._line(text, dim=True)

    def unchanged(self, stage: str) -> None:
        self._line(f"{stage}: no change", bold=True)

    def delivered(self, stage: str, services: tuple[Service, ...]) -> None:
        for service in services:
            state = service.message or "is there"
            self._line(f"{stage}: {service.name} on {service.cluster} {state}", fg="green")

    def approved(self, step: str, by: str) -> None:
        self._line(f"{step}: approved by {by}", bold=True)

    def _change(self, change: Change) -> None:
        sign, colour = _SIGNS[change.action]
        fields = change.beyond_revision
        note = " (revision labels only)" if change.fields and not fields else ""
        if change.action == "leave":
            note = " (is given up and stays in the cluster)"
        click.secho(f"           {sign} {change.key}{note}", fg=colour, err=True)
        for field in fields[:_SHOWN_FIELDS]:
            click.echo(
                f"               {field.path}: {_value(field.before)} → {_value(field.after)}",
                err=True,
            )
        if len(fields) > _SHOWN_FIELDS:
            click.echo(f"               … and {len(fields) - _SHOWN_FIELDS} more", err=True)

    def _line(
        self, text: str, *, bold: bool = False, dim: bool = False, fg: str | None = None
    ) -> None:
        elapsed = time.monotonic() - self._start
        click.secho(f"[{elapsed:5.1f}s] {text}", bold=bold, dim=dim, fg=fg, err=True)


def _value(value: object) -> str:
    """A field's value in a few words."""
    if value is None:
        return "(none)"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHOWN_LETTERS else f"{text[:_SHOWN_LETTERS]}…"
