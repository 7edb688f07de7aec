"""A delivery as JSON Lines on stdout, one event a line.

Every line has a ``type`` and a ``time`` (RFC 3339). Entries of the journal keep their fields, with
their kind as the type; also those are told which only repeat what the journal has already. The
other types are ``begins``, ``warning``, ``planned``, ``progress``, ``seen``, ``waits``,
``approved`` and, always as the last line, ``summary``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import RLock
from typing import Any

from velapulumi.cli.line import write_data
from velapulumi.cli.progress.summary import Summary, break_off
from velapulumi.errors import VelapulumiError
from velapulumi.plan.document import PlannedField, PlannedObject, StagePlan
from velapulumi.plan.fields import written
from velapulumi.plan.operation import Operation
from velapulumi.program.application import Application
from velapulumi.workflow.entries import Entry, Kind
from velapulumi.workflow.rollout import Observation
from velapulumi.workflow.run import Run
from velapulumi.workflow.steps import WorkflowStep


class JsonLines:
    """Tells a delivery as JSON Lines. Called from several threads, and from a signal handler.

    What is seen or waited for is told when it is another thing than before.

    Args:
        write: Writes a line.
        clock: Tells seconds since 1970.
    """

    def __init__(
        self,
        write: Callable[[str], None] = write_data,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._write = write
        self._clock = clock
        self._lock = RLock()
        self._last: dict[tuple[str, ...], dict[str, Any]] = {}
        self._application: Application | None = None
        self._run = Run()
        self._changed: dict[str, None] = {}

    def warning(self, text: str) -> None:
        self._tell("warning", text=text)

    def planned(self, title: str, plan: StagePlan) -> None:
        changes = [
            _change(cluster.cluster, each) for cluster in plan.clusters for each in cluster.changed
        ]
        self._tell("planned", title=title, changes=changes)

    def progress(self, title: str, text: str) -> None:
        self._tell("progress", title=title, text=text)

    def begins(self, application: Application) -> None:
        with self._lock:
            self._application, self._run = application, application.run
            self._tell(
                "begins",
                application=application.name,
                namespace=application.loaded.application.namespace,
                revision=str(application.revision),
                run=application.run.number,
            )

    def ends(self) -> None:
        """The summary is the end."""

    def entry(self, entry: Entry, run: Run) -> None:
        with self._lock:
            self._run = run
            self._note_change(entry)
            fields = entry.model_dump(mode="json", exclude_defaults=True, exclude={"at", "kind"})
            if entry.healthy:
                fields["healthy"] = _moment(entry.healthy)
            self._tell_at(entry.at, entry.kind, fields)

    def waits(self, step: WorkflowStep, message: str) -> None:
        self._tell_new("waits", step.name, step=step.name, message=message)

    def seen(self, step: WorkflowStep, cluster: str, observation: Observation) -> None:
        self._tell_new(
            "seen",
            step.name,
            cluster,
            step=step.name,
            cluster=cluster,
            healthy=observation.healthy,
            message=observation.message,
        )

    def approved(self, step: WorkflowStep, by: str) -> None:
        self._tell("approved", step=step.name, by=by)

    def concluded(self, summary: Summary) -> None:
        self._tell("summary", **_summary(summary))

    def failed(self, error: VelapulumiError) -> None:
        """Tell how far it came before an error, and the error."""
        with self._lock:
            summary = Summary(exit_code=error.exit_code)
            if self._application:
                summary = break_off(self._application, self._run, self._changed, error.exit_code)
            told = {"code": error.code, "message": error.message, "next": error.next_step}
            self._tell("summary", **_summary(summary), error=told)

    def _note_change(self, entry: Entry) -> None:
        assert self._application
        if entry.kind is Kind.APPLY:
            self._changed[self._application.workflow.step(entry.step).stage or ""] = None
        elif entry.kind is Kind.COLLECT:
            self._changed[entry.step] = None

    def _tell_new(self, kind: str, *about: str, **fields: Any) -> None:
        with self._lock:
            if self._last.get((kind, *about)) != fields:
                self._last[kind, *about] = fields
                self._tell(kind, **fields)

    def _tell(self, kind: str, **fields: Any) -> None:
        self._tell_at(self._clock(), kind, fields)

    def _tell_at(self, at: float, kind: str, fields: dict[str, Any]) -> None:
        with self._lock:
            self._write(json.dumps({"type": str(kind), "time": _moment(at), **fields}))


def _moment(seconds: float) -> str:
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


_ACTIONS = {
    Operation.MEND: "update",
    Operation.REPLACE: "update",
    Operation.TAKE_OVER: "update",
    Operation.HAND_OVER: "update",
    Operation.DISOWN: "leave",
}
"""What earlier versions called an operation."""


def _change(cluster: str, each: PlannedObject) -> dict[str, Any]:
    document: dict[str, Any] = {
        "action": _ACTIONS.get(each.operation, str(each.operation)),
        "operation": str(each.operation),
        "cluster": cluster,
        "namespace": each.namespace,
        "apiVersion": each.api_version,
        "kind": each.kind,
        "name": each.name,
    }
    further = {
        "cause": each.cause and str(each.cause),
        "other": each.other,
        "fields": [_field(field) for field in each.fields],
        "drift": [_drifted(field) for field in each.drift],
        "irreversible": list(each.irreversible),
        "refusal": each.refusal and each.refusal.model_dump(mode="json"),
        "notes": list(each.notes),
        "remarks": list(each.remarks),
    }
    return document | {key: value for key, value in further.items() if value}


def _field(field: PlannedField) -> dict[str, Any]:
    return {"path": written(field.path), "before": field.before, "after": field.after}


def _drifted(field: PlannedField) -> dict[str, Any]:
    return {**_field(field), "left": field.left, "managers": list(field.managers)}


def _summary(summary: Summary) -> dict[str, Any]:
    return {
        "phase": str(summary.phase),
        "revision": summary.revision,
        "changed": list(summary.changed),
        "waiting": [
            {"step": step.name, **({"message": step.message} if step.message else {})}
            for step in summary.waiting
        ],
        "lost": {step: list(clusters) for step, clusters in summary.lost.items()},
        "exit": summary.exit_code,
    }
