"""Environments: where an application goes, and with which components."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from velapulumi.definitions.policies.env_binding import ComponentPatch, Env, Selector
from velapulumi.definitions.policies.override import Parameters as Override
from velapulumi.definitions.policies.replication import Parameters as Replication
from velapulumi.render.components import Resolution, ResolvedComponent, deprecations, resolve
from velapulumi.render.patching import TracedComponent, locate, patch_components, traced
from velapulumi.render.placement import LOCAL, Placement, placement
from velapulumi.render.surroundings import Surroundings
from velapulumi.spec import (
    MISSING,
    Application,
    Component,
    Finding,
    Path,
    did_you_mean,
    name_problem,
)


@dataclass(frozen=True)
class Environment:
    """One environment of an application.

    Attributes:
        name: Name of the env, or of the ``deploy`` step which makes it; empty for the components
            as they stand.
        policies: Names of the policies which make it; empty likewise.
        placements: Where its objects go.
        components: Its components, patched and selected.
        warnings: What a person should know about it.
        resolved: The components with their definitions and parameters, in the same order.
    """

    name: str
    policies: tuple[str, ...]
    placements: tuple[Placement, ...]
    components: tuple[Component, ...]
    warnings: tuple[str, ...] = ()
    resolved: tuple[ResolvedComponent, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True)
class TracedEnvironment:
    """An environment and where in the file it and its components come from.

    Attributes:
        environment: The environment.
        path: Place of its env; empty for the components as they stand.
        origins: Its components, those which cannot be resolved included.
    """

    environment: Environment
    path: Path
    origins: tuple[TracedComponent, ...]


class EnvironmentBuilder:
    """Builds the environments of one application, collecting what is wrong with them.

    Attributes:
        findings: Problems as path in the document and message, each once.
    """

    def __init__(self, application: Application, surroundings: Surroundings) -> None:
        self._application = application
        self._surroundings = surroundings
        self._base = traced(application.components)
        self._resolved: dict[int, tuple[Component, Resolution]] = {}
        self._known: dict[Path, set[Finding]] = {}
        self.findings: dict[Finding, None] = {}

    def base(self) -> TracedEnvironment:
        """The components as they stand, on the cluster ``local``."""
        places = (Placement(LOCAL, self._application.namespace),)
        return TracedEnvironment(
            self._environment("", (), places, self._base, ()), (), tuple(self._base)
        )

    def check_base(self) -> None:
        """Judge the components as they stand, before any patch.

        What is merely missing may come from a patch; it is found where it stays missing.
        """
        for origin in self._base:
            findings = [f for f in self._resolve(origin.component).findings if f[1] != MISSING]
            self.report(origin, findings)
            self._known[origin.sources[0]] = {
                (_by_type(origin.component, place), message) for place, message in findings
            }

    def env(self, env: Env, policy: str, path: Path) -> TracedEnvironment:
        """One environment of an env-binding policy.

        Args:
            env: The env as written.
            policy: Name of its policy.
            path: Place of the env in the file.
        """
        self._note(_placement_findings(env, path))
        head = (*path, "patch", "components")
        selected, warnings = self._patched(
            self._base, env.patch.components, head, f"env {env.name}"
        )
        if env.selector is not None:
            place = (*path, "selector", "components")
            self._note(_unknown_names(place, env.selector.components, selected))
            wanted = env.selector.components
            selected = [origin for origin in selected if origin.component.name in wanted]
        if not selected:
            warnings.append(f"env {env.name} has no components")
        where = placement(
            _name(env.placement.clusterSelector) or LOCAL,
            _name(env.placement.namespaceSelector) or self._application.namespace,
            self._surroundings.clusters,
        )
        environment = self._environment(env.name, (policy,), (where,), selected, warnings)
        return TracedEnvironment(environment, path, tuple(selected))

    def deploy(
        self,
        name: str,
        policies: Sequence[str],
        places: tuple[Placement, ...],
        overrides: Sequence[tuple[Path, Override]],
        replications: Sequence[tuple[Path, Replication]],
    ) -> TracedEnvironment:
        """The environment that a ``deploy`` step makes.

        Args:
            name: Name of the step.
            policies: Names of its policies.
            places: Where its topology policies lead.
            overrides: Place in the file and parameters of its override policies, in order.
            replications: Likewise of its replication policies.
        """
        components, warnings = self._base, list[str]()
        for path, override in overrides:
            head = (*path, "components")
            components, added = self._patched(components, override.components, head, f"step {name}")
            warnings += added
            if override.selector is not None:
                self._note(_unknown_names((*path, "selector"), override.selector, components))
                components = [o for o in components if o.component.name in override.selector]
        if not components:
            warnings.append(f"step {name} has no components")
        keys: dict[str, tuple[str, ...]] = {}
        for path, replication in replications:
            self._note(_unknown_names((*path, "selector"), replication.selector, components))
            names = [origin.component.name for origin in components]
            keys |= {n: replication.keys for n in names if n in (replication.selector or names)}
        environment = self._environment(name, policies, places, components, warnings, keys)
        return TracedEnvironment(environment, (), tuple(components))

    def component(
        self,
        name: str,
        component: str,
        place: Placement,
        change: Callable[[Component], Component],
    ) -> TracedEnvironment:
        """The environment of a step that delivers one component.

        Args:
            name: Name of the step.
            component: Name of the component, which the application has.
            place: Where it goes.
            change: Gives the component as the step delivers it.
        """
        origins = [
            replace(origin, component=change(origin.component))
            for origin in self._base
            if origin.component.name == component
        ]
        environment = self._environment(name, (), (place,), origins, ())
        return TracedEnvironment(environment, (), tuple(origins))

    def report(self, origin: TracedComponent, findings: Iterable[Finding]) -> None:
        """Note findings of a component at the places of the file they come from.

        Args:
            origin: The component.
            findings: Path below the component, and message.
        """
        known = self._known.get(origin.sources[-1], ())
        document = {"spec": self._application.spec}
        for place, message in findings:
            if (_by_type(origin.component, place), message) in known:
                continue
            kind = _trait_type(origin.component, place)
            text = f"{message} (trait {kind})" if kind and kind not in message else message
            self._note([(locate(origin, place, document), text)])

    def _patched(
        self,
        base: Sequence[TracedComponent],
        patches: Sequence[ComponentPatch],
        path: Path,
        where: str,
    ) -> tuple[list[TracedComponent], list[str]]:
        """The components after patches, and warnings about those that the patches added."""
        patched = patch_components(base, patches, path)
        self._note(patched.findings)
        warnings = []
        for origin in patched.components:
            if origin.added and origin not in base:
                name = origin.component.name
                warnings.append(f'the patch of "{name}" adds a new component in {where}')
                if message := name_problem(name):
                    self._note([((*origin.sources[-1], "name"), message)])
        return patched.components, warnings

    def _environment(
        self,
        name: str,
        policies: Sequence[str],
        places: tuple[Placement, ...],
        origins: Sequence[TracedComponent],
        warnings: Sequence[str],
        keys: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> Environment:
        resolved = []
        warnings = list(warnings)
        for origin in origins:
            resolution = self._resolve(origin.component)
            self.report(origin, resolution.findings)
            warnings += resolution.warnings
            if (found := resolution.resolved) is not None:
                resolved += [
                    replace(found, replica_key=key)
                    for key in keys.get(origin.component.name, ("",))
                ]
        about_types = (warning for component in resolved for warning in deprecations(component))
        return Environment(
            name=name,
            policies=tuple(policies),
            placements=places,
            components=tuple(origin.component for origin in origins),
            warnings=(*warnings, *about_types),
            resolved=tuple(resolved),
        )

    def _resolve(self, component: Component) -> Resolution:
        """Resolve a component, once for all environments which take it unchanged."""
        if id(component) not in self._resolved:
            self._resolved[id(component)] = (component, resolve(component, self._surroundings))
        return self._resolved[id(component)][1]

    def _note(self, findings: Iterable[Finding]) -> None:
        self.findings.update(dict.fromkeys(findings))


def _by_type(component: Component, place: Path) -> Path:
    """A place below a component with traits named by type, which stays the same when patched."""
    if len(place) > 1 and place[0] == "traits":
        return ("traits", component.traits[int(place[1])].type, *place[2:])
    return place


def _trait_type(component: Component, place: Path) -> str:
    """Type of the trait in whose parameters a place of a component lies; else empty."""
    if len(place) > 2 and place[0] == "traits":
        return component.traits[int(place[1])].type
    return ""


def _name(selector: Selector | None) -> str:
    return selector.name if selector else ""


def _placement_findings(env: Env, path: Path) -> Iterator[Finding]:
    """Problems of a placement, in the words of KubeVela."""
    cluster, namespace = env.placement.clusterSelector, env.placement.namespaceSelector
    place = (*path, "placement")
    if cluster and cluster.labels:
        message = (
            f"invalid env {env.name}: cluster selector does not support label selector for now"
        )
        yield (*place, "clusterSelector", "labels"), message
    if namespace and namespace.labels:
        message = (
            f"invalid env {env.name}: namespace selector in cluster-gateway "
            "does not support label selector for now"
        )
        yield (*place, "namespaceSelector", "labels"), message
    if namespace and namespace.name and (message := name_problem(namespace.name)):
        yield (*place, "namespaceSelector", "name"), message


def _unknown_names(
    path: Path, selected: Sequence[str], components: Sequence[TracedComponent]
) -> Iterator[Finding]:
    names = [origin.component.name for origin in components]
    for index, name in enumerate(selected):
        if name not in names:
            message = f'there is no component "{name}"{did_you_mean(name, names)}'
            yield (*path, index), message
