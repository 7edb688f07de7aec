"""The entries of a run's journal: an intent before each action, an outcome after it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from velapulumi.spec.model import Many, StrictModel
from velapulumi.workflow.phases import Reason, StepPhase


class Kind(StrEnum):
    """What an entry tells."""

    BEGIN = "begin"  # a run of a revision begins
    START = "start"  # a step begins
    APPLY = "apply"  # intent: objects of a step are about to be applied on clusters
    APPLIED = "applied"  # outcome of the apply before
    CLUSTER = "cluster"  # a cluster has come to another phase of a step's rollout
    ACT = "act"  # intent: an acting step is about to act
    ERROR = "error"  # an action went wrong and is tried again
    WAIT = "wait"  # an acting step waits and remembers something
    END = "end"  # a step has ended
    SUSPEND = "suspend"  # somebody holds the run
    RESUME = "resume"  # somebody lets it go on
    TERMINATE = "terminate"  # somebody ends it
    RESTART = "restart"  # it starts over from a step
    COLLECT = "collect"  # intent: what is not wanted any more is about to be deleted from a stage
    COLLECTED = "collected"  # outcome of the collect before
    FINISH = "finish"  # all steps have ended and everything is collected
    STOP = "stop"  # the process that runs it stops before the end


class ClusterPhase(StrEnum):
    """Where one cluster stands in the rollout of a step, in Open Cluster Management's words."""

    TO_APPLY = "ToApply"
    PROGRESSING = "Progressing"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    TIMED_OUT = "TimeOut"

    @property
    def lost(self) -> bool:
        """Whether the cluster counts as a failure."""
        return self in (ClusterPhase.FAILED, ClusterPhase.TIMED_OUT)


class Entry(StrictModel):
    """One entry. Which fields it has depends on its kind.

    Attributes:
        at: When, in seconds since 1970.
        kind: What it tells.
        step: Name of the step (of the stage, for what is collected).
        steps: Names of the steps that start over.
        clusters: Names of the clusters it is about.
        failed: On which of them it failed, and why.
        again: Whether the apply has to be repeated, as values are missing that are on the way.
        cluster: The new phase of the clusters.
        healthy: Since when the clusters have been seen healthy without a break; 0 if they are not.
        phase: The phase a step or (``finish``) a run ended in.
        reason: Why.
        message: In words.
        values: What the step publishes, by name.
        memory: What a waiting step remembers.
        revision: What is being run, ``<application>-v<N>:<hash>``.
        run: The run's number.
        by: Who.
        samples: How often a delivering step was seen healthy before it ended.
    """

    at: float
    kind: Kind
    step: str = ""
    steps: Many[str] = ()
    clusters: Many[str] = ()
    failed: dict[str, str] = {}  # noqa: RUF012
    again: bool = False
    cluster: ClusterPhase | None = None
    healthy: float = 0
    phase: StepPhase | None = None
    reason: Reason | None = None
    message: str = ""
    values: dict[str, Any] = {}  # noqa: RUF012
    memory: dict[str, Any] = {}  # noqa: RUF012
    revision: str = ""
    run: int = 0
    by: str = ""
    samples: int = 0
