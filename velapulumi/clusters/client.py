"""Talking to one cluster: who it is, and the objects in it. Only this module calls Kubernetes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from velapulumi.definitions import ClusterVersion
from velapulumi.errors import ClusterUnreachable, ObjectRefused
from velapulumi.files import make_private_folder

Manifest = Mapping[str, Any]
TIMEOUT = 5.0
_NO_KUBERNETES = "it does not answer as a Kubernetes API server"
_NO_NAMES = (".", "..")
"""Nothing is called so; as parts of a path they would lead to another object."""
_VERSION = re.compile(r"v?(\d+)\.(\d+)")


@dataclass(frozen=True)
class Identity:
    """What a cluster says of itself.

    Attributes:
        uid: UID of its ``kube-system`` namespace.
        version: Version of its API server.
    """

    uid: str
    version: ClusterVersion


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
            return Identity(namespace["metadata"]["uid"], _version(version))
        except (KeyError, TypeError, ValueError) as error:
            raise self._unreachable(_NO_KUBERNETES) from error

    def read(self, manifest: Manifest) -> dict[str, Any] | None:
        """Read the object a manifest names; None when it, or its kind, is not there.

        Raises:
            ClusterUnreachable: No answer, or access refused.
        """
        path = self._path(manifest)
        return self._object("GET", path) if path else None

    def merge(self, manifest: Manifest, patch: Manifest) -> None:
        """Merge a patch into the object a manifest names (RFC 7396).

        Raises:
            ClusterUnreachable: No answer, or access refused.
            ObjectRefused: The patch holds the ``resourceVersion`` of a state that is gone, or its
                result is not valid.
        """
        path = self._path(manifest)
        if path:
            self._call("PATCH", path, patch, "application/merge-patch+json")

    def apply(self, manifest: Manifest, manager: str) -> dict[str, Any] | None:
        """Apply a manifest on the server in the name of a field manager, by force.

        Returns:
            The object as it then is; None when the cluster does not have its kind.

        Raises:
            ClusterUnreachable: No answer, or access refused.
            ObjectRefused: The result is not valid.
        """
        path = self._path(manifest)
        if path is None:
            return None
        query = urlencode({"fieldManager": manager, "force": "true"})
        return self._object("PATCH", f"{path}?{query}", manifest, "application/apply-patch+yaml")

    def replace(self, manifest: Manifest, manager: str) -> dict[str, Any] | None:
        """Put a manifest in the place of the object it names, in the name of a field manager.

        Returns:
            The object as it then is; None when it, or its kind, is not there.

        Raises:
            ClusterUnreachable: No answer, or access refused.
            ObjectRefused: The manifest is not valid, or has the ``resourceVersion`` of a state that
                is gone.
        """
        path = self._path(manifest)
        if path is None:
            return None
        query = urlencode({"fieldManager": manager})
        return self._object("PUT", f"{path}?{query}", manifest, "application/json")

    def delete(self, manifest: Manifest, resource_version: str) -> None:
        """Delete the object a manifest names, and what hangs on it.

        Args:
            manifest: Names the object.
            resource_version: The state it must be in.

        Raises:
            ClusterUnreachable: No answer, or access refused.
            ObjectRefused: It is in another state.
        """
        path = self._path(manifest)
        if path:
            options = {
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "propagationPolicy": "Background",
                "preconditions": {"resourceVersion": resource_version},
            }
            self._call("DELETE", path, options, "application/json")

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

    def api_versions(self, group: str) -> list[str]:
        """The versions the cluster serves a group in, the one it prefers first.

        Args:
            group: API group; empty for all of them, first of all the core one.

        Returns:
            API versions such as ``apps/v1``; none when there is no such group.

        Raises:
            ClusterUnreachable: No answer, or access refused.
        """
        answer = self._call("GET", f"/apis/{quote(group, safe='')}" if group else "/apis")
        versions = [] if group else ["v1"]
        try:
            for entry in ([answer] if group else answer["groups"]) if answer else ():
                preferred = entry["preferredVersion"]["groupVersion"]
                others = [version["groupVersion"] for version in entry["versions"]]
                versions += dict.fromkeys([preferred, *others])
        except (KeyError, TypeError) as error:
            raise self._unreachable(_NO_KUBERNETES) from error
        return versions

    def kinds(self, api_version: str) -> Mapping[str, tuple[str, bool]]:
        """The kinds of an API version: the plural of each, and whether it is namespaced.

        Raises:
            ClusterUnreachable: No answer, or access refused.
        """
        if api_version not in self._resources:
            answer = self._call("GET", _root(api_version)) or {"resources": []}
            try:
                self._resources[api_version] = {
                    entry["kind"]: (entry["name"], entry["namespaced"])
                    for entry in answer["resources"]
                    if "/" not in entry["name"]
                }
            except (KeyError, TypeError) as error:
                raise self._unreachable(_NO_KUBERNETES) from error
        return self._resources[api_version]

    def objects(
        self, api_version: str, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """List the objects of a kind that carry the labels, by name; none without the kind.

        Raises:
            ClusterUnreachable: No answer, or access refused.
        """
        folder = self._folder(api_version, kind, namespace)
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        query = urlencode({"labelSelector": selector})
        answer = self._call("GET", f"{folder}?{query}") if folder else None
        try:
            # The items of a list do not say their kind themselves.
            found = [
                {"apiVersion": api_version, "kind": kind, **item}
                for item in (answer["items"] if answer else ())
            ]
            return sorted(found, key=lambda item: str(item["metadata"]["name"]))
        except (KeyError, TypeError) as error:
            raise self._unreachable(_NO_KUBERNETES) from error

    def _path(self, manifest: Manifest) -> str | None:
        """Path of the object a manifest names; None when the cluster cannot have it."""
        metadata = manifest["metadata"]
        if metadata["name"] in _NO_NAMES:
            return None
        folder = self._folder(manifest["apiVersion"], manifest["kind"], metadata.get("namespace"))
        return f"{folder}/{quote(metadata['name'], safe='')}" if folder else None

    def _folder(self, api_version: str, kind: str, namespace: str | None) -> str | None:
        """Path of the objects of a kind; None when the cluster does not have it."""
        resource = self.kinds(api_version).get(kind)
        if resource is None or namespace in _NO_NAMES:
            return None
        plural, namespaced = resource
        folder = f"/namespaces/{quote(namespace, safe='')}" if namespaced and namespace else ""
        return f"{_root(api_version)}{folder}/{plural}"

    def _object(
        self, method: str, path: str, body: Manifest | None = None, content_type: str = ""
    ) -> dict[str, Any] | None:
        """The object that is answered with; what has no metadata comes from no Kubernetes."""
        answer = self._call(method, path, body, content_type)
        if answer is not None and not isinstance(answer.get("metadata"), dict):
            raise self._unreachable(_NO_KUBERNETES)
        return answer

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
            raise self._unreachable(_reason(error, self._timeout)) from error
        if answer.status == 404:
            return None
        if answer.status in (409, 422):
            reason = _refusal(answer.status, content)
            raise ObjectRefused(f"cluster {self.name} refuses a change: {reason}")
        if answer.status not in (200, 201, 202):
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


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _version(answer: Mapping[str, Any]) -> ClusterVersion:
    """The version an API server tells; some add a ``+`` to its numbers or leave them empty.

    Raises:
        KeyError, TypeError, ValueError: It is none.
    """
    told = f"{answer.get('major')}.{answer.get('minor')}"
    numbers = _VERSION.match(told) or _VERSION.match(answer["gitVersion"])
    if numbers is None:
        raise ValueError("no version")
    return ClusterVersion(
        int(numbers[1]), int(numbers[2]), answer["gitVersion"], str(answer.get("platform", ""))
    )


def _reason(error: Exception, timeout: float) -> str:
    from urllib3.exceptions import ConnectTimeoutError, ReadTimeoutError

    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return "the request cannot be sent, look at the kubeconfig's token and server"
    inner = getattr(error, "reason", None) or error
    if type(inner) in (ConnectTimeoutError, ReadTimeoutError):
        return f"the request timed out after {timeout:g}s"
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
