"""The status as KubeVela's own documents show it: the Application's status and its table row."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from velapulumi.clusters.managed import described
from velapulumi.clusters.secrecy import HIDDEN, is_secret_value
from velapulumi.plan.fields import FieldChange, written
from velapulumi.render.targets import DEPLOY2ENV
from velapulumi.stage.secrets import hidden
from velapulumi.stage.sides import DriftedField
from velapulumi.status.drift import Drifted
from velapulumi.status.report import StageService, Status
from velapulumi.workflow.phases import Phase, StepPhase, WorkflowPhase
from velapulumi.workflow.progress import StepState
from velapulumi.workflow.revision import step_id
from velapulumi.workflow.steps import SUSPEND, WorkflowStep

_OVER = (WorkflowPhase.SUCCEEDED, WorkflowPhase.FAILED, WorkflowPhase.TERMINATED)

COLUMNS = ("NAME", "COMPONENT", "TYPE", "PHASE", "HEALTHY", "STATUS", "AGE")


def status_document(status: Status) -> dict[str, Any]:
    """The ``Application`` with its status, as the releases with env-binding write it.

    With a health policy each service names it as its scope, and its message ends in a blank, as
    the health scope's own checker wrote it.
    """
    return {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": status.application, "namespace": status.namespace},
        "status": {
            "services": [_service(status, entry) for entry in status.services],
            "status": str(status.progress.phase),
            "workflow": {
                "appRevision": status.gate.current,
                "mode": _mode(status.standing.steps),
                "steps": [
                    _step(status, state) for state in status.progress.steps if not state.step.group
                ],
                "suspend": status.progress.phase is Phase.SUSPENDING,
                "terminated": status.progress.phase is Phase.TERMINATED,
                **_course(status),
            },
            **({"drift": [_drifted(each) for each in status.drift]} if status.drift else {}),
        },
    }


def _drifted(each: Drifted) -> dict[str, Any]:
    key = each.key
    document: dict[str, Any] = {
        "env": each.stage,
        "cluster": key.cluster,
        "kind": key.kind,
        "namespace": key.namespace,
        "name": key.name,
    }
    if each.absent:
        document["deleted"] = True
    if each.taken_by:
        document["takenBy"] = each.taken_by
    if each.is_another:
        document["replacedByOthers"] = True
    if each.fields:
        document["fields"] = [
            {
                "path": written(field.path),
                "live": shown(key.kind, field)[0],
                "delivered": shown(key.kind, field)[1],
                "managers": list(described(field.managers)),
            }
            for field in each.fields
        ]
    return document | ({"errors": list(each.errors)} if each.errors else {})


def shown(kind: str, field: DriftedField) -> tuple[Any, Any]:
    """The live and the delivered value of a field, without what nobody may see.

    Whether a value of a Secret is another one is not known: its stack keeps it encrypted.
    """
    if is_secret_value(kind, field.path):
        return None if field.live is None else HIDDEN, HIDDEN
    change = FieldChange(field.path, field.live, field.desired)
    (found,) = hidden(kind, [change])
    return found.before, found.after


def status_row(status: Status, now: datetime) -> tuple[str, ...]:
    """One row under ``COLUMNS``: like ``kubectl``, the first component stands for all."""
    first = status.services[0].service if status.services else None
    return (
        status.application,
        first.name if first else "",
        first.type if first else "",
        str(status.progress.phase),
        str(first.healthy).lower() if first else "",
        first.message.strip() if first else "",
        age(now - datetime.fromisoformat(status.created)),
    )


def moment(seconds: float) -> str:
    """A time in seconds since 1970 as the project's files write it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def age(span: timedelta) -> str:
    """A span in the short form of ``kubectl``: ``62s``, ``5m10s``, ``3h20m``, ``12d``."""
    seconds = max(int(span.total_seconds()), 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    return f"{days}d"


def _mode(steps: Sequence[WorkflowStep]) -> str:
    """In which order steps run and, where there are any, their sub-steps."""
    levels = ([s for s in steps if not s.group], [s for s in steps if s.group])
    modes = (
        "StepByStep" if all(step.ordered for step in level) else "DAG" for level in levels if level
    )
    return "-".join(modes)


def _course(status: Status) -> dict[str, Any]:
    """How the run goes, which the releases with env-binding do not tell."""
    if _is_old(status):
        return {}
    run, over = status.standing.run, status.progress.workflow in _OVER
    times = {"startTime": run.began, "endTime": run.ended if over else None}
    told = {key: moment(seconds) for key, seconds in times.items() if seconds is not None}
    return {"finished": over, **told}


def _is_old(status: Status) -> bool:
    """Whether the releases with env-binding know such a workflow, so that it is shown as theirs."""
    return all(
        step.type in (DEPLOY2ENV, SUSPEND) and step.ordered and step.duration is None
        for step in status.standing.steps
    )


def _step(status: Status, state: StepState) -> dict[str, Any]:
    """A step with its sub-steps and with what is said of it.

    The releases with env-binding call a step that waits for approval succeeded, and say no more.
    """
    step, run = state.step, state.run
    silent = _is_old(status) and state.phase is StepPhase.SUSPENDING
    document: dict[str, Any] = {
        "id": step_id(status.gate.current, status.gate.run, step.name),
        "name": step.name,
        "phase": str(StepPhase.SUCCEEDED if silent else state.phase),
        "type": step.type,
    }
    if not silent:
        told = {"message": run.message, "reason": str(run.reason or "")}
        document |= {key: text for key, text in told.items() if text}
    parts = [each for each in status.progress.steps if each.step.group == step.name]
    if parts:
        document["subSteps"] = [_step(status, part) for part in parts]
    return document


def _service(status: Status, entry: StageService) -> dict[str, Any]:
    service = entry.service
    document: dict[str, Any] = {
        "env": entry.stage,
        "healthy": service.healthy,
        "message": service.message,
        "name": service.name,
        "workloadDefinition": {"apiVersion": service.api_version, "kind": service.kind},
    }
    if status.health:
        name = f"{status.namespace}/{status.application}/{status.health}"
        document["message"] = f"{service.message} " if service.message else ""
        document["scopes"] = [
            {
                "apiVersion": "core.oam.dev/v1alpha2",
                "kind": "HealthScope",
                "name": status.health,
                "namespace": status.namespace,
                "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"velapulumi:{name}")),
            }
        ]
    if entry.traits:
        document["traits"] = [{"healthy": service.healthy, "type": trait} for trait in entry.traits]
    return document
