"""Brings components together with their definitions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from velapulumi.definitions import (
    ComponentDefinition,
    Definition,
    TraitDefinition,
    find,
    types_of,
)
from velapulumi.spec import Component, Finding, did_you_mean, not_supported

D = TypeVar("D", bound=Definition[Any])


@dataclass(frozen=True)
class ResolvedTrait:
    """A trait with its definition and its valid parameters."""

    definition: TraitDefinition[Any]
    parameters: Any


@dataclass(frozen=True)
class ResolvedComponent:
    """A component with its definition and its valid parameters."""

    component: Component
    definition: ComponentDefinition[Any]
    parameters: Any
    traits: tuple[ResolvedTrait, ...]


def find_or_explain(kind: type[D], type_name: str, noun: str) -> tuple[D | None, str]:
    """The definition of a type, or why there is none.

    Args:
        kind: Kind of definition.
        type_name: The type; the empty one is None without a reason, it is reported elsewhere.
        noun: How the kind is called in the reason.
    """
    definition = find(kind, type_name)
    if definition is not None or not type_name:
        return definition, ""
    if "@" in type_name:
        subject = f"a {noun} type with a revision ({type_name})"
        return None, not_supported(subject, "leave out the part from @ on")
    return None, f'there is no {noun} type "{type_name}"{did_you_mean(type_name, types_of(kind))}'


def resolve(component: Component) -> tuple[ResolvedComponent | None, list[Finding]]:
    """Find the definitions of a component and its traits, and validate all parameters.

    Returns:
        The resolved component (None when something is wrong), and the problems as path below
        the component and message.
    """
    findings: list[Finding] = []
    definition, reason = find_or_explain(ComponentDefinition, component.type, "component")
    parameters = None
    if definition is not None:
        parameters, problems = definition.read(component.properties)
        findings += ((("properties", *path), message) for path, message in problems)
    elif reason:
        findings.append((("type",), reason))
    traits = []
    for index, trait in enumerate(component.traits):
        trait_definition, reason = find_or_explain(TraitDefinition, trait.type, "trait")
        if trait_definition is not None:
            values, problems = trait_definition.read(trait.properties)
            place = ("traits", index, "properties")
            findings += (((*place, *path), message) for path, message in problems)
            traits.append(ResolvedTrait(trait_definition, values))
        elif reason:
            findings.append((("traits", index, "type"), reason))
    if findings or definition is None or len(traits) < len(component.traits):
        return None, findings
    return ResolvedComponent(component, definition, parameters, tuple(traits)), []


def deprecations(resolved: ResolvedComponent) -> Iterator[str]:
    """A warning for each type that is only there for old files."""
    name = resolved.component.name
    for noun, definition in (
        ("component type", resolved.definition),
        *(("trait", trait.definition) for trait in resolved.traits),
    ):
        if definition.deprecated:
            advice = definition.deprecated
            yield f"component {name}: {noun} {definition.type} is deprecated, use {advice}"


def misplaced(resolved: ResolvedComponent, kind: str) -> Iterator[Finding]:
    """Traits on a kind of workload, or beside a trait, which they are not meant for.

    Args:
        resolved: The component.
        kind: Kind of its workload.
    """
    types = [trait.definition.type for trait in resolved.traits]
    for index, trait in enumerate(resolved.traits):
        definition = trait.definition
        if definition.applies_to and kind not in definition.applies_to:
            meant = ", ".join(definition.applies_to)
            message = f"trait {definition.type} does not apply to a {kind}, it is for: {meant}"
            yield ("traits", index, "type"), message
        for other in definition.conflicts_with:
            if other in types:
                message = f"trait {definition.type} conflicts with trait {other}: keep one of them"
                yield ("traits", index, "type"), message
