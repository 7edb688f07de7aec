"""What the engine is not to wait for, though it did not get ready."""

from __future__ import annotations

from collections.abc import Iterable

from velapulumi.clusters.identity import unusable
from velapulumi.engine.record import StageRecord
from velapulumi.plan.objects import ObjectKey
from velapulumi.plan.operation import Operation
from velapulumi.stage.operations import Decision
from velapulumi.stage.prepare import Prepared


def kept_unready(decisions: Iterable[Decision]) -> frozenset[ObjectKey]:
    """What did not get ready and only stays: the engine would write it once more.

    Args:
        decisions: What was decided about the objects of a stage.
    """
    return frozenset(
        each.key
        for each in decisions
        if each.facts.recorded is not None
        and not each.facts.recorded.ready
        and each.operation in (Operation.KEEP, Operation.LEAVE, Operation.MEND)
    )


def silent(prepared: Prepared, record: StageRecord | None) -> frozenset[str]:
    """The clusters left out that do not answer and have something that did not get ready.

    Args:
        prepared: The stage.
        record: What its stack holds.
    """
    objects = record.objects if record else ()
    unready = prepared.without & {entry.cluster for entry in objects if not entry.ready}
    return frozenset(unusable(prepared.application.project, unready))
