"""What a project knows beside an Application file."""

from __future__ import annotations

from pathlib import Path

from velapulumi.clusters.referred import read_referred
from velapulumi.clusters.registry import Registry
from velapulumi.extensions import catalog_of
from velapulumi.project import Project
from velapulumi.render import Surroundings, references_of


def read_surroundings(project: Project, file: Path, *, allow_unknown: bool = False) -> Surroundings:
    """Read what is known beside a file: clusters, definitions and the objects it refers to.

    Args:
        project: The project.
        file: The Application file.
        allow_unknown: Whether unknown parameters are ignored with a warning.

    Raises:
        VelapulumiError: A file of the project is damaged, or an object that is referred to cannot
            be read from its cluster.
    """
    return Surroundings(
        clusters=Registry(project).facts(),
        catalog=catalog_of(project.root),
        referred=read_referred(project, references_of(file)),
        allow_unknown=allow_unknown,
    )
