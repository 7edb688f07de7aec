"""What a stage shall hold after one of its steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from velapulumi.engine.record import RecordedObject, StageRecord
from velapulumi.errors import InvalidApplication
from velapulumi.plan.objects import ObjectKey
from velapulumi.render import (
    Environment,
    Loaded,
    Placement,
    RenderedObject,
    RevisionNames,
    recorded_object,
    render_environment,
    resolve,
    with_inputs,
)
from velapulumi.spec import Component
from velapulumi.workflow.stages import Stage, in_delivery_order
from velapulumi.workflow.steps import WorkflowStep

Values = Mapping[tuple[Placement, str], object]
"""Published values by the place they come from and their name."""


@dataclass(frozen=True)
class Desired:
    """An object that a stage shall hold.

    Attributes:
        entry: The object.
        traits: Types of its component's traits.
        waits_for: Names of the components that must be ready first; None for all before its own.
    """

    entry: RenderedObject
    traits: tuple[str, ...] = ()
    waits_for: frozenset[str] | None = frozenset()

    @classmethod
    def of_recorded(cls, held: RecordedObject) -> Desired:
        """An object that stays as the stack has recorded it."""
        return cls(recorded_object(held.cluster, dict(held.manifest)))

    @property
    def is_rendered(self) -> bool:
        """Whether it was rendered now; else it only stays as the stack has recorded it."""
        return bool(self.entry.target)

    @property
    def key(self) -> ObjectKey:
        """What identifies the object."""
        return ObjectKey.of(self.entry.cluster, self.entry.manifest)


@dataclass(frozen=True)
class Holding:
    """What a stage shall hold.

    Attributes:
        objects: The objects in the order they are applied.
        pending: What cannot be told yet, a sentence each: inputs without a value.
    """

    objects: tuple[Desired, ...]
    pending: tuple[str, ...] = ()


@dataclass(frozen=True)
class Portion:
    """Which part of a stage's objects it shall hold in the current revision.

    Attributes:
        steps: The steps whose objects it shall hold.
        step: The one that is being delivered.
        only: The clusters that shall have this one's objects now; None for all of them.
        without: Clusters that are left as they are.
    """

    steps: tuple[WorkflowStep, ...]
    step: WorkflowStep
    only: frozenset[str] | None = None
    without: frozenset[str] = frozenset()

    def takes(self, step: WorkflowStep, place: Placement) -> bool:
        """Whether a place shall have a step's objects now."""
        if place.cluster in self.without:
            return False
        return step is not self.step or self.only is None or place.cluster in self.only


def desired_objects(
    loaded: Loaded,
    names: RevisionNames,
    stage: Stage,
    portion: Portion,
    record: StageRecord | None,
    values: Values,
    spared: frozenset[ObjectKey] | None = None,
) -> Holding:
    """The objects a stage shall hold after one of its steps.

    That is what the steps of the portion deliver, a later one's word before an earlier one's. What
    else the stage holds stays as it is, until it is collected: then only what is spared stays, what
    belongs to a component whose inputs have no value, and what a policy keeps.

    Args:
        loaded: The application.
        names: Names of its revisions.
        stage: The stage.
        portion: Which part of it.
        record: What the stage's stack holds.
        values: What components have published.
        spared: What stays when the rest is collected; None when nothing is.

    Raises:
        InvalidApplication: A published value does not fit the parameter it is for.
    """
    found: dict[ObjectKey, Desired] = {}
    pending: dict[str, None] = {}
    waiting: set[tuple[str, str]] = set()
    for step in portion.steps:
        environment = _taken(stage.environments[step.name], portion, step)
        order = {c.name: i for i, c in enumerate(in_delivery_order(environment.components))}
        components = {component.name: component for component in environment.components}
        needs = {
            name: frozenset(component.needs(environment.components))
            for name, component in components.items()
        }
        for here in _filled(environment, loaded, values):
            for component, place, name in here.missing:
                waiting.add((place.cluster, component.name))
                pending[f"component {component.name} waits for its input {name}"] = None
            rendered = render_environment(
                loaded.application, here.environment, names, loaded.surroundings
            )
            for entry in sorted(rendered, key=lambda item: order[item.component]):
                key = ObjectKey.of(entry.cluster, entry.manifest)
                found.pop(key, None)
                found[key] = Desired(
                    entry,
                    tuple(trait.type for trait in components[entry.component].traits),
                    needs[entry.component] if step.parallel else None,
                )
    for held in (*record.objects, *record.read) if record else ():
        kept = Desired.of_recorded(held)
        key, entry = kept.key, kept.entry
        if (
            spared is None
            or key in spared
            or entry.cluster in portion.without
            or (entry.cluster, entry.component) in waiting
            or loaded.rules.treatment_of(held.manifest).stays
        ):
            found.setdefault(key, kept)
    return Holding(tuple(found.values()), tuple(pending))


def _taken(environment: Environment, portion: Portion, step: WorkflowStep) -> Environment:
    """An environment with the places that shall have it now."""
    places = tuple(place for place in environment.placements if portion.takes(step, place))
    return replace(environment, placements=places)


@dataclass(frozen=True)
class _Filled:
    """An environment with inputs filled in, and the inputs that have no value."""

    environment: Environment
    missing: tuple[tuple[Component, Placement, str], ...] = ()


def _filled(environment: Environment, loaded: Loaded, values: Values) -> Iterator[_Filled]:
    """An environment, place by place where its components have inputs."""
    if not any(component.inputs for component in environment.components):
        yield _Filled(environment)
        return
    made_here = {output.name for c in environment.components for output in c.outputs}
    for place in environment.placements:
        resolved, missing = [], []
        for entry in environment.resolved:
            component = entry.component
            known = {
                item.from_: _value(values, place, item.from_, item.from_ not in made_here)
                for item in component.inputs
            }
            lacking = [name for name, value in known.items() if value is None]
            missing += [(component, place, name) for name in lacking]
            if lacking:
                continue
            if component.inputs:
                resolution = resolve(with_inputs(component, known), loaded.surroundings)
                if resolution.resolved is None:
                    raise InvalidApplication(
                        loaded.application.file,
                        [
                            loaded.application.problem(
                                ("spec", "components"),
                                f"component {component.name} with its inputs: {message}",
                            )
                            for _, message in resolution.findings
                        ],
                    )
                entry = replace(resolution.resolved, replica_key=entry.replica_key)
            resolved.append(entry)
        yield _Filled(
            replace(environment, placements=(place,), resolved=tuple(resolved)), tuple(missing)
        )


def _value(values: Values, place: Placement, name: str, elsewhere: bool) -> object | None:
    """A value published at a place, or (``elsewhere``) the one published last; None if none."""
    if not elsewhere:
        return values.get((place, name))
    found = [value for (_, key), value in values.items() if key == name]
    return found[-1] if found else None
