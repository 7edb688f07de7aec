"""``velapulumi show``: what types there are, and the parameters of each."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from velapulumi.cli.output import output_option, print_document, print_table
from velapulumi.errors import NoProject, UsageProblem

if TYPE_CHECKING:
    from velapulumi.definitions import Catalog, Definition
    from velapulumi.extensions.schema import Row, Schema

_WORDS = ("component", "trait", "policy", "step")
_PLACES = {
    "component": "spec.components",
    "trait": "spec.components[].traits",
    "policy": "spec.policies",
    "step": "spec.workflow.steps",
}
_NARROWEST, _WIDEST = 80, 120
_LONGEST_DEFAULT = 24
_BESIDE = 30
"""Least room for descriptions beside the other columns; with less they go below."""


@click.command()
@click.argument("type_name", metavar="[TYPE]", required=False)
@click.option("--kind", type=click.Choice(_WORDS), help="Only types of this kind.")
@output_option()
def show(type_name: str | None, kind: str | None, output: str) -> None:
    """Show the parameters of a type, or list all types.

    TYPE is a component, trait, policy or workflow step, built in, of an installed package, or of
    the project. As json and yaml its JSON Schema is printed.
    """
    catalog = project_catalog()
    kinds = (kind,) if kind else _WORDS
    if type_name is None:
        _list(catalog, kinds, output)
        return
    found = _find(catalog, type_name, kinds)
    if output == "table":
        for index, (word, definition) in enumerate(found.items()):
            if index:
                click.echo()
            _show(word, definition)
        return
    from velapulumi.extensions.schema import definition_schema

    schemas = [definition_schema(definition) for definition in found.values()]
    print_document(schemas[0] if len(schemas) == 1 else schemas, output)


def project_catalog() -> Catalog:
    """The definitions of the project here; the others, where there is no project."""
    from velapulumi.definitions import BUILTIN
    from velapulumi.extensions import catalog_of
    from velapulumi.project import find_project

    try:
        return catalog_of(find_project().root)
    except NoProject:
        return BUILTIN


def _find(catalog: Catalog, type_name: str, words: tuple[str, ...]) -> dict[str, Definition[Any]]:
    """The definitions of that type, by the word for their kind."""
    from velapulumi.extensions.schema import KINDS
    from velapulumi.spec import did_you_mean

    found = {word: catalog.find(KINDS[word], type_name) for word in words}
    present = {word: definition for word, definition in found.items() if definition}
    if not present:
        known = [name for word in words for name in catalog.types_of(KINDS[word])]
        noun = f"{words[0]} type" if len(words) == 1 else "type"
        raise UsageProblem(
            f'there is no {noun} "{type_name}"{did_you_mean(type_name, known)}',
            next_step="See all of them with: velapulumi show",
        )
    return present


def _list(catalog: Catalog, words: tuple[str, ...], output: str) -> None:
    from velapulumi.extensions.schema import KINDS

    found: list[tuple[str, Definition[Any]]] = []
    for word in words:
        for type_name in catalog.types_of(KINDS[word]):
            definition = catalog.find(KINDS[word], type_name)
            assert definition is not None
            found.append((word, definition))
    if output == "table":
        rows = [
            (d.type, word, f"(deprecated) {d.summary}" if d.deprecated else d.summary)
            for word, d in found
        ]
        print_table(("TYPE", "KIND", "SUMMARY"), rows)
        return
    entries = [
        {"type": d.type, "kind": word, "summary": d.summary, "deprecated": bool(d.deprecated)}
        for word, d in found
    ]
    print_document(entries, output)


def _show(word: str, definition: Definition[Any]) -> None:
    from velapulumi.extensions.schema import definition_schema, example_of, parameter_rows

    schema = definition_schema(definition)
    click.secho(f"{definition.type} ({word})", bold=True)
    click.echo(textwrap.fill(definition.summary, _width()))
    if definition.deprecated:
        text = textwrap.fill(f"Deprecated, use {definition.deprecated}.", _width())
        click.secho(text, fg="yellow")
    click.echo()
    rows = parameter_rows(schema)
    if rows:
        _print_rows(rows)
    else:
        click.echo(_without_rows(schema))
    click.echo(f"\nExample, in {_PLACES[word]}:\n")
    entry: dict[str, Any] = {}
    if word != "trait":
        entry["name"] = f"my-{definition.type}"
    entry["type"] = definition.type
    if properties := dict(definition.example) or example_of(schema):
        entry["properties"] = properties
    click.echo(textwrap.indent(_yaml([entry]), "  "), nl=False)


def _without_rows(schema: Schema) -> str:
    if schema.get("additionalProperties") is False:
        return "It has no parameters."
    return "Its parameters have names of your choice."


def _print_rows(rows: list[Row]) -> None:
    """Print parameters as a table, with descriptions beside it or, for want of room, below."""
    rows = [_with_short_default(row) for row in rows]
    cells = [(row.type, "yes" if row.required else "", _default(row)) for row in rows]
    titles = ("TYPE", "REQUIRED", "DEFAULT")
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    width = _width()
    room = width - sum(widths) - 3 * len(widths)
    first = min(max(len("NAME"), *(len(row.name) for row in rows)), room)
    room -= first + 3

    def line(*texts: str) -> str:
        pairs = zip(texts, (first, *widths), strict=True)
        return "   ".join(text.ljust(size) for text, size in pairs)

    beside = room >= _BESIDE
    click.echo(f"{line('NAME', *titles)}   {'DESCRIPTION' if beside else ''}".rstrip())
    for row, texts in zip(rows, cells, strict=True):
        *above, name = _broken(row.name, first)
        for part in above:
            click.echo(part)
        described = textwrap.wrap(row.description, room if beside else _NARROWEST - 4)
        start = described.pop(0) if beside and described else ""
        click.echo(f"{line(name, *texts)}   {start}".rstrip())
        for text in described:
            click.echo(" " * (width - room if beside else 4) + text)


def _width() -> int:
    columns = shutil.get_terminal_size((100, 24)).columns
    return min(max(columns, _NARROWEST), _WIDEST)


def _broken(name: str, width: int) -> list[str]:
    """The name of a parameter, in several lines when it is longer than its column."""
    lines = [""]
    for part in re.split(r"(?=\.)", name):
        if len(lines[-1]) + len(part) > width:
            lines.append("  ")
        lines[-1] += part
    return lines


def _with_short_default(row: Row) -> Row:
    """A row whose default, when it is long, has moved to the description."""
    text = _default(row)
    if len(text) <= _LONGEST_DEFAULT:
        return row
    return replace(row, default=None, description=f"{row.description} Default: {text}")


def _default(row: Row) -> str:
    if row.default is None or row.default == "" or row.required:
        return ""
    return row.default if isinstance(row.default, str) else json.dumps(row.default)


def _yaml(value: Any) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

        def ignore_aliases(self, data: Any) -> bool:
            return True

    return yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=90)
