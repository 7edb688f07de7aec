"""The way in: from a file to an application with its environments, or all its problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, TypeAlias

from velapulumi.definitions import PolicyDefinition, StepDefinition
from velapulumi.errors import InvalidApplication
from velapulumi.render.components import find_or_explain
from velapulumi.render.environments import Environment, EnvironmentBuilder, TracedEnvironment
from velapulumi.render.labels import inherited
from velapulumi.render.objects import ComponentError, RevisionNames, render_component
from velapulumi.spec import (
    COMPONENTS,
    POLICIES,
    STEPS,
    Application,
    Finding,
    Path,
    Policy,
    did_you_mean,
    format_path,
    inspect_application,
    name_problem,
    read_text,
)

ENV_BINDING = "env-binding"
HEALTH = "health"
DEPLOY2ENV = "deploy2env"


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
        environments: Environments by name, in file order; empty without env-binding.
        health: The health policy, if there is one.
        warnings: What a person should know.
    """

    application: Application
    environments: Mapping[str, Environment]
    health: HealthPolicy | None
    warnings: tuple[str, ...]


def load(path: FilePath) -> Loaded:
    """Read an Application and everything it refers to, and render it once.

    Raises:
        InvalidApplication: The file cannot be read or has problems; holds all of them.
    """
    return parse(read_text(path), str(path))


def parse(text: str, file: str) -> Loaded:
    """Like ``load``, from a text.

    Args:
        text: YAML text with one Application.
        file: Name of the file, for messages.

    Raises:
        InvalidApplication: The text has problems; holds all of them.
    """
    application, problems = inspect_application(text, file)
    loader = _Loader(application)
    loaded = loader.load()
    known = {problem.path for problem in problems if problem.path}
    further = (application.problem(path, message) for path, message in loader.findings())
    problems += (problem for problem in further if problem.path not in known)
    if problems:
        raise InvalidApplication(file, list(dict.fromkeys(problems)))
    return loaded


def base_environment(application: Application) -> Environment:
    """The components as they stand, on the cluster ``local`` and without an environment's name.

    Args:
        application: An application which ``load`` has found without problems.
    """
    return EnvironmentBuilder(application).base().environment


Binding: TypeAlias = dict[str, TracedEnvironment] | None
"""Environments of an env-binding policy by name; None when it cannot be read."""


class _Loader:
    """Loads one application, collecting findings on the way."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._builder = EnvironmentBuilder(application)
        self._found: list[Finding] = []
        self._invalid: set[Path] = set()
        self._warnings: list[str] = []
        self._bindings: dict[str, Binding] = {}
        self._health: HealthPolicy | None = None

    def findings(self) -> Iterator[Finding]:
        yield from self._builder.findings
        yield from self._found

    def load(self) -> Loaded:
        for index, policy in enumerate(self._application.policies):
            self._read_policy(policy, (*POLICIES, index))
        if self._bindings:
            self._builder.check_base()
        else:
            self._render(self._builder.base())
        for index, component in enumerate(self._application.components):
            if component.scopes:
                path = format_path((*COMPONENTS, index, "scopes"))
                self._warnings.append(f"{path}: is deprecated and has no effect")
        return Loaded(
            application=self._application,
            environments=self._environments(self._deployed()),
            health=self._health,
            warnings=tuple(dict.fromkeys(self._warnings)),
        )

    def _read_policy(self, policy: Policy, path: Path) -> None:
        definition, reason = find_or_explain(PolicyDefinition, policy.type, "policy")
        if definition is None:
            self._note((*path, "type"), reason)
            return
        parameters, problems = definition.read(policy.properties)
        self._note_invalid(path, problems)
        if policy.type == ENV_BINDING:
            binding = self._read_envs(parameters, policy, path) if parameters else None
            self._bindings[policy.name] = binding
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

    def _render(self, traced: TracedEnvironment) -> None:
        """Render once, for what only shows then."""
        application, environment = self._application, traced.environment
        revision, copied = RevisionNames(f"{application.name}-v1"), inherited(application)
        origins = {id(origin.component): origin for origin in traced.origins}
        for resolved in environment.resolved:
            place = environment.placements[0]
            try:
                tuple(render_component(application, resolved, place, revision, copied))
            except ComponentError as error:
                origin = origins[id(resolved.component)]
                self._builder.report(origin, [(error.path, error.message)])

    def _deployed(self) -> dict[str, set[str]]:
        """Envs which the workflow deploys, by policy; all without a step which deploys."""
        workflow = self._application.workflow
        deployed: dict[str, set[str]] = {}
        for index, step in enumerate(workflow.steps if workflow else ()):
            definition, reason = find_or_explain(StepDefinition, step.type, "workflow step")
            path = (*STEPS, index)
            if definition is None:
                self._note((*path, "type"), reason)
                continue
            parameters, problems = definition.read(step.properties)
            if parameters is not None:
                problems += definition.check(parameters)
            self._note_invalid(path, problems)
            if step.type == DEPLOY2ENV and parameters is not None:
                policy = self._target(parameters, (*path, "properties"))
                deployed.setdefault(policy, set()).add(parameters.env)
        if workflow and self._bindings:
            self._warn_unused(deployed)
        return deployed or {name: set() for name in self._bindings}

    def _target(self, parameters: Any, path: Path) -> str:
        """Policy of a deploy2env step; notes when it or the env is not there."""
        name: str = parameters.policy or next(iter(self._bindings), "")
        types = {policy.name: policy.type for policy in self._application.policies}
        binding = self._bindings.get(name)
        if not name:
            self._note((*path, "policy"), "there is no policy of type env-binding")
        elif name not in types:
            hint = did_you_mean(name, self._bindings)
            self._note((*path, "policy"), f'there is no policy "{name}"{hint}')
        elif name not in self._bindings:
            message = f'policy "{name}" is of type {types[name]}, env-binding is needed'
            self._note((*path, "policy"), message)
        elif binding is not None and parameters.env not in binding:
            hint = did_you_mean(parameters.env, binding)
            self._note(
                (*path, "env"), f"target env {parameters.env} in policy {name} not found{hint}"
            )
        return name

    def _warn_unused(self, deployed: Mapping[str, set[str]]) -> None:
        for name, binding in self._bindings.items():
            for env in binding or ():
                if env not in deployed.get(name, ()):
                    self._warnings.append(f"env {env} of policy {name} is in no workflow step")

    def _environments(self, policies: Iterable[str]) -> dict[str, Environment]:
        """The environments of policies by name, which must be unique among them."""
        environments: dict[str, Environment] = {}
        for policy, binding in self._bindings.items():
            if policy not in policies:
                continue
            for name, traced in (binding or {}).items():
                if name in environments:
                    message = f'"{name}" is an env of policy {environments[name].policy} too'
                    self._note((*traced.path, "name"), message)
                    continue
                self._check_location(traced, environments.values())
                environments[name] = traced.environment
        return environments

    def _check_location(self, traced: TracedEnvironment, others: Iterable[Environment]) -> None:
        """Two environments must not own the same object."""
        environment = traced.environment
        names = {component.name for component in environment.components}
        for other in others:
            shared = names.intersection(component.name for component in other.components)
            if shared and other.placements == environment.placements:
                place = environment.placements[0]
                message = (
                    f"invalid env {environment.name}: location {place.cluster}/{place.namespace} "
                    f"conflict with env {other.name}, both have {', '.join(sorted(shared))}"
                )
                self._note((*traced.path, "placement"), message)
                return

    def _note_invalid(self, path: Path, problems: Iterable[Finding]) -> None:
        """Note problems of properties."""
        found = [((*path, "properties", *place), message) for place, message in problems]
        self._found += found
        self._invalid.update(place for place, _ in found)

    def _note(self, path: Path, message: str) -> None:
        """Note a problem, unless its place or one above is known to be invalid anyway."""
        if message and not any(path[:end] in self._invalid for end in range(len(path) + 1)):
            self._found.append((path, message))
