"""``securitycontext``: what containers may do (follows KubeVela v1.10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.pod.targets import Target, change_containers
from velapulumi.definitions.pod.template import POD_KINDS
from velapulumi.spec import Many


class SecurityContext(Target):
    """What one container may do."""

    addCapabilities: Many[str] | None = Field(None, description="Capabilities to add.")
    dropCapabilities: Many[str] | None = Field(None, description="Capabilities to take away.")
    allowPrivilegeEscalation: bool = Field(
        False, description="Whether processes may gain more rights than their parent."
    )
    privileged: bool = Field(False, description="Whether it has the rights of root on the node.")
    readOnlyRootFilesystem: bool = Field(
        False, description="Whether its own file system is read-only."
    )
    runAsNonRoot: bool = Field(True, description="Whether it is refused to run as root.")
    runAsUser: int | None = Field(None, description="User ID; the image's when absent.")
    runAsGroup: int | None = Field(None, description="Group ID; the runtime's when absent.")


class Parameters(SecurityContext):
    """Parameters of ``securitycontext``."""

    containers: Many[SecurityContext] | None = Field(
        None, description="What several containers may do, instead of the other parameters."
    )


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Set the security context."""
    return change_containers(parameters, parameters.containers, context, workload, _context)


def _context(target: SecurityContext, container: Mapping[str, Any]) -> Manifest:
    capabilities: Manifest = {}
    if target.addCapabilities is not None:
        capabilities["add"] = list(target.addCapabilities)
    if target.dropCapabilities is not None:
        capabilities["drop"] = list(target.dropCapabilities)
    result: Manifest = {
        "capabilities": capabilities,
        "allowPrivilegeEscalation": target.allowPrivilegeEscalation,
        "privileged": target.privileged,
        "readOnlyRootFilesystem": target.readOnlyRootFilesystem,
        "runAsNonRoot": target.runAsNonRoot,
    }
    if target.runAsUser is not None:
        result["runAsUser"] = target.runAsUser
    if target.runAsGroup is not None:
        result["runAsGroup"] = target.runAsGroup
    return {"securityContext": result}


DEFINITION = TraitDefinition(
    type="securitycontext",
    parameters=Parameters,
    summary="What one container or several may do.",
    example={"dropCapabilities": ["ALL"], "readOnlyRootFilesystem": True, "runAsUser": 1000},
    apply=apply,
    applies_to=POD_KINDS,
)
