"""``storage``: volumes of the pod, mounted in its first container, and what they show.

Follows KubeVela v1.10, but the selector of a claim is written as its selector, a block device is
no mount as well, and one volume may be mounted at several paths.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from velapulumi.definitions.base import (
    Context,
    Manifest,
    RenderError,
    TraitDefinition,
    TraitResult,
)
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.pod.storage import ClaimParameters, claim_volume, storage_patch
from velapulumi.definitions.pod.template import POD_KINDS
from velapulumi.definitions.pod.volumes import Item, Medium
from velapulumi.spec import Many


def _base64(value: str) -> str:
    try:
        base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be base64; plain text belongs in stringData") from None
    return value


Base64 = Annotated[str, AfterValidator(_base64)]


class Claim(ClaimParameters):
    """A PersistentVolumeClaim."""

    name: str = Field(description="Name of the claim.")
    mountOnly: bool = Field(False, description="Whether the claim exists already.")
    mountPath: str = Field(description="Directory in the container, or device for Block.")
    subPath: str | None = Field(None, description="Path inside the volume.")


class ConfigMapVariable(BaseParameters):
    """An environment variable which shows a key of a ConfigMap."""

    envName: str = Field(description="Name of the variable.")
    configMapKey: str = Field(description="Key of the ConfigMap.")


class SecretVariable(BaseParameters):
    """An environment variable which shows a key of a Secret."""

    envName: str = Field(description="Name of the variable.")
    secretKey: str = Field(description="Key of the Secret.")


class KeyedFiles(BaseParameters):
    """What ConfigMaps and Secrets have."""

    mountOnly: bool = Field(False, description="Whether the object exists already.")
    subPath: str | None = Field(None, description="Path inside the volume.")
    defaultMode: int = Field(420, description="Mode of the files.")
    readOnly: bool = Field(False, description="Without effect: they are always read-only.")
    items: Many[Item] | None = Field(None, description="Keys to show; all when absent.")


class ConfigMap(KeyedFiles):
    """A ConfigMap as files, as environment variables, or both."""

    name: str = Field(description="Name of the ConfigMap.")
    mountPath: str | None = Field(None, description="Directory in the container.")
    mountToEnv: ConfigMapVariable | None = Field(None, description="A variable to set.")
    mountToEnvs: Many[ConfigMapVariable] | None = Field(None, description="Variables to set.")
    data: dict[str, str] | None = Field(None, description="Text by key.")


class Secret(KeyedFiles):
    """A Secret as files, and as environment variables at choice."""

    name: str = Field(description="Name of the Secret.")
    mountPath: str = Field(description="Directory in the container.")
    mountToEnv: SecretVariable | None = Field(None, description="A variable to set.")
    mountToEnvs: Many[SecretVariable] | None = Field(None, description="Variables to set.")
    stringData: dict[str, str] | None = Field(None, description="Text by key.")
    data: dict[str, Base64] | None = Field(None, description="Base64 by key.")


class EmptyDir(BaseParameters):
    """An empty directory which lives as long as the pod."""

    name: str = Field(description="Name of the volume.")
    mountPath: str = Field(description="Directory in the container.")
    subPath: str | None = Field(None, description="Path inside the volume.")
    medium: Medium = Field("", description="Memory for a RAM disk.")


class HostPath(BaseParameters):
    """A file or directory of the node."""

    name: str = Field(description="Name of the volume.")
    path: str = Field(description="Path on the node.")
    mountPath: str = Field(description="Path in the container.")
    type: Literal[
        "Directory",
        "DirectoryOrCreate",
        "FileOrCreate",
        "File",
        "Socket",
        "CharDevice",
        "BlockDevice",
    ] = Field("Directory", description="What is expected there.")


class Parameters(BaseParameters):
    """Parameters of ``storage``."""

    pvc: Many[Claim] = Field((), description="Claims.")
    configMap: Many[ConfigMap] = Field((), description="ConfigMaps.")
    secret: Many[Secret] = Field((), description="Secrets.")
    emptyDir: Many[EmptyDir] = Field((), description="Empty directories.")
    hostPath: Many[HostPath] = Field((), description="Files and directories of the node.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Add the volumes; claims, ConfigMaps and Secrets are outputs unless they exist already.

    Raises:
        RenderError: Two different objects of one name, a part of a block device, or a variable
            which has a plain value in the container.
    """
    patch = storage_patch(
        workload,
        list(_volumes(parameters)),
        mounts=list(_mounts(parameters)),
        devices=list(_devices(parameters.pvc)),
        env=list(_variables(parameters)),
    )
    return TraitResult(patch, _outputs(parameters))


def _volumes(parameters: Parameters) -> Iterator[Manifest]:
    for claim in parameters.pvc:
        yield claim_volume(f"pvc-{claim.name}", claim.name)
    for config in parameters.configMap:
        if config.mountPath is not None:
            source = {"name": config.name, **_files(config)}
            yield {"name": f"configmap-{config.name}", "configMap": source}
    for secret in parameters.secret:
        source = {"secretName": secret.name, **_files(secret)}
        yield {"name": f"secret-{secret.name}", "secret": source}
    for empty in parameters.emptyDir:
        yield {"name": f"emptydir-{empty.name}", "emptyDir": {"medium": empty.medium}}
    for host in parameters.hostPath:
        source = {"path": host.path, "type": host.type}
        yield {"name": f"hostpath-{host.name}", "hostPath": source}


def _files(files: KeyedFiles) -> dict[str, Any]:
    result: dict[str, Any] = {"defaultMode": files.defaultMode}
    if files.items is not None:
        result["items"] = [item.model_dump() for item in files.items]
    return result


def _mounts(parameters: Parameters) -> Iterator[Manifest]:
    for claim in parameters.pvc:
        if claim.volumeMode == "Filesystem":
            yield _mount(f"pvc-{claim.name}", claim.mountPath, claim.subPath)
    for config in parameters.configMap:
        if config.mountPath is not None:
            yield _mount(f"configmap-{config.name}", config.mountPath, config.subPath)
    for secret in parameters.secret:
        yield _mount(f"secret-{secret.name}", secret.mountPath, secret.subPath)
    for empty in parameters.emptyDir:
        yield _mount(f"emptydir-{empty.name}", empty.mountPath, empty.subPath)
    for host in parameters.hostPath:
        yield _mount(f"hostpath-{host.name}", host.mountPath, None)


def _mount(volume: str, path: str, sub_path: str | None) -> Manifest:
    entry = {"name": volume, "mountPath": path}
    if sub_path is not None:
        entry["subPath"] = sub_path
    return entry


def _devices(claims: Sequence[Claim]) -> Iterator[Manifest]:
    for index, claim in enumerate(claims):
        if claim.volumeMode == "Block":
            if claim.subPath is not None:
                message = "a block device has no paths inside: leave it out"
                raise RenderError(("pvc", index, "subPath"), message)
            yield {"name": f"pvc-{claim.name}", "devicePath": claim.mountPath}


def _variables(parameters: Parameters) -> Iterator[Manifest]:
    """In KubeVela's order: of each kind first the single variables, then the lists."""
    for config in parameters.configMap:
        if config.mountToEnv is not None:
            yield _from_config(config, config.mountToEnv)
    for config in parameters.configMap:
        for variable in config.mountToEnvs or ():
            yield _from_config(config, variable)
    for secret in parameters.secret:
        if secret.mountToEnv is not None:
            yield _from_secret(secret, secret.mountToEnv)
    for secret in parameters.secret:
        for shown in secret.mountToEnvs or ():
            yield _from_secret(secret, shown)


def _from_config(config: ConfigMap, variable: ConfigMapVariable) -> Manifest:
    source = {"configMapKeyRef": {"name": config.name, "key": variable.configMapKey}}
    return {"name": variable.envName, "valueFrom": source}


def _from_secret(secret: Secret, variable: SecretVariable) -> Manifest:
    source = {"secretKeyRef": {"name": secret.name, "key": variable.secretKey}}
    return {"name": variable.envName, "valueFrom": source}


def _outputs(parameters: Parameters) -> dict[str, Manifest]:
    claims = ((claim, claim.claim(claim.name)) for claim in parameters.pvc)
    configs = ((config, _config_map(config)) for config in parameters.configMap)
    secrets = ((secret, _secret(secret)) for secret in parameters.secret)
    return {
        **_made("pvc", claims),
        **_made("configMap", configs),
        **_made("secret", secrets),
    }


def _made(
    field: str, objects: Iterable[tuple[Claim | ConfigMap | Secret, Manifest]]
) -> dict[str, Manifest]:
    """The objects of one parameter which do not exist already, each once."""
    result: dict[str, Manifest] = {}
    for index, (item, made) in enumerate(objects):
        if item.mountOnly:
            continue
        if result.setdefault(f"{field.lower()}-{item.name}", made) != made:
            message = f'"{item.name}" is made differently before: set mountOnly on one of them'
            raise RenderError((field, index, "name"), message)
    return result


def _config_map(config: ConfigMap) -> Manifest:
    result = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": config.name}}
    if config.data is not None:
        result["data"] = dict(config.data)
    return result


def _secret(secret: Secret) -> Manifest:
    result = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret.name}}
    if secret.data is not None:
        result["data"] = dict(secret.data)
    if secret.stringData is not None:
        result["stringData"] = dict(secret.stringData)
    return result


DEFINITION = TraitDefinition(
    type="storage",
    parameters=Parameters,
    summary="Volumes and settings of the pod's first container.",
    example={
        "pvc": [
            {
                "name": "data",
                "mountPath": "/data",
                "resources": {"requests": {"storage": "2Gi"}},
            }
        ],
        "configMap": [{"name": "settings", "mountPath": "/etc/settings", "data": {"mode": "fast"}}],
        "emptyDir": [{"name": "cache", "mountPath": "/cache"}],
    },
    apply=apply,
    applies_to=POD_KINDS,
)
