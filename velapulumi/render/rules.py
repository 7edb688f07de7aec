"""Which objects the resource policies of an application treat in a special way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rules:
    """The rules of all resource policies of an application."""

    @classmethod
    def of(cls, policies: Iterable[tuple[str, Any]]) -> Rules:
        """The rules of policies, given as type and parameters."""
        return cls()


NO_RULES = Rules()
"""No special treatment for any object."""
