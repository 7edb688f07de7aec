"""Probes of a container."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from velapulumi.definitions.base import Parameters
from velapulumi.spec import Many


class Command(Parameters):
    """A command run in the container; healthy when it ends with 0."""

    command: Many[str] = Field(description="Program and arguments.")


class Header(Parameters):
    """One HTTP header of a request."""

    name: str = Field(description="Name of the header.")
    value: str = Field(description="Value of the header.")


class HttpGet(Parameters):
    """An HTTP request to the container; healthy when answered with 2xx or 3xx."""

    path: str = Field(description="Path of the request.")
    port: int = Field(description="Port of the container.")
    httpHeaders: Many[Header] | None = Field(None, description="Headers of the request.")


class FullHttpGet(HttpGet):
    """An HTTP request with host and scheme at choice."""

    host: str | None = Field(None, description="Host to ask, the pod when absent.")
    scheme: str = Field("HTTP", description="HTTP or HTTPS.")


class TcpSocket(Parameters):
    """A connection to the container; healthy when it opens."""

    port: int = Field(description="Port of the container.")


class HealthProbe(Parameters):
    """A probe: what is asked, and how often."""

    exec: Command | None = Field(None, description="Run a command.")
    httpGet: HttpGet | None = Field(None, description="Send an HTTP request.")
    tcpSocket: TcpSocket | None = Field(None, description="Open a connection.")
    initialDelaySeconds: int = Field(0, description="Wait after the start of the container.")
    periodSeconds: int = Field(10, description="Time between two probes.")
    timeoutSeconds: int = Field(1, description="Time to wait for an answer.")
    successThreshold: int = Field(1, description="Successes in a row to count as healthy.")
    failureThreshold: int = Field(3, description="Failures in a row to count as unhealthy.")


class FullHealthProbe(HealthProbe):
    """A probe whose HTTP request takes host and scheme."""

    httpGet: FullHttpGet | None = Field(None, description="Send an HTTP request.")


def probe_object(probe: HealthProbe) -> dict[str, Any]:
    """The container's probe; the five numbers are always written."""
    written: dict[str, Any] = probe.model_dump(mode="json", exclude_none=True)
    return written
