"""``collect-service-endpoints``: where the application can be reached (follows KubeVela v1.10).

It looks at what the application itself has delivered, wherever that is, and so needs no cluster;
endpoints of another application are not collected. Its outputs may take values from
``outputs.endpoints`` (each with ``endpoint``, ``ref``, ``cluster`` and ``component``), and from
``value``: ``value.endpoints`` (the same), ``value.endpoint`` (the first one's ``host``, ``port``
and so on) and ``value.url``.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Literal

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.network.endpoints import Endpoint, address_of, endpoints_of
from velapulumi.definitions.step import (
    Done,
    Failed,
    Result,
    StepContext,
    StepDefinition,
    Tools,
    Waiting,
)
from velapulumi.spec import Many


class Parameters(BaseParameters):
    """Parameters of ``collect-service-endpoints``."""

    name: str = Field("", description="Name of the application; only its own is possible.")
    namespace: str = Field("", description="Namespace of the application, without effect.")
    components: Many[str] = Field((), description="Only of these components; of all when empty.")
    port: int | None = Field(None, description="Only with this port.")
    portName: str | None = Field(None, description="Only with a port of this name.")
    outer: bool = Field(False, description="Whether only those that are reached from outside.")
    protocal: Literal["http", "https"] = Field("http", description="Protocol of the URL.")


def act(parameters: Parameters, context: StepContext, tools: Tools) -> Result:
    """Collect the endpoints; waits until there is one."""
    if parameters.name not in ("", context.app_name):
        return Failed(
            f"endpoints of app {parameters.name} cannot be collected, only those of "
            f"{context.app_name} itself: leave out name"
        )

    @cache
    def node_address(cluster: str) -> str:
        return address_of(tools.objects(cluster, "v1", "Node", "", {}))

    found = [
        endpoint
        for entry in tools.endpoints(parameters.components)
        for endpoint in endpoints_of(entry, partial(node_address, entry["cluster"]))
        if _is_wanted(endpoint, parameters)
    ]
    if not found:
        of = ", ".join(parameters.components) or context.app_name
        return Waiting(f"wait for an endpoint of {of}")
    first = found[0]["endpoint"]
    host = f"[{first['host']}]" if ":" in first["host"] else first["host"]
    url = f"{parameters.protocal}://{host}:{first['port']}"
    return Done(
        f"first of {len(found)} endpoints: {url}" if found[1:] else url,
        {
            "outputs": {"endpoints": found},
            "value": {"endpoints": found, "endpoint": first, "url": url},
        },
    )


def _is_wanted(found: Endpoint, parameters: Parameters) -> bool:
    endpoint = found["endpoint"]
    return (
        parameters.port in (None, endpoint["port"])
        and parameters.portName in (None, endpoint.get("portName"))
        and not (parameters.outer and endpoint.get("inner"))
    )


DEFINITION = StepDefinition(
    type="collect-service-endpoints",
    parameters=Parameters,
    summary="Find out where the application can be reached.",
    example={"components": ["web"], "outer": True},
    act=act,
)
