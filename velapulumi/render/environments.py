"""Environments: where an application goes, and with which components."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from velapulumi.definitions.policies.env_binding import Env, Selector
from velapulumi.render.components import ResolvedComponent, deprecations, resolve
from velapulumi.render.patching import TracedComponent, locate, patch_components, traced
from velapulumi.spec import (
    MISSING,
    Application,
    Component,
    Finding,
    Path,
    did_you_mean,
    name_problem,
)

LOCAL = "local"
"""Name of the cluster where nothing else is said."""


@dataclass(frozen=True)
class Placement:
    """One place of an environment."""

    cluster: str
    namespace: str


@dataclass(frozen=True)
class Environment:
    """One environment of an application.

    Attributes:
        name: Name of the env; empty for an application without env-binding.
        policy: Name of the env-binding policy; empty likewise.
        placements: Where its objects go.
        components: Its components, patched and selected.
        warnings: What a person should know about it.
        resolved: The components with their definitions and parameters, in the same order.
    """

    name: str
    policy: str
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

    def __init__(self, application: Application) -> None:
        self._application = application
        self._base = traced(application.components)
        self._resolved: dict[int, tuple[Component, ResolvedComponent | None, list[Finding]]] = {}
        self._known: dict[Path, set[Finding]] = {}
        self.findings: dict[Finding, None] = {}

    def base(self) -> TracedEnvironment:
        """The components as they stand, on the cluster ``local``: for one without env-binding."""
        placement = Placement(LOCAL, self._application.namespace)
        return TracedEnvironment(
            self._environment("", "", placement, self._base, ()), (), tuple(self._base)
        )

    def check_base(self) -> None:
        """Judge the components as they stand, before any patch.

        What is merely missing may come from a patch; it is found where it stays missing.
        """
        for origin in self._base:
            findings = [f for f in self._resolve(origin.component)[1] if f[1] != MISSING]
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
        patched = patch_components(self._base, env.patch.components, (*path, "patch", "components"))
        self._note(patched.findings)
        warnings = []
        for origin in patched.components:
            if origin.added:
                name = origin.component.name
                warnings.append(f'the patch of "{name}" adds a new component in env {env.name}')
                if message := name_problem(name):
                    self._note([((*origin.sources[-1], "name"), message)])
        selected = patched.components
        if env.selector is not None:
            self._note(_selector_findings(env, path, selected))
            wanted = env.selector.components
            selected = [origin for origin in selected if origin.component.name in wanted]
        if not selected:
            warnings.append(f"env {env.name} has no components")
        placement = Placement(
            _name(env.placement.clusterSelector) or LOCAL,
            _name(env.placement.namespaceSelector) or self._application.namespace,
        )
        environment = self._environment(env.name, policy, placement, selected, warnings)
        return TracedEnvironment(environment, path, tuple(selected))

    def report(self, origin: TracedComponent, findings: Iterable[Finding]) -> None:
        """Note findings of a component at the places of the file they come from.

        Args:
            origin: The component.
            findings: Path below the component, and message.
        """
        known = self._known.get(origin.sources[-1], ())
        document = self._application.document.value
        for place, message in findings:
            if (_by_type(origin.component, place), message) not in known:
                self._note([(locate(origin, place, document), message)])

    def _environment(
        self,
        name: str,
        policy: str,
        placement: Placement,
        origins: Sequence[TracedComponent],
        warnings: Sequence[str],
    ) -> Environment:
        resolved = []
        for origin in origins:
            found, findings = self._resolve(origin.component)
            self.report(origin, findings)
            if found is not None:
                resolved.append(found)
        about_types = (warning for component in resolved for warning in deprecations(component))
        return Environment(
            name=name,
            policy=policy,
            placements=(placement,),
            components=tuple(origin.component for origin in origins),
            warnings=(*warnings, *about_types),
            resolved=tuple(resolved),
        )

    def _resolve(self, component: Component) -> tuple[ResolvedComponent | None, list[Finding]]:
        """Resolve a component, once for all environments which take it unchanged."""
        if id(component) not in self._resolved:
            self._resolved[id(component)] = (component, *resolve(component))
        return self._resolved[id(component)][1:]

    def _note(self, findings: Iterable[Finding]) -> None:
        self.findings.update(dict.fromkeys(findings))


def _by_type(component: Component, place: Path) -> Path:
    """A place below a component with traits named by type, which stays the same when patched."""
    if len(place) > 1 and place[0] == "traits":
        return ("traits", component.traits[int(place[1])].type, *place[2:])
    return place


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


def _selector_findings(
    env: Env, path: Path, components: Sequence[TracedComponent]
) -> Iterator[Finding]:
    names = [origin.component.name for origin in components]
    for index, name in enumerate(env.selector.components if env.selector else ()):
        if name not in names:
            message = f'there is no component "{name}"{did_you_mean(name, names)}'
            yield (*path, "selector", "components", index), message
