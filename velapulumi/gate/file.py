"""The gate file: ``<application>.gate.yaml``, the record of revisions and runs.

It lies beside the stack configuration and is meant to be committed. A run begins when a revision
starts at the first stage; an approval in the ledger counts for one gate of one run of one revision
and for nothing else, so what was approved before an edit, or before going back to an old revision,
does not count again.

The file is not signed, so whoever can write it could begin an old run again. The numbers of runs
never come back all the same: where the ledger beside it tells of a later run, a new one begins.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field

from velapulumi import files
from velapulumi.documents import read_file
from velapulumi.errors import InvalidFile
from velapulumi.gate.ledger import read_ledger
from velapulumi.spec.model import Many, StrictModel
from velapulumi.workflow.revision import Revision
from velapulumi.workflow.steps import WorkflowStep


def _check_time(text: str) -> str:
    try:
        if datetime.fromisoformat(text).tzinfo is not None:
            return text
    except ValueError:
        pass
    raise ValueError(f"must be a time such as 2026-01-31T12:00:00Z, is {text!r}")


class RecordedRevision(StrictModel):
    """A revision that was delivered at least to the first stage.

    Attributes:
        revision: The revision.
        created: When it was first delivered, RFC 3339.
        steps: The workflow it has.
    """

    revision: Revision
    created: Annotated[str, AfterValidator(_check_time)]
    steps: Many[WorkflowStep]


class Gate(StrictModel):
    """What the gate file holds.

    Attributes:
        application: The application.
        current: The revision being delivered, empty before the first.
        run: Counts the runs; each change of ``current`` starts one.
        revisions: Every revision so far, oldest first.
    """

    api_version: Literal["velapulumi.dev/v1"] = Field("velapulumi.dev/v1", alias="apiVersion")
    kind: Literal["Gate"] = "Gate"
    application: str
    current: str = ""
    run: int = 0
    revisions: Many[RecordedRevision] = ()

    @property
    def known(self) -> tuple[Revision, ...]:
        return tuple(recorded.revision for recorded in self.revisions)

    def recorded(self, revision: str) -> RecordedRevision | None:
        """The record of a revision given as ``<name>:<hash>``."""
        for recorded in self.revisions:
            if str(recorded.revision) == revision:
                return recorded
        return None

    def begin(self, revision: Revision, steps: tuple[WorkflowStep, ...]) -> Gate:
        """Make a revision the current one; a no-op when it already is."""
        if self.current == str(revision):
            return self
        revisions = self.revisions
        if self.recorded(str(revision)) is None:
            revisions += (RecordedRevision(revision=revision, created=files.now(), steps=steps),)
        return self.model_copy(
            update={"current": str(revision), "run": self.run + 1, "revisions": revisions}
        )

    def restart(self) -> Gate:
        """Begin another run of the current revision; earlier approvals do not count in it."""
        return self.model_copy(update={"run": self.run + 1})

    def after(self, run: int) -> Gate:
        """The gate with a new run of its revision, if a later run than its own is known.

        Args:
            run: The last run that is known.
        """
        if self.run >= run:
            return self
        return self.model_copy(update={"run": run + 1 if self.current else run})


def read_gate(path: Path, application: str) -> Gate:
    """Read a gate file; an empty gate when there is none.

    Raises:
        InvalidFile: It or the ledger beside it is damaged or belongs to another application.
    """
    return _written(path, application).after(_last_run(path, application))


def _written(path: Path, application: str) -> Gate:
    gate = read_file(path, Gate)
    if gate is None:
        return Gate(application=application)
    if gate.application != application:
        raise InvalidFile(f"{path}: application: is {gate.application}, expected {application}")
    return gate


def _last_run(path: Path, application: str) -> int:
    """The last run that the ledger beside a gate file tells of; 0 for none."""
    ledger = read_ledger(path.with_name(f"{application}.ledger.jsonl"), application)
    return max((line.entry.run for line in ledger.lines), default=0)


def update_gate(path: Path, application: str, change: Callable[[Gate], Gate]) -> Gate:
    """Read a gate file, change it and write it back, alone.

    Args:
        path: The file.
        application: Whose gate it is.
        change: Gives the new gate from the one that is there; the same one writes nothing.

    Raises:
        InvalidFile: The file is damaged.
        VelapulumiError: It cannot be written; the old one is untouched.
    """
    with files.locked(path.with_name(f".{path.name}.lock")):
        before = _written(path, application)
        after = change(before.after(_last_run(path, application)))
        if after != before:
            files.write(path, yaml.safe_dump(_document(after), sort_keys=False, width=120))
    return after


def _document(gate: Gate) -> dict[str, Any]:
    head = {"apiVersion": gate.api_version, "kind": gate.kind}
    return head | gate.model_dump(mode="json", by_alias=True, exclude_defaults=True)
