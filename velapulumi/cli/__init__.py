"""The command line: one noun, one file, loaded only when it is called.

Data goes to stdout, everything else to stderr; each error's class decides the exit code.
"""

from __future__ import annotations

import importlib
import sys

import click

from velapulumi import __version__
from velapulumi.errors import Interrupted, VelapulumiError

# name → (module:attribute, short help); the help stands here so that `--help` loads nothing.
COMMANDS = {
    "approve": ("approve:approve", "Look at what waits for approval, and approve exactly that."),
    "audit": ("audit:audit", "Read and check the ledger of approvals."),
    "cluster": ("cluster:cluster", "Join clusters, list, label and detach them."),
    "delete": ("delete:delete", "Delete an application from all its clusters."),
    "doctor": ("doctor:doctor", "Show every tool: where, which version, what to do."),
    "dry-run": ("dry_run:dry_run", "Print the Kubernetes objects of each environment."),
    "env": ("env:env", "Print the settings `pulumi` needs to be run by hand."),
    "init": ("init:init", "Make a velapulumi project in this folder."),
    "plan": ("plan:plan", "Show what delivering an application would change."),
    "playground": ("playground:playground", "Start and stop local clusters."),
    "reject": ("approve:reject", "Say no to what waits for approval."),
    "request": ("request:request", "Ask for approval of a run, with your signature."),
    "revision": ("revision:revision", "See the revisions of an application."),
    "schema": ("schema:schema", "Print the JSON Schema of the Application, for editors."),
    "show": ("show:show", "Show the parameters of a type, or list all types."),
    "simulate": ("simulate:simulate", "Play the workflow on virtual clusters and virtual time."),
    "status": ("status:status", "Show where an application stands."),
    "trust": ("trust:trust", "See and change who may approve."),
    "up": ("up:up", "Deliver an application, stage by stage, up to the next gate."),
    "workflow": ("workflow:workflow", "Operate the workflow of an application."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when called, not when listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(f"velapulumi.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="velapulumi")
def cli() -> None:
    """Deliver one application to many Kubernetes clusters, stage by stage.

    Exit codes: 0 done or nothing to do, 1 failure, 2 usage, 3 changes pending,
    4 waiting for approval, 5 approval refused or stale, 6 unhealthy or timed out,
    7 partial, 130 interrupted.
    """


def report(error: VelapulumiError) -> None:
    """Print an error and its next step to stderr."""
    click.secho(f"Error [{error.code}]: {error.message}", fg="red", err=True)
    if error.next_step:
        click.echo(f"Next: {error.next_step}", err=True)


def main() -> None:
    """Entry point of the console script; ends the process with the documented exit code."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        report(Interrupted("interrupted"))
        sys.exit(Interrupted.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except VelapulumiError as error:
        report(error)
        sys.exit(error.exit_code)
    sys.exit(code if isinstance(code, int) else 0)
