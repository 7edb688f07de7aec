"""Rules of an Application which go beyond the shape of its fields.

Whatever an Application may ask for and velapulumi cannot do yet is named by ``check_support``:
nothing is passed over in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from velapulumi.spec.application import Application, Component
from velapulumi.spec.document import Path
from velapulumi.spec.expressions import STEP_ROOTS, InvalidExpression, parse_expression
from velapulumi.spec.model import did_you_mean
from velapulumi.spec.needs import circle, parameter_path
from velapulumi.spec.workflow_checks import check_workflow, placed_steps

Finding = tuple[Path, str]

MAX_NAME = 63
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_DOTTED_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")

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
        for path, message in check_workflow(application.workflow):
            yield (*WORKFLOW, *path), message


def check_support(application: Application) -> Iterator[Finding]:
    """What the Application may ask for and ``up`` cannot do yet, as path and message.

    KubeVela evaluates any CUE for the outputs of a step. The objects of the components are not
    touched by what a step publishes.
    """
    for placed in placed_steps(application.workflow) if application.workflow else ():
        for position, output in enumerate(placed.step.outputs):
            try:
                parse_expression(output.value_from, STEP_ROOTS)
            except InvalidExpression as error:
                path = (*WORKFLOW, *placed.path, "outputs", position, "valueFrom")
                yield path, not_supported("this expression", str(error))


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


def _cycles(components: Sequence[Component]) -> Iterator[Finding]:
    """Components which wait for each other."""
    if not any(component.depends_on or component.inputs for component in components):
        return
    names = {component.name for component in components}
    needs = {component.name: names & set(component.needs(components)) for component in components}
    if waiting := circle(needs):
        index = next(i for i, component in enumerate(components) if component.name in waiting)
        field = "dependsOn" if components[index].depends_on else "inputs"
        message = f"these components wait for each other: {', '.join(waiting)}"
        yield (*COMPONENTS, index, field), message
