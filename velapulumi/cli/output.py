"""Printing data: tables as ``kubectl`` lays them out, JSON and YAML."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import click

FORMATS = ("table", "json", "yaml")


def output_option(*, default: str = "table") -> Callable[[Any], Any]:
    """The ``-o`` option of commands that print data."""
    return click.option(
        "-o",
        "--output",
        "output",
        type=click.Choice(FORMATS),
        default=default,
        show_default=True,
        help="How to print it.",
    )


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, gap: int = 3, trailing: bool = False
) -> None:
    """Print rows under their columns, each column as wide as its widest cell.

    Args:
        columns: The headers.
        rows: The cells.
        gap: Blanks between columns.
        trailing: Whether the last column is padded too.
    """
    widths = [max(len(row[index]) for row in (columns, *rows)) for index in range(len(columns))]
    for row in (columns, *rows):
        line = (" " * gap).join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line if trailing else line.rstrip())


def print_document(document: Any, output: str) -> None:
    """Print a document as JSON or YAML."""
    if output == "json":
        click.echo(json.dumps(document, indent=2))
        return
    import yaml

    click.echo(yaml.safe_dump(document, sort_keys=True), nl=False)
