"""A plan line by line, before it becomes text for a terminal or for a pull request.

Both forms are made of the same parts, so neither says more than the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Level(Enum):
    """What a part is about."""

    TITLE = auto()
    NOTE = auto()
    CLUSTER = auto()
    OBJECT = auto()
    DETAIL = auto()
    VALUE = auto()


@dataclass(frozen=True)
class Part:
    """One line of a plan.

    Attributes:
        level: What it is about.
        text: What it says, as it came from files and clusters; each form makes it printable.
        sign: Stands before the text, such as ``+``.
        colour: Its colour; a pull request shows it as a kind of difference.
        bold: Whether it stands out.
        dim: Whether it stays in the background.
        fields: How many fields of the plan it shows.
    """

    level: Level
    text: str
    sign: str = ""
    colour: str = ""
    bold: bool = False
    dim: bool = False
    fields: int = 0
