"""Rules of a workflow which go beyond the shape of its fields.

Source: KubeVela's workflow engine. What would wait for ever there, or be skipped in silence since a
name is misspelled, is a problem here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from velapulumi.spec.application import Mode, Order, Step, SubStep, Workflow
from velapulumi.spec.document import Path
from velapulumi.spec.durations import parse_duration
from velapulumi.spec.expressions import (
    CONDITION_ROOTS,
    Expression,
    InvalidExpression,
    NotThere,
    condition,
    parse_expression,
    written,
)
from velapulumi.spec.model import did_you_mean
from velapulumi.spec.needs import circle, parameter_path, reaches

Finding = tuple[Path, str]
Moment = tuple[str, Literal["begin", "end"]]

ALWAYS = "always"
GROUP = "step-group"

_TIMEOUT = re.compile(r"[0-9]+[smhd]")
_UNKNOWN_STATUS = {
    "phase": "",
    "succeeded": False,
    "failed": False,
    "skipped": False,
    "timeout": False,
    "failedAfterRetries": False,
    "terminate": False,
    "message": "",
}
"""What conditions may ask of a step, with a value of the right kind."""


@dataclass(frozen=True)
class PlacedStep:
    """A step or sub-step where it stands.

    Attributes:
        step: The step.
        path: Its path below the workflow.
        group: The group it stands in; None for a step of the workflow itself.
    """

    step: SubStep
    path: Path
    group: Step | None = None


def placed_steps(workflow: Workflow) -> Iterator[PlacedStep]:
    """All steps and sub-steps in file order, each group before its sub-steps."""
    for index, step in enumerate(workflow.steps):
        path: Path = ("steps", index)
        yield PlacedStep(step, path)
        for inner, sub_step in enumerate(step.sub_steps):
            yield PlacedStep(sub_step, (*path, "subSteps", inner), step)


def check_workflow(workflow: Workflow) -> Iterator[Finding]:
    """All findings about a workflow, as path below it and message."""
    yield from _Checks(workflow).findings()


@dataclass(frozen=True)
class _Link:
    """One step waits for another by a field of its own."""

    waiting: PlacedStep
    wanted: PlacedStep
    path: Path
    subject: str


class _Checks:
    """The checks of one workflow."""

    def __init__(self, workflow: Workflow) -> None:
        self._mode = workflow.mode or Mode()
        self._steps = list(placed_steps(workflow))
        self._by_name: dict[str, PlacedStep] = {}
        self._makers: dict[str, PlacedStep] = {}
        for placed in self._steps:
            self._by_name.setdefault(placed.step.name, placed)
            for output in placed.step.outputs:
                self._makers.setdefault(output.name, placed)
        self._links = list(self._found_links()) if self._unique else []
        self._needs = self._found_needs() if self._unique else {}

    @property
    def _unique(self) -> bool:
        """Whether each step has a name of its own; what waits for what is clear only then."""
        return len(self._by_name) == len(self._steps)

    def findings(self) -> Iterator[Finding]:
        yield from self._check_names()
        for placed in self._steps:
            yield from _check_group(placed)
            yield from _check_timeout(placed)
            yield from self._check_dependencies(placed)
            yield from self._check_inputs(placed)
            yield from self._check_condition(placed)
        yield from self._check_order()

    def _check_names(self) -> Iterator[Finding]:
        published: set[str] = set()
        for placed in self._steps:
            name = placed.step.name
            if self._by_name[name] is not placed:
                message = f'"{name}" is the name of an earlier step, each needs its own'
                yield (*placed.path, "name"), message
            for position, output in enumerate(placed.step.outputs):
                if output.name in published:
                    maker = self._makers[output.name].step.name
                    message = f'"{output.name}" is published by step {maker} too'
                    yield (*placed.path, "outputs", position, "name"), message
                published.add(output.name)

    def _check_dependencies(self, placed: PlacedStep) -> Iterator[Finding]:
        for position, name in enumerate(placed.step.depends_on):
            path = (*placed.path, "dependsOn", position)
            other = self._by_name.get(name)
            if other is None:
                level = (each.step.name for each in self._steps if each.group is placed.group)
                yield path, f'there is no step "{name}"{did_you_mean(name, level)}'
            elif name == placed.step.name:
                yield path, "a step cannot wait for itself"
            elif other.step is placed.group:
                yield path, "a step cannot wait for the group it stands in"
            elif other.group is placed.group:
                continue
            elif placed.group is not None:
                message = f'"{name}" is no step of this group: let the group wait for it'
                yield path, message
            elif other.group is not None:
                group = other.group.name
                yield path, f'"{name}" is a step of the group "{group}": wait for the group'

    def _check_inputs(self, placed: PlacedStep) -> Iterator[Finding]:
        for position, item in enumerate(placed.step.inputs):
            path = (*placed.path, "inputs", position)
            maker = self._makers.get(item.from_)
            if maker is None:
                hint = did_you_mean(item.from_, self._makers)
                yield (*path, "from"), f'no step publishes "{item.from_}"{hint}'
            elif maker is placed:
                message = f'the step publishes "{item.from_}" itself, which it does when it ends'
                yield (*path, "from"), message
            if item.parameter_key and not parameter_path(item.parameter_key):
                message = (
                    "must be the place of a parameter, such as image or env[0].value, "
                    "or be left out when only the condition (if) needs the input"
                )
                yield (*path, "parameterKey"), message

    def _check_condition(self, placed: PlacedStep) -> Iterator[Finding]:
        path = (*placed.path, "if")
        if placed.step.if_ in ("", ALWAYS):
            return
        try:
            expression = parse_expression(placed.step.if_, CONDITION_ROOTS)
        except InvalidExpression as error:
            yield path, str(error)
            return
        messages = list(dict.fromkeys(self._refused_references(placed, expression)))
        yield from ((path, message) for message in messages or self._refused_kinds(expression))

    def _refused_references(self, placed: PlacedStep, expression: Expression) -> Iterator[str]:
        for reference in expression.references():
            if reference[0] == "status":
                yield from self._refused_status(placed, reference)
            elif reference[0] == "inputs":
                yield from _refused_input(placed.step, reference)

    def _refused_status(self, placed: PlacedStep, reference: Path) -> Iterator[str]:
        if len(reference) == 1:
            yield 'status must be followed by the name of a step, such as status["a"].failed'
            return
        name, fields = str(reference[1]), ", ".join(_UNKNOWN_STATUS)
        known = [step for step in self._by_name if step != placed.step.name]
        asked = written(reference[:2])
        if name == placed.step.name:
            yield f"{asked} is the status of the step itself, which is not known before it begins"
        elif name not in self._by_name:
            yield f'{asked}: there is no step "{name}"{did_you_mean(name, known)}'
        elif reaches(self._needs, (name, "end"), (placed.step.name, "begin")):
            yield (
                f'{asked}: step "{name}" waits for this one, so nothing is known of it yet: '
                "ask for a step that ends before"
            )
        if len(reference) == 2:
            yield f"{asked} must be followed by one of {fields}"
        elif reference[2] not in _UNKNOWN_STATUS:
            field = str(reference[2])
            yield f'{asked} has no field "{field}"{did_you_mean(field, _UNKNOWN_STATUS)}'
        elif len(reference) > 3:
            yield f"{written(reference[:3])} has no fields of its own"

    def _refused_kinds(self, expression: Expression) -> Iterator[str]:
        """What cannot be told whatever becomes of the steps, such as a condition that is a text."""
        statuses = dict.fromkeys(self._by_name, _UNKNOWN_STATUS)
        try:
            condition(expression, {"status": statuses, "inputs": {}, "context": {}})
        except InvalidExpression as error:
            yield str(error)
        except NotThere:
            return

    def _check_order(self) -> Iterator[Finding]:
        for link in self._links:
            if self._comes_later(link):
                yield (
                    link.path,
                    f"{link.subject} comes later and, in the mode StepByStep, waits for this one: "
                    "put the steps in order or set the mode DAG",
                )
        stuck = list(dict.fromkeys(name for name, _ in circle(self._needs)))
        for name in stuck:
            placed = self._by_name[name]
            if placed.step.depends_on or placed.step.inputs:
                field = "dependsOn" if placed.step.depends_on else "inputs"
                message = f"these steps wait for each other: {', '.join(stuck)}"
                yield (*placed.path, field), message
                return

    def _found_links(self) -> Iterator[_Link]:
        for placed in self._steps:
            for position, name in enumerate(placed.step.depends_on):
                wanted = self._by_name.get(name, placed)
                if wanted is not placed and wanted.group is placed.group:
                    path = (*placed.path, "dependsOn", position)
                    yield _Link(placed, wanted, path, f'step "{name}"')
            for position, item in enumerate(placed.step.inputs):
                wanted = self._makers.get(item.from_, placed)
                if wanted is not placed:
                    path = (*placed.path, "inputs", position, "from")
                    subject = f'step "{wanted.step.name}", which publishes "{item.from_}",'
                    yield _Link(placed, wanted, path, subject)

    def _comes_later(self, link: _Link) -> bool:
        """Whether the wanted step waits for the waiting one by the order of the file alone."""
        ours, theirs = link.waiting.path, link.wanted.path
        if ours[:2] != theirs[:2]:
            return self._mode.steps == "StepByStep" and theirs > ours
        group = link.waiting.group
        return (
            group is not None
            and group is link.wanted.group
            and self._order_in(group) == "StepByStep"
            and theirs > ours
        )

    def _order_in(self, group: Step | None) -> Order:
        if group is None:
            return self._mode.steps
        return group.mode or self._mode.sub_steps

    def _found_needs(self) -> dict[Moment, set[Moment]]:
        """What has to happen before each step begins and before it ends."""
        needs: dict[Moment, set[Moment]] = {}
        last: dict[str, str] = {}
        for placed in self._steps:
            name, group = placed.step.name, placed.group
            level = group.name if group else ""
            needs[name, "begin"] = {(group.name, "begin")} if group else set()
            needs[name, "end"] = {(name, "begin")}
            if group:
                needs[group.name, "end"].add((name, "end"))
            if self._order_in(group) == "StepByStep" and level in last:
                needs[name, "begin"].add((last[level], "end"))
            last[level] = name
        for link in self._links:
            if not self._comes_later(link):
                needs[link.waiting.step.name, "begin"].add((link.wanted.step.name, "end"))
        return needs


def _check_group(placed: PlacedStep) -> Iterator[Finding]:
    step, path = placed.step, placed.path
    if step.type == GROUP and placed.group is not None:
        yield (*path, "type"), "a group cannot stand inside a group: put its steps into this one"
    if not isinstance(step, Step):
        return
    if step.type == GROUP and not step.sub_steps:
        yield (*path, "subSteps"), "a step-group needs at least one step in subSteps"
    if step.type != GROUP and step.sub_steps:
        yield (
            (*path, "subSteps"),
            f"only a step of type {GROUP} has subSteps: change the type or make them steps",
        )
    if step.type != GROUP and step.mode:
        yield (*path, "mode"), f"only a step of type {GROUP} has a mode: leave it out"


def _check_timeout(placed: PlacedStep) -> Iterator[Finding]:
    timeout, path = placed.step.timeout, (*placed.path, "timeout")
    if not timeout:
        return
    if not _TIMEOUT.fullmatch(timeout):
        yield path, "invalid timeout, please use the format of timeout like 1s, 1m, 1h or 1d"
        return
    try:
        parse_duration(timeout)
    except ValueError as error:
        yield path, str(error)


def _refused_input(step: SubStep, reference: Path) -> Iterator[str]:
    if len(reference) == 1:
        yield 'inputs must be followed by the name of an input, such as inputs["a"]'
        return
    names = [item.from_ for item in step.inputs]
    name = str(reference[1])
    if name not in names:
        hint = did_you_mean(name, names) or ": add it to the inputs of the step"
        yield f'{written(reference[:2])}: the step has no input "{name}"{hint}'
