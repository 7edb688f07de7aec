"""``hostalias``: entries of the pods' hosts file (follows KubeVela v1.10)."""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.patch import ByKey
from velapulumi.definitions.pod.container import HostAlias
from velapulumi.definitions.pod.template import POD_KINDS, pod_patch
from velapulumi.spec import Many


class Parameters(BaseParameters):
    """Parameters of ``hostalias``."""

    hostAliases: Many[HostAlias] = Field(description="Entries to add.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Add the entries; one of the same address is completed."""
    aliases = [
        {"ip": alias.ip, "hostnames": list(alias.hostnames)} for alias in parameters.hostAliases
    ]
    return TraitResult(patch=pod_patch(workload, {"hostAliases": ByKey("ip", aliases)}))


DEFINITION = TraitDefinition(
    type="hostalias",
    parameters=Parameters,
    summary="Entries of the pods' hosts file.",
    example={"hostAliases": [{"ip": "127.0.0.1", "hostnames": ["foo.local", "bar.local"]}]},
    apply=apply,
    applies_to=POD_KINDS,
)
