"""Where the Services and Ingresses of an application can be reached.

Follows KubeVela v1.10 (its query provider's service endpoints), except that an endpoint without a
host is left out, and that a NodePort's host is chosen among all nodes whatever their roles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Endpoint = dict[str, Any]
"""``endpoint`` (protocol, appProtocol, host, port, portName, path, inner), ``ref``, ``cluster``
and ``component``; what is empty or false is not there, as in KubeVela."""

_APP_PROTOCOLS = {80: "http", 8080: "http", 443: "https", 3306: "mysql", 6379: "redis"}
_HOST = "ingress.controller/host"
_PORTS = {
    "http": ("ingress.controller/http-port", 80),
    "https": ("ingress.controller/https-port", 443),
}


def endpoints_of(entry: Mapping[str, Any], node_address: Callable[[], str]) -> Iterator[Endpoint]:
    """The endpoints of one live Service or Ingress; none of another kind.

    Args:
        entry: ``object``, ``cluster`` and ``component``.
        node_address: Gives an address of the cluster's nodes; empty when there is none.
    """
    live = entry["object"]
    find = {"Service": _of_service, "Ingress": _of_ingress}.get(live["kind"])
    for endpoint in find(live, node_address) if find else ():
        if endpoint["host"]:
            yield {
                "endpoint": endpoint,
                "ref": _reference(live),
                "cluster": entry["cluster"],
                "component": entry["component"],
            }


def address_of(nodes: Sequence[Mapping[str, Any]]) -> str:
    """An address of nodes: one for the outside if there is any, else an inner one, else none."""
    addresses = [
        address for node in nodes for address in (node.get("status") or {}).get("addresses") or ()
    ]
    for kind in ("ExternalIP", "InternalIP"):
        for address in addresses:
            if address["type"] == kind:
                return str(address["address"])
    return ""


def _of_service(live: Mapping[str, Any], node_address: Callable[[], str]) -> Iterator[Endpoint]:
    spec, metadata = live["spec"], live["metadata"]
    kind = spec.get("type", "ClusterIP")
    for port in spec.get("ports") or ():
        if kind == "LoadBalancer":
            for host in _balancer_hosts(live):
                yield _of_port(port, host, port["port"])
        elif kind == "NodePort":
            yield _of_port(port, node_address(), port["nodePort"])
        else:
            host = f"{metadata['name']}.{metadata['namespace']}"
            yield {**_of_port(port, host, port["port"]), "inner": True}


def _of_port(port: Mapping[str, Any], host: str, number: int) -> Endpoint:
    name = {"portName": port["name"]} if port.get("name") else {}
    return {
        "protocol": port.get("protocol", "TCP"),
        "appProtocol": _APP_PROTOCOLS.get(port["port"], ""),
        "host": host,
        "port": number,
        **name,
    }


def _of_ingress(live: Mapping[str, Any], _: Callable[[], str]) -> Iterator[Endpoint]:
    spec = live["spec"]
    annotations = live["metadata"].get("annotations") or {}
    default = annotations.get(_HOST) or next(_balancer_hosts(live), "")
    for rule in spec.get("rules") or ():
        protocol = "https" if _has_tls(spec, rule.get("host", "")) else "http"
        annotation, usual = _PORTS[protocol]
        given = str(annotations.get(annotation, ""))
        for path in (rule.get("http") or {}).get("paths") or ():
            yield {
                "protocol": "TCP",
                "appProtocol": protocol,
                "host": rule.get("host") or default,
                "port": int(given) if given.isdecimal() and int(given) else usual,
                **({"path": path["path"]} if path.get("path") else {}),
            }


def _has_tls(spec: Mapping[str, Any], host: str) -> bool:
    return any(not tls.get("hosts") or host in tls["hosts"] for tls in spec.get("tls") or ())


def _balancer_hosts(live: Mapping[str, Any]) -> Iterator[str]:
    balancer = (live.get("status") or {}).get("loadBalancer") or {}
    for ingress in balancer.get("ingress") or ():
        for field in ("hostname", "ip"):
            if ingress.get(field):
                yield ingress[field]


def _reference(live: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = live["metadata"]
    fields = {field: metadata.get(field) for field in ("namespace", "name", "uid")}
    found = {"kind": live["kind"], "apiVersion": live.get("apiVersion"), **fields}
    found["resourceVersion"] = metadata.get("resourceVersion")
    return {key: value for key, value in found.items() if value}
