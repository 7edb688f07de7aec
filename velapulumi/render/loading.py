"""The way in: from a file to an application with its environments, or all its problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from velapulumi.definitions import PolicyDefinition, StepDefinition
from velapulumi.errors import InvalidApplication, Problem
from velapulumi.render.components import find_or_explain
from velapulumi.render.defaults import default_steps
from velapulumi.render.environments import Environment, EnvironmentBuilder, TracedEnvironment
from velapulumi.render.labels import inherited
from velapulumi.render.objects import (
    ComponentError,
    RenderedObject,
    RevisionNames,
    render_component,
)
from velapulumi.render.placement import LOCAL, NoCluster, Placement, topology_placements
from velapulumi.render.rules import NO_RULES, Rules
from velapulumi.render.surroundings import NOTHING_ELSE, Surroundings
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
    did_you_mean,
    format_path,
    inspect_application,
    name_problem,
    not_supported,
    read_text,
)

ENV_BINDING = "env-binding"
HEALTH = "health"
TOPOLOGY = "topology"
OVERRIDE = "override"
REPLICATION = "replication"
DEPLOY = "deploy"
DEPLOY2ENV = "deploy2env"

MAY_BE_EMPTY = ("debug", HEALTH)
"""Policy types which need no properties."""

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
        steps: The steps of its workflow, written or made up.
        rules: Which objects its policies treat in a special way.
        obstacles: What it asks for and ``up`` cannot do yet.
    """

    application: Application
    environments: Mapping[str, Environment]
    health: HealthPolicy | None
    warnings: tuple[str, ...]
    surroundings: Surroundings = NOTHING_ELSE
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


def base_environment(
    application: Application, surroundings: Surroundings = NOTHING_ELSE
) -> Environment:
    """The components as they stand, on the cluster ``local`` and without an environment's name.

    Args:
        application: An application which ``load`` has found without problems.
        surroundings: What is known beside the file.
    """
    return EnvironmentBuilder(application, surroundings).base().environment


@dataclass(frozen=True)
class _Read:
    """A policy as read: place of its properties in the file, and its parameters if valid."""

    policy: Policy
    path: Path
    parameters: Any


class _Loader:
    """Loads one application, collecting findings on the way."""

    def __init__(self, application: Application, surroundings: Surroundings) -> None:
        self._application = application
        self._surroundings = surroundings
        self._builder = EnvironmentBuilder(application, surroundings)
        self._found: list[Finding] = []
        self._invalid: set[Path] = set()
        self._warnings: list[str] = list(application.warnings)
        self._policies: dict[str, _Read] = {}
        self._bindings: dict[str, dict[str, TracedEnvironment]] = {}
        self._obstacles: list[Finding] = list(check_support(application))
        self._health: HealthPolicy | None = None

    def findings(self) -> Iterator[Finding]:
        yield from self._builder.findings
        yield from self._found

    def load(self) -> Loaded:
        for index, policy in enumerate(self._application.policies):
            self._read_policy(policy, (*POLICIES, index))
        rules = Rules.of(
            (read.policy.type, read.parameters)
            for read in self._policies.values()
            if read.parameters is not None
        )
        steps = self._steps()
        environments = self._environments(steps)
        if any(read.policy.type in (ENV_BINDING, OVERRIDE) for read in self._policies.values()):
            self._builder.check_base()
        else:
            base = self._builder.base()
            self._render(base)
            self._warnings += base.environment.warnings
        for index, component in enumerate(self._application.components):
            if component.scopes:
                path = format_path((*COMPONENTS, index, "scopes"))
                self._warnings.append(f"{path}: is deprecated and has no effect")
        return Loaded(
            application=self._application,
            environments=environments,
            health=self._health,
            warnings=tuple(dict.fromkeys(self._warnings)),
            surroundings=self._surroundings,
            steps=steps,
            rules=rules,
            obstacles=tuple(self._application.problem(*found) for found in self._obstacles),
        )

    def _read_policy(self, policy: Policy, path: Path) -> None:
        catalog = self._surroundings.catalog
        definition, reason = find_or_explain(catalog, PolicyDefinition, policy.type, "policy")
        if definition is None:
            self._note((*path, "type"), reason)
            return
        if definition.deprecated:
            subject = f"policy {policy.name}: type {policy.type}"
            self._warnings.append(f"{subject} is deprecated, use {definition.deprecated}")
        parameters, problems = definition.read(policy.properties)
        if not policy.properties and policy.type not in MAY_BE_EMPTY:
            message = f"policy {policy.type} named {policy.name} must not have empty properties"
            problems = [((), message)]
            parameters = None
        self._note_invalid(path, problems)
        self._policies[policy.name] = _Read(policy, (*path, "properties"), parameters)
        if policy.type == ENV_BINDING and parameters:
            self._bindings[policy.name] = self._read_envs(parameters, policy, path)
        elif policy.type == HEALTH and parameters:
            if self._health:
                self._note((*path, "type"), "there is a health policy already, one is enough")
            self._health = HealthPolicy(
                policy.name, parameters.probeInterval, parameters.probeTimeout
            )

    def _read_envs(
        self, parameters: Any, policy: Policy, path: Path
    ) -> dict[str, TracedEnvironment]:
        environments: dict[str, TracedEnvironment] = {}
        for index, env in enumerate(parameters.envs):
            place = (*path, "properties", "envs", index)
            self._note((*place, "name"), name_problem(env.name))
            if env.name in environments:
                message = f'"{env.name}" is the name of an earlier env, each needs its own'
                self._note((*place, "name"), message)
                continue
            environment = self._builder.env(env, policy.name, place)
            self._warnings += environment.environment.warnings
            self._render(environment)
            environments[env.name] = environment
        return environments

    def _steps(self) -> tuple[Step, ...]:
        """The steps of the workflow, written or made up."""
        workflow = self._application.workflow
        if workflow is None or not workflow.steps:
            envs = {name: list(binding) for name, binding in self._bindings.items()}
            return default_steps(self._application, envs)
        for index, step in enumerate(workflow.steps):
            self._read_step(step, (*STEPS, index))
            for inner, sub_step in enumerate(step.sub_steps):
                self._read_step(sub_step, (*STEPS, index, "subSteps", inner))
        return workflow.steps

    def _read_step(self, step: SubStep, path: Path) -> None:
        if step.type in LATER:
            self._obstacles.append(((*path, "type"), not_supported(f"a step of type {step.type}")))
            return
        definition, reason = find_or_explain(
            self._surroundings.catalog, StepDefinition, step.type, "workflow step"
        )
        if definition is None:
            self._note((*path, "type"), reason)
            return
        parameters, problems = definition.read(step.properties)
        self._note_invalid(path, problems)
        if parameters is not None:
            found = definition.check(parameters)
            self._obstacles += (((*path, "properties", *place), text) for place, text in found)

    def _environments(self, steps: Iterable[Step]) -> dict[str, Environment]:
        """The environments which the steps deliver, by name."""
        workflow = self._application.workflow
        written = workflow is not None and bool(workflow.steps)
        traced: dict[str, TracedEnvironment] = {}
        used: set[tuple[str, str]] = set()
        for index, step in enumerate(steps):
            path: Path = (*STEPS, index)
            if step.type == DEPLOY:
                self._note((*path, "name"), name_problem(step.name))
                if (made := self._deploy(step, path)) is not None:
                    traced[step.name] = made
            elif step.type == DEPLOY2ENV:
                target = self._target(step, (*path, "properties"))
                used |= {target} if target else set()
        policies = {policy for policy, _ in used} or set(self._bindings)
        for policy, binding in self._bindings.items():
            for name, env in binding.items() if policy in policies else ():
                if name in traced:
                    self._note((*env.path, "name"), self._taken(name, traced[name]))
                    continue
                others = (other.environment for other in traced.values() if other.path)
                self._note((*env.path, "placement"), _conflict(env.environment, others))
                traced[name] = env
        if written:
            self._warn_unused(used)
        return {name: entry.environment for name, entry in traced.items()}

    def _taken(self, name: str, other: TracedEnvironment) -> str:
        if other.path:
            return f'"{name}" is an env of policy {other.environment.policies[0]} too'
        return f'"{name}" is the name of a deploy step too, give one of them another'

    def _target(self, step: Step, path: Path) -> tuple[str, str] | None:
        """Policy and env of a deploy2env step; notes when one is not there."""
        name = step.properties.get("policy") or next(iter(self._bindings), "")
        env = step.properties.get("env")
        if not isinstance(name, str) or not isinstance(env, str):
            return None
        types = {policy.name: policy.type for policy in self._application.policies}
        binding = self._bindings.get(name)
        if not name:
            if ENV_BINDING not in types.values():
                self._note((*path, "policy"), "there is no policy of type env-binding")
        elif name not in types:
            hint = did_you_mean(name, self._bindings)
            self._note((*path, "policy"), f'there is no policy "{name}"{hint}')
        elif types[name] != ENV_BINDING:
            message = f'policy "{name}" is of type {types[name]}, env-binding is needed'
            self._note((*path, "policy"), message)
        elif binding is not None and env not in binding:
            hint = did_you_mean(env, binding)
            self._note((*path, "env"), f"target env {env} in policy {name} not found{hint}")
        return name, env

    def _deploy(self, step: Step, path: Path) -> TracedEnvironment | None:
        """The environment of a deploy step; None when its policies cannot be told."""
        names = step.properties.get("policies") or ()
        if not isinstance(names, list | tuple) or not all(isinstance(n, str) for n in names):
            return None
        types = {policy.name: policy.type for policy in self._application.policies}
        found: dict[str, list[_Read]] = {TOPOLOGY: [], OVERRIDE: [], REPLICATION: []}
        for index, name in enumerate(names):
            place = (*path, "properties", "policies", index)
            kind = types.get(name)
            if kind is None:
                self._note(place, f"policy {name} not found{did_you_mean(name, types)}")
            elif kind not in found:
                takes = "a deploy step takes topology, override and replication"
                self._note(place, f"policy {name} is of type {kind}, {takes}")
            elif (read := self._policies.get(name)) and read.parameters is not None:
                found[kind].append(read)
        environment = self._builder.deploy(
            step.name,
            names,
            self._places(found[TOPOLOGY]),
            [(read.path, read.parameters) for read in found[OVERRIDE]],
            [(read.path, read.parameters) for read in found[REPLICATION]],
        )
        self._warnings += environment.environment.warnings
        self._render(environment)
        return environment

    def _places(self, topologies: list[_Read]) -> tuple[Placement, ...]:
        """The places of topology policies, each once; the cluster ``local`` without any."""
        namespace = self._application.namespace
        places: dict[Placement, None] = {}
        for read in topologies:
            if name := read.parameters.namespace:
                self._note((*read.path, "namespace"), name_problem(name))
            try:
                chosen = topology_placements(
                    read.parameters, namespace, self._surroundings.clusters
                )
                places |= dict.fromkeys(chosen)
            except NoCluster as error:
                self._note((*read.path, "clusterLabelSelector"), str(error))
        return tuple(places) if topologies else (Placement(LOCAL, namespace),)

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
                    elif other.component != item.component:
                        message = f"{item.title} is rendered by component {other.component} too"
                        self._builder.report(origin, [((), message)])
                    elif other is not item:
                        self._warnings.append(
                            f"component {item.component}: {item.title} is rendered twice, "
                            f"the one of {item.trait} goes before the one of {other.trait}"
                        )
            except ComponentError as error:
                self._builder.report(origin, [(error.path, error.message)])

    def _warn_unused(self, used: set[tuple[str, str]]) -> None:
        for name, binding in self._bindings.items():
            for env in binding:
                if (name, env) not in used:
                    self._warnings.append(f"env {env} of policy {name} is in no workflow step")

    def _note_invalid(self, path: Path, problems: Iterable[Finding]) -> None:
        """Note problems of properties."""
        found = [((*path, "properties", *place), message) for place, message in problems]
        self._found += found
        self._invalid.update(place for place, _ in found)

    def _note(self, path: Path, message: str) -> None:
        """Note a problem, unless its place or one above is known to be invalid anyway."""
        if message and not any(path[:end] in self._invalid for end in range(len(path) + 1)):
            self._found.append((path, message))


def _conflict(environment: Environment, others: Iterable[Environment]) -> str:
    """Why two envs of env-binding cannot both be: they would own the same object."""
    names = {component.name for component in environment.components}
    for other in others:
        shared = names.intersection(component.name for component in other.components)
        if shared and other.placements == environment.placements:
            place = environment.placements[0]
            return (
                f"invalid env {environment.name}: location {place.cluster}/{place.namespace} "
                f"conflict with env {other.name}, both have {', '.join(sorted(shared))}"
            )
    return ""
