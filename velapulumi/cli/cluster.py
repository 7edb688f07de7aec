"""``velapulumi cluster``: join clusters, list, label, rename, probe and detach them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from velapulumi.cli.output import output_option, print_document, print_tabbed

if TYPE_CHECKING:
    from velapulumi.project import Project, StackName


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
    apart from the project's files. Joining it again renews the credentials; joining it under
    another name gives it an alias.
    """
    from velapulumi.clusters.labels import parse_labels
    from velapulumi.clusters.membership import join_cluster
    from velapulumi.clusters.registry import Registry
    from velapulumi.project import find_project

    project = find_project()
    given = None if labels is None else parse_labels(labels)
    joined, _ = join_cluster(project, kubeconfig, name, given)
    canonical = Registry(project).canonical(joined.name)
    if canonical != joined.name:
        click.echo(
            f"cluster {joined.name} is another name of {canonical}: both mean the same cluster",
            err=True,
        )
    click.echo(f"Successfully add cluster {joined.name}, endpoint: {joined.endpoint}.")


@cluster.command("list")
@output_option()
def list_(output: str) -> None:
    """List the joined clusters."""
    from velapulumi.clusters.registry import Registry
    from velapulumi.project import find_project

    registry = Registry(find_project())
    clusters, aliases = registry.all(), registry.aliases()
    if output != "table":
        document = [
            entry.model_dump(by_alias=True) | {"aliasOf": aliases.get(entry.name)}
            for entry in clusters
        ]
        print_document(document, output)
        return
    if not clusters:
        click.echo("No cluster found.", err=True)
        return
    rows = []
    for entry in clusters:
        first, *others = _lines(entry.labels) or [""]
        alias = aliases.get(entry.name, "")
        rows.append((entry.name, entry.type, entry.endpoint, alias, first))
        rows += [("", "", "", "", label) for label in others]
    columns = ("CLUSTER", "TYPE", "ENDPOINT", "ALIAS OF", "LABELS")
    shown = [index for index in range(len(columns)) if any(row[index] for row in rows)]
    print_tabbed([columns[i] for i in shown], [[row[i] for i in shown] for row in rows])


@cluster.command()
@click.argument("name")
def detach(name: str) -> None:
    """Forget a cluster; refused while an application has objects in it.

    One of several names of a cluster may always go: the cluster stays joined under the others.
    """
    from velapulumi.project import find_project
    from velapulumi.status.usage import detach_cluster

    project = find_project()
    with _no_delivery_to(project, name, "cluster detach"):
        detach_cluster(project, name)
    click.echo(f"Detach cluster {name} successfully.")


@cluster.command()
@click.argument("old")
@click.argument("new")
def rename(old: str, new: str) -> None:
    """Give a cluster another name; what is delivered there stays as it is.

    Files that name it have to be changed by hand. Its credentials on this and other machines serve
    the new name, too.
    """
    from velapulumi.project import find_project
    from velapulumi.status.usage import rename_cluster

    project = find_project()
    with _no_delivery_to(project, old, "cluster rename") as stacks:
        rename_cluster(project, old, new)
    click.echo(f"Rename cluster {old} to {new} successfully.")
    if stacks:
        click.echo(
            f"In use by {', '.join(map(str, stacks))}, which keep what they hold there. "
            f"Write {new} instead of {old} in every file that names it: policies and steps of "
            "Applications, gates/policy.yaml.",
            err=True,
        )


@contextlib.contextmanager
def _no_delivery_to(project: Project, name: str, command: str) -> Iterator[tuple[StackName, ...]]:
    """Hold the applications with objects on a cluster while its names change, and give the stacks.

    A run under way has placed objects by the names that were there when it began.

    Raises:
        RunInProgress: One of them is being delivered.
    """
    from velapulumi.delivery.runlock import running
    from velapulumi.status.usage import stacks_on

    stacks = stacks_on(project, name)
    with contextlib.ExitStack() as held:
        for application in sorted({stack.application for stack in stacks}):
            held.enter_context(running(project, application, command))
        yield stacks


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
