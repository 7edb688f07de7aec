"""Probes of a container."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from velapulumi.definitions.base import Parameters
from velapulumi.definitions.pod.ports import PortNumber
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
    port: PortNumber = Field(description="Port of the container.")
    httpHeaders: Many[Header] | None = Field(None, description="Headers of the request.")


class FullHttpGet(HttpGet):
    """An HTTP request with host and scheme at choice."""

    host: str | None = Field(None, description="Host to ask, the pod when absent.")
    scheme: Literal["HTTP", "HTTPS"] | None = Field(
        None, description="Protocol of the request, HTTP when absent."
    )


class TcpSocket(Parameters):
    """A connection to the container; healthy when it opens."""

    port: PortNumber = Field(description="Port of the container.")


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

    @model_validator(mode="after")
    def _asks_one_thing(self) -> HealthProbe:
        check_one(self, ("exec", "httpGet", "tcpSocket"))
        return self


class FullHealthProbe(HealthProbe):
    """A probe whose HTTP request takes host and scheme."""

    httpGet: FullHttpGet | None = Field(None, description="Send an HTTP request.")


def check_one(parameters: Parameters, kinds: Sequence[str]) -> None:
    """Check that of the kinds of a probe or hook one is given, as Kubernetes demands.

    Raises:
        ValueError: None is, or several are.
    """
    if len(parameters.model_fields_set.intersection(kinds)) != 1:
        raise ValueError(f"needs exactly one of {', '.join(kinds[:-1])} and {kinds[-1]}")


def probe_object(probe: HealthProbe) -> dict[str, Any]:
    """The container's probe; the five numbers are always written."""
    written: dict[str, Any] = probe.model_dump(mode="json", exclude_none=True)
    return written
