"""When a step may begin: order, dependencies, inputs and conditions (KubeVela's rules).

Source: KubeVela's workflow engine, as the reference of this project describes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from velapulumi.spec import (
    ALWAYS,
    CONDITION_ROOTS,
    GROUP,
    InvalidExpression,
    NotThere,
    condition,
    parse_expression,
)
from velapulumi.workflow.phases import Reason, StepPhase
from velapulumi.workflow.run import Run, StepRun
from velapulumi.workflow.steps import WorkflowStep


class Verdict(Enum):
    """What becomes of a step that has not begun."""

    WAIT = "waits for others"
    GO = "begins"
    SKIP = "is skipped"
    FAIL = "has failed"


@dataclass(frozen=True)
class Judgement:
    """A verdict and why."""

    verdict: Verdict
    message: str = ""


def judge(
    steps: Sequence[WorkflowStep],
    run: Run,
    step: WorkflowStep,
    before: frozenset[str],
    context: Mapping[str, Any],
) -> Judgement:
    """What becomes of a step that has not begun.

    Args:
        steps: All steps of the workflow.
        run: What has become of them so far.
        step: The step.
        before: What must have ended before it, as ``waits_for`` gives it.
        context: What conditions know as ``context``.
    """
    if step.group and run.step(step.group).phase is not StepPhase.RUNNING:
        phase = run.step(step.group).phase
        return Judgement(Verdict.SKIP if phase.finished else Verdict.WAIT)
    makers = _makers(steps, step)
    for name, maker in makers.items():
        if name not in run.values and not (maker and run.step(maker).phase.finished):
            return Judgement(Verdict.WAIT, f"Pending on Input: {name}")
    open_ = [name for name in before if not run.step(name).phase.finished]
    if open_:
        near = [name for name in (*step.depends_on, *_earlier(steps, step)) if name in open_]
        return Judgement(Verdict.WAIT, f"Pending on DependsOn: {min(near or open_)}")
    if step.condition == ALWAYS:
        return Judgement(Verdict.GO)
    if step.condition:
        return _by_condition(run, step, context)
    needed = [*step.depends_on, *(maker for maker in makers.values() if maker)]
    if needed:
        well = all(_succeeded(steps, run, name, set()) for name in needed)
    else:
        phases = [run.step(name).phase for name in _earlier(steps, step)]
        well = all(phase in (StepPhase.SUCCEEDED, StepPhase.SKIPPED) for phase in phases)
    return Judgement(Verdict.GO if well else Verdict.SKIP)


def group_phase(members: Sequence[StepRun]) -> StepPhase:
    """The phase of a group whose sub-steps have begun, from what has become of them."""
    phases = [member.phase for member in members]
    if not all(phase.finished for phase in phases):
        return StepPhase.RUNNING
    if StepPhase.FAILED in phases:
        return StepPhase.FAILED
    return StepPhase.SKIPPED if set(phases) == {StepPhase.SKIPPED} else StepPhase.SUCCEEDED


def starting_over(steps: Sequence[WorkflowStep], name: str) -> tuple[str, ...]:
    """The steps that start over with one: it, what comes after it, and what looks at it.

    Args:
        steps: All steps of the workflow.
        name: The step.
    """
    found = {name}
    parents: set[str] = set()
    while True:
        more = {
            step.name
            for step in steps
            if step.name not in found
            and (step.group in found or (found | parents) & set(_looks_at(steps, step)))
        }
        holding = {step.group for step in steps if step.name in found | more} - {""}
        if not more and holding <= found | parents:
            return tuple(step.name for step in steps if step.name in found | parents)
        found |= more
        parents |= holding - found


def overview(run: Run, name: str) -> dict[str, Any]:
    """What a condition knows of a step as ``status.<step>``."""
    step = run.step(name)
    return {
        "phase": str(step.phase),
        "succeeded": step.phase is StepPhase.SUCCEEDED,
        "failed": step.phase is StepPhase.FAILED,
        "skipped": step.phase is StepPhase.SKIPPED,
        "timeout": step.reason is Reason.TIMEOUT,
        "failedAfterRetries": step.reason is Reason.RETRIES,
        "terminate": step.reason is Reason.TERMINATE,
        "message": step.message,
    }


def _by_condition(run: Run, step: WorkflowStep, context: Mapping[str, Any]) -> Judgement:
    names = {name: overview(run, name) for name in run.steps}
    inputs = {i.from_: run.values[i.from_] for i in step.inputs if i.from_ in run.values}
    scope = {"status": _Status(names), "inputs": inputs, "context": context}
    try:
        holds = condition(parse_expression(step.condition, CONDITION_ROOTS), scope)
    except NotThere:
        holds = False
    except InvalidExpression as error:
        return Judgement(Verdict.FAIL, f"its condition cannot be told: {error}")
    return Judgement(Verdict.GO if holds else Verdict.SKIP)


class _Status(dict[str, Any]):
    """``status`` of a condition: a step that has not begun is pending."""

    def __missing__(self, name: str) -> dict[str, Any]:
        return overview(Run(), name)


def _earlier(steps: Sequence[WorkflowStep], step: WorkflowStep) -> list[str]:
    """The steps before one on its level, where it goes by their order."""
    level = [each.name for each in steps if each.group == step.group]
    return level[: level.index(step.name)] if step.ordered else []


def _makers(steps: Sequence[WorkflowStep], step: WorkflowStep) -> dict[str, str]:
    """The step that publishes each input; empty when none does."""
    made = {output.name: each.name for each in steps for output in each.outputs}
    return {item.from_: made.get(item.from_, "") for item in step.inputs}


def _succeeded(steps: Sequence[WorkflowStep], run: Run, name: str, seen: set[str]) -> bool:
    """Whether a step and everything it depends on has succeeded."""
    if name in seen:
        return True
    seen.add(name)
    step = next(each for each in steps if each.name == name)
    return run.step(name).phase is StepPhase.SUCCEEDED and all(
        _succeeded(steps, run, other, seen) for other in step.depends_on
    )


def _looks_at(steps: Sequence[WorkflowStep], step: WorkflowStep) -> Iterator[str]:
    """The steps whose outcome a step's own depends on."""
    yield from step.depends_on
    yield from _earlier(steps, step)
    yield from (maker for maker in _makers(steps, step).values() if maker)
    if step.condition not in ("", ALWAYS):
        for path in parse_expression(step.condition, CONDITION_ROOTS).references():
            if path[0] == "status" and len(path) > 1:
                yield str(path[1])


def members(steps: Sequence[WorkflowStep], group: WorkflowStep) -> tuple[WorkflowStep, ...]:
    """The sub-steps of a group."""
    return tuple(step for step in steps if group.type == GROUP and step.group == group.name)


def waits_for(steps: Sequence[WorkflowStep], step: WorkflowStep) -> frozenset[str]:
    """Names of all steps that must have ended before one begins; groups by their sub-steps, too."""
    by_name = {each.name: each for each in steps}
    found: set[str] = set()
    looked_at: set[str] = set()
    queue = [step]
    while queue:
        each = queue.pop()
        looked_at.add(each.name)
        names = {*each.depends_on, *_earlier(steps, each), *_makers(steps, each).values()} - {""}
        for name in names - found:
            found |= {name, *(member.name for member in members(steps, by_name[name]))}
        further = names | ({each.group} if each.group else set())
        queue += [by_name[name] for name in further if name not in looked_at]
    return frozenset(found)
