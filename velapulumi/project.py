"""The project folder: where its files lie and which stacks it has.

A project is a folder with a ``Pulumi.yaml``. What a team shares (stack configuration, gate files,
the cluster registry) lies in its stack folder; what belongs to one machine (credentials, the
default backend, the passphrase) lies in ``.velapulumi`` and is never committed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from velapulumi import files
from velapulumi.errors import InvalidFile, NoProject

PULUMI_FILE = "Pulumi.yaml"
CONFIG_NAMESPACE = "velapulumi"
ALLOW_UNKNOWN = "allowUnknownParameters"


@dataclass(frozen=True)
class StackName:
    """Name of the stack that holds one stage of one application: ``<application>.<stage>``."""

    application: str
    stage: str

    def __str__(self) -> str:
        return f"{self.application}.{self.stage}"

    @classmethod
    def parse(cls, text: str) -> StackName | None:
        """Split a stack's name; None when it is not of that form."""
        application, dot, stage = text.rpartition(".")
        return cls(application, stage) if dot and application and stage else None


@dataclass(frozen=True)
class StackConfig:
    """What a stack's configuration says.

    Attributes:
        application: The Application file, relative to the project root.
        stage: The stage this stack delivers.
        allow_unknown: Whether unknown parameters are ignored with a warning.
    """

    application: str
    stage: str
    allow_unknown: bool = False


@dataclass(frozen=True)
class Project:
    """A velapulumi project.

    Attributes:
        root: The folder that holds ``Pulumi.yaml``.
        name: The Pulumi project's name.
        stacks: Folder of stack configuration, gate files and the cluster registry.
        backend: The backend URL ``Pulumi.yaml`` names, if any.
    """

    root: Path
    name: str
    stacks: Path
    backend: str | None = None

    @property
    def state(self) -> Path:
        """Folder of what belongs to this machine alone."""
        return self.root / ".velapulumi"

    @property
    def registry_file(self) -> Path:
        return self.stacks / "clusters.yaml"

    @property
    def identity_file(self) -> Path:
        """Where the identity of the project is repeated for people and version control."""
        return self.stacks / "project.yaml"

    @property
    def credentials(self) -> Path:
        return self.state / "credentials"

    def gate_file(self, application: str) -> Path:
        return self.stacks / f"{application}.gate.yaml"

    def journal_file(self, application: str) -> Path:
        return self.stacks / f"{application}.journal.jsonl"

    def ledger_file(self, application: str) -> Path:
        return self.stacks / f"{application}.ledger.jsonl"

    def revision_file(self, application: str, revision: str) -> Path:
        """Where the Application file of a revision is kept.

        Args:
            application: The application.
            revision: Name of the revision, such as ``shop-v3``.
        """
        return self.stacks / f"{application}.revisions" / f"{revision}.yaml"

    def plan_file(self, application: str, digest: str) -> Path:
        """Where a plan document that was approved is kept.

        Args:
            application: The application.
            digest: Its SHA-256, in hexadecimal.
        """
        return self.stacks / f"{application}.plans" / f"{digest}.json"

    @property
    def gates(self) -> Path:
        """Folder of the gate policy, the allowed signers and the revoked keys."""
        return self.root / "gates"

    def run_lock(self, application: str) -> Path:
        return self.stacks / f".{application}.run.lock"

    def config_file(self, stack: StackName) -> Path:
        return self.stacks / f"Pulumi.{stack}.yaml"

    def stack_names(self, application: str | None = None) -> list[StackName]:
        """The stacks configured here, of one application or of all, by name."""
        found = []
        for path in sorted(self.stacks.glob("Pulumi.*.yaml")):
            name = StackName.parse(path.name.removeprefix("Pulumi.").removesuffix(".yaml"))
            if name is not None and application in (None, name.application):
                found.append(name)
        return found

    def relative(self, path: Path) -> str:
        """A path as the project's files write it: relative to the root."""
        return os.path.relpath(path.resolve(), self.root)

    def configure(
        self, stack: StackName, application: Path, *, allow_unknown: bool = False
    ) -> None:
        """Write what a stack's configuration must say; what else it says is kept.

        Args:
            stack: The stack.
            application: The Application file.
            allow_unknown: Whether unknown parameters are ignored with a warning.

        Raises:
            InvalidFile: The configuration that is there is no YAML mapping.
        """
        path = self.config_file(stack)
        document = read_mapping(path) if path.exists() else {}
        config = document.get("config") or {}
        if not isinstance(config, dict):
            raise InvalidFile(f"{path}: config must be a mapping")
        document["config"] = config
        wanted: dict[str, Any] = {
            f"{CONFIG_NAMESPACE}:application": self.relative(application),
            f"{CONFIG_NAMESPACE}:stage": stack.stage,
            "pulumi:disable-default-providers": ["*"],
        }
        unknown = f"{CONFIG_NAMESPACE}:{ALLOW_UNKNOWN}"
        if allow_unknown:
            wanted[unknown] = True
        elif unknown in config:
            wanted[unknown] = False
        if all(config.get(key) == value for key, value in wanted.items()):
            return
        config.update(wanted)
        files.write(path, yaml.safe_dump(document, sort_keys=False))

    def stack_config(self, stack: StackName) -> StackConfig | None:
        """Read a stack's configuration; None when there is none for velapulumi."""
        path = self.config_file(stack)
        config = (read_mapping(path).get("config") if path.exists() else None) or {}
        if not isinstance(config, dict):
            raise InvalidFile(f"{path}: config must be a mapping")
        application = config.get(f"{CONFIG_NAMESPACE}:application")
        stage = config.get(f"{CONFIG_NAMESPACE}:stage")
        if not isinstance(application, str) or not isinstance(stage, str):
            return None
        unknown = config.get(f"{CONFIG_NAMESPACE}:{ALLOW_UNKNOWN}")
        return StackConfig(application, stage, allow_unknown=str(unknown).lower() == "true")


def find_project(start: Path | None = None) -> Project:
    """Find the project that a folder lies in.

    Args:
        start: Where to begin; the current folder when not given.

    Raises:
        NoProject: Neither the folder nor one above it has a ``Pulumi.yaml``.
        InvalidFile: The ``Pulumi.yaml`` cannot be read or has no name.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        path = folder / PULUMI_FILE
        if path.is_file():
            document = read_mapping(path)
            name = document.get("name")
            if not isinstance(name, str) or not name:
                raise InvalidFile(f"{path}: name is missing")
            stacks = folder / str(document.get("stackConfigDir") or ".")
            backend = document.get("backend")
            url = backend.get("url") if isinstance(backend, Mapping) else None
            return Project(folder, name, stacks, url if isinstance(url, str) else None)
    raise NoProject(f"no {PULUMI_FILE} in {start} or above it")


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping; an empty file holds an empty one.

    Raises:
        InvalidFile: It cannot be read, or holds something else.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidFile(f"{path}:{line}: {error.problem}") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InvalidFile(f"{path}: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise InvalidFile(f"{path}:1: must be a mapping")
    return document
