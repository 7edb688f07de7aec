"""Asking a person before something is done that cannot be taken back."""

from __future__ import annotations

import click

from velapulumi.errors import UsageProblem


def confirmed(question: str, verb: str, done: str) -> bool:
    """Whether a person says yes.

    Args:
        question: What is asked.
        verb: What is to be done, such as ``delete``.
        done: The same when it is done, such as ``deleted``.

    Raises:
        UsageProblem: Nobody answers.
    """
    try:
        wanted = click.confirm(question, err=True)
    except click.Abort:
        raise UsageProblem(
            f"nobody answered, so nothing was {done}",
            next_step=f"To {verb} without being asked, give --yes.",
        ) from None
    if not wanted:
        click.echo(f"Nothing was {done}.", err=True)
    return wanted
