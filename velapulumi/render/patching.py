"""Applies the patches of an environment to components, keeping where each part came from."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from velapulumi.definitions.policies.env_binding import ComponentPatch, TraitPatch
from velapulumi.render.merge import merge
from velapulumi.spec import COMPONENTS, Component, Finding, Path, Trait


@dataclass(frozen=True)
class TracedComponent:
    """A component and the places of the file which made it.

    Attributes:
        component: The component.
        sources: Paths of the component and the patches, the latest first.
        added: Whether a patch brought it in.
    """

    component: Component
    sources: tuple[Path, ...]
    added: bool = False


@dataclass
class Patched:
    """Components after patching, and what was wrong with the patches."""

    components: list[TracedComponent]
    findings: list[Finding] = field(default_factory=list)


def traced(components: Sequence[Component]) -> list[TracedComponent]:
    """The components of the Application as they stand."""
    return [
        TracedComponent(component, ((*COMPONENTS, index),))
        for index, component in enumerate(components)
    ]


def patch_components(
    base: Sequence[TracedComponent], patches: Sequence[ComponentPatch], path: Path
) -> Patched:
    """Apply patches in order, each to the result of the one before.

    Follows KubeVela v1.9 and later, but a name matches whole names only: ``*`` stands for any
    characters, and ``web`` does not match ``my-web-x``.

    Args:
        base: Components; not changed.
        patches: Patches of an environment.
        path: Place of the patches in the file.

    Returns:
        Components in base order, added ones last, and the findings.
    """
    patched = Patched(list(base))
    for index, patch in enumerate(patches):
        _apply(patch, (*path, index), patched)
    return patched


def locate(origin: TracedComponent, place: Path, document: Any) -> Path:
    """Find where in the file a place of a component comes from.

    Args:
        origin: The component.
        place: Path below the component, such as ``("traits", 0, "properties", "replicas")``.
        document: The document as plain values.

    Returns:
        Path in the document: in the latest source which has the value; for a value nobody has,
        in the earliest source which comes nearest to it.
    """
    if len(origin.sources) == 1 and origin.sources[0][:-1] == COMPONENTS:
        return (*origin.sources[0], *place)
    heads, tail = list(origin.sources), place
    if len(place) > 1 and place[0] == "traits":
        kind = origin.component.traits[int(place[1])].type
        heads, tail = list(_trait_places(document, origin.sources, kind)), place[2:]
    # A list comes from one source as a whole, so the source of its items is the one of the list.
    whole = tuple(itertools.takewhile(lambda part: isinstance(part, str), tail))
    for head in heads:
        if _reach(document, (*head, *whole)) == len(head) + len(whole):
            return (*head, *tail)
    nearest = max(reversed(heads), key=lambda head: _reach(document, (*head, *whole)) - len(head))
    return (*nearest, *tail)


def _apply(patch: ComponentPatch, path: Path, patched: Patched) -> None:
    matched = [
        index for index, entry in enumerate(patched.components) if _matches(patch, entry.component)
    ]
    for index in matched:
        entry = patched.components[index]
        if patch.type in ("", entry.component.type):
            findings = list(_ambiguous(entry.component, patch, path))
            patched.findings += findings
            if not findings:
                merged = _merged(entry.component, patch)
                patched.components[index] = TracedComponent(
                    merged, (path, *entry.sources), entry.added
                )
        else:
            replacement = _created(patch, entry.component.name)
            patched.components[index] = TracedComponent(replacement, (path,), entry.added)
    if patch.name and not matched:
        _add(patch, path, patched)


def _matches(patch: ComponentPatch, component: Component) -> bool:
    if not patch.name:
        return patch.type in ("", component.type)
    pattern = ".*".join(map(re.escape, patch.name.split("*")))
    return re.fullmatch(pattern, component.name) is not None


def _add(patch: ComponentPatch, path: Path, patched: Patched) -> None:
    if "*" in patch.name:
        message = f'"{patch.name}" matches no component'
        patched.findings.append(((*path, "name"), message))
    elif not patch.type:
        message = f'there is no component "{patch.name}"; to add one give its type'
        patched.findings.append(((*path, "name"), message))
    else:
        added = TracedComponent(_created(patch, patch.name), (path,), added=True)
        patched.components.append(added)


def _ambiguous(component: Component, patch: ComponentPatch, path: Path) -> Iterator[Finding]:
    """A trait type which the component has twice cannot be patched by its type."""
    types = [trait.type for trait in component.traits]
    for kind in sorted({kind for kind in types if types.count(kind) > 1}):
        message = (
            f'component "{component.name}" has several traits of type {kind}: '
            "a patched component may have only one of each type"
        )
        yield path, message


def _merged(component: Component, patch: ComponentPatch) -> Component:
    changes: dict[str, Any] = {}
    if patch.properties:
        changes["properties"] = merge(component.properties, patch.properties)
    if patch.externalRevision:
        changes["external_revision"] = patch.externalRevision
    if patch.traits:
        changes["traits"] = _merged_traits(component.traits, patch.traits)
    return component.model_copy(update=changes) if changes else component


def _created(patch: ComponentPatch, name: str) -> Component:
    return Component.model_construct(
        name=name,
        type=patch.type,
        properties=patch.properties or {},
        external_revision=patch.externalRevision,
        traits=_merged_traits((), patch.traits),
    )


def _merged_traits(base: Sequence[Trait], patches: Sequence[TraitPatch]) -> tuple[Trait, ...]:
    traits = {trait.type: trait.properties for trait in base}
    for patch in patches:
        if patch.disable:
            traits.pop(patch.type, None)
        else:
            traits[patch.type] = merge(traits.get(patch.type, {}), patch.properties or {})
    return tuple(
        Trait.model_construct(type=kind, properties=properties)
        for kind, properties in traits.items()
    )


def _trait_places(document: Any, sources: Sequence[Path], kind: str) -> Iterator[Path]:
    """Places of the traits of a type, as written in the sources, the latest first."""
    for source in sources:
        for index in reversed(range(_length(document, (*source, "traits")))):
            if _get(document, (*source, "traits", index, "type")) == kind:
                yield (*source, "traits", index)


def _length(document: Any, path: Path) -> int:
    value = _get(document, path)
    return len(value) if isinstance(value, list) else 0


def _get(value: Any, path: Path) -> Any:
    """The value at a path of a document of any shape; None when it is not there."""
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _reach(value: Any, path: Path) -> int:
    """How many parts of a path exist."""
    for length, part in enumerate(path):
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return length
    return len(path)
