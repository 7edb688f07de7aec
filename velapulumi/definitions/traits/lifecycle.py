"""``lifecycle``: hooks after the start and before the end of every container.

Follows KubeVela v1.10.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.pod.ports import PortNumber
from velapulumi.definitions.pod.probes import Command, Header, check_one
from velapulumi.definitions.pod.template import POD_KINDS, containers, pod_patch
from velapulumi.spec import Many


class HttpGet(BaseParameters):
    """An HTTP request."""

    path: str | None = Field(None, description="Path of the request.")
    port: PortNumber = Field(description="Port of the container.")
    host: str | None = Field(None, description="Host to ask, the pod when absent.")
    scheme: Literal["HTTP", "HTTPS"] = Field("HTTP", description="Protocol of the request.")
    httpHeaders: Many[Header] | None = Field(None, description="Headers of the request.")


class TcpSocket(BaseParameters):
    """A connection."""

    port: PortNumber = Field(description="Port of the container.")
    host: str | None = Field(None, description="Host to connect to, the pod when absent.")


class Handler(BaseParameters):
    """What a hook does."""

    exec: Command | None = Field(None, description="Run a command.")
    httpGet: HttpGet | None = Field(None, description="Send an HTTP request.")
    tcpSocket: TcpSocket | None = Field(None, description="Open a connection.")

    @model_validator(mode="after")
    def _does_one_thing(self) -> Handler:
        check_one(self, ("exec", "httpGet", "tcpSocket"))
        return self


class Parameters(BaseParameters):
    """Parameters of ``lifecycle``."""

    postStart: Handler | None = Field(None, description="Done when the container has started.")
    preStop: Handler | None = Field(None, description="Done before the container is stopped.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Set the hooks on all containers."""
    hooks = parameters.model_dump(mode="json", exclude_none=True)
    patches = [{"lifecycle": hooks} for _ in containers(workload)]
    return TraitResult(patch=pod_patch(workload, {"containers": patches}))


DEFINITION = TraitDefinition(
    type="lifecycle",
    parameters=Parameters,
    summary="Hooks after the start and before the end of every container.",
    example={"preStop": {"exec": {"command": ["nginx", "-s", "quit"]}}},
    apply=apply,
    applies_to=POD_KINDS,
)
