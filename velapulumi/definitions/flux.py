"""Sources of charts and manifests as Flux knows them, for the types of KubeVela's fluxcd addon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from pydantic import Field

from velapulumi.definitions.base import Manifest, Parameters, RenderError

Provider: TypeAlias = Literal["generic", "azure", "aws", "gcp"]

GIT = ("source.toolkit.fluxcd.io/v1", "GitRepository")
BUCKET = ("source.toolkit.fluxcd.io/v1beta2", "Bucket")


class Git(Parameters):
    """What to take from a Git repository."""

    branch: str | None = Field(None, description="Branch.")
    commit: str | None = Field(None, description="Commit; goes before everything else.")
    name: str | None = Field(None, description="Reference; goes before branch, tag and semver.")
    semver: str | None = Field(None, description="Range of versions; goes before tag.")
    tag: str | None = Field(None, description="Tag; goes before branch.")

    def reference(self) -> dict[str, str]:
        """Which of the fields are given."""
        fields = ("branch", "commit", "name", "semver", "tag")
        return {field: value for field in fields if (value := getattr(self, field)) is not None}


class Bucket(Parameters):
    """A bucket of an object store."""

    bucketName: str = Field(description="Name of the bucket.")
    provider: Provider = Field("generic", description="Who keeps it and how to sign in.")
    region: str | None = Field(None, description="Region of the bucket.")


class SourceParameters(Parameters):
    """Parameters shared by the types which take something from a source."""

    url: str | None = Field(
        None, description="Address of the source; not needed beside sourceName."
    )
    sourceName: str | None = Field(
        None, description="A source which exists, to be used instead of an own one."
    )
    secretRef: str | None = Field(None, description="Secret with the credentials of the source.")
    pullInterval: str = Field("5m", description="Time between two looks at the source.")
    timeout: str | None = Field(None, description="How long to wait for the source.")
    git: Git | None = Field(None, description="What to take from a Git repository.")
    oss: Bucket | None = Field(None, description="The bucket, for repoType oss.")


def source(
    parameters: SourceParameters, kind: tuple[str, str], name: str, own: Mapping[str, Any]
) -> Manifest:
    """The source of a component.

    Args:
        parameters: The component's parameters.
        kind: API version and kind of the source.
        name: Its name.
        own: Fields of ``spec`` which only this kind has; those of GIT and BUCKET are known here.

    Raises:
        RenderError: A parameter is missing which this kind of source needs.
    """
    if parameters.url is None:
        raise RenderError(("url",), "is missing: only beside sourceName it may be left out")
    spec: Manifest = {"interval": parameters.pullInterval}
    if parameters.timeout is not None:
        spec["timeout"] = parameters.timeout
    if parameters.secretRef:
        spec["secretRef"] = {"name": parameters.secretRef}
    if kind == BUCKET:
        spec |= {"endpoint": parameters.url, **_bucket(parameters.oss)}
    else:
        spec["url"] = parameters.url
    if kind == GIT and parameters.git and (reference := parameters.git.reference()):
        spec["ref"] = reference
    return {
        "apiVersion": kind[0],
        "kind": kind[1],
        "metadata": {"name": name},
        "spec": {**spec, **own},
    }


def _bucket(bucket: Bucket | None) -> Manifest:
    if bucket is None:
        raise RenderError(("oss",), "is missing: repoType oss needs its bucketName")
    result = {"bucketName": bucket.bucketName, "provider": bucket.provider}
    if bucket.region is not None:
        result["region"] = bucket.region
    return result
