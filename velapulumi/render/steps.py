"""Workflow steps with their definitions, inputs filled in as far as there are values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from velapulumi.definitions import StepDefinition
from velapulumi.render.components import read_parameters
from velapulumi.render.inputs import with_inputs, with_stand_ins
from velapulumi.render.surroundings import Surroundings
from velapulumi.spec import Component, Finding, Input, Path, Step, SubStep, parameter_path

if TYPE_CHECKING:
    from velapulumi.render.loading import Loaded

APPLY_COMPONENT = ("apply-component", "builtin-apply-component")


def every_step(steps: Sequence[Step]) -> Iterator[SubStep]:
    """All steps in file order, each group before its sub-steps."""
    for step in steps:
        yield step
        yield from step.sub_steps


def read_step(
    step: SubStep, definition: StepDefinition[Any], surroundings: Surroundings
) -> tuple[Any, list[Finding], list[Path]]:
    """Validate the properties of a step with the values that are there.

    Args:
        step: The step.
        definition: Its definition.
        surroundings: What is known beside the file, with the values that steps have published.

    Returns:
        The parameters (None when invalid), the problems as path below the properties and message,
        and the paths that were ignored.
    """
    return read_parameters(definition, _filled(step, definition, surroundings.values), surroundings)


def with_step_inputs(component: Component, step: SubStep, values: Mapping[str, Any]) -> Component:
    """A component as an ``apply-component`` step delivers it, with the step's inputs its own.

    KubeVela fills them into the component's properties. What has no value yet stays an input.
    """
    known, lacking = _inputs(step, values)
    if not known and not lacking:
        return component
    filled = with_inputs(component.model_copy(update={"inputs": known}), values)
    return filled.model_copy(update={"inputs": (*component.inputs, *lacking)})


def _filled(
    step: SubStep, definition: StepDefinition[Any], values: Mapping[str, Any]
) -> dict[str, Any]:
    """The properties of a step; where a value is not there yet, something of the right kind."""
    if step.type in APPLY_COMPONENT:
        return step.properties
    known, lacking = _inputs(step, values)
    step = with_inputs(step.model_copy(update={"inputs": known}), values)
    return with_stand_ins(step.model_copy(update={"inputs": lacking}), definition)


def _inputs(
    step: SubStep, values: Mapping[str, Any]
) -> tuple[tuple[Input, ...], tuple[Input, ...]]:
    """The inputs of a step that are for a parameter: those with a value, and those without."""
    wanted = tuple(item for item in step.inputs if parameter_path(item.parameter_key))
    known = tuple(item for item in wanted if item.from_ in values)
    return known, tuple(item for item in wanted if item not in known)


def lacks_values(step: SubStep, values: Mapping[str, Any]) -> bool:
    """Whether a step has an input without a value."""
    return any(item.from_ not in values for item in step.inputs)


def parameters_of(loaded: Loaded, step: SubStep) -> Any:
    """The parameters of a step of a checked application, with the values that are there.

    None when a value makes them invalid, or its type is not known.
    """
    definition = loaded.surroundings.catalog.find(StepDefinition, step.type)
    if definition is None:
        return None
    return read_step(step, definition, loaded.surroundings)[0]
