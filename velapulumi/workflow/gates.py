"""Which gate guards which delivering step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from velapulumi.workflow.rules import waits_for
from velapulumi.workflow.run import Run
from velapulumi.workflow.steps import SUSPEND, WorkflowStep

Governed = Callable[[str, tuple[str, ...]], bool]
"""Tells by a stage's name and its clusters whether a policy asks for approvals of it."""


def clusters_of(steps: Sequence[WorkflowStep], stage: str) -> tuple[str, ...]:
    """The clusters that the steps of a stage deliver to, each once.

    Args:
        steps: The steps of the workflow.
        stage: The stage.
    """
    found = (name for step in steps if step.stage == stage for name in step.clusters)
    return tuple(dict.fromkeys(found))


def guards(steps: Sequence[WorkflowStep], step: WorkflowStep) -> tuple[WorkflowStep, ...]:
    """The gates whose approval is one of what a delivering step does, in order.

    That is the step itself where it waits for approval, else the last gates before it: what was
    approved at an earlier one is done by then.

    Args:
        steps: The steps of the workflow.
        step: The delivering step.
    """
    if step.gate:
        return (step,)
    before = waits_for(steps, step)
    gates = [each for each in steps if each.gate and each.name in before]
    passed = frozenset[str]().union(*(waits_for(steps, gate) for gate in gates))
    return tuple(gate for gate in gates if gate.name not in passed)


def sure_gates(steps: Sequence[WorkflowStep], step: WorkflowStep) -> tuple[WorkflowStep, ...]:
    """The gates that surely come before a step, in order: those that no condition may skip.

    Args:
        steps: The steps of the workflow.
        step: The step.
    """
    before = waits_for(steps, step)
    conditional = {each.name for each in steps if each.condition}
    return tuple(
        each
        for each in steps
        if each.gate and each.name in before and conditional.isdisjoint((each.name, each.group))
    )


def opened(steps: Sequence[WorkflowStep], gate: str) -> tuple[WorkflowStep, ...]:
    """The delivering steps which a gate guards, in order.

    Args:
        steps: The steps of the workflow.
        gate: The gate's name.
    """
    return tuple(
        step
        for step in steps
        if step.stage is not None and any(each.name == gate for each in guards(steps, step))
    )


def healthy_since(steps: Sequence[WorkflowStep], run: Run, gate: str) -> float | None:
    """Since when all that is delivered before a gate has been seen healthy, as the journal tells.

    Args:
        steps: The steps of the workflow.
        run: The run.
        gate: The gate's name.

    Returns:
        Seconds since 1970; None when something is not, or nothing is delivered before.
    """
    step = next((each for each in steps if each.name == gate), None)
    before = waits_for(steps, step) if step else frozenset()
    ended = [run.step(s.name).ended for s in steps if s.stage is not None and s.name in before]
    times = [at for at in ended if at is not None]
    return max(times) if times and len(times) == len(ended) else None


def guarded(steps: Sequence[WorkflowStep], governed: Governed) -> tuple[WorkflowStep, ...]:
    """The steps of a workflow so that no stage under a policy is reached without its approval.

    A delivering step with no gate that surely comes before it waits for approval itself, and a gate
    before such a step does not open by itself in time.

    Args:
        steps: The steps.
        governed: Tells whether a policy asks for approvals of a stage.
    """
    return tuple(_guarded(steps, governed))


def _guarded(steps: Sequence[WorkflowStep], governed: Governed) -> Iterator[WorkflowStep]:
    under = {
        step.stage
        for step in steps
        if step.stage is not None and governed(step.stage, clusters_of(steps, step.stage))
    }
    conditional = {step.name for step in steps if step.condition}
    for step in steps:
        if step.stage in under:
            sure = (
                gate is step or conditional.isdisjoint((gate.name, gate.group))
                for gate in guards(steps, step)
            )
            if not any(sure):
                message = f"Waiting approval to the step {step.name}"
                step = step.model_copy(update={"approval": True, "message": message})
        elif (
            step.type == SUSPEND
            and step.duration is not None
            and any(each.stage in under for each in opened(steps, step.name))
        ):
            step = step.model_copy(update={"duration": None})
        yield step
