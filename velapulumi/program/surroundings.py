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

    In the copy of a revision that the project keeps, names count that a cluster had before: nobody
    changes that file when a cluster is renamed, and the way back must still lead there.

    Args:
        project: The project.
        file: The Application file.
        allow_unknown: Whether unknown parameters are ignored with a warning.

    Raises:
        VelapulumiError: A file of the project is damaged, or an object that is referred to cannot
            be read from its cluster.
    """
    return Surroundings(
        clusters=Registry(project).facts(former=_is_kept(project, file)),
        catalog=catalog_of(project.root),
        referred=read_referred(project, references_of(file)),
        allow_unknown=allow_unknown,
    )


def _is_kept(project: Project, file: Path) -> bool:
    """Tell whether a file is the kept copy of a revision, see `Project.revision_file`."""
    folder = file.resolve().parent
    kept = project.revision_file(folder.name.removesuffix(".revisions"), file.stem).resolve()
    return kept.parent == folder
