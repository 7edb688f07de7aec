"""What a stack calls its clusters, and which clusters those are.

A stack goes on calling a cluster what it has called it first, its *handle*: the name of the
provider resource. Whoever speaks with the engine translates here; everybody else uses the
canonical names that clusters have now.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from velapulumi.engine.record import StageRecord


def handles_of(record: StageRecord | None, clusters: Iterable[str]) -> dict[str, str]:
    """What the stack calls clusters, by their canonical names.

    Args:
        record: What the stack holds; None before there is one.
        clusters: The clusters that it has objects on, or gets them.
    """
    found = dict(record.handles) if record else {}
    names = sorted(clusters)
    taken = set(found.values())
    for name in names:
        if name not in found:
            # Another cluster may once have had this name in the stack.
            number = next(n for n in itertools.count(1) if _numbered(name, n) not in taken)
            found[name] = _numbered(name, number)
            taken.add(found[name])
    return {name: found[name] for name in names}


def names_of(record: StageRecord | None, clusters: Iterable[str] = ()) -> dict[str, str]:
    """The canonical names of clusters, by what the stack calls them.

    Args:
        record: What the stack holds; None before there is one.
        clusters: Clusters that it gets objects on, beside those that it has some on.
    """
    held = record.entries if record else ()
    found = {handle: name for name, handle in handles_of(record, clusters).items()}
    return found | {entry.handle: entry.cluster for entry in held}


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"
