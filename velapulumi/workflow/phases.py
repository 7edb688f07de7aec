"""Phases of a workflow and of its steps, in KubeVela's words."""

from __future__ import annotations

from enum import StrEnum


class StepPhase(StrEnum):
    """Phases of one step."""

    PENDING = "pending"
    RUNNING = "running"
    SUSPENDING = "suspending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"

    @property
    def finished(self) -> bool:
        """Whether nothing more happens to the step."""
        return self in (StepPhase.SUCCEEDED, StepPhase.FAILED, StepPhase.SKIPPED)


class Reason(StrEnum):
    """Why a step is in its phase."""

    SKIP = "Skip"
    EXECUTE = "Execute"
    SUSPEND = "Suspend"
    TERMINATE = "Terminate"
    PROCESS_PARAMETER = "ProcessParameter"
    OUTPUT = "Output"
    RETRIES = "FailedAfterRetries"
    TIMEOUT = "Timeout"
    ACTION = "Action"


class WorkflowPhase(StrEnum):
    """Phases of a run of a workflow."""

    INITIALIZING = "initializing"
    EXECUTING = "executing"
    SUSPENDING = "suspending"
    TERMINATED = "terminated"
    FAILED = "failed"
    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"


class Phase(StrEnum):
    """Phases of an application."""

    RUNNING_WORKFLOW = "runningWorkflow"
    SUSPENDING = "workflowSuspending"
    TERMINATED = "workflowTerminated"
    FAILED = "workflowFailed"
    RUNNING = "running"
    UNHEALTHY = "unhealthy"
