"""``ingress``: a Service and an Ingress before it, in the spelling before ``gateway``.

Follows KubeVela v1.10, whose Ingress has an API that Kubernetes no longer has since 1.22; on such
clusters it is written in the API which took its place.
"""

from __future__ import annotations

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.network.ingress import (
    RouteParameters,
    oldest_ingress,
    unnamed_service,
)


class Parameters(RouteParameters):
    """Parameters of ``ingress``."""


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """The outputs ``service`` and ``ingress``."""
    return TraitResult(
        outputs={
            "service": unnamed_service(parameters, context),
            "ingress": oldest_ingress(parameters, context),
        }
    )


DEFINITION = TraitDefinition(
    type="ingress",
    parameters=Parameters,
    summary="A URL which leads to the component.",
    example={"domain": "hello.example.com", "http": {"/": 8000}},
    deprecated="gateway",
    apply=apply,
)
