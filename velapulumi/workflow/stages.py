"""The workflow as a list of steps and the stages its deploying steps make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from velapulumi.errors import InvalidApplication
from velapulumi.render import Environment, Loaded
from velapulumi.spec import Component, StrictModel

DEPLOY = "deploy2env"
SUSPEND = "suspend"


class WorkflowStep(StrictModel):
    """One step.

    Attributes:
        name: Its name, unique in the workflow.
        type: ``deploy2env`` or ``suspend``.
        stage: The stage a deploying step delivers, else None.
        message: What a suspend step says to whoever may go on.
        parallel: Whether a deploying step applies its components without waiting for each other.
    """

    name: str
    type: str
    stage: str | None = None
    message: str = ""
    parallel: bool = False


@dataclass(frozen=True)
class Stage:
    """One stage of an application: the environment that one step delivers.

    Attributes:
        name: Name of the environment, and so of the stage.
        step: The step that delivers it.
        environment: Its placements and patched components.
    """

    name: str
    step: WorkflowStep
    environment: Environment

    @property
    def clusters(self) -> tuple[str, ...]:
        """Names of the clusters it is placed on, in order, each once."""
        return tuple(dict.fromkeys(place.cluster for place in self.environment.placements))


@dataclass(frozen=True)
class Workflow:
    """An application's steps in order, and its stages by name in the same order."""

    steps: tuple[WorkflowStep, ...]
    stages: dict[str, Stage]

    def before(self, stage: str) -> tuple[WorkflowStep, ...]:
        """The steps that come before a stage's own."""
        names = [step.stage for step in self.steps]
        return self.steps[: names.index(stage)]


def workflow_of(loaded: Loaded) -> Workflow:
    """Read the workflow of an application.

    Without one, each environment of each env-binding policy is delivered in the order written,
    by steps named as KubeVela names its generated ones (``deploy-<policy>-<env>``).

    Args:
        loaded: The application, already checked.
    """
    written = loaded.application.workflow
    if written is None or not written.steps:
        steps = tuple(
            WorkflowStep(name=f"deploy-{environment.policy}-{name}", type=DEPLOY, stage=name)
            for name, environment in loaded.environments.items()
            if environment.policy
        )
    else:
        steps = tuple(
            WorkflowStep(
                name=step.name or f"step-{index}",
                type=step.type,
                stage=step.properties["env"] if step.type == DEPLOY else None,
                message=str(step.properties.get("message") or ""),
                parallel=bool(step.properties.get("parallel", False)),
            )
            for index, step in enumerate(written.steps)
        )
    _refuse_twins(loaded, steps)
    stages = {
        step.stage: Stage(step.stage, step, loaded.environments[step.stage])
        for step in steps
        if step.stage is not None
    }
    return Workflow(steps, stages)


def in_delivery_order(components: Sequence[Component]) -> tuple[Component, ...]:
    """Components in the order they are applied: as written, each after those it depends on.

    Args:
        components: The components of one environment, without a circle in ``dependsOn``.
    """
    names = {component.name for component in components}
    ordered: dict[str, Component] = {}
    waiting = list(components)
    while waiting:
        ready = next(
            component
            for component in waiting
            if all(name in ordered or name not in names for name in component.depends_on)
        )
        ordered[ready.name] = ready
        waiting.remove(ready)
    return tuple(ordered.values())


def _refuse_twins(loaded: Loaded, steps: Sequence[WorkflowStep]) -> None:
    """One stage is one step: two steps for one environment would be one stack twice."""
    seen: set[str] = set()
    for index, step in enumerate(steps):
        if step.stage is not None and step.stage in seen:
            raise InvalidApplication(
                loaded.application.file,
                [
                    loaded.application.problem(
                        ("spec", "workflow", "steps", index, "properties", "env"),
                        f"env {step.stage} is delivered by an earlier step already",
                    )
                ],
            )
        seen.add(step.stage or "")
