"""``container-image``: the image of containers (follows KubeVela v1.10)."""

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
from velapulumi.definitions.patch import RetainKeys
from velapulumi.definitions.pod.targets import Target, change_containers
from velapulumi.definitions.pod.template import POD_KINDS
from velapulumi.spec import MISSING, Many


class Image(Target):
    """The image of one container."""

    image: str = Field(description="Image.")
    imagePullPolicy: Literal["", "IfNotPresent", "Always", "Never"] = Field(
        "", description="When to pull the image; unchanged when absent."
    )


class Parameters(Image):
    """Parameters of ``container-image``."""

    image: str = Field("", description="Image; required without containers.")
    containers: Many[Image] | None = Field(
        None, description="Images of several containers, instead of the other parameters."
    )


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Set the image, and the policy when there is one.

    Raises:
        RenderError: There is no image.
    """
    return change_containers(parameters, parameters.containers, context, workload, _image)


def _image(target: Image, container: Mapping[str, Any]) -> Manifest:
    if not target.image:
        raise RenderError(("image",), MISSING)
    patch: Manifest = {"image": RetainKeys(target.image)}
    if target.imagePullPolicy:
        patch["imagePullPolicy"] = RetainKeys(target.imagePullPolicy)
    return patch


DEFINITION = TraitDefinition(
    type="container-image",
    parameters=Parameters,
    summary="Image of one container or several.",
    example={"image": "nginx:1.27", "imagePullPolicy": "IfNotPresent"},
    apply=apply,
    applies_to=POD_KINDS,
)
