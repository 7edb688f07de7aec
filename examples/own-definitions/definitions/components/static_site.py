"""``static-site``: files of an image, served by its web server on port 80."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from velapulumi.definitions import ComponentDefinition, Context, Health, Rendered, RenderError
from velapulumi.definitions import Parameters as BaseParameters


class Parameters(BaseParameters):
    """Parameters of ``static-site``."""

    image: str = Field(description="Image with the files and a web server.")
    host: str = Field(description="Host name it is reached under.")


def render(parameters: Parameters, context: Context) -> Rendered:
    """The Deployment and its Service."""
    if parameters.host.endswith(".internal") and context.namespace == "public":
        raise RenderError(("host",), "must not be an internal name in namespace public")
    labels = {"app.oam.dev/component": context.name}
    container = {
        "name": context.name,
        "image": parameters.image,
        "ports": [{"containerPort": 80}],
        "env": [{"name": "HOST", "value": parameters.host}],
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "spec": {"selector": labels, "ports": [{"port": 80}]},
    }
    return Rendered(deployment, {"service": service})


def health(live: Mapping[str, Any]) -> Health:
    """Healthy when a pod is ready."""
    ready = live.get("status", {}).get("readyReplicas", 0)
    return Health(ready > 0, f"{ready} ready")


DEFINITION = ComponentDefinition(
    type="static-site",
    parameters=Parameters,
    summary="Files of an image, served by its web server.",
    example={"image": "registry.example/docs:1.4", "host": "docs.example.com"},
    workload=("apps/v1", "Deployment"),
    render=render,
    health=health,
)
