"""Definitions as Python modules in the folders of a project.

They look as the built-in ones do: ``components/``, ``traits/``, ``policies/`` and ``steps/`` hold
one module a type, named as the type with ``_`` for ``-``, which holds ``DEFINITION``.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from velapulumi.definitions import Definition
from velapulumi.definitions.installed import checked
from velapulumi.definitions.registry import FOLDERS
from velapulumi.errors import InvalidDefinition

Entry: TypeAlias = tuple[Path, type[Definition[Any]], Definition[Any]]
"""A file, and the kind and the definition it holds."""


def read_modules(folder: Path) -> Iterator[Entry]:
    """Import the modules of a project's folder.

    Args:
        folder: The folder ``definitions``.

    Raises:
        InvalidDefinition: A module cannot be imported, or does not hold what it should.
    """
    for kind, name in FOLDERS.items():
        for file in sorted((folder / name).glob("*.py")):
            if not file.name.startswith("_"):
                module = _imported(file)
                if not hasattr(module, "DEFINITION"):
                    raise InvalidDefinition(f"{file}: holds no DEFINITION")
                type_name = file.stem.replace("_", "-")
                yield file, kind, checked(module.DEFINITION, kind, type_name, f"{file}: DEFINITION")


def _imported(file: Path) -> ModuleType:
    name = f"velapulumi_project.{file.parent.name}.{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # annotations are looked up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        cause = f"{type(error).__name__}: {error}"
        raise InvalidDefinition(f"{file}:{_line(error, file)}: {cause}") from error
    return module


def _line(error: BaseException, file: Path) -> int:
    """The line of a file that an error comes from."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return error.lineno or 1
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(file)]
    return (lines[-1] if lines else None) or 1
