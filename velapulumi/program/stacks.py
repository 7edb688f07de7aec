"""Reading what stacks hold, from whichever backend they live in.

A file backend is read directly, in milliseconds; any other through ``pulumi stack export``.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from velapulumi.errors import EngineFailed, InvalidFile, ToolMissing
from velapulumi.program.environment import engine_environment
from velapulumi.program.record import StageRecord, record_of
from velapulumi.project import Project, StackName


def read_record(project: Project, stack: StackName) -> StageRecord | None:
    """What a stack holds; None when there is no such stack.

    Raises:
        InvalidFile: The backend's file is damaged.
        EngineFailed: ``pulumi`` could not read it.
        ToolMissing: The backend needs ``pulumi`` and there is none.
    """
    environment = engine_environment(project)
    folder = file_backend(project, environment)
    if folder is not None:
        path = folder / ".pulumi" / "stacks" / project.name / f"{stack}.json"
        if path.exists():
            return _checkpoint(path)
        if not path.with_name(f"{path.name}.gz").exists():
            return None
    return _export(project, stack, environment)


def file_backend(project: Project, environment: Mapping[str, str]) -> Path | None:
    """The folder of the backend in use; None when it is not a folder of this machine."""
    url = environment.get("PULUMI_BACKEND_URL") or project.backend or ""
    if not url.startswith("file://"):
        return None
    return project.root / Path(url.removeprefix("file://").split("?")[0]).expanduser()


def _checkpoint(path: Path) -> StageRecord:
    try:
        return record_of(json.loads(path.read_bytes())["checkpoint"]["latest"] or {})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidFile(f"{path}: not a Pulumi checkpoint: {error}") from error


def _export(
    project: Project, stack: StackName, environment: Mapping[str, str]
) -> StageRecord | None:
    try:
        answer = subprocess.run(
            ["pulumi", "stack", "export", "--non-interactive", "--stack", str(stack)],
            cwd=project.root,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise ToolMissing("pulumi is not on PATH") from error
    if answer.returncode != 0:
        if "no stack named" in answer.stderr:
            return None
        raise EngineFailed(f"pulumi cannot read stack {stack}: {answer.stderr.strip()}")
    try:
        return record_of(json.loads(answer.stdout)["deployment"])
    except (ValueError, KeyError, TypeError) as error:
        raise EngineFailed(f"pulumi gave an odd export of stack {stack}: {error}") from error
