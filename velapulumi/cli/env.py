"""``velapulumi env``: what ``pulumi`` needs to be run by hand on this project."""

from __future__ import annotations

import click


@click.command()
def env() -> None:
    """Print the settings `pulumi` needs to be run by hand, as shell exports.

    Use it as: eval "$(velapulumi env)"
    """
    import shlex
    import sys

    from velapulumi.engine.environment import engine_environment, prepare_backend
    from velapulumi.project import find_project

    project = find_project()
    settings = engine_environment(project)
    prepare_backend(project, settings)
    for key, value in sorted({**settings, "PULUMI_PYTHON_CMD": sys.executable}.items()):
        click.echo(f"export {key}={shlex.quote(value)}")
