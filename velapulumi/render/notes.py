"""What is found while an application is loaded: problems, warnings, obstacles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from velapulumi.spec import Finding, Path


@dataclass
class Notes:
    """What is found on the way.

    Attributes:
        findings: Problems as path and message.
        warnings: What a person should know.
        obstacles: What is asked for and ``up`` cannot do yet, as path and message.
    """

    findings: list[Finding] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    obstacles: list[Finding] = field(default_factory=list)
    _invalid: set[Path] = field(default_factory=set)

    def problems_of(self, path: Path, problems: Iterable[Finding]) -> None:
        """Note problems of properties."""
        found = [((*path, "properties", *place), message) for place, message in problems]
        self.findings += found
        self._invalid.update(place for place, _ in found)

    def problem(self, path: Path, message: str) -> None:
        """Note a problem, unless its place or one above is known to be invalid anyway."""
        if message and not any(path[:end] in self._invalid for end in range(len(path) + 1)):
            self.findings.append((path, message))
