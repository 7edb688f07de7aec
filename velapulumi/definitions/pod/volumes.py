"""Volumes of a pod and their mounts in its container."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from velapulumi.definitions.base import Manifest, Parameters
from velapulumi.spec import Many

Medium = Literal["", "Memory"]


class Item(Parameters):
    """One key of a Secret or ConfigMap as a file."""

    key: str = Field(description="Key inside the object.")
    path: str = Field(description="File below the mount path.")
    mode: int = Field(511, description="Mode of the file.")


class Mount(Parameters):
    """What all mounts have."""

    name: str = Field(description="Name of the volume.")
    mountPath: str = Field(description="Directory in the container.")

    def source(self) -> Manifest:
        """The part of the volume which says what it is."""
        raise NotImplementedError


class PvcMount(Mount):
    """A PersistentVolumeClaim which exists."""

    claimName: str = Field(description="Name of the claim.")

    def source(self) -> Manifest:
        return _pvc(self.claimName)


class ConfigMapMount(Mount):
    """A ConfigMap as files."""

    cmName: str = Field(description="Name of the ConfigMap.")
    defaultMode: int = Field(420, description="Mode of the files.")
    items: Many[Item] | None = Field(None, description="Keys to show; all when absent.")

    def source(self) -> Manifest:
        return _config_map(self.cmName, self.defaultMode, self.items)


class SecretMount(Mount):
    """A Secret as files."""

    secretName: str = Field(description="Name of the Secret.")
    defaultMode: int = Field(420, description="Mode of the files.")
    items: Many[Item] | None = Field(None, description="Keys to show; all when absent.")

    def source(self) -> Manifest:
        return _secret(self.secretName, self.defaultMode, self.items)


class EmptyDirMount(Mount):
    """An empty directory which lives as long as the pod."""

    medium: Medium = Field("", description="Memory for a RAM disk.")

    def source(self) -> Manifest:
        return _empty_dir(self.medium)


class HostPathMount(Mount):
    """A directory of the node."""

    path: str = Field(description="Directory on the node.")

    def source(self) -> Manifest:
        return {"hostPath": {"path": self.path}}


class SubPath(Parameters):
    """The choice of a path inside the volume, for mounts which have it."""

    subPath: str | None = Field(None, description="Path inside the volume.")


class SubPathPvc(PvcMount, SubPath):
    """A PersistentVolumeClaim, or a path in it."""


class SubPathConfigMap(ConfigMapMount, SubPath):
    """A ConfigMap, or a path in it."""


class SubPathSecret(SecretMount, SubPath):
    """A Secret, or a path in it."""


class SubPathEmptyDir(EmptyDirMount, SubPath):
    """An empty directory, or a path in it."""


class SubPathHostPath(HostPathMount, SubPath):
    """A directory of the node, or a path in it."""


class VolumeMounts(Parameters):
    """Mounts by the kind of their volume."""

    pvc: Many[PvcMount] = Field((), description="Claims.")
    configMap: Many[ConfigMapMount] = Field((), description="ConfigMaps.")
    secret: Many[SecretMount] = Field((), description="Secrets.")
    emptyDir: Many[EmptyDirMount] = Field((), description="Empty directories.")
    hostPath: Many[HostPathMount] = Field((), description="Directories of the node.")

    def all(self) -> list[Mount]:
        """All mounts in the order of the pod."""
        return [*self.pvc, *self.configMap, *self.secret, *self.emptyDir, *self.hostPath]


class SubPathVolumeMounts(VolumeMounts):
    """Mounts by the kind of their volume, each with a path inside the volume at choice."""

    pvc: Many[SubPathPvc] = Field((), description="Claims.")
    configMap: Many[SubPathConfigMap] = Field((), description="ConfigMaps.")
    secret: Many[SubPathSecret] = Field((), description="Secrets.")
    emptyDir: Many[SubPathEmptyDir] = Field((), description="Empty directories.")
    hostPath: Many[SubPathHostPath] = Field((), description="Directories of the node.")


_NEEDED = {"pvc": "claimName", "configMap": "cmName", "secret": "secretName"}


class Volume(Mount):
    """A mount in the deprecated spelling, with the kind of the volume as ``type``."""

    type: Literal["emptyDir", "pvc", "configMap", "secret"] = Field(
        "emptyDir", description="Kind of the volume."
    )
    medium: Medium = Field("", description="Memory for a RAM disk (emptyDir).")
    claimName: str = Field("", description="Name of the claim (pvc).")
    cmName: str = Field("", description="Name of the ConfigMap (configMap).")
    secretName: str = Field("", description="Name of the Secret (secret).")
    defaultMode: int = Field(420, description="Mode of the files (configMap, secret).")
    items: Many[Item] | None = Field(None, description="Keys to show (configMap, secret).")

    @model_validator(mode="after")
    def _has_its_source(self) -> Volume:
        needed = _NEEDED.get(self.type)
        if needed and needed not in self.model_fields_set:
            raise ValueError(f"{needed} is missing, a volume of type {self.type} needs it")
        return self

    def source(self) -> Manifest:
        if self.type == "pvc":
            return _pvc(self.claimName)
        if self.type == "configMap":
            return _config_map(self.cmName, self.defaultMode, self.items)
        if self.type == "secret":
            return _secret(self.secretName, self.defaultMode, self.items)
        return _empty_dir(self.medium)


def chosen_mounts(mounts: VolumeMounts | None, volumes: Sequence[Volume] | None) -> list[Mount]:
    """What a component mounts: its volumeMounts, or without them its deprecated volumes."""
    return list(volumes or ()) if mounts is None else mounts.all()


def pod_volumes(mounts: Sequence[Mount]) -> list[Manifest]:
    """The pod's volumes; of several with one name the first."""
    volumes: dict[str, Manifest] = {}
    for mount in mounts:
        if mount.name not in volumes:
            volumes[mount.name] = {"name": mount.name, **mount.source()}
    return list(volumes.values())


def container_mounts(mounts: Sequence[Mount]) -> Iterator[Manifest]:
    """The container's volumeMounts, one for each mount."""
    for mount in mounts:
        entry = {"name": mount.name, "mountPath": mount.mountPath}
        if isinstance(mount, SubPath) and mount.subPath is not None:
            entry["subPath"] = mount.subPath
        yield entry


def _pvc(claim: str) -> Manifest:
    return {"persistentVolumeClaim": {"claimName": claim}}


def _config_map(name: str, mode: int, items: Sequence[Item] | None) -> Manifest:
    return {"configMap": {"name": name, "defaultMode": mode, **_items(items)}}


def _secret(name: str, mode: int, items: Sequence[Item] | None) -> Manifest:
    return {"secret": {"secretName": name, "defaultMode": mode, **_items(items)}}


def _items(items: Sequence[Item] | None) -> dict[str, Any]:
    return {} if items is None else {"items": [item.model_dump() for item in items]}


def _empty_dir(medium: Medium) -> Manifest:
    return {"emptyDir": {"medium": medium}}
