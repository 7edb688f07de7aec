"""Kubeconfigs: the one context that is used, with all file references read in.

| kubectl | here |
|---|---|
| current context of one file | the same; several files are not merged |
| file references, ``tokenFile`` too | read, relative to the kubeconfig, and stored inline |
| exec plugins | kept as they are, run when the cluster is called |
| ``auth-provider`` | refused, as kubectl itself has dropped it |
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from velapulumi.errors import InvalidKubeconfig

# name of the path field → name of the field with the data
_CLUSTER_FILES = {"certificate-authority": "certificate-authority-data"}
_USER_FILES = {
    "client-certificate": "client-certificate-data",
    "client-key": "client-key-data",
}
_SIZE_LIMIT = 1024 * 1024


@dataclass(frozen=True)
class Kubeconfig:
    """The credentials of one cluster, complete in themselves.

    Attributes:
        cluster: Name of the cluster entry of the current context.
        endpoint: URL of the API server.
        kind: How one signs in: ``tls`` (client certificate), ``token``, ``exec`` or ``basic``.
        document: A kubeconfig with just this context and no file references.
    """

    cluster: str
    endpoint: str
    kind: str
    document: Mapping[str, Any]


def read_kubeconfig(path: Path) -> Kubeconfig:
    """Read a kubeconfig file and keep its current context.

    Raises:
        InvalidKubeconfig: The file or what its current context names cannot be used; the texts
            of the context errors follow KubeVela's ``cluster join``.
    """
    try:
        if path.stat().st_size > _SIZE_LIMIT:
            raise InvalidKubeconfig(f"{path}: larger than {_SIZE_LIMIT} bytes")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise InvalidKubeconfig(f"failed to get kubeconfig: {path}: {reason}") from error
    return parse_kubeconfig(text, str(path), path.parent)


def parse_kubeconfig(text: str, source: str, folder: Path) -> Kubeconfig:
    """Parse a kubeconfig and keep its current context.

    Args:
        text: The YAML text.
        source: What to call it in messages.
        folder: What its relative file references are relative to.

    Raises:
        InvalidKubeconfig: See ``read_kubeconfig``.
    """
    try:
        document = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidKubeconfig(
            f"failed to get kubeconfig: {source}:{line}: {error.problem}"
        ) from error
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidKubeconfig(f"failed to get kubeconfig: {source}: {error}") from error
    if not isinstance(document, dict):
        raise InvalidKubeconfig(f"failed to get kubeconfig: {source}: not a kubeconfig")
    current = document.get("current-context")
    if not current:
        raise InvalidKubeconfig(f"{source}: current-context is not set")
    context = _named(document, "contexts", "context", current)
    if context is None:
        raise InvalidKubeconfig(f"{source}: current-context {current} not found")
    name, user_name = context.get("cluster"), context.get("user")
    cluster = _named(document, "clusters", "cluster", name)
    if cluster is None:
        raise InvalidKubeconfig(f"{source}: cluster {name} not found")
    user = _named(document, "users", "user", user_name)
    if user is None:
        raise InvalidKubeconfig(f"{source}: authInfo {user_name} not found")
    endpoint = cluster.get("server")
    if not isinstance(endpoint, str) or not endpoint.startswith(("https://", "http://")):
        raise InvalidKubeconfig(f"{source}: cluster {name} has no server URL")
    if "@" in urlsplit(endpoint).netloc:
        raise InvalidKubeconfig(f"{source}: the server URL of cluster {name} holds credentials")
    cluster = _inline(cluster, _CLUSTER_FILES, source, folder)
    user = _inline(user, _USER_FILES, source, folder)
    if "tokenFile" in user:
        user["token"] = _read(user.pop("tokenFile"), source, folder).decode(errors="replace")
    if "token" in user:
        user["token"] = _token(user["token"], source)
    return Kubeconfig(
        cluster=str(name),
        endpoint=endpoint,
        kind=_credential_kind(user, source, str(user_name)),
        document={
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": str(current),
            "contexts": [
                {"name": str(current), "context": {"cluster": str(name), "user": str(user_name)}}
            ],
            "clusters": [{"name": str(name), "cluster": cluster}],
            "users": [{"name": str(user_name), "user": user}],
        },
    )


def _named(document: Mapping[str, Any], group: str, field: str, name: Any) -> dict[str, Any] | None:
    entries = document.get(group)
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("name") == name:
            value = entry.get(field)
            return dict(value) if isinstance(value, dict) else {}
    return None


def _inline(
    section: Mapping[str, Any], fields: Mapping[str, str], source: str, folder: Path
) -> dict[str, Any]:
    result = dict(section)
    for path_field, data_field in fields.items():
        path = result.pop(path_field, None)
        if path and not result.get(data_field):
            result[data_field] = base64.b64encode(_read(path, source, folder)).decode()
        data = result.get(data_field)
        if data is not None:
            try:
                base64.b64decode(data, validate=True)
            except (binascii.Error, TypeError, ValueError) as error:
                raise InvalidKubeconfig(f"{source}: {data_field} is not base64") from error
    return result


def _read(path: Any, source: str, folder: Path) -> bytes:
    file = folder / str(path).replace("\0", "")
    try:
        if file.stat().st_size > _SIZE_LIMIT:
            raise InvalidKubeconfig(f"{source}: {file} is larger than {_SIZE_LIMIT} bytes")
        return file.read_bytes()
    except OSError as error:
        raise InvalidKubeconfig(f"{source}: cannot read {file}: {error.strerror}") from error


def _token(value: Any, source: str) -> str:
    """A bearer token as a header can carry it; never shown in a message."""
    token = str(value).strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidKubeconfig(f"{source}: the user's token holds characters no token has")
    return token


def _credential_kind(user: Mapping[str, Any], source: str, name: str) -> str:
    if user.get("client-certificate-data") and user.get("client-key-data"):
        return "tls"
    if user.get("token"):
        return "token"
    if user.get("exec"):
        return "exec"
    if user.get("username") and user.get("password"):
        return "basic"
    raise InvalidKubeconfig(f"{source}: user {name} has no credential that can be used")
