"""``apply-deployment``: a Deployment of one container (follows KubeVela v1.10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from velapulumi.definitions.base import Context, Health, Manifest, Rendered, RenderError
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.objects import Word
from velapulumi.definitions.pod.workload import API_VERSION, observed
from velapulumi.definitions.step import StepDefinition, Target
from velapulumi.spec import Many

_LABEL = "workflow.oam.dev/step-name"
_LONGEST_LABEL = 63


class Parameters(BaseParameters):
    """Parameters of ``apply-deployment``."""

    image: Word = Field(description="Image of the container.")
    replicas: int = Field(1, description="How many pods run.", ge=0)
    cluster: str = Field("", description="Name of the joined cluster it goes to.")
    cmd: Many[str] | None = Field(None, description="Command of the container; the image's own.")


def render(parameters: Parameters, context: Context) -> Rendered:
    """The Deployment, named as the step.

    Raises:
        RenderError: Application and step together have too long a name for a label.
    """
    label = f"{context.app_name}-{context.name}"
    if len(label) > _LONGEST_LABEL:
        raise RenderError(
            (),
            f'the label {_LABEL}, "{label}", is longer than {_LONGEST_LABEL} characters: '
            "give the step a shorter name",
        )
    labels = {_LABEL: label}
    container: Manifest = {"name": context.name, "image": parameters.image}
    if parameters.cmd is not None:
        container["command"] = list(parameters.cmd)
    return Rendered(
        {
            "apiVersion": API_VERSION,
            "kind": "Deployment",
            "metadata": {"name": context.name},
            "spec": {
                "replicas": parameters.replicas,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [container]},
                },
            },
        }
    )


def target(parameters: Parameters) -> Target:
    """The cluster that is named."""
    return Target(parameters.cluster)


def health(live: Mapping[str, Any]) -> Health:
    """Healthy when as many replicas as wanted are ready, of the newest generation."""
    wanted = live["spec"].get("replicas", 1)
    ready = (live.get("status") or {}).get("readyReplicas", 0)
    return Health(observed(live) and ready == wanted, f"Ready:{ready}/{wanted}")


DEFINITION = StepDefinition(
    type="apply-deployment",
    parameters=Parameters,
    summary="A Deployment of one container; waits until it is ready.",
    example={
        "image": "crccheck/hello-world",
        "replicas": 2,
        "cluster": "cluster-prod",
    },
    render=render,
    target=target,
    health=health,
)
