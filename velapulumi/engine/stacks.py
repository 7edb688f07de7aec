"""Reading what stacks hold, from whichever backend they live in.

A file backend is read directly, in milliseconds; any other through ``pulumi stack export``.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from velapulumi.clusters.registry import Registry
from velapulumi.engine.deployment import NameOf, record_of
from velapulumi.engine.environment import engine_environment
from velapulumi.engine.record import StageRecord
from velapulumi.errors import EngineFailed, InvalidFile, ToolMissing
from velapulumi.project import Project, StackName


def read_record(project: Project, stack: StackName) -> StageRecord | None:
    """What a stack holds; None when there is no such stack.

    Raises:
        InvalidFile: The backend's file is damaged.
        EngineFailed: ``pulumi`` could not read it.
        ToolMissing: The backend needs ``pulumi`` and there is none.
    """
    environment = engine_environment(project)
    name_of = cluster_names(project)
    folder = file_backend(project, environment)
    if folder is not None:
        path = folder / ".pulumi" / "stacks" / project.name / f"{stack}.json"
        if path.exists():
            return _checkpoint(path, name_of)
        if not path.with_name(f"{path.name}.gz").exists():
            return None
    return _export(project, stack, environment, name_of)


def cluster_names(project: Project) -> NameOf:
    """How the clusters that stacks hold objects on are called today.

    A cluster that is not joined any more keeps its handle, unless another one has that name now.

    Args:
        project: The project they are joined to.
    """
    registry = Registry(project)
    joined = {entry.name for entry in registry.all()}

    def name_of(handle: str, uid: str) -> str:
        return registry.name_of(uid) or (f"{handle}#{uid[:8]}" if handle in joined else handle)

    return name_of


def file_backend(project: Project, environment: Mapping[str, str]) -> Path | None:
    """The folder of the backend in use; None when it is not a folder of this machine."""
    url = environment.get("PULUMI_BACKEND_URL") or project.backend or ""
    if not url.startswith("file://"):
        return None
    return project.root / Path(url.removeprefix("file://").split("?")[0]).expanduser()


def _checkpoint(path: Path, name_of: NameOf) -> StageRecord:
    try:
        return record_of(json.loads(path.read_bytes())["checkpoint"]["latest"] or {}, name_of)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidFile(f"{path}: not a Pulumi checkpoint: {error}") from error


def _export(
    project: Project, stack: StackName, environment: Mapping[str, str], name_of: NameOf
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
        return record_of(json.loads(answer.stdout)["deployment"], name_of)
    except (ValueError, KeyError, TypeError) as error:
        raise EngineFailed(f"pulumi gave an odd export of stack {stack}: {error}") from error
