"""``podsecuritycontext``: what all containers of a pod may do (follows KubeVela v1.10)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.pod.template import POD_KINDS, pod_patch


class Profile(BaseParameters):
    """A security profile."""

    type: Literal["RuntimeDefault", "Unconfined", "Localhost"] = Field(
        description="Which profile is used."
    )
    localhostProfile: str | None = Field(
        None, description="Name of the profile on the node, for Localhost."
    )


class Parameters(BaseParameters):
    """Parameters of ``podsecuritycontext``."""

    appArmorProfile: Profile | None = Field(None, description="AppArmor profile.")
    seccompProfile: Profile | None = Field(None, description="Seccomp profile.")
    fsGroup: int | None = Field(None, description="Group ID which owns the volumes.")
    runAsGroup: int | None = Field(None, description="Group ID of the processes.")
    runAsUser: int | None = Field(None, description="User ID of the processes.")
    runAsNonRoot: bool = Field(True, description="Whether it is refused to run as root.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Set the pod's security context."""
    given = parameters.model_dump(exclude_none=True)
    return TraitResult(patch=pod_patch(workload, {"securityContext": given}))


DEFINITION = TraitDefinition(
    type="podsecuritycontext",
    parameters=Parameters,
    summary="What all containers of a pod may do.",
    example={"runAsUser": 1000, "fsGroup": 2000, "seccompProfile": {"type": "RuntimeDefault"}},
    apply=apply,
    applies_to=POD_KINDS,
)
