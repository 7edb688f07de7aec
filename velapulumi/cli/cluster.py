"""``velapulumi cluster``: join clusters, list, label, rename, probe and detach them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import click

from velapulumi.cli.output import output_option, print_document, print_tabbed


@click.group()
def cluster() -> None:
    """Join clusters, list, label, rename, probe and detach them."""


@cluster.command()
@click.argument("kubeconfig", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-n", "--name", help="The cluster's name; that of the current context's cluster when left out."
)
@click.option(
    "--labels", help="The cluster's labels, as in region=eu,tier=gold; kept when left out."
)
def join(kubeconfig: Path, name: str | None, labels: str | None) -> None:
    """Join the cluster of a kubeconfig's current context.

    The cluster is contacted and its identity and version recorded; its credentials are kept
    apart from the project's files. Joining it again renews the credentials.
    """
    from velapulumi.clusters.labels import parse_labels
    from velapulumi.clusters.membership import join_cluster
    from velapulumi.project import find_project

    given = None if labels is None else parse_labels(labels)
    joined, twins = join_cluster(find_project(), kubeconfig, name, given)
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
        print_document([entry.model_dump(by_alias=True) for entry in clusters], output)
        return
    if not clusters:
        click.echo("No cluster found.", err=True)
        return
    columns = ["CLUSTER", "TYPE", "ENDPOINT"]
    if any(entry.labels for entry in clusters):
        columns.append("LABELS")
    rows = []
    for entry in clusters:
        first, *others = _lines(entry.labels) or [""]
        rows.append([entry.name, entry.type, entry.endpoint, first][: len(columns)])
        rows += [["", "", "", label] for label in others]
    print_tabbed(columns, rows)


@cluster.command()
@click.argument("name")
def detach(name: str) -> None:
    """Forget a cluster; refused while an application has objects in it."""
    from velapulumi.project import find_project
    from velapulumi.status.usage import detach_cluster

    detach_cluster(find_project(), name)
    click.echo(f"Detach cluster {name} successfully.")


@cluster.command()
@click.argument("old")
@click.argument("new")
def rename(old: str, new: str) -> None:
    """Give a cluster another name; refused while it is in use.

    Its credentials follow on this machine; elsewhere it has to be joined under the new name.
    """
    from velapulumi.project import find_project
    from velapulumi.status.usage import rename_cluster

    rename_cluster(find_project(), old, new)
    click.echo(f"Rename cluster {old} to {new} successfully.")


@cluster.command()
@click.argument("name")
def probe(name: str) -> None:
    """Contact a cluster and record its Kubernetes version anew."""
    from velapulumi.clusters.membership import probe_cluster
    from velapulumi.project import find_project

    probe_cluster(find_project(), name)
    click.echo(f"Connect to cluster {name} successfully.\nok")


@cluster.group()
def labels() -> None:
    """Change the labels of a cluster, which topology policies choose by."""


@labels.command()
@click.argument("name")
@click.argument("labels")
def add(name: str, labels: str) -> None:
    """Add labels such as region=eu,tier=gold, or change their values."""
    from velapulumi.clusters.labels import parse_labels

    added = parse_labels(labels)
    _change_labels(name, lambda old: old | added)


@labels.command("del")
@click.argument("name")
@click.argument("keys")
def del_(name: str, keys: str) -> None:
    """Remove the labels with these keys, such as region,tier."""
    from velapulumi.errors import UsageProblem

    removed = [key.strip() for key in keys.split(",")]

    def change(old: dict[str, str]) -> dict[str, str]:
        for key in removed:
            if key not in old:
                raise UsageProblem(
                    f"no such label {key}",
                    next_step="See those there are with: velapulumi cluster list",
                )
        return {key: value for key, value in old.items() if key not in removed}

    _change_labels(name, change)


def _change_labels(name: str, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    from velapulumi.clusters.registry import Registry
    from velapulumi.project import find_project

    changed = Registry(find_project()).update(
        name, lambda entry: entry.model_copy(update={"labels": change(entry.labels)})
    )
    click.echo(f"Successfully update labels for cluster {name}, type: {changed.type}.")
    for line in _lines(changed.labels):
        click.echo(line)


def _lines(labels: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in sorted(labels.items())]
