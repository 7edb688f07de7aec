"""``pure-ingress``: an Ingress before a Service which exists under the component's name.

Follows KubeVela v1.10, whose Ingress has an API that Kubernetes no longer has since 1.22; on such
clusters it is written in the API which took its place.
"""

from __future__ import annotations

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.network.ingress import RouteParameters, oldest_ingress


class Parameters(RouteParameters):
    """Parameters of ``pure-ingress``."""


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """The output ``ingress``."""
    return TraitResult(outputs={"ingress": oldest_ingress(parameters, context)})


DEFINITION = TraitDefinition(
    type="pure-ingress",
    parameters=Parameters,
    summary="A URL which leads to a Service of the component's name.",
    example={"domain": "hello.example.com", "http": {"/": 8000}},
    deprecated="gateway with existingServiceName",
    apply=apply,
)
