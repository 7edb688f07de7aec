"""``kustomize``: a folder of manifests which Flux applies.

Follows KubeVela's fluxcd addon 2.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from velapulumi.definitions.base import (
    ComponentDefinition,
    Context,
    Health,
    Manifest,
    Rendered,
    RenderError,
)
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.flux import BUCKET, GIT, Provider, SourceParameters, source

WORKLOAD = ("kustomize.toolkit.fluxcd.io/v1", "Kustomization")
OCI = ("source.toolkit.fluxcd.io/v1beta2", "OCIRepository")
SOURCES = {"git": GIT, "oss": BUCKET, "oci": OCI}
IMAGES = "image.toolkit.fluxcd.io/v1beta2"
UPDATES = "image.toolkit.fluxcd.io/v1beta1"
AUTHOR = "kubevelabot"
ADDRESS = "kubevelabot@users.noreply.github.com"


class Artifact(BaseParameters):
    """What to take from an OCI repository."""

    provider: Provider = Field("generic", description="Who keeps it and how to sign in.")
    tag: str = Field("latest", description="Tag of the artifact.")


class SecretName(BaseParameters):
    """Names a Secret."""

    name: str = Field(description="Name of the Secret.")


class Decryption(BaseParameters):
    """How the manifests are encrypted."""

    provider: Literal["sops"] = Field("sops", description="What they are encrypted with.")
    secretRef: SecretName = Field(description="Secret with the keys.")


class Alphabetical(BaseParameters):
    """Sorts tags by letters."""

    order: Literal["asc", "desc"] | None = Field(
        None, description="asc takes the last one, desc the first."
    )


class Numerical(BaseParameters):
    """Sorts tags by numbers."""

    order: Literal["asc", "desc"] = Field(
        description="asc takes the greatest one, desc the smallest."
    )


class Semver(BaseParameters):
    """Sorts tags by versions."""

    range: str = Field(description="Versions allowed; the newest one is taken.")


class TagChoice(BaseParameters):
    """Which tag of an image is the newest."""

    alphabetical: Alphabetical | None = Field(None, description="By letters.")
    numerical: Numerical | None = Field(None, description="By numbers.")
    semver: Semver | None = Field(None, description="By versions.")


class TagFilter(BaseParameters):
    """Which tags of an image count."""

    pattern: str | None = Field(None, description="Regular expression of the tags.")
    extract: str | None = Field(None, description="Part of the match which is compared.")


class ImageRepository(BaseParameters):
    """An image whose new versions are written into the Git repository."""

    image: str = Field(description="The image, without a tag.")
    secretRef: str | None = Field(None, description="Secret with the credentials of the registry.")
    policy: TagChoice = Field(description="Which tag is the newest.")
    filterTags: TagFilter | None = Field(None, description="Which tags count; all when absent.")
    commitMessage: str | None = Field(None, description="Further text of the commits.")
    interval: str = Field("5m", description="Time between two looks at the registry.")


class Parameters(SourceParameters):
    """Parameters of ``kustomize``."""

    repoType: Literal["git", "oss", "oci"] = Field(
        "git", description="What kind of source has the manifests."
    )
    path: str = Field(description="Folder of the source with manifests or a kustomization.yaml.")
    prune: bool = Field(True, description="Whether to delete what is no longer in the folder.")
    suspend: bool = Field(False, description="Whether nothing further is applied.")
    force: bool = Field(
        False, description="Whether to create objects anew whose changes are refused."
    )
    targetNamespace: str | None = Field(None, description="Namespace of all objects.")
    decryption: Decryption | None = Field(None, description="How the manifests are encrypted.")
    oci: Artifact | None = Field(None, description="What to take from an OCI repository.")
    imageRepository: ImageRepository | None = Field(
        None, description="An image whose new versions are written into the Git repository."
    )


def render(parameters: Parameters, context: Context) -> Rendered:
    """The Kustomization, its source ``repo`` unless one that exists is used, and image updates.

    Raises:
        RenderError: A parameter is missing which this kind of source or the updates need.
    """
    name = parameters.sourceName or context.name
    outputs: dict[str, Manifest] = {}
    kind = SOURCES[parameters.repoType]
    if not parameters.sourceName:
        own = parameters.oci if kind == OCI else None
        fields = {"provider": own.provider, "ref": {"tag": own.tag}} if own else {}
        outputs["repo"] = source(parameters, kind, context.name, fields)
    if parameters.imageRepository is not None:
        outputs |= _image_updates(parameters, parameters.imageRepository, context, name)
    spec: Manifest = {
        "interval": parameters.pullInterval,
        "sourceRef": {"kind": kind[1], "name": name, "namespace": context.namespace},
        "path": parameters.path,
        "suspend": parameters.suspend,
        "prune": parameters.prune,
        "force": parameters.force,
    }
    if parameters.decryption is not None:
        spec["decryption"] = parameters.decryption.model_dump()
    if parameters.targetNamespace is not None:
        spec["targetNamespace"] = parameters.targetNamespace
    return Rendered(_object(*WORKLOAD, context, spec), outputs)


def health(live: Mapping[str, Any]) -> Health:
    """Always healthy: KubeVela has no rule for it."""
    return Health(True, "")


def _image_updates(
    parameters: Parameters, images: ImageRepository, context: Context, source_name: str
) -> dict[str, Manifest]:
    branch = parameters.git.branch if parameters.git else None
    if parameters.repoType != "git" or branch is None:
        message = "needs repoType git and git.branch: updates are commits to a branch"
        raise RenderError(("imageRepository",), message)
    repository: Manifest = {"image": images.image, "interval": images.interval}
    if images.secretRef is not None:
        repository["secretRef"] = {"name": images.secretRef}
    policy: Manifest = {
        "imageRepositoryRef": {"name": context.name},
        "policy": images.policy.model_dump(exclude_none=True),
    }
    if images.filterTags is not None:
        policy["filterTags"] = images.filterTags.model_dump(exclude_none=True)
    lines = ["Update image automatically."]
    if images.commitMessage is not None:
        lines.append(images.commitMessage)
    update: Manifest = {
        "interval": images.interval,
        "sourceRef": {"kind": GIT[1], "name": source_name},
        "git": {
            "checkout": {"ref": {"branch": branch}},
            "commit": {
                "author": {"email": ADDRESS, "name": AUTHOR},
                "messageTemplate": "\n".join(lines),
            },
            "push": {"branch": branch},
        },
        "update": {"path": parameters.path, "strategy": "Setters"},
    }
    return {
        "imageRepo": _object(IMAGES, "ImageRepository", context, repository),
        "imagePolicy": _object(IMAGES, "ImagePolicy", context, policy),
        "imageUpdate": _object(UPDATES, "ImageUpdateAutomation", context, update),
    }


def _object(api_version: str, kind: str, context: Context, spec: Manifest) -> Manifest:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": context.name},
        "spec": spec,
    }


DEFINITION = ComponentDefinition(
    type="kustomize",
    parameters=Parameters,
    summary="A folder of manifests, applied by Flux, which the cluster must have.",
    example={
        "url": "https://github.com/stefanprodan/podinfo",
        "git": {"branch": "master"},
        "path": "./kustomize",
        "targetNamespace": "podinfo",
    },
    workload=WORKLOAD,
    render=render,
    health=health,
)
