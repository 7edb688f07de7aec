"""``velapulumi workflow``: operate the workflow of an application."""

from __future__ import annotations

import click

from velapulumi.cli.workflow.operations import restart, resume, suspend, terminate
from velapulumi.cli.workflow.rollback import rollback
from velapulumi.cli.workflow.runs import list_, logs


@click.group()
def workflow() -> None:
    """Operate the workflow of an application."""


for _command in (suspend, resume, terminate, restart, rollback, list_, logs):
    workflow.add_command(_command)
