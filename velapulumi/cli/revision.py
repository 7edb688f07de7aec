"""``velapulumi revision``: the revisions of an application."""

from __future__ import annotations

import click

from velapulumi.cli.output import output_option, print_document, print_tabbed

COLUMNS = ("NAME", "PUBLISH_VERSION", "SUCCEEDED", "HASH", "BEGIN_TIME", "STATUS", "SIZE")


@click.group()
def revision() -> None:
    """See the revisions of an application."""


@revision.command("list")
@click.argument("application", metavar="APP")
@output_option()
def list_(application: str, output: str) -> None:
    """List the revisions of an application, the oldest first."""
    from velapulumi.project import find_project
    from velapulumi.status.document import moment
    from velapulumi.status.history import read_revisions

    found = read_revisions(find_project(), application)
    if output != "table":
        documents = [
            {
                "name": each.name,
                "publishVersion": each.publish_version,
                "succeeded": each.succeeded,
                "hash": each.hash,
                "beginTime": None if each.began is None else moment(each.began),
                "status": each.status,
                "size": each.size,
                "current": each.current,
            }
            for each in found
        ]
        print_document(documents, output)
        return
    rows = [
        (
            each.name,
            each.publish_version,
            str(each.succeeded).lower(),
            each.hash,
            "" if each.began is None else moment(each.began),
            each.status,
            "" if each.size is None else _bytes(each.size),
        )
        for each in found
    ]
    print_tabbed(COLUMNS, rows)


@revision.command()
@click.argument("application", metavar="APP")
@click.argument("revision", metavar="REVISION")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="How to print it; yaml is the file as it was delivered.",
)
def get(application: str, revision: str, output: str) -> None:
    """Print the Application file of a revision, such as shop-v2.

    As JSON a file with several documents is printed as a list of them.
    """
    from velapulumi.project import find_project
    from velapulumi.status.history import documents_of, kept_text

    text = kept_text(find_project(), application, revision)
    if output == "yaml":
        click.echo(text, nl=not text.endswith("\n"))
        return
    documents = documents_of(text, revision)
    print_document(documents if len(documents) > 1 else documents[0], output)


def _bytes(size: int) -> str:
    """A number of bytes as ``vela`` writes it, such as ``1.5 KiB``; a file has less than 1 GiB."""
    if size < 1024:
        return f"{size} B"
    return f"{size / 1024:.1f} KiB" if size < 1024**2 else f"{size / 1024**2:.1f} MiB"
