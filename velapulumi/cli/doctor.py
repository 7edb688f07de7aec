"""`velapulumi doctor`: every tool, where it is and whether it fits."""

from __future__ import annotations

import click


@click.command()
@click.option("--fix", is_flag=True, help="Download or build what is missing.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
)
@click.pass_context
def doctor(context: click.Context, fix: bool, output: str) -> None:
    """Show every tool: where, which version, what to do.

    A tool is taken from PATH when its version fits, else downloaded from its official site where
    the internet is in reach, else built with Go. VELAPULUMI_OFFLINE=1 leaves the downloads out.

    Exit codes: 0 every tool fits, 1 something is missing.
    """
    from velapulumi.playground.checkup import checkup
    from velapulumi.playground.listing import show

    checks = checkup()
    if fix and not all(check.fits for check in checks):
        from velapulumi.playground.progress import Progress
        from velapulumi.playground.resolve import ensure_everything

        ensure_everything(Progress())
        checks = checkup()
    columns = {
        "TOOL": "name",
        "FITS": "fits",
        "VERSION": "version",
        "FROM": "origin",
        "PATH": "path",
        "TO DO": "advice",
    }
    show(checks, columns, output)
    if not all(check.fits for check in checks):
        context.exit(1)
