"""A plan as Markdown, for a pull request.

What comes from files and clusters stands in fences, where it can be neither a link nor a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from velapulumi.cli.plans.part import Level, Part
from velapulumi.cli.plans.stages import plan_parts
from velapulumi.cli.plans.values import printable
from velapulumi.plan.document import PlanDocument

# How forges colour the lines of a difference: green, red, orange and grey.
_PREFIXES = {"green": "+", "red": "-", "yellow": "!", "magenta": "!", "cyan": "#"}


def markdown(plan: PlanDocument, *, full: bool = False) -> Iterator[str]:
    """A plan, line by line; it says the same as on a terminal.

    Args:
        plan: The plan.
        full: Whether to show all content of what is made, and how many fields that are.
    """
    yield f"### {_escaped(f'Plan {plan.digest[:12]}: {plan.revision}')}"
    yield ""
    yield f"`sha256:{plan.digest}`"
    for is_title, parts in groupby(
        plan_parts(plan, full=full), lambda part: part.level is Level.TITLE
    ):
        if not is_title:
            yield ""
            yield from _fenced(map(_diff, parts))
            continue
        for part in parts:
            yield ""
            yield f"#### {_escaped(part.text)}" if part.bold else _escaped(part.text)


def _fenced(lines: Iterable[str]) -> Iterator[str]:
    held = list(lines)
    longest = max((len(run) for line in held for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}diff"
    yield from held
    yield fence


def _diff(part: Part) -> str:
    if part.level is Level.CLUSTER:
        return f"@@ {printable(part.text)} @@"
    prefix = _PREFIXES.get(part.colour, " ")
    sign = f"{part.sign} " if part.sign and part.sign != prefix else ""
    indentation = " " * {Level.DETAIL: 4, Level.VALUE: 6}.get(part.level, 0)
    return f"{prefix} {indentation}{sign}{printable(part.text)}".rstrip()


def _escaped(text: str) -> str:
    """A text in which nothing is a sign of Markdown."""
    return re.sub(r"([\\`*_\[\]<>&#|~])", r"\\\1", printable(text))
