"""The gate file: ``<application>.gate.yaml``, the record of revisions and approvals.

It lies beside the stack configuration and is meant to be committed. A run begins when a revision
starts at the first stage; an approval counts for one step of one run of one revision and for
nothing else, so what was approved before an edit, or before going back to an old revision, does
not count again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from velapulumi import files
from velapulumi.errors import InvalidFile
from velapulumi.workflow.revision import ComponentRevision, Revision
from velapulumi.workflow.stages import WorkflowStep


@dataclass(frozen=True)
class RecordedRevision:
    """A revision that was delivered at least to the first stage.

    Attributes:
        revision: The revision.
        created: When it was first delivered, RFC 3339.
        steps: The workflow it has.
    """

    revision: Revision
    created: str
    steps: tuple[WorkflowStep, ...]


@dataclass(frozen=True)
class Approval:
    """One person's yes to one suspend step of one run.

    Attributes:
        step: The suspend step.
        revision: What was approved, ``<application>-v<N>:<hash>``.
        run: The run it was given in.
        by: Who.
        at: When, RFC 3339.
        comment: Why, in their words.
    """

    step: str
    revision: str
    run: int
    by: str
    at: str
    comment: str = ""


@dataclass(frozen=True)
class Gate:
    """What the gate file holds.

    Attributes:
        application: The application.
        current: The revision being delivered, ``<application>-v<N>:<hash>``; empty before the first.
        run: Counts the runs; each change of ``current`` starts one.
        revisions: Every revision so far, oldest first.
        approvals: Every approval so far, oldest first.
    """

    application: str
    current: str = ""
    run: int = 0
    revisions: tuple[RecordedRevision, ...] = ()
    approvals: tuple[Approval, ...] = ()

    @property
    def known(self) -> tuple[Revision, ...]:
        return tuple(recorded.revision for recorded in self.revisions)

    def recorded(self, revision: str) -> RecordedRevision | None:
        """The record of a revision given as ``<name>:<hash>``."""
        for recorded in self.revisions:
            if str(recorded.revision) == revision:
                return recorded
        return None

    def approval(self, step: str, revision: str) -> Approval | None:
        """The approval of a step that counts for this revision in the current run."""
        for approval in reversed(self.approvals):
            if (approval.step, approval.revision, approval.run) == (step, revision, self.run):
                return approval if revision == self.current else None
        return None

    def approver(self, revision: str) -> Callable[[str], bool]:
        """A function that tells whether a step is approved for a revision."""
        return lambda step: self.approval(step, revision) is not None

    def begin(self, revision: Revision, steps: tuple[WorkflowStep, ...]) -> Gate:
        """Make a revision the current one; a no-op when it already is."""
        if self.current == str(revision):
            return self
        revisions = self.revisions
        if self.recorded(str(revision)) is None:
            revisions += (RecordedRevision(revision, now(), steps),)
        return replace(self, current=str(revision), run=self.run + 1, revisions=revisions)

    def approve(self, step: str, *, by: str, comment: str) -> Gate:
        """Record an approval of a step for the current revision and run."""
        approval = Approval(step, self.current, self.run, by, now(), comment)
        return replace(self, approvals=(*self.approvals, approval))


def now() -> str:
    """The time, RFC 3339 in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_gate(path: Path, application: str) -> Gate:
    """Read a gate file; an empty gate when there is none.

    Raises:
        InvalidFile: The file is damaged or belongs to another application.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Gate(application)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFile(f"{path}: {error}") from error
    try:
        document = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidFile(f"{path}:{line}: {error.problem}") from error
    reader = _Reader(path)
    gate = reader.gate(document)
    if gate.application != application:
        raise InvalidFile(f"{path}: application: is {gate.application}, expected {application}")
    return gate


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
        before = read_gate(path, application)
        after = change(before)
        if after != before:
            files.write(path, yaml.safe_dump(_document(after), sort_keys=False, width=120))
    return after


def _document(gate: Gate) -> dict[str, Any]:
    return {
        "apiVersion": "velapulumi.dev/v1",
        "kind": "Gate",
        "application": gate.application,
        "current": gate.current,
        "run": gate.run,
        "revisions": [
            {
                "name": recorded.revision.name,
                "hash": recorded.revision.hash,
                "created": recorded.created,
                "steps": [_step(step) for step in recorded.steps],
                "components": {
                    name: {"revision": component.name, "hash": component.hash}
                    for name, component in recorded.revision.components.items()
                },
            }
            for recorded in gate.revisions
        ],
        "approvals": [dict(vars(approval)) for approval in gate.approvals],
    }


def _step(step: WorkflowStep) -> dict[str, Any]:
    document: dict[str, Any] = {"name": step.name, "type": step.type}
    if step.stage is not None:
        document["stage"] = step.stage
    if step.message:
        document["message"] = step.message
    return document


@dataclass(frozen=True)
class _Reader:
    """Turns the plain document into values, naming the place of whatever is wrong."""

    path: Path
    _missing: object = field(default_factory=object)

    def gate(self, document: Any) -> Gate:
        top = self._map(document, "")
        return Gate(
            application=self._text(top, "application", ""),
            current=self._text(top, "current", ""),
            run=self._number(top, "run", ""),
            revisions=tuple(
                self._revision(entry, f"revisions[{index}]")
                for index, entry in enumerate(self._list(top, "revisions", ""))
            ),
            approvals=tuple(
                self._approval(entry, f"approvals[{index}]")
                for index, entry in enumerate(self._list(top, "approvals", ""))
            ),
        )

    def _revision(self, document: Any, at: str) -> RecordedRevision:
        entry = self._map(document, at)
        components = self._map(entry.get("components") or {}, f"{at}.components")
        return RecordedRevision(
            Revision(
                self._text(entry, "name", at),
                self._text(entry, "hash", at),
                {
                    str(name): ComponentRevision(
                        self._text(self._map(value, f"{at}.components.{name}"), "revision", at),
                        self._text(self._map(value, f"{at}.components.{name}"), "hash", at),
                    )
                    for name, value in components.items()
                },
            ),
            self._text(entry, "created", at),
            tuple(
                self._step(step, f"{at}.steps[{index}]")
                for index, step in enumerate(self._list(entry, "steps", at))
            ),
        )

    def _step(self, document: Any, at: str) -> WorkflowStep:
        entry = self._map(document, at)
        return WorkflowStep(
            self._text(entry, "name", at),
            self._text(entry, "type", at),
            self._text(entry, "stage", at) if "stage" in entry else None,
            self._text(entry, "message", at) if "message" in entry else "",
        )

    def _approval(self, document: Any, at: str) -> Approval:
        entry = self._map(document, at)
        return Approval(
            step=self._text(entry, "step", at),
            revision=self._text(entry, "revision", at),
            run=self._number(entry, "run", at),
            by=self._text(entry, "by", at),
            at=self._text(entry, "at", at),
            comment=self._text(entry, "comment", at) if "comment" in entry else "",
        )

    def _map(self, value: Any, at: str) -> dict[Any, Any]:
        if not isinstance(value, dict):
            raise self._wrong(at or "document", "must be a mapping")
        return value

    def _list(self, entry: dict[Any, Any], key: str, at: str) -> list[Any]:
        value = entry.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._wrong(f"{at}.{key}".lstrip("."), "must be a list")
        return value

    def _text(self, entry: dict[Any, Any], key: str, at: str) -> str:
        value = entry.get(key, self._missing)
        if not isinstance(value, str):
            what = "is missing" if value is self._missing else f"must be a string, is {value!r}"
            raise self._wrong(f"{at}.{key}".lstrip("."), what)
        return value

    def _number(self, entry: dict[Any, Any], key: str, at: str) -> int:
        value = entry.get(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(f"{at}.{key}".lstrip("."), "must be an integer")
        return value

    def _wrong(self, at: str, what: str) -> InvalidFile:
        return InvalidFile(f"{self.path}: {at}: {what}")
