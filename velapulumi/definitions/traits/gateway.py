"""``gateway``: a Service and an Ingress before it (follows KubeVela v1.10)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from velapulumi.definitions.base import (
    Context,
    Manifest,
    RenderError,
    TraitDefinition,
    TraitResult,
)
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.network.ingress import (
    CLASS_ANNOTATION,
    V1,
    V1_SINCE,
    V1BETA1,
    Routes,
    ingress,
)
from velapulumi.definitions.network.service import named_port, service

HOST_ANNOTATION = "ingress.controller/host"


class Parameters(BaseParameters):
    """Parameters of ``gateway``."""

    domain: str | None = Field(None, description="Domain of the URL; any when absent.")
    http: Routes = Field(description="Port of the component by path of the URL.")
    class_: str = Field("nginx", alias="class", description="Class of the Ingress.")
    classInSpec: bool = Field(
        False, description="Whether the class stands in the spec instead of an annotation."
    )
    secretName: str | None = Field(None, description="Secret with the certificate of the domain.")
    gatewayHost: str | None = Field(
        None, description="Host of the gateway, written as an annotation."
    )
    name: str | None = Field(
        None, description="Tells several gateways of a component apart; part of their names."
    )
    pathType: Literal["ImplementationSpecific", "Prefix", "Exact"] = Field(
        "ImplementationSpecific", description="How paths are compared."
    )
    annotations: dict[str, str] = Field({}, description="Annotations of the Ingress.")
    labels: dict[str, str] = Field({}, description="Labels of the Ingress.")
    existingServiceName: str | None = Field(
        None, description="Service to use instead of making one."
    )


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """The outputs ``service`` and ``ingress``, followed by ``-`` and the name when it is given.

    Raises:
        RenderError: A certificate without a domain, or an annotation which is set otherwise.
    """
    suffix = "" if parameters.name is None else f"-{parameters.name}"
    name = f"{context.name}{suffix}"
    outputs = {}
    if parameters.existingServiceName is None:
        paths = sorted(parameters.http.items())
        ports = [named_port(port) for port in dict.fromkeys(port for _, port in paths)]
        outputs[f"service{suffix}"] = service(name, context, ports)
    outputs[f"ingress{suffix}"] = _ingress(parameters, context, name)
    return TraitResult(outputs=outputs)


def _ingress(parameters: Parameters, context: Context, name: str) -> Manifest:
    result = ingress(
        name,
        parameters.existingServiceName or name,
        parameters.http,
        version=V1 if context.cluster_version.minor >= V1_SINCE else V1BETA1,
        host=parameters.domain,
        path_type=parameters.pathType,
    )
    if parameters.labels:
        result["metadata"]["labels"] = dict(parameters.labels)
    if annotations := _annotations(parameters):
        result["metadata"]["annotations"] = annotations
    if parameters.classInSpec:
        result["spec"]["ingressClassName"] = parameters.class_
    if parameters.secretName is not None:
        if parameters.domain is None:
            raise RenderError(("secretName",), "needs a domain, which the certificate is for")
        result["spec"]["tls"] = [
            {"hosts": [parameters.domain], "secretName": parameters.secretName}
        ]
    return result


def _annotations(parameters: Parameters) -> dict[str, str]:
    own = {}
    if not parameters.classInSpec:
        own[CLASS_ANNOTATION] = parameters.class_
    if parameters.gatewayHost is not None:
        own[HOST_ANNOTATION] = parameters.gatewayHost
    for key, value in own.items():
        if parameters.annotations.get(key, value) != value:
            message = f'conflicts with "{value}", which the other parameters set'
            raise RenderError(("annotations", key), message)
    return {**parameters.annotations, **own}


DEFINITION = TraitDefinition(
    type="gateway",
    parameters=Parameters,
    summary="A URL which leads to the component.",
    example={"domain": "hello.example.com", "http": {"/": 8000}, "class": "nginx"},
    apply=apply,
)
