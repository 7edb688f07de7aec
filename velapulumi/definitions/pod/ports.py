"""Numbers and names of ports."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field

from velapulumi.definitions.base import RenderError

PortNumber = Annotated[int, Field(ge=1, le=65535)]
"""A port of TCP, UDP or SCTP."""

_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?", re.ASCII)


def _port_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            f'"{value}" is not a name of a port: use up to 15 lower-case letters, digits '
            "and single dashes, a letter among them, no dash at the ends"
        )
    return value


PortName = Annotated[str, AfterValidator(_port_name)]
"""The name of a container's port."""


def check_unlike(names: Iterable[str], field: str = "ports") -> None:
    """Check that no two ports have one name.

    Args:
        names: The names in order, given or made.
        field: Name of the parameter which lists the ports.

    Raises:
        RenderError: Two have.
    """
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            message = f"an earlier port is named {name} too: give one of them another name"
            raise RenderError((field, index), message)
        seen.add(name)
