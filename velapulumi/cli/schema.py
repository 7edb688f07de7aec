"""``velapulumi schema``: the JSON Schema of the Application, for editors."""

from __future__ import annotations

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema (draft 2020-12) of the Application, for editors.

    It knows the parameters of every type, those of the project's own definitions included.
    """
    from velapulumi.cli.output import print_document
    from velapulumi.cli.show import project_catalog
    from velapulumi.extensions.schema import application_schema

    print_document(application_schema(project_catalog()), "json")
