"""What the steps of a workflow deliver: an environment for each delivering step or env."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from velapulumi.definitions import Catalog, StepDefinition, Target
from velapulumi.definitions.step import NO_CLUSTER
from velapulumi.render.components import ResolvedComponent
from velapulumi.render.environments import Environment, EnvironmentBuilder, TracedEnvironment
from velapulumi.render.notes import Notes
from velapulumi.render.placement import (
    LOCAL,
    NoCluster,
    Placement,
    canonical,
    placement,
    topology_placements,
)
from velapulumi.render.steps import (
    APPLY_COMPONENT,
    lacks_values,
    read_step,
    with_step_inputs,
)
from velapulumi.render.surroundings import Surroundings
from velapulumi.spec import (
    POLICIES,
    STEPS,
    Application,
    Component,
    Path,
    Policy,
    Step,
    SubStep,
    did_you_mean,
    name_problem,
)

ENV_BINDING = "env-binding"
TOPOLOGY = "topology"
OVERRIDE = "override"
REPLICATION = "replication"
DEPLOY = "deploy"
DEPLOY2ENV = "deploy2env"
NO_TOPOLOGY = "names no topology policy, which tells the clusters: add one and name it"


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
        if written:
            for index, step in enumerate(steps):
                self._written(step, (*STEPS, index), traced, used)
                for inner, sub_step in enumerate(step.sub_steps):
                    self._written(sub_step, (*STEPS, index, "subSteps", inner), traced, used)
        else:
            self._made_up(steps, traced, used)
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

    def _written(
        self,
        step: SubStep,
        path: Path,
        traced: dict[str, TracedEnvironment],
        used: set[tuple[str, str]],
    ) -> None:
        """What a step of the file delivers."""
        if step.type == DEPLOY2ENV:
            target = self._target(step, (*path, "properties"))
            used |= {target} if target else set()
            return
        made = None
        if step.type == DEPLOY:
            made = self._deploy(step, path)
        elif step.type in APPLY_COMPONENT:
            made = self._component(step, path)
        elif definition := self._rendering(step):
            made = self._objects(step, definition, path)
        if made is not None:
            self._notes.problem((*path, "name"), name_problem(step.name))
            traced[step.name] = made

    def _made_up(
        self,
        steps: Iterable[Step],
        traced: dict[str, TracedEnvironment],
        used: set[tuple[str, str]],
    ) -> None:
        """What the steps deliver that are made up where none are written."""
        names: set[str] = set()
        for index, step in enumerate(steps):
            path: Path = (*STEPS, index)
            if step.type == DEPLOY:
                self._notes.problem((*self._source(step), "name"), name_problem(step.name))
                if (made := self._deploy(step, path)) is not None:
                    traced[step.name] = made
            elif step.type == DEPLOY2ENV:
                target = self._target(step, (*path, "properties"))
                used |= {target} if target else set()
                if step.name in names:
                    message = f'its step "{step.name}" is called like an earlier one'
                    self._notes.problem((*self._source(step), "name"), message)
                names.add(step.name)

    def _component(self, step: SubStep, path: Path) -> TracedEnvironment | None:
        """The environment of an apply-component step: one component as it stands."""
        name, cluster = step.properties.get("component"), step.properties.get("cluster") or ""
        namespace = step.properties.get("namespace") or self._application.namespace
        if not all(isinstance(each, str) for each in (name, cluster, namespace)):
            return None
        known = [component.name for component in self._application.components]
        place = (*path, "properties")
        if name not in known:
            message = f'there is no component "{name}"{did_you_mean(str(name), known)}'
            self._notes.problem((*place, "component"), message)
            return None
        if not cluster:
            self._notes.obstacles.append(((*place, "cluster"), NO_CLUSTER))
            return None
        where = placement(cluster, namespace, self._surroundings.clusters)
        environment = self._builder.component(
            step.name,
            str(name),
            where,
            lambda component: with_step_inputs(component, step, self._surroundings.values),
        )
        self._check(environment)
        return environment

    def _rendering(self, step: SubStep) -> StepDefinition[Any] | None:
        """The definition of a step that makes objects itself; None of others."""
        definition = self._surroundings.catalog.find(StepDefinition, step.type)
        return definition if definition is not None and definition.render is not None else None

    def _objects(
        self, step: SubStep, definition: StepDefinition[Any], path: Path
    ) -> TracedEnvironment | None:
        """The environment of a step that makes objects; without them while inputs are missing."""
        parameters, problems, _ = read_step(step, definition, self._surroundings)
        if parameters is None or problems:
            return None  # the problems are noted where steps are read
        target = definition.target(parameters)
        component = Component(name=step.name, type=step.type, properties=step.properties)
        resolved = ResolvedComponent(component, definition.as_component(), parameters, ())
        known = () if lacks_values(step, self._surroundings.values) else (resolved,)
        environment = Environment(
            name=step.name,
            policies=(target.topology,) if target.topology else (),
            placements=self._target_places(target, definition, path),
            components=(component,),
            resolved=known,
        )
        return TracedEnvironment(environment, (), ())

    def _target_places(
        self, target: Target, definition: StepDefinition[Any], path: Path
    ) -> tuple[Placement, ...]:
        place = (*path, "properties")
        if target.topology:
            read = self._policies.read.get(target.topology)
            if read is None or read.policy.type != TOPOLOGY:
                known = (p.name for p in self._application.policies if p.type == TOPOLOGY)
                hint = did_you_mean(target.topology, known)
                message = f'there is no topology policy "{target.topology}"{hint}'
                self._notes.problem((*place, "topology"), message)
            return self._places([read]) if read and read.parameters is not None else ()
        if not target.cluster:
            by_topology = "topology" in definition.parameters.model_fields
            found = ("topology", NO_TOPOLOGY) if by_topology else ("cluster", NO_CLUSTER)
            self._notes.obstacles.append(((*place, found[0]), found[1]))
            return ()
        namespace = target.namespace or self._application.namespace
        return (placement(target.cluster, namespace, self._surroundings.clusters),)

    def _source(self, step: Step) -> Path:
        """Place in the file of the policy or env for which a step is made up."""
        if step.type == DEPLOY2ENV:
            return self._policies.bindings[step.properties["policy"]][step.properties["env"]].path
        policies = step.properties["policies"]
        return self._policies.read[policies[-1]].path[:-1] if policies else POLICIES

    def _taken(self, name: str, other: TracedEnvironment) -> str:
        if other.path:
            return f'"{name}" is an env of policy {other.environment.policies[0]} too'
        return f'"{name}" is the name of a step too, give one of them another'

    def _target(self, step: SubStep, path: Path) -> tuple[str, str] | None:
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

    def _deploy(self, step: SubStep, path: Path) -> TracedEnvironment | None:
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
        self._check_groups(step, environment.environment, path)
        self._check(environment)
        return environment

    def _check_groups(self, step: SubStep, environment: Environment, path: Path) -> None:
        """Decision groups name no clusters which the step does not deliver to."""
        definition = self._surroundings.catalog.find(StepDefinition, step.type)
        parameters = read_step(step, definition, self._surroundings)[0] if definition else None
        clusters = [place.cluster for place in environment.placements]
        for index, group in enumerate(getattr(parameters, "decisionGroups", ())):
            for position, name in enumerate(group.clusters):
                if canonical(name, self._surroundings.clusters) not in clusters:
                    place = (*path, "properties", "decisionGroups", index, "clusters", position)
                    hint = did_you_mean(name, clusters)
                    self._notes.problem(place, f'the step does not deliver to "{name}"{hint}')

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


def is_delivering(catalog: Catalog, step_type: str) -> bool:
    """Whether steps of a type deliver objects."""
    return step_type in (DEPLOY, DEPLOY2ENV, *APPLY_COMPONENT) or makes_objects(catalog, step_type)


def makes_objects(catalog: Catalog, step_type: str) -> bool:
    """Whether steps of a type make objects themselves, instead of components."""
    definition = catalog.find(StepDefinition, step_type)
    return definition is not None and definition.render is not None
