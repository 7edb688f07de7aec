"""`velapulumi playground`: local clusters to rehearse deliveries on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from velapulumi.playground.clusters import ClusterStatus

_OUTPUT = click.Choice(["table", "json", "yaml"])


@click.group()
def playground() -> None:
    """Start and stop local clusters.

    Their API servers and controllers are real, their pods are simulated: a pod is Ready about a
    second after it was made. To rehearse a failure, give the pod template the label
    `velapulumi.dev/sim: pending`: its pods stay Pending, in ImagePullBackOff, until the label is
    taken away.
    """


@playground.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
def up(names: Sequence[str]) -> None:
    """Start clusters (unless named: cluster-staging, cluster-prod).

    Clusters that run already are left as they are; stopped ones are started with their objects. A
    missing tool is downloaded or built first.
    """
    from velapulumi.playground.clusters import DEFAULT_NAMES, Playground

    clusters = Playground().up(names or DEFAULT_NAMES)
    _show(clusters, "table")
    name = clusters[0].name
    click.echo(
        f"Next: velapulumi playground kubeconfig {name} > {name}.kubeconfig\n"
        f"then: velapulumi cluster join {name}.kubeconfig --name {name}",
        err=True,
    )


@playground.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
def down(names: Sequence[str]) -> None:
    """Stop and delete clusters (all when none is named)."""
    from velapulumi.playground.clusters import Playground

    if not Playground().down(names):
        click.echo("No playground cluster to stop.", err=True)


@playground.command()
@click.option("-o", "--output", type=_OUTPUT, default="table", show_default=True)
def status(output: str) -> None:
    """List the clusters and whether they run."""
    from velapulumi.playground.clusters import Playground

    _show(Playground().status(), output)


@playground.command()
@click.argument("name")
def kubeconfig(name: str) -> None:
    """Print a kubeconfig for a cluster, credentials included."""
    from velapulumi.playground.clusters import Playground

    click.echo(Playground().kubeconfig(name), nl=False)


def _show(clusters: Sequence[ClusterStatus], output: str) -> None:
    from velapulumi.playground.listing import show

    columns = {"NAME": "name", "STATE": "state", "SERVER": "server"}
    if not clusters and output == "table":
        click.echo("No playground cluster; start some with: velapulumi playground up", err=True)
        return
    show(clusters, columns, output)
