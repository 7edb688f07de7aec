"""``startup-probe``: when a container counts as started (follows KubeVela v1.10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from velapulumi.definitions.base import (
    Context,
    Manifest,
    RenderError,
    TraitDefinition,
    TraitResult,
)
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.pod.ports import PortNumber
from velapulumi.definitions.pod.probes import Command, Header, check_one
from velapulumi.definitions.pod.targets import Target, change_containers
from velapulumi.definitions.pod.template import POD_KINDS
from velapulumi.spec import Many


class HttpGet(BaseParameters):
    """An HTTP request to the container; it has started when answered with 2xx or 3xx."""

    path: str | None = Field(None, description="Path of the request.")
    port: PortNumber = Field(description="Port of the container.")
    host: str | None = Field(None, description="Host to ask, the pod when absent.")
    scheme: Literal["HTTP", "HTTPS"] | None = Field(
        None, description="Protocol of the request, HTTP when absent."
    )
    httpHeaders: Many[Header] | None = Field(None, description="Headers of the request.")


class Grpc(BaseParameters):
    """A gRPC health check of the container."""

    port: PortNumber = Field(description="Port of the container.")
    service: str | None = Field(None, description="Service to ask about.")


class TcpSocket(BaseParameters):
    """A connection to the container; it has started when it opens."""

    port: PortNumber = Field(description="Port of the container.")
    host: str | None = Field(None, description="Host to connect to, the pod when absent.")


class Probe(Target):
    """The probe of one container."""

    exec: Command | None = Field(None, description="Run a command.")
    httpGet: HttpGet | None = Field(None, description="Send an HTTP request.")
    grpc: Grpc | None = Field(None, description="Ask over gRPC.")
    tcpSocket: TcpSocket | None = Field(None, description="Open a connection.")
    initialDelaySeconds: int = Field(0, description="Wait after the start of the container.")
    periodSeconds: int = Field(10, description="Time between two probes.")
    timeoutSeconds: int = Field(1, description="Time to wait for an answer.")
    successThreshold: int = Field(1, description="Successes in a row to count as started.")
    failureThreshold: int = Field(3, description="Failures in a row to restart the container.")
    terminationGracePeriodSeconds: int | None = Field(
        None, description="Time to stop in after a failure; that of the pod when absent."
    )


class Parameters(Probe):
    """Parameters of ``startup-probe``."""

    probes: Many[Probe] | None = Field(
        None, description="Probes of several containers, instead of the other parameters."
    )


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Set the probe; the five numbers are always written.

    Raises:
        RenderError: The probe asks for nothing, or for several things.
    """
    return change_containers(
        parameters,
        parameters.probes,
        context,
        workload,
        _probe,
        field="probes",
        name_missing="containerName must be set when specifying startup probe for multiple "
        "containers",
    )


def _probe(target: Probe, container: Mapping[str, Any]) -> Manifest:
    try:
        check_one(target, ("exec", "httpGet", "grpc", "tcpSocket"))
    except ValueError as error:
        raise RenderError((), str(error)) from None
    unwanted = {"containerName", "probes"}
    return {"startupProbe": target.model_dump(mode="json", exclude_none=True, exclude=unwanted)}


DEFINITION = TraitDefinition(
    type="startup-probe",
    parameters=Parameters,
    summary="When a container counts as started.",
    example={
        "httpGet": {"path": "/healthz", "port": 8080},
        "periodSeconds": 5,
        "failureThreshold": 30,
    },
    apply=apply,
    applies_to=POD_KINDS,
)
