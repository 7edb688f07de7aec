"""The status as KubeVela's own documents show it: the Application's status and its table row."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from velapulumi.status.report import StageService, Status
from velapulumi.workflow.progress import Phase
from velapulumi.workflow.revision import step_id

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
                "mode": "StepByStep",
                "steps": [
                    {
                        "id": step_id(status.gate.current, status.gate.run, state.step.name),
                        "name": state.step.name,
                        "phase": state.phase,
                        "type": state.step.type,
                    }
                    for state in status.progress.steps
                ],
                "suspend": status.progress.phase is Phase.SUSPENDING,
                "terminated": False,
            },
        },
    }


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
