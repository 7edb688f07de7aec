"""The Ingress in front of a component's Service, in both versions of its API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from velapulumi.definitions.base import Context, Manifest, Parameters
from velapulumi.definitions.network.service import named_port, service
from velapulumi.definitions.pod.ports import PortNumber

V1 = "networking.k8s.io/v1"
V1BETA1 = "networking.k8s.io/v1beta1"
V1_SINCE = 19
"""Minor version of Kubernetes which brought V1."""
V1BETA1_UNTIL = 21
"""The last minor version of Kubernetes which has V1BETA1."""

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
ANY_PATH = "ImplementationSpecific"


def _at_least_one(routes: dict[str, int]) -> dict[str, int]:
    if not routes:
        raise ValueError("must have at least one path")
    return routes


Routes = Annotated[dict[str, PortNumber], AfterValidator(_at_least_one)]
"""Port by path of a URL."""


class RouteParameters(Parameters):
    """Parameters of the deprecated types: one domain and its paths."""

    domain: str = Field(description="Domain of the URL.")
    http: Routes = Field(description="Port of the component by path of the URL.")


def ingress(
    name: str,
    backend: str,
    routes: Mapping[str, int],
    *,
    version: str,
    host: str | None = None,
    path_type: str | None = ANY_PATH,
) -> Manifest:
    """An Ingress with one rule; its paths are sorted.

    Args:
        name: Name of the Ingress.
        backend: Name of the Service behind it.
        routes: Port by path.
        version: V1 or V1BETA1.
        host: The domain; all when None.
        path_type: How paths are compared; None leaves it to V1BETA1.
    """
    paths = []
    for path, port in sorted(routes.items()):
        entry: Manifest = {"path": path, "backend": _backend(backend, port, version)}
        if path_type is not None:
            entry["pathType"] = path_type
        paths.append(entry)
    rule: Manifest = {"http": {"paths": paths}}
    if host is not None:
        rule["host"] = host
    return {
        "apiVersion": version,
        "kind": "Ingress",
        "metadata": {"name": name},
        "spec": {"rules": [rule]},
    }


def oldest_ingress(parameters: RouteParameters, context: Context) -> Manifest:
    """The Ingress of the types which came before V1: in V1BETA1 wherever that still is."""
    old = context.cluster_version.minor <= V1BETA1_UNTIL
    return ingress(
        context.name,
        context.name,
        parameters.http,
        version=V1BETA1 if old else V1,
        host=parameters.domain,
        path_type=None if old else ANY_PATH,
    )


def unnamed_service(parameters: RouteParameters, context: Context) -> Manifest:
    """The Service of the deprecated types: a single port has no name."""
    ports = [named_port(port) for port in sorted(set(parameters.http.values()))]
    if len(ports) == 1:
        del ports[0]["name"]
    return service(context.name, context, ports)


def _backend(name: str, port: int, version: str) -> Manifest:
    if version == V1BETA1:
        return {"serviceName": name, "servicePort": port}
    return {"service": {"name": name, "port": {"number": port}}}
