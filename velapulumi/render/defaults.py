"""The workflow of an Application that has none written (follows KubeVela v1.10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from velapulumi.render.targets import DEPLOY, DEPLOY2ENV, OVERRIDE, TOPOLOGY
from velapulumi.spec import Application, Step


def default_steps(application: Application, envs: Mapping[str, Sequence[str]]) -> tuple[Step, ...]:
    """The steps KubeVela makes up where none are written.

    Args:
        application: The application.
        envs: Names of the envs of each env-binding policy.

    Returns:
        One ``deploy`` step for each topology policy, with all override policies; else one with
        the override policies; else one ``deploy2env`` step for each env; else one
        ``apply-component`` step for each component.
    """
    overrides = [policy.name for policy in application.policies if policy.type == OVERRIDE]
    topologies = [policy.name for policy in application.policies if policy.type == TOPOLOGY]
    if topologies:
        return tuple(
            _step(f"deploy-{name}", DEPLOY, {"policies": [*overrides, name]}) for name in topologies
        )
    referring = any(component.type == "ref-objects" for component in application.components)
    if overrides or referring:
        return (_step("deploy", DEPLOY, {"policies": overrides}),)
    if envs:
        return tuple(
            _step(f"deploy-{policy}-{env}", DEPLOY2ENV, {"policy": policy, "env": env})
            for policy, names in envs.items()
            for env in names
        )
    return tuple(
        Step(
            name=component.name,
            type="apply-component",
            properties={"component": component.name},
            dependsOn=component.depends_on,
        )
        for component in application.components
    )


def _step(name: str, kind: str, properties: dict[str, object]) -> Step:
    return Step(name=name, type=kind, properties=properties)
