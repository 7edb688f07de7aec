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


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their columns as ``kubectl`` does, three blanks between columns."""
    widths = _widths(columns, rows)
    for row in (columns, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("   ".join(cells).rstrip())


def print_tabbed(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their columns as ``vela`` does, each column up to the next tab stop."""
    *widths, last = _widths(columns, rows)
    stops = [(width // 8 + 1) * 8 for width in widths]
    for row in (columns, *rows):
        cells = (cell.ljust(stop) for cell, stop in zip(row, (*stops, last), strict=True))
        click.echo("".join(cells))


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(row[index]) for row in (columns, *rows)) for index in range(len(columns))]


def print_document(document: Any, output: str) -> None:
    """Print a document as JSON or YAML."""
    if output == "json":
        click.echo(json.dumps(document, indent=2))
        return
    import yaml

    click.echo(yaml.safe_dump(document, sort_keys=True), nl=False)


take_fields_option = click.option(
    "--take-fields",
    "takes_fields",
    is_flag=True,
    help="Take the fields that the application names for the first time from whoever holds them.",
)
"""Added to every command that plans or delivers."""
