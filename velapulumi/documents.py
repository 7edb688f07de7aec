"""Reading the project's own files as typed values, naming file, line and place of what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from velapulumi.errors import InvalidFile
from velapulumi.spec.document import DocumentRefused, format_path, read_document
from velapulumi.spec.model import StrictModel, explain

T = TypeVar("T", bound=StrictModel)


def read_file(path: Path, model: type[T]) -> T | None:
    """Read a YAML file into a model.

    Args:
        path: The file.
        model: What it must hold.

    Returns:
        The value, or None when there is no such file.

    Raises:
        InvalidFile: It cannot be read or holds something else; every problem is listed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFile(f"{path}: cannot be read: {error}") from error
    try:
        document = read_document(text)
    except DocumentRefused as refused:
        problems = [(problem.line, problem.path, problem.message) for problem in refused.problems]
        raise _invalid(path, problems) from None
    problems = [(problem.line, problem.path, problem.message) for problem in document.problems]
    if not problems:
        try:
            return model.model_validate(document.value)
        except ValidationError as error:
            problems = [
                (document.line(place), format_path(place), message)
                for place, message in explain(model, error)
            ]
    raise _invalid(path, problems)


def _invalid(path: Path, problems: list[tuple[int, str, str]]) -> InvalidFile:
    return InvalidFile(
        "\n".join(
            f"{path}:{line}: {place}: {message}" if place else f"{path}:{line}: {message}"
            for line, place, message in problems
        )
    )
