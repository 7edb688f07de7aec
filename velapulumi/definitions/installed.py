"""Definitions which installed packages bring along, announced as entry points.

The group of an entry point says the kind, its name the type, its value (``module:attribute``)
where the definition is.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, cast

from velapulumi.definitions.base import Definition, RenderError
from velapulumi.definitions.step import StepDefinition, StepError
from velapulumi.errors import InvalidDefinition, VelapulumiError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "velapulumi.{}"
"""Name of an entry point group; the folder of the kind goes into it."""


@cache
def announced(folder: str) -> dict[str, EntryPoint]:
    """The entry points of a kind by type; reads what all packages say of themselves.

    Args:
        folder: Folder of the kind, such as ``components``.

    Raises:
        InvalidDefinition: Two packages bring the same type.
    """
    from importlib.metadata import entry_points

    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP.format(folder)):
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise InvalidDefinition(
                f"{title(other)} and {title(entry)} define the same type, only one of them can"
            )
    return found


def load(entry: EntryPoint, kind: type[Definition[Any]]) -> Definition[Any]:
    """The definition that an entry point names.

    Raises:
        InvalidDefinition: It cannot be imported, or is no definition of that kind and type.
    """
    try:
        value = entry.load()
    except (Exception, SystemExit) as error:
        cause = f"{type(error).__name__}: {error}"
        raise InvalidDefinition(f"{title(entry)} cannot be imported: {cause}") from error
    return checked(value, kind, entry.name, title(entry))


def checked(
    value: Any, kind: type[Definition[Any]], type_name: str, origin: str
) -> Definition[Any]:
    """A value that has to be the definition of a type; its functions get no traceback.

    Args:
        value: What was found.
        kind: Kind of definition it has to be.
        type_name: Type it has to define.
        origin: Where it was found, for the message.

    Raises:
        InvalidDefinition: It is something else.
    """
    if not isinstance(value, kind):
        found = type(value).__name__
        raise InvalidDefinition(f"{origin} must be a {kind.__name__}, is a {found}")
    if value.type != type_name:
        raise InvalidDefinition(
            f'{origin} defines the type "{value.type}", its own name says "{type_name}"'
        )
    functions = {
        name: _guarded(getattr(value, name), origin)
        for name in ("render", "apply", "act", "target", "health", "check")
        if getattr(value, name, None) is not None
    }
    if isinstance(value, StepDefinition) and (value.act is None) == (value.render is None):
        raise InvalidDefinition(f"{origin} must have act or render, one of them")
    guarded: Definition[Any] = replace(cast(Any, value), **functions)
    return guarded


def _guarded(function: Callable[..., Any], origin: str) -> Callable[..., Any]:
    """A function of a definition whose own mistakes are told as those of the definition."""

    @wraps(function)
    def guarded(*values: Any) -> Any:
        try:
            return function(*values)
        except (RenderError, StepError, VelapulumiError):
            raise
        except Exception as error:
            own = getattr(getattr(function, "__code__", None), "co_filename", "")
            frames = traceback.extract_tb(error.__traceback__)
            frame = next((each for each in reversed(frames) if each.filename == own), frames[-1])
            cause = f"{type(error).__name__}: {error} ({frame.filename}:{frame.lineno})"
            raise InvalidDefinition(f"{origin}: {function.__name__} failed: {cause}") from error

    return guarded


def title(entry: EntryPoint) -> str:
    """An entry point in words."""
    package = f" of package {entry.dist.name}" if entry.dist else ""
    return f"entry point {entry.name} = {entry.value} in {entry.group}{package}"
