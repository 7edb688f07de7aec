"""Brings components together with their definitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from velapulumi.definitions import (
    Catalog,
    ComponentDefinition,
    Definition,
    TraitDefinition,
)
from velapulumi.render.inputs import with_stand_ins
from velapulumi.render.surroundings import Surroundings
from velapulumi.spec import (
    UNKNOWN_FIELD,
    Component,
    Finding,
    Path,
    did_you_mean,
    format_path,
    not_supported,
)

D = TypeVar("D", bound=Definition[Any])


@dataclass(frozen=True)
class ResolvedTrait:
    """A trait with its definition and its valid parameters."""

    definition: TraitDefinition[Any]
    parameters: Any


@dataclass(frozen=True)
class ResolvedComponent:
    """A component with its definition and its valid parameters.

    Attributes:
        component: The component.
        definition: Its definition.
        parameters: Its parameters.
        traits: Its traits, in order.
        replica_key: Which of its replicas this is; empty without a replication policy.
    """

    component: Component
    definition: ComponentDefinition[Any]
    parameters: Any
    traits: tuple[ResolvedTrait, ...]
    replica_key: str = ""


@dataclass(frozen=True)
class Resolution:
    """What came of resolving a component.

    Attributes:
        resolved: The resolved component; None when something is wrong.
        findings: The problems, as path below the component and message.
        warnings: What a person should know.
    """

    resolved: ResolvedComponent | None
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()


def find_or_explain(
    catalog: Catalog, kind: type[D], type_name: str, noun: str
) -> tuple[D | None, str]:
    """The definition of a type, or why there is none.

    Args:
        catalog: The definitions there are.
        kind: Kind of definition.
        type_name: The type; the empty one is None without a reason, it is reported elsewhere.
        noun: How the kind is called in the reason.
    """
    definition = catalog.find(kind, type_name)
    if definition is not None or not type_name:
        return definition, ""
    if "@" in type_name:
        subject = f"a {noun} type with a revision ({type_name})"
        return None, not_supported(subject, "leave out the part from @ on")
    return (
        None,
        f'there is no {noun} type "{type_name}"{did_you_mean(type_name, catalog.types_of(kind))}',
    )


def read_parameters(
    definition: Definition[Any], properties: Mapping[str, Any], surroundings: Surroundings
) -> tuple[Any, list[Finding], list[Path]]:
    """Validate properties; unknown ones are ignored where that is allowed.

    Returns:
        The parameters (None when invalid), the problems as path below the properties and message,
        and the paths that were ignored.
    """
    parameters, problems = definition.read(properties)
    unknown = [path for path, message in problems if message.startswith(UNKNOWN_FIELD)]
    if not unknown or not surroundings.allow_unknown:
        return parameters, problems, []
    parameters, problems = definition.read(_without(properties, (), set(unknown)))
    return parameters, problems, unknown


def resolve(component: Component, surroundings: Surroundings) -> Resolution:
    """Find the definitions of a component and its traits, and validate all parameters."""
    findings: list[Finding] = []
    warnings: list[str] = []
    catalog = surroundings.catalog

    def read(definition: Definition[Any], properties: Mapping[str, Any], place: Path) -> Any:
        parameters, problems, ignored = read_parameters(definition, properties, surroundings)
        warnings.extend(
            f"component {component.name}: {format_path((*place, *path))} is unknown and ignored"
            for path in ignored
        )
        findings.extend(((*place, *path), message) for path, message in problems)
        return parameters

    definition, reason = find_or_explain(catalog, ComponentDefinition, component.type, "component")
    parameters = None
    if definition is not None:
        properties = component.properties
        if component.inputs:
            properties = with_stand_ins(component, definition)
        parameters = read(definition, properties, ("properties",))
    elif reason:
        findings.append((("type",), reason))
    traits = []
    for index, trait in enumerate(component.traits):
        found, reason = find_or_explain(catalog, TraitDefinition, trait.type, "trait")
        if found is not None:
            values = read(found, trait.properties, ("traits", index, "properties"))
            traits.append(ResolvedTrait(found, values))
        elif reason:
            findings.append((("traits", index, "type"), reason))
    if findings or definition is None or len(traits) < len(component.traits):
        return Resolution(None, tuple(findings), tuple(warnings))
    resolved = ResolvedComponent(component, definition, parameters, tuple(traits))
    return Resolution(resolved, (), tuple(warnings))


def _without(value: Any, path: Path, unwanted: set[Path]) -> Any:
    """A value without the map entries at some paths."""
    if isinstance(value, Mapping):
        return {
            key: _without(item, (*path, key), unwanted)
            for key, item in value.items()
            if (*path, key) not in unwanted
        }
    if isinstance(value, list):
        return [_without(item, (*path, index), unwanted) for index, item in enumerate(value)]
    return value


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
