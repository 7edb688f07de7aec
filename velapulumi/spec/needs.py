"""What parts of an Application need of each other: who waits for whom, and where values go."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Mapping
from typing import TypeVar

from velapulumi.spec.document import Path

Node = TypeVar("Node", bound=Hashable)
Needs = Mapping[Node, Collection[Node]]

_PARAMETER_KEY = re.compile(r"[^.\[\]]+(\.[^.\[\]]+|\[\d{1,3}\])*")
_PARAMETER_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def parameter_path(key: str) -> Path:
    """The path that a ``parameterKey`` such as ``env[0].value`` means; () when it means none."""
    if not _PARAMETER_KEY.fullmatch(key):
        return ()
    parts = _PARAMETER_PART.findall(key)
    return tuple(int(index) if index else name for name, index in parts)


def circle(needs: Needs[Node]) -> list[Node]:
    """Those that wait for each other, in the order given.

    Args:
        needs: By node, the nodes it waits for; each of them is a key too.

    Returns:
        What is left when those that wait for nobody, and those nobody waits for, are taken away
        until there are no more of them; empty when there is no circle.
    """
    return list(_held(_turned(_held(needs)))) if needs else []


def reaches(needs: Needs[Node], start: Node, goal: Node) -> bool:
    """Whether one node waits for another, directly or through others.

    Args:
        needs: By node, the nodes it waits for.
        start: The one that may wait.
        goal: The one that may be waited for.
    """
    seen, open_ = {start}, [start]
    while open_:
        for other in needs.get(open_.pop(), ()):
            if other == goal:
                return True
            if other not in seen:
                seen.add(other)
                open_.append(other)
    return False


def _held(needs: Needs[Node]) -> dict[Node, list[Node]]:
    """What never gets free when those that wait for nobody are taken away again and again."""
    open_ = {node: len(set(wanted)) for node, wanted in needs.items()}
    waiting = _turned(needs)
    free = [node for node, count in open_.items() if not count]
    while free:
        for node in waiting[free.pop()]:
            open_[node] -= 1
            if not open_[node]:
                free.append(node)
    return {
        node: [other for other in wanted if open_[other]]
        for node, wanted in needs.items()
        if open_[node]
    }


def _turned(needs: Needs[Node]) -> dict[Node, list[Node]]:
    """By node, the nodes that wait for it."""
    turned: dict[Node, list[Node]] = {node: [] for node in needs}
    for node, wanted in needs.items():
        for other in set(wanted):
            turned[other].append(node)
    return turned
