"""One line for a person, and how it gets to stderr or stdout."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

import click


@dataclass(frozen=True)
class Line:
    """One line for a person.

    Attributes:
        text: What it says.
        colour: Its colour, such as ``green``; empty for the terminal's own.
        bold: Whether it stands out.
        dim: Whether it stays in the background.
    """

    text: str
    colour: str = ""
    bold: bool = False
    dim: bool = False


def styled(line: Line) -> str:
    """A line in its colours, unless ``NO_COLOR`` is set."""
    if os.environ.get("NO_COLOR"):
        return line.text
    return click.style(
        line.text, fg=line.colour or None, bold=line.bold or None, dim=line.dim or None
    )


def write_line(line: Line, *, err: bool = True) -> None:
    """Write a line to stderr, or to stdout; in colours on a terminal, unless ``NO_COLOR`` is set.

    Args:
        line: The line.
        err: Whether it goes to stderr.
    """
    _write(styled(line), err=err, color=False if os.environ.get("NO_COLOR") else None)


def write_data(text: str) -> None:
    """Write a line to stdout."""
    _write(text, err=False, color=None)


def _write(text: str, *, err: bool, color: bool | None) -> None:
    """Write a line; that its reader has gone away does not end a delivery."""
    try:
        click.echo(text, err=err, color=color)
    except BrokenPipeError:
        stream = sys.stderr if err else sys.stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
