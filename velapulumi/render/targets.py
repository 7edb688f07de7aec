"""What the steps of a workflow deliver: the environments of deploy and deploy2env steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from velapulumi.render.environments import Environment, EnvironmentBuilder, TracedEnvironment
from velapulumi.render.notes import Notes
from velapulumi.render.placement import LOCAL, NoCluster, Placement, topology_placements
from velapulumi.render.surroundings import Surroundings
from velapulumi.spec import (
    POLICIES,
    STEPS,
    Application,
    Path,
    Policy,
    Step,
    did_you_mean,
    name_problem,
)

ENV_BINDING = "env-binding"
TOPOLOGY = "topology"
OVERRIDE = "override"
REPLICATION = "replication"
DEPLOY = "deploy"
DEPLOY2ENV = "deploy2env"


@dataclass(frozen=True)
class ReadPolicy:
    """A policy as read: place of its properties in the file, and its parameters if valid."""

    policy: Policy
    path: Path
    parameters: Any


@dataclass
class Policies:
    """The policies of an application by name, as read, and the envs of its env-bindings."""

    read: dict[str, ReadPolicy] = field(default_factory=dict)
    bindings: dict[str, dict[str, TracedEnvironment]] = field(default_factory=dict)


class Targets:
    """Finds out what each delivering step delivers.

    Args:
        application: The application.
        surroundings: What is known beside the file.
        builder: Builds its environments.
        policies: Its policies.
        notes: Is told what is found.
        check: Is told each environment of a ``deploy`` step, to look at it closer.
    """

    def __init__(
        self,
        application: Application,
        surroundings: Surroundings,
        builder: EnvironmentBuilder,
        policies: Policies,
        notes: Notes,
        check: Callable[[TracedEnvironment], None],
    ) -> None:
        self._application = application
        self._surroundings = surroundings
        self._builder = builder
        self._policies = policies
        self._notes = notes
        self._check = check

    def environments(self, steps: Iterable[Step]) -> dict[str, Environment]:
        """The environments which the steps deliver, by name."""
        workflow = self._application.workflow
        written = workflow is not None and bool(workflow.steps)
        traced: dict[str, TracedEnvironment] = {}
        used: set[tuple[str, str]] = set()
        names: set[str] = set()
        for index, step in enumerate(steps):
            path: Path = (*STEPS, index)
            if step.type == DEPLOY:
                source = path if written else self._source(step)
                self._notes.problem((*source, "name"), name_problem(step.name))
                if (made := self._deploy(step, path)) is not None:
                    traced[step.name] = made
            elif step.type == DEPLOY2ENV:
                target = self._target(step, (*path, "properties"))
                used |= {target} if target else set()
                if not written and step.name in names:
                    message = f'its step "{step.name}" is called like an earlier one'
                    self._notes.problem((*self._source(step), "name"), message)
                names.add(step.name)
        policies = {policy for policy, _ in used} or set(self._policies.bindings)
        for policy, binding in self._policies.bindings.items():
            for name, env in binding.items() if policy in policies else ():
                if name in traced:
                    self._notes.problem((*env.path, "name"), self._taken(name, traced[name]))
                    continue
                others = (other.environment for other in traced.values() if other.path)
                self._notes.problem((*env.path, "placement"), _conflict(env.environment, others))
                traced[name] = env
        if written:
            self._warn_unused(used)
        return {name: entry.environment for name, entry in traced.items()}

    def _source(self, step: Step) -> Path:
        """Place in the file of the policy or env for which a step is made up."""
        if step.type == DEPLOY2ENV:
            return self._policies.bindings[step.properties["policy"]][step.properties["env"]].path
        policies = step.properties["policies"]
        return self._policies.read[policies[-1]].path[:-1] if policies else POLICIES

    def _taken(self, name: str, other: TracedEnvironment) -> str:
        if other.path:
            return f'"{name}" is an env of policy {other.environment.policies[0]} too'
        return f'"{name}" is the name of a deploy step too, give one of them another'

    def _target(self, step: Step, path: Path) -> tuple[str, str] | None:
        """Policy and env of a deploy2env step; notes when one is not there."""
        name = step.properties.get("policy") or next(iter(self._policies.bindings), "")
        env = step.properties.get("env")
        if not isinstance(name, str) or not isinstance(env, str):
            return None
        types = {policy.name: policy.type for policy in self._application.policies}
        binding = self._policies.bindings.get(name)
        if not name:
            if ENV_BINDING not in types.values():
                self._notes.problem((*path, "policy"), "there is no policy of type env-binding")
        elif name not in types:
            hint = did_you_mean(name, self._policies.bindings)
            self._notes.problem((*path, "policy"), f'there is no policy "{name}"{hint}')
        elif types[name] != ENV_BINDING:
            message = f'policy "{name}" is of type {types[name]}, env-binding is needed'
            self._notes.problem((*path, "policy"), message)
        elif binding is not None and env not in binding:
            hint = did_you_mean(env, binding)
            self._notes.problem(
                (*path, "env"), f"target env {env} in policy {name} not found{hint}"
            )
        return name, env

    def _deploy(self, step: Step, path: Path) -> TracedEnvironment | None:
        """The environment of a deploy step; None when its policies cannot be told."""
        names = step.properties.get("policies") or ()
        if not isinstance(names, list | tuple) or not all(isinstance(n, str) for n in names):
            return None
        types = {policy.name: policy.type for policy in self._application.policies}
        found: dict[str, list[ReadPolicy]] = {TOPOLOGY: [], OVERRIDE: [], REPLICATION: []}
        for index, name in enumerate(names):
            place = (*path, "properties", "policies", index)
            kind = types.get(name)
            if kind is None:
                self._notes.problem(place, f"policy {name} not found{did_you_mean(name, types)}")
            elif kind not in found:
                takes = "a deploy step takes topology, override and replication"
                self._notes.problem(place, f"policy {name} is of type {kind}, {takes}")
            elif (read := self._policies.read.get(name)) and read.parameters is not None:
                found[kind].append(read)
        environment = self._builder.deploy(
            step.name,
            names,
            self._places(found[TOPOLOGY]),
            [(read.path, read.parameters) for read in found[OVERRIDE]],
            [(read.path, read.parameters) for read in found[REPLICATION]],
        )
        self._notes.warnings += environment.environment.warnings
        self._check(environment)
        return environment

    def _places(self, topologies: list[ReadPolicy]) -> tuple[Placement, ...]:
        """The places of topology policies, each once; the cluster ``local`` without any."""
        namespace = self._application.namespace
        places: dict[Placement, None] = {}
        for read in topologies:
            if name := read.parameters.namespace:
                self._notes.problem((*read.path, "namespace"), name_problem(name))
            try:
                chosen = topology_placements(
                    read.parameters, namespace, self._surroundings.clusters
                )
                places |= dict.fromkeys(chosen)
            except NoCluster as error:
                labels = read.parameters.clusterLabelSelector
                field = "clusterSelector" if labels is None else "clusterLabelSelector"
                self._notes.problem(
                    (*read.path, field), f"{error}: label them with `velapulumi cluster labels add`"
                )
        return tuple(places) if topologies else (Placement(LOCAL, namespace),)

    def _warn_unused(self, used: set[tuple[str, str]]) -> None:
        for name, binding in self._policies.bindings.items():
            for env in binding:
                if (name, env) not in used:
                    self._notes.warnings.append(
                        f"env {env} of policy {name} is in no workflow step"
                    )


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
