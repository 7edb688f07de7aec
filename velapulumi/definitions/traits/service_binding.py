"""``service-binding``: Secrets as environment variables (follows KubeVela v1.10)."""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.patch import ByKey
from velapulumi.definitions.pod.template import POD_KINDS, container, pod_patch


class SecretKey(BaseParameters):
    """A key of a Secret."""

    secret: str = Field(description="Name of the Secret.")
    key: str | None = Field(None, description="Key inside it; the variable's name when absent.")


class Parameters(BaseParameters):
    """Parameters of ``service-binding``."""

    envMappings: dict[str, SecretKey] = Field(description="Sources by name of the variable.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Add the variables to the component's container, in the order of their names.

    Raises:
        RenderError: No container is named as the component.
    """
    container(workload, context.name)
    variables = [
        {
            "name": name,
            "valueFrom": {
                "secretKeyRef": {
                    "name": source.secret,
                    "key": name if source.key is None else source.key,
                }
            },
        }
        for name, source in sorted(parameters.envMappings.items())
    ]
    own = {"name": context.name, "env": ByKey("name", variables)}
    return TraitResult(patch=pod_patch(workload, {"containers": ByKey("name", [own])}))


DEFINITION = TraitDefinition(
    type="service-binding",
    parameters=Parameters,
    summary="Keys of Secrets as environment variables.",
    example={"envMappings": {"DB_PASSWORD": {"secret": "db", "key": "password"}}},
    deprecated="the env of the component with valueFrom, or trait storage with mountToEnv",
    apply=apply,
    applies_to=POD_KINDS,
)
