"""The way in: from a file to an application with its environments, or all its problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from velapulumi.definitions import PolicyDefinition, StepDefinition
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
from velapulumi.render.surroundings import NOTHING_ELSE, Surroundings
from velapulumi.render.targets import (
    DEPLOY,
    DEPLOY2ENV,
    ENV_BINDING,
    OVERRIDE,
    Policies,
    ReadPolicy,
    Targets,
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
    not_supported,
    read_text,
)

HEALTH = "health"

MAY_BE_EMPTY = ("debug", HEALTH)
"""Policy types which need no properties."""

RUN = (DEPLOY, DEPLOY2ENV, "suspend")
"""Step types which ``up`` runs."""

LATER = frozenset(
    {
        "apply-application",
        "apply-application-in-parallel",
        "apply-component",
        "apply-deployment",
        "apply-object",
        "apply-remaining",
        "apply-terraform-config",
        "apply-terraform-provider",
        "build-push-image",
        "builtin-apply-component",
        "check-metrics",
        "clean-jobs",
        "collect-service-endpoints",
        "create-config",
        "delete-config",
        "depends-on-app",
        "deploy-cloud-resource",
        "deploy2runtime",
        "export-data",
        "export-service",
        "export2config",
        "export2secret",
        "generate-jdbc-connection",
        "list-config",
        "notification",
        "print-message-in-status",
        "read-app",
        "read-config",
        "read-object",
        "request",
        "restart-workflow",
        "share-cloud-resource",
        "step-group",
        "vela-cli",
        "webhook",
    }
)
"""Step types of KubeVela which ``up`` cannot run yet; they do not change what is rendered."""


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
        base: The components as they stand, on the cluster ``local``; None where it has
            environments.
        steps: The steps of its workflow, written or made up.
        rules: Which objects its policies treat in a special way.
        obstacles: What it asks for and ``up`` cannot do yet.
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
    loaded = loader.load()
    known = {problem.path for problem in problems if problem.path}
    further = (application.problem(path, message) for path, message in loader.findings())
    problems += (problem for problem in further if problem.path not in known)
    if problems:
        raise InvalidApplication(file, list(dict.fromkeys(problems)))
    return loaded


def base_environment(loaded: Loaded) -> Environment:
    """The components as they stand, on the cluster ``local`` and without an environment's name."""
    if loaded.base is not None:
        return loaded.base
    return EnvironmentBuilder(loaded.application, loaded.surroundings).base().environment


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
        if environments or OVERRIDE in {read.policy.type for read in self._policies.read.values()}:
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
        if step.type in LATER:
            self._notes.obstacles.append(
                ((*path, "type"), not_supported(f"a step of type {step.type}"))
            )
            return
        definition, reason = find_or_explain(
            self._surroundings.catalog, StepDefinition, step.type, "workflow step"
        )
        if definition is None:
            self._notes.problem((*path, "type"), reason)
            return
        if step.type not in RUN:
            message = not_supported(f"a step of type {step.type}")
            self._notes.obstacles.append(((*path, "type"), message))
        parameters, problems = definition.read(step.properties)
        self._notes.problems_of(path, problems)
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
