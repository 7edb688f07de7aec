"""The Service in front of a component's pods."""

from __future__ import annotations

from collections.abc import Sequence

from velapulumi.definitions.base import Context, Manifest
from velapulumi.definitions.pod.container import COMPONENT_LABEL

SERVING_KINDS = ("Deployment", "StatefulSet", "DaemonSet")
"""Kinds of workload whose pods run for good, so that they can be reached."""


def service(name: str, context: Context, ports: Sequence[Manifest]) -> Manifest:
    """A Service for the pods of the component.

    Args:
        name: Name of the Service.
        context: Names the component.
        ports: Its ports.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {COMPONENT_LABEL: context.name}, "ports": list(ports)},
    }


def named_port(port: int) -> Manifest:
    """A port of a Service which leads to the same port of the pods, named by its number."""
    return {"name": f"port-{port}", "port": port, "targetPort": port}
