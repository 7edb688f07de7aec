"""The steps of a workflow as the run of it sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ConfigDict, Field

from velapulumi.render.targets import DEPLOY
from velapulumi.spec import GROUP, Input, Order, Output, Step, StrictModel, SubStep
from velapulumi.spec.durations import parse_duration
from velapulumi.spec.model import Many

SUSPEND = "suspend"


class WorkflowStep(StrictModel):
    """One step.

    Attributes:
        name: Its name, unique in the workflow.
        type: Its type, such as ``deploy`` or ``suspend``.
        stage: The stage a delivering step delivers to; None when it delivers nothing.
        clusters: The clusters it delivers to.
        message: What is said to whoever may go on.
        parallel: Whether a delivering step applies its components without waiting for each other.
        approval: Whether a delivering step waits for approval before it begins.
        parallelism: How many objects a ``deploy`` step applies at once; 0 for as many as can be.
        condition: When it runs (``if``): empty, ``always``, or an expression.
        timeout: Seconds after which it has failed; 0 for never.
        depends_on: Names of the steps of its level that must end before it.
        inputs: Values of other steps it takes.
        outputs: Values it publishes.
        duration: Seconds after which a suspend step goes on by itself; None for never.
        group: Name of the group it is a sub-step of; empty for a step of the workflow itself.
        ordered: Whether it waits for all steps before it on its level.
        idle: Whether it has nothing to do, as its topology leads to no cluster.
    """

    model_config = ConfigDict(populate_by_name=True)

    name: str
    type: str
    stage: str | None = None
    clusters: Many[str] = ()
    message: str = ""
    parallel: bool = False
    approval: bool = False
    parallelism: int = 0
    condition: str = Field("", alias="if")
    timeout: float = 0
    depends_on: Many[str] = Field((), alias="dependsOn")
    inputs: Many[Input] = ()
    outputs: Many[Output] = ()
    duration: float | None = None
    group: str = ""
    ordered: bool = True
    idle: bool = False

    @property
    def gate(self) -> bool:
        """Whether it waits until somebody approves."""
        return self.approval or self.type == SUSPEND

    @property
    def acts(self) -> bool:
        """Whether it does something that is no delivery."""
        return self.stage is None and not self.idle and self.type not in (SUSPEND, GROUP)


def read_steps(steps: Sequence[Step], mode: Order, sub_mode: Order) -> Iterator[WorkflowStep]:
    """The steps of a workflow in file order, each group before its sub-steps; stages not told yet.

    Args:
        steps: The steps, checked.
        mode: In which order steps run.
        sub_mode: In which order sub-steps run, unless their group says otherwise.
    """
    for step in steps:
        yield _read(step, "", mode)
        for sub_step in step.sub_steps:
            yield _read(sub_step, step.name, step.mode or sub_mode)


def _read(step: SubStep, group: str, mode: Order) -> WorkflowStep:
    properties: dict[str, Any] = step.properties
    approval = step.type == DEPLOY and properties.get("auto") is False
    message = f'Waiting approval to the deploy step "{step.name}"' if approval else ""
    duration = properties.get("duration") if step.type == SUSPEND else None
    if step.type == SUSPEND:
        message = str(properties.get("message") or "")
    return WorkflowStep(
        name=step.name,
        type=step.type,
        message=message,
        parallel=step.type == DEPLOY or bool(properties.get("parallel", False)),
        approval=approval,
        parallelism=(properties.get("parallelism") or 0) if step.type == DEPLOY else 0,
        condition=step.if_,
        timeout=parse_duration(step.timeout) if step.timeout else 0,
        depends_on=step.depends_on,
        inputs=step.inputs,
        outputs=step.outputs,
        duration=parse_duration(str(duration)) if duration is not None else None,
        group=group,
        ordered=mode == "StepByStep",
    )
