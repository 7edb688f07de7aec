"""``velapulumi cluster``: join clusters, list and detach them."""

from __future__ import annotations

from pathlib import Path

import click

from velapulumi.cli.output import output_option, print_document, print_tabbed


@click.group()
def cluster() -> None:
    """Join clusters, list and detach them."""


@cluster.command()
@click.argument("kubeconfig", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-n", "--name", help="The cluster's name; that of the current context's cluster when left out."
)
def join(kubeconfig: Path, name: str | None) -> None:
    """Join the cluster of a kubeconfig's current context.

    The cluster is contacted and its identity recorded; its credentials are kept apart from the
    project's files. Joining it again renews the credentials.
    """
    from velapulumi.clusters.membership import join_cluster
    from velapulumi.project import find_project

    joined, twins = join_cluster(find_project(), kubeconfig, name)
    for twin in twins:
        click.secho(f"Warning: cluster {twin} is the same cluster", fg="yellow", err=True)
    click.echo(f"Successfully add cluster {joined.name}, endpoint: {joined.endpoint}.")


@cluster.command("list")
@output_option()
def list_(output: str) -> None:
    """List the joined clusters."""
    from velapulumi.clusters.registry import Registry
    from velapulumi.project import find_project

    clusters = Registry(find_project()).all()
    if output != "table":
        print_document([entry.model_dump() for entry in clusters], output)
    elif clusters:
        rows = [(entry.name, entry.type, entry.endpoint) for entry in clusters]
        print_tabbed(("CLUSTER", "TYPE", "ENDPOINT"), rows)
    else:
        click.echo("No cluster found.", err=True)


@cluster.command()
@click.argument("name")
def detach(name: str) -> None:
    """Forget a cluster; refused while an application still has objects there."""
    from velapulumi.project import find_project
    from velapulumi.status.usage import detach_cluster

    detach_cluster(find_project(), name)
    click.echo(f"Detach cluster {name} successfully.")
