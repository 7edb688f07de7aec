"""The workflow as a list of steps and the stages its deploying steps make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from velapulumi.render import Environment, Loaded
from velapulumi.render.targets import DEPLOY, DEPLOY2ENV
from velapulumi.spec import Component, StrictModel

SUSPEND = "suspend"


class WorkflowStep(StrictModel):
    """One step.

    Attributes:
        name: Its name, unique in the workflow.
        type: ``deploy``, ``deploy2env`` or ``suspend``.
        stage: The stage a deploying step delivers to; None when it delivers nothing.
        message: What is said to whoever may go on.
        parallel: Whether a deploying step applies its components without waiting for each other.
        approval: Whether a deploying step waits for approval before it begins.
        parallelism: How many objects a ``deploy`` step applies at once; 0 for as many as can be.
    """

    name: str
    type: str
    stage: str | None = None
    message: str = ""
    parallel: bool = False
    approval: bool = False
    parallelism: int = 0

    @property
    def gate(self) -> bool:
        """Whether it waits until somebody approves."""
        return self.approval or self.type == SUSPEND


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

    def until(self, step: str) -> tuple[WorkflowStep, ...]:
        """Its steps up to one of them, which is included."""
        names = [entry.name for entry in self.steps]
        return self.steps[: names.index(step) + 1]


@dataclass(frozen=True)
class Workflow:
    """An application's steps in order, and its stages by name in the same order."""

    steps: tuple[WorkflowStep, ...]
    stages: dict[str, Stage]

    def before(self, step: str) -> tuple[WorkflowStep, ...]:
        """The steps that come before one of them."""
        names = [entry.name for entry in self.steps]
        return self.steps[: names.index(step)]


def workflow_of(loaded: Loaded) -> Workflow:
    """Read the workflow of an application.

    Without a written one the steps are those that KubeVela makes up, run in their order. A
    ``deploy`` step that asks for approval does so even where its topologies match no cluster.

    Args:
        loaded: The application, already checked.
    """
    delivered = dict(_delivered(loaded))
    stages = _shared(delivered)
    steps = []
    for step in loaded.steps:
        properties = step.properties
        if step.type == SUSPEND:
            message = str(properties.get("message") or "")
            steps.append(WorkflowStep(name=step.name, type=SUSPEND, message=message))
            continue
        waits = step.type == DEPLOY and properties.get("auto") is False
        if step.name in delivered or waits:
            steps.append(
                WorkflowStep(
                    name=step.name,
                    type=step.type,
                    stage=stages.get(step.name),
                    message=f'Waiting approval to the deploy step "{step.name}"' if waits else "",
                    parallel=step.type == DEPLOY or bool(properties.get("parallel", False)),
                    approval=waits,
                    parallelism=(properties.get("parallelism") or 0) if step.type == DEPLOY else 0,
                )
            )
    return Workflow(
        tuple(steps),
        {
            name: Stage(
                name,
                tuple(step for step in steps if step.stage == name),
                {step: env for step, env in delivered.items() if stages[step] == name},
            )
            for name in dict.fromkeys(step.stage for step in steps if step.stage is not None)
        },
    )


def _delivered(loaded: Loaded) -> Iterator[tuple[str, Environment]]:
    """Name and environment of each delivering step; one without a place delivers nothing."""
    for step in loaded.steps:
        name = {DEPLOY: step.name, DEPLOY2ENV: step.properties.get("env")}.get(step.type)
        environment = loaded.environments.get(name) if name else None
        if environment is not None and environment.placements:
            yield step.name, environment


def _shared(delivered: Mapping[str, Environment]) -> dict[str, str]:
    """The stage of each step: steps with a place in common are in one."""
    groups: list[tuple[set[object], list[str]]] = []
    for step, environment in delivered.items():
        places: set[object] = set(environment.placements)
        steps: list[str] = []
        for group in [group for group in groups if group[0] & places]:
            places |= group[0]
            steps += group[1]
            groups.remove(group)
        groups.append((places, [*steps, step]))
    order = list(delivered)
    return {
        step: delivered[min(steps, key=order.index)].name for _, steps in groups for step in steps
    }


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
