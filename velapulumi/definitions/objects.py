"""Kubernetes objects which users write themselves."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from velapulumi.definitions.base import FreeParameters, Manifest
from velapulumi.spec.model import Labels


def _not_empty(value: str) -> str:
    if not value:
        raise ValueError("must not be empty")
    return value


Word = Annotated[str, AfterValidator(_not_empty)]


class Metadata(FreeParameters):
    """What an object is called; further fields are taken as they are."""

    name: str | None = Field(None, description="Name; the component's when absent.")
    namespace: str | None = Field(None, description="Namespace; the target's when absent.")
    labels: Labels = Field({}, description="Labels.")
    annotations: Labels = Field({}, description="Annotations.")

    def plain(self) -> Manifest:
        """What is given, as plain values; null gives nothing."""
        extra = self.model_extra or {}
        result: Manifest = {key: value for key, value in extra.items() if value is not None}
        for field in ("name", "namespace", "labels", "annotations"):
            if value := getattr(self, field):
                result[field] = value
        return result


class KubernetesObject(FreeParameters):
    """An object of any kind; further fields are taken as they are."""

    apiVersion: Word = Field(description='API version, such as "apps/v1".')
    kind: Word = Field(description='Kind, such as "Deployment".')
    metadata: Metadata | None = Field(None, description="Name, namespace, labels, annotations.")

    def manifest(self) -> Manifest:
        """The object as plain values."""
        result: Manifest = {
            "apiVersion": self.apiVersion,
            "kind": self.kind,
            **(self.model_extra or {}),
        }
        if metadata := self.metadata and self.metadata.plain():
            result["metadata"] = metadata
        return result
