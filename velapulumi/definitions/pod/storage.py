"""Storage which a trait brings to a pod: claims, and the patch that mounts volumes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from velapulumi.definitions.base import Manifest, Parameters, RenderError
from velapulumi.definitions.patch import ByKey
from velapulumi.definitions.pod.template import containers, pod_patch
from velapulumi.spec import Many

DEFAULT_SIZE = "8Gi"

_SIZE = re.compile(r"[1-9][0-9]{0,63}([EPTGMK]|[EPTGMK]i)")


def _size(value: str) -> str:
    if not _SIZE.fullmatch(value):
        raise ValueError('must be a whole number and a unit, such as "8Gi" or "500M"')
    return value


Size = Annotated[str, AfterValidator(_size)]
"""An amount of storage as KubeVela takes it."""

VolumeMode = Literal["Filesystem", "Block"]
AccessMode = Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]


class StorageSize(Parameters):
    """An amount of storage."""

    storage: Size = Field(description='Amount, such as "8Gi".')


class StorageResources(Parameters):
    """How much storage a claim asks for."""

    requests: StorageSize = Field(description="Least amount.")
    limits: StorageSize | None = Field(None, description="Greatest amount.")


class DataSource(Parameters):
    """An object which a claim is filled from."""

    name: str = Field(description="Name of the object.")
    kind: str = Field(description="Kind of the object.")
    apiGroup: str = Field(description="API group of the kind.")


class Requirement(Parameters):
    """A condition on one label."""

    key: str = Field(description="Key of the label.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(
        description="How the label is compared."
    )
    values: Many[str] = Field((), description="Values to compare with.")


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


Requirements = Annotated[
    Many[Requirement],
    BeforeValidator(_listed, json_schema_input_type=Requirement | Many[Requirement]),
]
"""Conditions as Kubernetes takes them, or the single one which KubeVela takes."""


class VolumeSelector(Parameters):
    """Which PersistentVolumes a claim may take."""

    matchLabels: dict[str, str] | None = Field(None, description="Labels they have.")
    matchExpressions: Requirements | None = Field(None, description="Conditions on their labels.")


class ClaimParameters(Parameters):
    """What a PersistentVolumeClaim asks for."""

    volumeMode: VolumeMode = Field("Filesystem", description="Whether it holds files.")
    volumeName: str | None = Field(None, description="The PersistentVolume to take.")
    accessModes: Many[AccessMode] = Field(
        ("ReadWriteOnce",), description="How many nodes may mount it."
    )
    storageClassName: str | None = Field(None, description="StorageClass; the default if absent.")
    resources: StorageResources | None = Field(None, description="Size; 8Gi when absent.")
    dataSourceRef: DataSource | None = Field(None, description="What to fill it from.")
    dataSource: DataSource | None = Field(None, description="The same, of fewer kinds.")
    selector: VolumeSelector | None = Field(None, description="PersistentVolumes it may take.")

    def claim(self, name: str) -> Manifest:
        """The PersistentVolumeClaim."""
        spec: Manifest = {
            "accessModes": list(self.accessModes),
            "volumeMode": self.volumeMode,
            "resources": self._sizes(),
        }
        if self.volumeName is not None:
            spec["volumeName"] = self.volumeName
        if self.storageClassName is not None:
            spec["storageClassName"] = self.storageClassName
        if self.dataSourceRef is not None:
            spec["dataSourceRef"] = self.dataSourceRef.model_dump()
        if self.dataSource is not None:
            spec["dataSource"] = self.dataSource.model_dump()
        if self.selector is not None:
            spec["selector"] = _selector(self.selector)
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name},
            "spec": spec,
        }

    def _sizes(self) -> Manifest:
        if self.resources is None:
            return {"requests": {"storage": DEFAULT_SIZE}}
        result = {"requests": {"storage": self.resources.requests.storage}}
        if self.resources.limits is not None:
            result["limits"] = {"storage": self.resources.limits.storage}
        return result


def claim_volume(name: str, claim: str) -> Manifest:
    """A volume of the pod which is a PersistentVolumeClaim."""
    return {"name": name, "persistentVolumeClaim": {"claimName": claim}}


def storage_patch(
    workload: Manifest,
    volumes: Sequence[Manifest],
    *,
    mounts: Sequence[Manifest] = (),
    devices: Sequence[Manifest] = (),
    env: Sequence[Manifest] = (),
) -> Manifest:
    """The patch which adds volumes to the pod and the rest to its first container.

    Volumes are matched by name, of several with one name the first counts. Mounts are matched
    by their path: a path which holds something else is a conflict.

    Args:
        workload: A workload of one of POD_KINDS.
        volumes: Volumes of the pod.
        mounts: ``volumeMounts``.
        devices: ``volumeDevices``.
        env: Variables with a source.

    Raises:
        RenderError: Two mounts at one path, or a variable with a plain value in the container.
    """
    first: dict[str, Any] = {}
    if env:
        _refuse_plain(workload, env)
        first["env"] = ByKey("name", env)
    if mounts:
        _refuse_twice([mount["mountPath"] for mount in mounts])
        first["volumeMounts"] = ByKey("mountPath", mounts)
    if devices:
        first["volumeDevices"] = ByKey("devicePath", devices)
    patch: dict[str, Any] = {}
    if first:
        patch["containers"] = [first]
    if volumes:
        unique: dict[str, Manifest] = {}
        for volume in volumes:
            unique.setdefault(volume["name"], volume)
        patch["volumes"] = ByKey("name", list(unique.values()))
    return pod_patch(workload, patch) if patch else {}


def _refuse_twice(paths: Sequence[str]) -> None:
    for path in paths:
        if paths.count(path) > 1:
            raise RenderError((), f"two volumes are mounted at {path}")


def _refuse_plain(workload: Manifest, env: Sequence[Manifest]) -> None:
    wanted = {variable["name"] for variable in env}
    for variable in next(iter(containers(workload)), {}).get("env") or ():
        if variable.get("name") in wanted and variable.get("value"):
            message = f"environment variable {variable['name']} has a value in the container"
            raise RenderError((), message)


def _selector(selector: VolumeSelector) -> Manifest:
    result: Manifest = {}
    if selector.matchLabels is not None:
        result["matchLabels"] = dict(selector.matchLabels)
    if selector.matchExpressions is not None:
        result["matchExpressions"] = [
            requirement.model_dump(mode="json") for requirement in selector.matchExpressions
        ]
    return result
