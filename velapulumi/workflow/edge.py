"""What a run of a workflow asks of the world, and what the world answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from velapulumi.definitions import Result, StepError
from velapulumi.errors import VelapulumiError
from velapulumi.workflow.entries import Entry
from velapulumi.workflow.rollout import Observation
from velapulumi.workflow.run import Run
from velapulumi.workflow.steps import WorkflowStep


@dataclass(frozen=True)
class Applied:
    """An apply has ended.

    Attributes:
        step: Name of the step.
        changed: Whether anything was changed.
        failed: Why it failed, by cluster.
        again: Whether it has to be repeated, as values are missing that are on the way.
        message: What is waited for then.
    """

    step: str
    changed: bool = False
    failed: Mapping[str, VelapulumiError] = field(default_factory=dict)
    again: bool = False
    message: str = ""


@dataclass(frozen=True)
class Observed:
    """Clusters have been looked at."""

    step: str
    clusters: Mapping[str, Observation]


@dataclass(frozen=True)
class Acted:
    """An acting step has acted; or something went wrong on the way."""

    step: str
    result: Result | StepError


@dataclass(frozen=True)
class Broken:
    """What was to be done for a step could not be done at all."""

    step: str
    error: VelapulumiError


@dataclass(frozen=True)
class Collected:
    """What a stage did not want any more is deleted, or why it is not."""

    stage: str
    changed: bool = False
    error: VelapulumiError | None = None


@dataclass(frozen=True)
class Stopped:
    """An action was stopped half way, since the process is to end."""

    step: str


Outcome = Applied | Observed | Acted | Broken | Collected | Stopped


class Edge(Protocol):
    """What a run does in the world. Actions go on in the background; ``wait`` gives outcomes."""

    def now(self) -> float:
        """The time in seconds since 1970."""

    def wait(self, until: float | None) -> Sequence[Outcome]:
        """Outcomes, as soon as there are any.

        None when it is ``until``, or when approvals and commands are to be looked at again.
        """

    @property
    def stopping(self) -> bool:
        """Whether the process is to end when what is under way has ended."""

    def approved(self, step: str) -> str | None:
        """Who has approved a step for this run; None when nobody has."""

    def commands(self) -> Sequence[Entry]:
        """What others have written into the journal since the last time."""

    def apply(
        self,
        step: WorkflowStep,
        clusters: tuple[str, ...],
        run: Run,
        intent: Callable[[], None],
    ) -> None:
        """Begin to bring a step's objects to clusters.

        Args:
            step: The step.
            clusters: All clusters that shall have the step's objects then.
            run: The run so far.
            intent: To be called before the first change of anything.
        """

    def observe(self, step: WorkflowStep, clusters: tuple[str, ...]) -> None:
        """Begin to look whether everything of a step is healthy on clusters."""

    def act(self, step: WorkflowStep, run: Run) -> None:
        """Begin an acting step."""

    def publish(self, step: WorkflowStep, run: Run) -> None:
        """Begin to read what a delivering step has made, for its ``outputs``; gives ``Acted``."""

    def collectable(self) -> Sequence[str]:
        """The stages which hold what the workflow does not deliver any more."""

    def collect(self, stage: str, intent: Callable[[], None]) -> None:
        """Begin to delete what a stage does not want any more."""


class Watcher(Protocol):
    """Is told how a run goes on."""

    def entry(self, entry: Entry, run: Run) -> None:
        """Something has been noted."""

    def waits(self, step: WorkflowStep, message: str) -> None:
        """A step waits as a whole."""

    def seen(self, step: WorkflowStep, cluster: str, observation: Observation) -> None:
        """A step's objects have been looked at on a cluster."""

    def approved(self, step: WorkflowStep, by: str) -> None:
        """A step was found approved."""


@dataclass(frozen=True)
class Limits:
    """How long things may take, in seconds.

    Attributes:
        patience: How long a cluster may take to get healthy when the step does not say.
        interval: Between two looks at a cluster.
    """

    patience: float = 300.0
    interval: float = 1.0


@dataclass(frozen=True)
class Conclusion:
    """How far a run came.

    Attributes:
        run: The run.
        waiting: The steps that wait for approval.
        changed: Names of the stages that were changed.
        lost: The clusters that delivering steps failed on, by step; within their budget where the
            step has not failed.
        errors: Why steps failed, in their order.
        stopped: Whether it ended before its time.
    """

    run: Run
    waiting: tuple[WorkflowStep, ...] = ()
    changed: tuple[str, ...] = ()
    lost: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    errors: tuple[VelapulumiError, ...] = ()
    stopped: bool = False
