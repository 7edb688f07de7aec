"""Who a project is: an identity that its first delivery draws and its stacks keep.

A file of the project only repeats it. So a copied folder whose backend does not know it is another
project, and objects of the first one are not its own.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from typing import Literal

import yaml
from pydantic import Field

from velapulumi import files
from velapulumi.documents import read_file
from velapulumi.engine.record import StageRecord
from velapulumi.engine.stacks import read_record
from velapulumi.errors import WrongProject
from velapulumi.project import Project
from velapulumi.render.rules import project_of
from velapulumi.spec.model import StrictModel

PROJECT_OUTPUT = "project"
"""The output of a stack that keeps the identity of its project."""


class ProjectIdentity(StrictModel):
    """The file that repeats the identity.

    Attributes:
        id: Sixteen hexadecimal digits.
    """

    api_version: Literal["velapulumi.dev/v1"] = Field("velapulumi.dev/v1", alias="apiVersion")
    kind: Literal["ProjectIdentity"] = "ProjectIdentity"
    id: str = Field(pattern="^[0-9a-f]{16}$")


def project_id(project: Project, records: Iterable[StageRecord | None]) -> str:
    """The identity of a project; empty when it has none yet, or only stacks of an earlier version.

    Args:
        project: The project.
        records: What the stacks of the application at hand hold; others are read when they have
            none.

    Raises:
        WrongProject: The file names an identity that the stacks do not have.
        InvalidFile: The file or a stack is damaged.
    """
    written = read_file(project.identity_file, ProjectIdentity)
    held = list(_begun(records))
    known = set(_known(held))
    if not known:
        others = (read_record(project, stack) for stack in project.stack_names())
        found = list(_begun(others))
        known, held = set(_known(found)), held + found
    if len(known) > 1:
        raise WrongProject(
            f"the stacks of {project.name} are of {len(known)} projects: {', '.join(sorted(known))}"
        )
    if not known:
        return written.id if written is not None and held else ""
    (found_id,) = known
    if written is not None and written.id != found_id:
        raise WrongProject(
            f"{project.identity_file}: says project {written.id}, and the stacks of this backend "
            f"are of project {found_id}"
        )
    return found_id


def claim_project_id(project: Project, known: str) -> str:
    """The identity of a project, drawn and written down when it has none yet.

    Args:
        project: The project.
        known: What ``project_id`` gave.
    """
    files.make_private_folder(project.state)
    drawn = project.state / "project-id"
    with files.locked(project.state / "project.lock"):
        if not known and not drawn.exists():
            files.write(drawn, secrets.token_hex(8) + "\n")
        # Two first deliveries side by side must draw the same one.
        identity = ProjectIdentity(id=known or drawn.read_text(encoding="utf-8").strip())
        if read_file(project.identity_file, ProjectIdentity) != identity:
            document = identity.model_dump(mode="json", by_alias=True)
            files.write(project.identity_file, yaml.safe_dump(document, sort_keys=False))
    return identity.id


def _begun(records: Iterable[StageRecord | None]) -> Iterator[StageRecord]:
    """The stacks that anything was ever delivered with; one that was only made says nothing.

    A first delivery that was killed leaves no objects, and may have made some.
    """
    return (each for each in records if each is not None and each.begun)


def _known(records: Iterable[StageRecord]) -> Iterator[str]:
    """The identities that stacks keep.

    A first delivery that failed has no outputs, and the marks of what it made say it, or was about
    to make.
    """
    for record in records:
        found = record.outputs.get(PROJECT_OUTPUT)
        if isinstance(found, str) and found:
            yield found
        else:
            yield from filter(None, (project_of(entry.manifest) for entry in record.made))
