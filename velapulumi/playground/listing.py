"""Prints records as an aligned table, JSON or YAML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def show(records: Sequence[DataclassInstance], columns: Mapping[str, str], output: str) -> None:
    """Print records to stdout.

    Args:
        records: Dataclass instances.
        columns: For a table, the attribute under each heading.
        output: ``table``, ``json`` or ``yaml``.
    """
    if output == "json":
        click.echo(json.dumps([asdict(record) for record in records], indent=2))
    elif output == "yaml":
        import yaml

        content = [asdict(record) for record in records]
        click.echo(yaml.safe_dump(content, sort_keys=False), nl=False)
    else:
        rows = [[_cell(getattr(record, name)) for name in columns.values()] for record in records]
        widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
        for row in [list(columns), *rows]:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            click.echo("  ".join(cells).rstrip())


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value else "-"
