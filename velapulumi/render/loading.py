"""The way in: from a file to an application with its environments, or all its problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any

from velapulumi.definitions import PolicyDefinition, StepDefinition
from velapulumi.definitions.refused import REFUSED_STEPS
from velapulumi.errors import InvalidApplication, Problem
from velapulumi.render.components import find_or_explain
from velapulumi.render.defaults import default_steps
from velapulumi.render.environments import Environment, EnvironmentBuilder, TracedEnvironment
from velapulumi.render.labels import inherited
from velapulumi.render.notes import Notes
from velapulumi.render.objects import (
    ComponentError,
    RenderedObject,
    RevisionNames,
    render_component,
)
from velapulumi.render.placement import LOCAL, Placement
from velapulumi.render.rules import NO_RULES, Rules, refusals, remarks
from velapulumi.render.steps import every_step, read_step
from velapulumi.render.surroundings import NOTHING_ELSE, Surroundings
from velapulumi.render.targets import (
    DEPLOY,
    ENV_BINDING,
    OVERRIDE,
    Policies,
    ReadPolicy,
    Targets,
    makes_objects,
)
from velapulumi.spec import (
    COMPONENTS,
    POLICIES,
    STEPS,
    Application,
    Finding,
    Path,
    Policy,
    Step,
    SubStep,
    check_support,
    format_path,
    inspect_application,
    name_problem,
    read_text,
)

HEALTH = "health"

MAY_BE_EMPTY = ("debug", HEALTH)
"""Policy types which need no properties."""


@dataclass(frozen=True)
class HealthPolicy:
    """How health is looked at, in seconds."""

    name: str
    probe_interval: int
    probe_timeout: int


@dataclass(frozen=True)
class Loaded:
    """An application without problems.

    Attributes:
        application: The application as written.
        environments: Environments by name, in the order of the file or of their steps; empty
            without policies that place components.
        health: The health policy, if there is one.
        warnings: What a person should know.
        surroundings: What was known beside the file.
        base: The components as they stand, on the cluster ``local``; None where an environment
            has them, or a policy overrides them.
        steps: The steps of its workflow, written or made up.
        rules: Which objects its policies treat in a special way.
        obstacles: What it asks for and ``up`` cannot do yet.
        text: The text of the file.
    """

    application: Application
    environments: Mapping[str, Environment]
    health: HealthPolicy | None
    warnings: tuple[str, ...]
    surroundings: Surroundings = NOTHING_ELSE
    base: Environment | None = None
    steps: tuple[Step, ...] = ()
    rules: Rules = NO_RULES
    obstacles: tuple[Problem, ...] = ()
    text: str = field(default="", repr=False)


def load(path: FilePath, surroundings: Surroundings = NOTHING_ELSE) -> Loaded:
    """Read an Application and everything it refers to, and render it once.

    Args:
        path: The file; Policy and Workflow documents which it uses may stand in it too.
        surroundings: What is known beside the file.

    Raises:
        InvalidApplication: The file cannot be read or has problems; holds all of them.
    """
    return parse(read_text(path), str(path), surroundings)


def parse(text: str, file: str, surroundings: Surroundings = NOTHING_ELSE) -> Loaded:
    """Like ``load``, from a text.

    Args:
        text: YAML text with one Application.
        file: Name of the file, for messages.
        surroundings: What is known beside the file.

    Raises:
        InvalidApplication: The text has problems; holds all of them.
    """
    application, problems = inspect_application(text, file)
    loader = _Loader(application, surroundings)
    loaded = replace(loader.load(), text=text)
    known = {problem.path for problem in problems if problem.path}
    further = (application.problem(path, message) for path, message in loader.findings())
    problems += (problem for problem in further if problem.path not in known)
    if problems:
        raise InvalidApplication(file, list(dict.fromkeys(problems)))
    return loaded


def shown_environments(loaded: Loaded) -> tuple[Environment, ...]:
    """What there is to show of an application: what its steps deliver, wherever that is told.

    Where none of them delivers its components, those come first as they stand.
    """
    environments = tuple(loaded.environments.values())
    if _deliver_components(loaded.environments, loaded.steps, loaded.surroundings):
        return environments
    return (base_environment(loaded), *environments)


def base_environment(loaded: Loaded) -> Environment:
    """The components as they stand, on the cluster ``local`` and without an environment's name."""
    if loaded.base is not None:
        return loaded.base
    return EnvironmentBuilder(loaded.application, loaded.surroundings).base().environment


def _deliver_components(
    environments: Iterable[str], steps: Sequence[Step], surroundings: Surroundings
) -> bool:
    """Whether one of the environments is not only of objects that a step makes itself."""
    making = {
        step.name for step in every_step(steps) if makes_objects(surroundings.catalog, step.type)
    }
    return any(name not in making for name in environments)


class _Loader:
    """Loads one application, collecting findings on the way."""

    def __init__(self, application: Application, surroundings: Surroundings) -> None:
        self._application = application
        self._surroundings = surroundings
        self._builder = EnvironmentBuilder(application, surroundings)
        self._notes = Notes(
            warnings=list(application.warnings), obstacles=list(check_support(application))
        )
        self._policies = Policies()
        self._health: HealthPolicy | None = None

    def findings(self) -> Iterator[Finding]:
        yield from self._builder.findings
        yield from self._notes.findings

    def load(self) -> Loaded:
        for index, policy in enumerate(self._application.policies):
            self._read_policy(policy, (*POLICIES, index))
        rules = Rules.of(
            (read.policy.type, read.parameters)
            for read in self._policies.read.values()
            if read.parameters is not None
        )
        steps = self._steps()
        targets = Targets(
            self._application,
            self._surroundings,
            self._builder,
            self._policies,
            self._notes,
            self._render,
        )
        environments = targets.environments(steps)
        base = None
        delivered = _deliver_components(environments, steps, self._surroundings)
        if delivered or OVERRIDE in {read.policy.type for read in self._policies.read.values()}:
            self._builder.check_base()
        else:
            standing = self._builder.base()
            base = standing.environment
            self._render(standing)
            self._notes.warnings += base.warnings
        for index, component in enumerate(self._application.components):
            if component.scopes:
                path = format_path((*COMPONENTS, index, "scopes"))
                self._notes.warnings.append(f"{path}: is deprecated and has no effect")
        return Loaded(
            application=self._application,
            environments=environments,
            health=self._health,
            warnings=tuple(dict.fromkeys(self._notes.warnings)),
            surroundings=self._surroundings,
            base=base,
            steps=steps,
            rules=rules,
            obstacles=tuple(self._application.problem(*found) for found in self._notes.obstacles),
        )

    def _read_policy(self, policy: Policy, path: Path) -> None:
        catalog = self._surroundings.catalog
        definition, reason = find_or_explain(catalog, PolicyDefinition, policy.type, "policy")
        if definition is None:
            self._notes.problem((*path, "type"), reason)
            return
        if definition.deprecated:
            subject = f"policy {policy.name}: type {policy.type}"
            self._notes.warnings.append(f"{subject} is deprecated, use {definition.deprecated}")
        parameters, problems = definition.read(policy.properties)
        if not policy.properties and policy.type not in MAY_BE_EMPTY:
            message = f"policy {policy.type} named {policy.name} must not have empty properties"
            problems = [((), message)]
            parameters = None
        self._notes.problems_of(path, problems)
        self._notes.obstacles += (((*path, *place), text) for place, text in refusals(policy.type))
        for place, text in remarks(policy.type, parameters) if parameters is not None else ():
            where = format_path((*path, "properties", *place))
            self._notes.warnings.append(f"{where}: {text}")
        self._policies.read[policy.name] = ReadPolicy(policy, (*path, "properties"), parameters)
        if policy.type == ENV_BINDING and parameters:
            self._policies.bindings[policy.name] = self._read_envs(parameters, policy, path)
        elif policy.type == HEALTH and parameters:
            if self._health:
                self._notes.problem(
                    (*path, "type"), "there is a health policy already, one is enough"
                )
            self._health = HealthPolicy(
                policy.name, parameters.probeInterval, parameters.probeTimeout
            )

    def _read_envs(
        self, parameters: Any, policy: Policy, path: Path
    ) -> dict[str, TracedEnvironment]:
        environments: dict[str, TracedEnvironment] = {}
        for index, env in enumerate(parameters.envs):
            place = (*path, "properties", "envs", index)
            self._notes.problem((*place, "name"), name_problem(env.name))
            if env.name in environments:
                message = f'"{env.name}" is the name of an earlier env, each needs its own'
                self._notes.problem((*place, "name"), message)
                continue
            environment = self._builder.env(env, policy.name, place)
            self._notes.warnings += environment.environment.warnings
            self._render(environment)
            environments[env.name] = environment
        return environments

    def _steps(self) -> tuple[Step, ...]:
        """The steps of the workflow, written or made up."""
        workflow = self._application.workflow
        if workflow is None or not workflow.steps:
            envs = {name: list(binding) for name, binding in self._policies.bindings.items()}
            return default_steps(self._application, envs)
        for index, step in enumerate(workflow.steps):
            self._read_step(step, (*STEPS, index))
            for inner, sub_step in enumerate(step.sub_steps):
                self._read_step(sub_step, (*STEPS, index, "subSteps", inner))
        return workflow.steps

    def _read_step(self, step: SubStep, path: Path) -> None:
        if advice := REFUSED_STEPS.get(step.type):
            message = f"a step of type {step.type} is not run here: {advice}"
            self._notes.obstacles.append(((*path, "type"), message))
            return
        for index, item in enumerate(step.inputs if step.type == DEPLOY else ()):
            if item.parameter_key == "auto":
                place = (*path, "inputs", index, "parameterKey")
                self._notes.problem(place, "whether somebody must approve has to stand in the file")
        definition, reason = find_or_explain(
            self._surroundings.catalog, StepDefinition, step.type, "workflow step"
        )
        if definition is None:
            self._notes.problem((*path, "type"), reason)
            return
        if definition.deprecated:
            subject = f"step {step.name}: type {step.type}"
            self._notes.warnings.append(f"{subject} is deprecated, use {definition.deprecated}")
        parameters, problems, ignored = read_step(step, definition, self._surroundings)
        self._notes.problems_of(path, problems)
        self._notes.warnings += (
            f"step {step.name}: {format_path(('properties', *place))} is unknown and ignored"
            for place in ignored
        )
        if parameters is not None:
            found = definition.check(parameters)
            self._notes.obstacles += (
                ((*path, "properties", *place), text) for place, text in found
            )

    def _render(self, traced: TracedEnvironment) -> None:
        """Render once, for what only shows then."""
        application, environment = self._application, traced.environment
        revision, copied = RevisionNames(f"{application.name}-v1"), inherited(application)
        origins = {origin.component.name: origin for origin in traced.origins}
        seen: dict[tuple[str, ...], RenderedObject] = {}
        place = next(iter(environment.placements), Placement(LOCAL, application.namespace))
        for resolved in environment.resolved:
            origin = origins[resolved.component.name]
            try:
                for item in render_component(
                    application, resolved, place, revision, copied, self._surroundings
                ):
                    other = seen.setdefault(item.identity, item)
                    if other.replica_key != item.replica_key:
                        message = (
                            f"{item.title} is rendered for several keys: a replicated component "
                            "must have context.replicaKey in the names of its objects"
                        )
                        self._builder.report(origin, [((), message)])
                    elif other.component != item.component and other.content != item.content:
                        message = f"{item.title} is rendered by component {other.component} too"
                        self._builder.report(origin, [((), message)])
                    elif other is not item:
                        maker = item.trait if other.component == item.component else item.component
                        self._notes.warnings.append(
                            f"component {item.component}: {item.title} is rendered twice, "
                            f"the one of {maker} counts"
                        )
            except ComponentError as error:
                self._builder.report(origin, [(error.path, error.message)])
