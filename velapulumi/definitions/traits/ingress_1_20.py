"""``ingress-1-20``: a Service and an Ingress before it, in the spelling before ``gateway``.

Follows KubeVela v1.10.
"""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.network.ingress import (
    CLASS_ANNOTATION,
    V1,
    RouteParameters,
    ingress,
    unnamed_service,
)


class Parameters(RouteParameters):
    """Parameters of ``ingress-1-20``."""

    class_: str = Field("nginx", alias="class", description="Class of the Ingress.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """The outputs ``service`` and ``ingress``."""
    front = ingress(context.name, context.name, parameters.http, version=V1, host=parameters.domain)
    front["metadata"]["annotations"] = {CLASS_ANNOTATION: parameters.class_}
    return TraitResult(outputs={"service": unnamed_service(parameters, context), "ingress": front})


DEFINITION = TraitDefinition(
    type="ingress-1-20",
    parameters=Parameters,
    summary="A URL which leads to the component.",
    example={"domain": "hello.example.com", "http": {"/": 8000}},
    deprecated="gateway",
    apply=apply,
)
