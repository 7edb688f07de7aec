"""The stages of a workflow: what its delivering steps share a stack for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from velapulumi.definitions import Catalog
from velapulumi.render import Environment, Loaded
from velapulumi.render.steps import every_step
from velapulumi.render.targets import DEPLOY2ENV, is_delivering, makes_objects
from velapulumi.spec import Component, Mode, SubStep
from velapulumi.workflow.gates import Governed, guarded
from velapulumi.workflow.rollout import Rollout
from velapulumi.workflow.steps import WorkflowStep, read_steps
from velapulumi.workflow.waves import rollout_of


@dataclass(frozen=True)
class Stage:
    """One stage of an application: what the steps deliver that share a place.

    Steps which deliver to the same cluster and namespace would own the same objects, so they are
    one stage, and one stack.

    Attributes:
        name: That of the environment which its first step delivers.
        steps: Its steps in order.
        environments: What each step delivers, by the step's name.
    """

    name: str
    steps: tuple[WorkflowStep, ...]
    environments: Mapping[str, Environment]

    @property
    def clusters(self) -> tuple[str, ...]:
        """Names of the clusters it is placed on, in order, each once."""
        places = (place for each in self.environments.values() for place in each.placements)
        return tuple(dict.fromkeys(place.cluster for place in places))

    @property
    def is_conditional(self) -> bool:
        """Whether a step of it may be left out, by what it finds when its turn comes."""
        return any(step.condition for step in self.steps)


@dataclass(frozen=True)
class Workflow:
    """An application's workflow.

    Attributes:
        steps: Its steps in order, each group before its sub-steps.
        stages: Its stages by name, in the order of their first steps.
        rollouts: How each delivering step goes over its clusters, by the step's name.
    """

    steps: tuple[WorkflowStep, ...]
    stages: Mapping[str, Stage]
    rollouts: Mapping[str, Rollout] = field(default_factory=dict)

    def step(self, name: str) -> WorkflowStep:
        """The step of a name."""
        return next(step for step in self.steps if step.name == name)

    def before(self, step: str) -> tuple[WorkflowStep, ...]:
        """The steps that come before one of them."""
        names = [entry.name for entry in self.steps]
        return self.steps[: names.index(step)]


def workflow_of(loaded: Loaded, governed: Governed = lambda stage, clusters: False) -> Workflow:
    """Read the workflow of an application.

    Without a written one the steps are those that KubeVela makes up, run in their order. A
    ``deploy`` step that asks for approval does so even where its topologies match no cluster.

    Args:
        loaded: The application, already checked.
        governed: Tells by a stage's name and clusters whether a policy asks for approvals of it.
    """
    written = {step.name: step for step in every_step(loaded.steps)}
    catalog = loaded.surroundings.catalog
    delivered = dict(_delivered(loaded, written))
    stages = _stages_of(delivered, written, catalog)
    workflow = loaded.application.workflow
    mode = (workflow.mode if workflow else None) or Mode()
    placed = tuple(
        step.model_copy(
            update={
                "stage": stages.get(step.name),
                "clusters": _clusters_of(delivered.get(step.name)),
                "idle": step.name not in stages and is_delivering(catalog, step.type),
            }
        )
        for step in read_steps(loaded.steps, mode.steps, mode.sub_steps)
    )
    steps = guarded(placed, governed)
    return Workflow(
        steps,
        {
            name: Stage(
                name,
                tuple(step for step in steps if step.stage == name),
                {step: env for step, env in delivered.items() if stages[step] == name},
            )
            for name in dict.fromkeys(step.stage for step in steps if step.stage is not None)
        },
        {
            name: rollout_of(loaded, written[name], environment)
            for name, environment in delivered.items()
        },
    )


def _clusters_of(environment: Environment | None) -> tuple[str, ...]:
    places = environment.placements if environment else ()
    return tuple(dict.fromkeys(place.cluster for place in places))


def _delivered(loaded: Loaded, steps: Mapping[str, SubStep]) -> Iterator[tuple[str, Environment]]:
    """Name and environment of each delivering step; one without a place delivers nothing."""
    for step in steps.values():
        name = step.properties.get("env") if step.type == DEPLOY2ENV else step.name
        environment = loaded.environments.get(str(name))
        delivers = is_delivering(loaded.surroundings.catalog, step.type)
        if delivers and environment is not None and environment.placements:
            yield step.name, environment


def _stages_of(
    delivered: Mapping[str, Environment], steps: Mapping[str, SubStep], catalog: Catalog
) -> dict[str, str]:
    """The stage of each step: steps that deliver components to a common place share one.

    What a step makes itself is its own, so such a step is a stage of its own.
    """
    groups: list[tuple[set[object], list[str]]] = []
    alone: dict[str, str] = {}
    for step, environment in delivered.items():
        if makes_objects(catalog, steps[step].type):
            alone[step] = environment.name
            continue
        places: set[object] = set(environment.placements)
        names: list[str] = []
        for group in [group for group in groups if group[0] & places]:
            places |= group[0]
            names += group[1]
            groups.remove(group)
        groups.append((places, [*names, step]))
    order = list(delivered)
    shared = {
        step: delivered[min(names, key=order.index)].name for _, names in groups for step in names
    }
    return shared | alone


def in_delivery_order(components: Sequence[Component]) -> tuple[Component, ...]:
    """Components in the order they are applied: as written, each after those it depends on.

    Args:
        components: The components of one environment, without a circle in ``dependsOn``.
    """
    names = {component.name for component in components}
    needed = {component.name: component.needs(components) for component in components}
    ordered: dict[str, Component] = {}
    waiting = list(components)
    while waiting:
        ready = next(
            component
            for component in waiting
            if all(name in ordered or name not in names for name in needed[component.name])
        )
        ordered[ready.name] = ready
        waiting.remove(ready)
    return tuple(ordered.values())
