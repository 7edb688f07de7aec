"""A row of the decision table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from velapulumi.plan.operation import Cause, Operation
from velapulumi.stage.situation import Reason, Situation


class NoRow(Exception):
    """No row of the table fits, which a test over all situations rules out."""


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        when: Column and value; a tuple of values stands for any of them.
        operation: What happens then.
        cause: Why, where it does not go without saying.
        reason: Why it is refused.
        note: What people see.
    """

    when: Mapping[str, Any]
    operation: Operation
    cause: Cause | None = None
    reason: Reason | None = None
    note: str = field(default="", compare=False)

    def fits(self, situation: Situation) -> bool:
        """Whether the row says what happens in a situation."""
        return all(
            getattr(situation, name) in value
            if isinstance(value, tuple)
            else getattr(situation, name) == value
            for name, value in self.when.items()
        )


def refuse(reason: Reason, **when: Any) -> Row:
    """A row that refuses.

    Args:
        reason: Why.
        when: Column and value, as in ``Row``.
    """
    return Row(when, Operation.REFUSE, reason=reason, note=str(reason))


def row(operation: Operation, cause: Cause | None = None, note: str = "", **when: Any) -> Row:
    """A row with an operation.

    Args:
        operation: What happens.
        cause: Why, where it does not go without saying.
        note: What people see.
        when: Column and value, as in ``Row``.
    """
    return Row(when, operation, cause, note=note)
