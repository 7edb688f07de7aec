"""``velapulumi dry-run``: print the Kubernetes objects of each environment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from velapulumi.errors import UsageProblem

if TYPE_CHECKING:
    from velapulumi.render import Environment, Loaded, Placement, RenderedObject, Surroundings


@click.command()
@click.option(
    "-f",
    "--file",
    required=True,
    type=click.Path(path_type=Path),
    help="File with the Application.",
)
@click.option("--env", help="Only this environment, or what this policy or step delivers.")
@click.option("--cluster", help="Only this cluster.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="Format.",
)
@click.option(
    "--allow-unknown-parameters",
    "allow_unknown",
    is_flag=True,
    help="Ignore parameters no definition knows, with a warning, as KubeVela does.",
)
def dry_run(
    file: Path, env: str | None, cluster: str | None, output: str, allow_unknown: bool
) -> None:
    """Print the Kubernetes objects of each environment, without changing any cluster.

    Revisions are written as the first ones (v1). An application without policies that place it is
    printed once, as for the cluster "local". Inside a project its clusters and definitions are
    known; elsewhere each choice of clusters by labels is printed once.
    """
    from velapulumi.render import load

    loaded = load(file, surroundings_of(file, allow_unknown))
    for warning in loaded.warnings:
        click.echo(f"Warning: {warning}", err=True)
    for obstacle in loaded.obstacles:
        click.echo(
            f"Warning: {file}:{obstacle.line}: {obstacle.path}: {obstacle.message}", err=True
        )
    groups = _rendered(loaded, env, cluster)
    click.echo(_as_json(loaded, groups) if output == "json" else _as_yaml(groups), nl=False)


def surroundings_of(file: Path, allow_unknown: bool) -> Surroundings:
    from velapulumi.errors import NoProject
    from velapulumi.program.surroundings import read_surroundings
    from velapulumi.project import find_project
    from velapulumi.render import Surroundings

    try:
        known = read_surroundings(find_project(), file, allow_unknown=allow_unknown)
        return known if known.clusters else replace(known, clusters=None)
    except NoProject:
        return Surroundings(allow_unknown=allow_unknown)


Group = tuple["Environment", "Placement", "tuple[RenderedObject, ...]"]


def _rendered(loaded: Loaded, env: str | None, cluster: str | None) -> list[Group]:
    """Objects of each environment and place, of those asked for."""
    from velapulumi.render import RevisionNames, render_environment, shown_environments
    from velapulumi.render.placement import canonical

    application = loaded.application
    revision = RevisionNames(f"{application.name}-v1")
    surroundings = loaded.surroundings
    environments = list(shown_environments(loaded))
    if env:
        environments = [e for e in environments if env == e.name or env in e.policies]
        if not environments:
            _known("environment", env, list(loaded.environments))
    if cluster:
        cluster = canonical(cluster, surroundings.clusters)
        places = (place for environment in environments for place in environment.placements)
        _known("cluster", cluster, [place.cluster for place in places])
    groups: list[Group] = []
    for environment in environments:
        for place in environment.placements:
            if not cluster or cluster == place.cluster:
                here = replace(environment, placements=(place,))
                objects = render_environment(application, here, revision, surroundings)
                groups.append((environment, place, objects))
    return groups


def _known(kind: str, name: str, names: list[str]) -> None:
    if name not in names:
        known = ", ".join(dict.fromkeys(names)) or "none"
        raise UsageProblem(
            f"there is no {kind} {name} here; known: {known}", next_step=f"Name a known {kind}."
        )


def _as_yaml(groups: list[Group]) -> str:
    import yaml

    class Dumper(yaml.CSafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    parts = []
    for environment, place, objects in groups:
        for item in objects:
            subject = f"cluster: {place.cluster or 'any'}, component: {item.component}"
            if environment.name:
                subject = f"env: {environment.name}, {subject}"
            text = yaml.dump(item.manifest, Dumper=Dumper, sort_keys=True, allow_unicode=True)
            parts.append(f"---\n# {subject}\n{text}")
    return "".join(parts)


def _as_json(loaded: Loaded, groups: list[Group]) -> str:
    import json

    document = {
        "apiVersion": "velapulumi.dev/v1",
        "kind": "DryRun",
        "application": loaded.application.name,
        "environments": [
            {
                "name": environment.name,
                "cluster": place.cluster,
                "namespace": place.namespace,
                "objects": [item.manifest for item in objects],
            }
            for environment, place, objects in groups
        ],
    }
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
