"""Talking to one cluster: who it is, and the objects in it. Only this module calls Kubernetes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from velapulumi.errors import ClusterUnreachable
from velapulumi.files import make_private_folder

Manifest = Mapping[str, Any]
TIMEOUT = 5.0
_NO_KUBERNETES = "it does not answer as a Kubernetes API server"


@dataclass(frozen=True)
class Identity:
    """What a cluster says of itself.

    Attributes:
        uid: UID of its ``kube-system`` namespace.
        version: Version of its API server, such as ``v1.36.3``.
    """

    uid: str
    version: str


class Cluster:
    """One cluster's API server.

    Args:
        name: The cluster's name, for messages.
        kubeconfig: A kubeconfig with one context and no file references.
        scratch: Private folder for the key files the client needs while the process lives.
        timeout: Seconds to wait for an answer.
    """

    def __init__(
        self,
        name: str,
        kubeconfig: Mapping[str, Any],
        *,
        scratch: Path | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        from kubernetes.client import Configuration
        from kubernetes.config import ConfigException, new_client_from_config_dict

        self.name = name
        self.endpoint = str(kubeconfig["clusters"][0]["cluster"]["server"])
        self._timeout = timeout
        self._resources: dict[str, dict[str, tuple[str, bool]]] = {}
        settings = Configuration()
        settings.retries = False
        if scratch is not None:
            make_private_folder(scratch)
        try:
            self._client = new_client_from_config_dict(
                dict(kubeconfig),
                persist_config=False,
                temp_file_path=str(scratch) if scratch else None,
                client_configuration=settings,
            )
        except (ConfigException, OSError, ValueError) as error:
            raise ClusterUnreachable(f"cluster {name}: cannot sign in: {error}") from error

    def identity(self) -> Identity:
        """Ask the cluster who it is.

        Raises:
            ClusterUnreachable: No answer, or the credentials are not accepted.
        """
        namespace = self._call("GET", "/api/v1/namespaces/kube-system")
        version = self._call("GET", "/version")
        if namespace is None or version is None:
            raise self._unreachable("it has no kube-system namespace")
        try:
            return Identity(namespace["metadata"]["uid"], version["gitVersion"])
        except (KeyError, TypeError) as error:
            raise self._unreachable(_NO_KUBERNETES) from error

    def read(self, manifest: Manifest) -> dict[str, Any] | None:
        """Read the object a manifest names; None when it, or its kind, is not there.

        Raises:
            ClusterUnreachable: No answer, or access refused.
        """
        path = self._path(manifest)
        return self._call("GET", path) if path else None

    def merge(self, manifest: Manifest, patch: Manifest) -> None:
        """Merge a patch into the object a manifest names (RFC 7396).

        Raises:
            ClusterUnreachable: No answer, or access refused.
        """
        path = self._path(manifest)
        if path:
            self._call("PATCH", path, patch, "application/merge-patch+json")

    def apply(self, manifest: Manifest, manager: str) -> None:
        """Apply a manifest on the server in the name of a field manager, by force.

        Raises:
            ClusterUnreachable: No answer, or access refused.
        """
        path = self._path(manifest)
        if path:
            query = urlencode({"fieldManager": manager, "force": "true"})
            self._call("PATCH", f"{path}?{query}", manifest, "application/apply-patch+yaml")

    def pods(self, namespace: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """List the pods that carry the labels.

        Raises:
            ClusterUnreachable: No answer, or access refused.
        """
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        query = urlencode({"labelSelector": selector, "limit": 50})
        answer = self._call("GET", f"/api/v1/namespaces/{quote(namespace)}/pods?{query}")
        items = answer.get("items") if answer else None
        return items if isinstance(items, list) else []

    def _path(self, manifest: Manifest) -> str | None:
        """Path of the object a manifest names; None when the cluster does not have its kind."""
        version, metadata = manifest["apiVersion"], manifest["metadata"]
        group = f"/apis/{version}" if "/" in version else f"/api/{version}"
        resource = self._kinds(group).get(manifest["kind"])
        if resource is None:
            return None
        plural, namespaced = resource
        namespace = metadata.get("namespace")
        folder = f"/namespaces/{quote(namespace)}" if namespaced and namespace else ""
        return f"{group}{folder}/{plural}/{quote(metadata['name'])}"

    def _kinds(self, group: str) -> dict[str, tuple[str, bool]]:
        if group not in self._resources:
            answer = self._call("GET", group) or {"resources": []}
            try:
                self._resources[group] = {
                    entry["kind"]: (entry["name"], entry["namespaced"])
                    for entry in answer["resources"]
                    if "/" not in entry["name"]
                }
            except (KeyError, TypeError) as error:
                raise self._unreachable(_NO_KUBERNETES) from error
        return self._resources[group]

    def _call(
        self, method: str, path: str, body: Manifest | None = None, content_type: str = ""
    ) -> dict[str, Any] | None:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        request = self._client.param_serialize(
            method,
            path,
            header_params={"Accept": "application/json"}
            | ({"Content-Type": content_type} if content_type else {}),
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = self._client.call_api(*request, _request_timeout=self._timeout)
            content = answer.read()
        except (ApiException, HTTPError, OSError, ValueError) as error:
            raise self._unreachable(_reason(error)) from error
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise self._unreachable(_refusal(answer.status, content))
        try:
            document = json.loads(content)
        except ValueError as error:
            raise self._unreachable(_NO_KUBERNETES) from error
        if not isinstance(document, dict):
            raise self._unreachable(_NO_KUBERNETES)
        return document

    def _unreachable(self, reason: str) -> ClusterUnreachable:
        return ClusterUnreachable(
            f"cluster {self.name} at {self.endpoint} cannot be reached: {reason}"
        )


def _reason(error: Exception) -> str:
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return "the request cannot be sent, look at the kubeconfig's token and server"
    inner = getattr(error, "reason", None) or error
    text = str(inner).strip().splitlines()
    line = text[0] if text else type(inner).__name__
    return line.rsplit(">: ", 1)[-1].split("): ", 1)[-1]


def _refusal(status: int, body: bytes) -> str:
    try:
        message = json.loads(body).get("message", "")
    except (ValueError, AttributeError):
        message = ""
    words = {401: "the credentials are not accepted", 403: "access is refused"}
    lines = str(message or words.get(status, "unexpected answer")).splitlines()
    return f"HTTP {status}: {lines[0]}"
