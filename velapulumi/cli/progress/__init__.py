"""How a delivery is told while it goes on: in lines, live on a terminal, or as JSON Lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Protocol, TextIO

from velapulumi.cli.progress.jsonl import JsonLines
from velapulumi.cli.progress.lines import Lines
from velapulumi.cli.progress.summary import Summary, conclude
from velapulumi.delivery.deliver import Reporter
from velapulumi.errors import VelapulumiError

__all__ = ["Display", "Summary", "conclude", "display_for"]


class Display(Reporter, Protocol):
    """Is told how a delivery goes on, and how it ends."""

    def concluded(self, summary: Summary) -> None:
        """It came to its end, or to where somebody has to decide."""

    def failed(self, error: VelapulumiError) -> None:
        """It was ended by an error."""


def display_for(output: str) -> Display:
    """The display for a kind of output.

    Args:
        output: ``json``, or ``table`` for what suits stderr.
    """
    if output == "json":
        return JsonLines()
    if not is_live(sys.stderr, os.environ):
        return Lines()
    from velapulumi.cli.progress.live import Live

    return Live()


def is_live(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether rows can change in place on a stream: on a terminal that can do so, in colours."""
    able = environment.get("TERM", "") not in ("", "dumb", "unknown")
    wanted = not environment.get("NO_COLOR")
    readable = (stream.encoding or "").lower().startswith("utf")
    return stream.isatty() and able and wanted and readable
