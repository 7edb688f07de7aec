"""``export2secret``: a Secret with data of the workflow (follows KubeVela v1.10)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, Rendered
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.objects import Word
from velapulumi.definitions.step import StepDefinition, Target
from velapulumi.spec import MISSING, Path

_REGISTRY = "docker-registry"
_REGISTRY_TYPE = "kubernetes.io/dockerconfigjson"
_REGISTRY_KEY = ".dockerconfigjson"


class DockerRegistry(BaseParameters):
    """How to sign in to a registry of images."""

    username: str = Field(description="User.")
    password: str = Field(description="Password.")
    server: Word = Field("https://index.docker.io/v1/", description="URL of the registry.")


class Parameters(BaseParameters):
    """Parameters of ``export2secret``."""

    secretName: Word = Field(description="Name of the Secret.")
    namespace: str = Field("", description="Its namespace; that of the application when empty.")
    type: str | None = Field(None, description="Its type.")
    data: dict[str, str] | None = Field(
        None, description="Its data as plain text; needed unless kind is docker-registry."
    )
    cluster: str = Field("", description="Name of the joined cluster it goes to.")
    kind: Literal["generic", "docker-registry"] = Field(
        "generic", description="Whether it holds just data, or how to sign in to a registry."
    )
    dockerRegistry: DockerRegistry | None = Field(
        None, description="How to sign in, for kind docker-registry."
    )


def check(parameters: Parameters) -> Iterator[tuple[Path, str]]:
    """What its kind needs and is not there."""
    if parameters.kind == _REGISTRY and parameters.dockerRegistry is None:
        yield ("dockerRegistry",), f"{MISSING}, kind {_REGISTRY} needs it"
    if parameters.kind != _REGISTRY and parameters.data is None:
        yield ("data",), MISSING
    if parameters.kind != _REGISTRY and parameters.dockerRegistry is not None:
        yield ("dockerRegistry",), f"has no effect with kind {parameters.kind}"


def render(parameters: Parameters, context: Context) -> Rendered:
    """The Secret."""
    secret: Manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": parameters.secretName},
        "stringData": dict(parameters.data or {}),
    }
    if parameters.kind == _REGISTRY:
        secret["type"] = _REGISTRY_TYPE
        if parameters.dockerRegistry is not None:
            secret["stringData"][_REGISTRY_KEY] = _sign_in(parameters.dockerRegistry)
    if parameters.type is not None:
        secret["type"] = parameters.type
    return Rendered(secret)


def target(parameters: Parameters) -> Target:
    """The cluster and the namespace that are named."""
    return Target(parameters.cluster, parameters.namespace)


def _sign_in(registry: DockerRegistry) -> str:
    pair = f"{registry.username}:{registry.password}".encode()
    entry = {
        "username": registry.username,
        "password": registry.password,
        "auth": base64.b64encode(pair).decode(),
    }
    document = {"auths": {registry.server: entry}}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


DEFINITION = StepDefinition(
    type="export2secret",
    parameters=Parameters,
    summary="A Secret with data of the workflow.",
    example={
        "secretName": "release",
        "data": {"token": "from-an-input"},
        "cluster": "cluster-prod",
    },
    check=check,
    render=render,
    target=target,
)
