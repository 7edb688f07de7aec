"""The definitions of a project: those it has in its folder ``definitions``, and all others."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from velapulumi.definitions import BUILTIN, Catalog, Definition
from velapulumi.errors import InvalidDefinition

FOLDER = "definitions"
MEMORY = Path(".velapulumi", "cue")
"""Where the answers of CUE are kept, below the project."""


def catalog_of(root: Path) -> Catalog:
    """The definitions that the applications of a project may use.

    The folder is read once in a process. A CUE template is not evaluated before it is used.

    Args:
        root: Folder of the project.

    Raises:
        InvalidDefinition: A definition in the folder cannot be used, or two are of one type.
        ToolMissing: There is a definition written in CUE, and no ``cue`` command to be had.
    """
    root = root.resolve()
    return _read(root) if (root / FOLDER).is_dir() else BUILTIN


@cache
def _read(root: Path) -> Catalog:
    from velapulumi.extensions.cue import Engine
    from velapulumi.extensions.manifests import read_manifests
    from velapulumi.extensions.python import read_modules

    folder = root / FOLDER
    extra: dict[type[Definition[Any]], dict[str, Definition[Any]]] = {}
    origins: dict[tuple[type[Definition[Any]], str], Path] = {}
    engine = Engine(root / MEMORY)
    for file, kind, definition in (*read_modules(folder), *read_manifests(folder, engine)):
        other = origins.setdefault((kind, definition.type), file)
        if definition.type in extra.setdefault(kind, {}):
            raise InvalidDefinition(f"{file}: {definition.type} is defined in {other} too")
        extra[kind][definition.type] = definition
    return Catalog(extra)
