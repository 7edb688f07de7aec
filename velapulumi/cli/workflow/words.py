"""Sentences and commands that several verbs print."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from velapulumi.project import Project, StackConfig


def application_file(project: Project, path: str | Path) -> Path:
    """An Application file, given relative to the project, as it is called from here."""
    return Path(os.path.relpath(project.root / path))


def up_command(project: Project, source: StackConfig | None) -> str:
    """The command that delivers an application once more.

    Args:
        project: The project.
        source: What it was delivered from; None when that is not told.
    """
    if source is None:
        return "velapulumi up -f FILE"
    option = " --allow-unknown-parameters" if source.allow_unknown else ""
    file = shlex.quote(str(application_file(project, source.application)))
    return f"velapulumi up -f {file}{option}"
