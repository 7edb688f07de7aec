"""Rules of an Application which go beyond the shape of its fields.

Whatever an Application may ask for and velapulumi cannot do yet is named by ``check_support``:
nothing is passed over in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from velapulumi.spec.application import Application, Component, Step, SubStep, Workflow
from velapulumi.spec.document import Path
from velapulumi.spec.expressions import InvalidExpression, parse_expression
from velapulumi.spec.model import did_you_mean

Finding = tuple[Path, str]

MAX_NAME = 63
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_DOTTED_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_TIMEOUT = re.compile(r"[0-9]+[smhd]")

_PARAMETER_KEY = re.compile(r"[^.\[\]]+(\.[^.\[\]]+|\[\d{1,3}\])*")
_PARAMETER_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")

COMPONENTS: Path = ("spec", "components")
POLICIES: Path = ("spec", "policies")
WORKFLOW: Path = ("spec", "workflow")
STEPS: Path = (*WORKFLOW, "steps")


def name_problem(name: str, *, dotted: bool = False) -> str:
    """Say why a name cannot be a name in Kubernetes; empty when it can.

    Args:
        name: The name.
        dotted: Whether dots may part it, as in DNS subdomains (RFC 1123).
    """
    if not name:
        return "must not be empty"
    if len(name) > MAX_NAME:
        return f"must have at most {MAX_NAME} characters, has {len(name)}"
    if not (_DOTTED_NAME if dotted else _NAME).fullmatch(name):
        allowed = (
            "lower-case letters, digits, dashes and dots"
            if dotted
            else ("lower-case letters, digits and dashes")
        )
        return f'"{name}" is not a valid name: use {allowed}, a letter or digit at both ends'
    return ""


def not_supported(subject: str, advice: str = "") -> str:
    """The message about something KubeVela knows and velapulumi does not do yet."""
    return f"{subject} is not supported yet" + (f": {advice}" if advice else "")


def check_application(application: Application) -> Iterator[Finding]:
    """All findings about names and references, as path and message."""
    if message := name_problem(application.name, dotted=True):
        yield ("metadata", "name"), message
    if message := name_problem(application.namespace):
        yield ("metadata", "namespace"), message
    yield from _check_components(application.components)
    names = [policy.name for policy in application.policies]
    yield from _duplicates(POLICIES, names, "policy")
    if application.workflow is not None:
        yield from _check_workflow(application.workflow)


def check_support(application: Application) -> Iterator[Finding]:
    """What the Application may ask for and ``up`` cannot do yet, as path and message.

    The objects of its components are not touched by it.
    """
    workflow = application.workflow
    if workflow is None:
        return
    if workflow.mode and workflow.mode.steps == "DAG":
        message = not_supported("the mode DAG", "the steps run one after the other")
        yield (*WORKFLOW, "mode", "steps"), message
    names = [step.name for step in workflow.steps]
    for index, step in enumerate(workflow.steps):
        path = (*STEPS, index)
        for field, value, subject in (
            ("timeout", step.timeout, "a step with a timeout"),
            ("if", step.if_, "a step with a condition (if)"),
            ("inputs", step.inputs, "a step with inputs"),
            ("outputs", step.outputs, "a step with outputs"),
            ("mode", step.mode, "a step with its own mode"),
            ("subSteps", step.sub_steps, "a step with subSteps"),
        ):
            if value:
                yield (*path, field), not_supported(subject)
        for position, name in enumerate(step.depends_on):
            if name in names and names.index(name) >= index:
                message = not_supported(
                    "waiting for a step which does not come earlier",
                    "put the steps in their order",
                )
                yield (*path, "dependsOn", position), message


def _duplicates(path: Path, names: Sequence[str], kind: str) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name and first.setdefault(name, index) != index:
            message = f'"{name}" is the name of an earlier {kind}, each needs its own'
            yield (*path, index, "name"), message


def _check_components(components: Sequence[Component]) -> Iterator[Finding]:
    names = [component.name for component in components]
    yield from _duplicates(COMPONENTS, names, "component")
    for index, component in enumerate(components):
        path = (*COMPONENTS, index)
        if message := name_problem(component.name):
            yield (*path, "name"), message
        for position, name in enumerate(component.depends_on):
            if name and name not in names:
                message = f'there is no component "{name}"{did_you_mean(name, names)}'
                yield (*path, "dependsOn", position), message
    yield from _check_values(components)
    yield from _cycles(components)


def _check_values(components: Sequence[Component]) -> Iterator[Finding]:
    """Problems of inputs and outputs."""
    published: dict[str, str] = {}
    for index, component in enumerate(components):
        for position, output in enumerate(component.outputs):
            path = (*COMPONENTS, index, "outputs", position)
            if output.name in published:
                message = f'"{output.name}" is published by component {published[output.name]} too'
                yield (*path, "name"), message
            published.setdefault(output.name, component.name)
            try:
                parse_expression(output.value_from)
            except InvalidExpression as error:
                yield (*path, "valueFrom"), str(error)
    for index, component in enumerate(components):
        for position, item in enumerate(component.inputs):
            path = (*COMPONENTS, index, "inputs", position)
            if item.from_ not in published:
                hint = did_you_mean(item.from_, published)
                yield (*path, "from"), f'no component publishes "{item.from_}"{hint}'
            if not parameter_path(item.parameter_key):
                message = "must be the place of a parameter, such as image or env[0].value"
                yield (*path, "parameterKey"), message


def parameter_path(key: str) -> Path:
    """The path that a ``parameterKey`` such as ``env[0].value`` means; () when it means none."""
    if not _PARAMETER_KEY.fullmatch(key):
        return ()
    parts = _PARAMETER_PART.findall(key)
    return tuple(int(index) if index else name for name, index in parts)


def _cycles(components: Sequence[Component]) -> Iterator[Finding]:
    """Components which wait for each other: what is left when the others are taken away."""
    if not any(component.depends_on or component.inputs for component in components):
        return
    names = {component.name for component in components}
    waiting = {component.name: names & set(component.needs(components)) for component in components}
    while waiting:
        wanted = set().union(*waiting.values())
        free = {name for name, needed in waiting.items() if not needed or name not in wanted}
        if not free:
            break
        waiting = {name: needed - free for name, needed in waiting.items() if name not in free}
    if waiting:
        index = next(i for i, component in enumerate(components) if component.name in waiting)
        field = "dependsOn" if components[index].depends_on else "inputs"
        message = f"these components wait for each other: {', '.join(waiting)}"
        yield (*COMPONENTS, index, field), message


def _check_workflow(workflow: Workflow) -> Iterator[Finding]:
    yield from _duplicate_steps(workflow.steps)
    names = [step.name for step in workflow.steps]
    for index, step in enumerate(workflow.steps):
        path = (*STEPS, index)
        if step.timeout and not _TIMEOUT.fullmatch(step.timeout):
            message = "invalid timeout, please use the format of timeout like 1s, 1m, 1h or 1d"
            yield (*path, "timeout"), message
        for position, name in enumerate(step.depends_on):
            if name and name not in names:
                message = f'there is no step "{name}"{did_you_mean(name, names)}'
                yield (*path, "dependsOn", position), message


def _all_steps(steps: Sequence[Step]) -> Iterator[tuple[Path, SubStep]]:
    for index, step in enumerate(steps):
        yield (*STEPS, index), step
        for inner, sub_step in enumerate(step.sub_steps):
            yield (*STEPS, index, "subSteps", inner), sub_step


def _duplicate_steps(steps: Sequence[Step]) -> Iterable[Finding]:
    seen: set[str] = set()
    for path, step in _all_steps(steps):
        if step.name in seen:
            message = f'"{step.name}" is the name of an earlier step, each needs its own'
            yield (*path, "name"), message
        seen.add(step.name)
