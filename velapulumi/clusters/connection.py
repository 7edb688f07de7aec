"""Asking one API server. Only this module calls Kubernetes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from velapulumi.clusters.answers import read_failure, read_warnings
from velapulumi.clusters.secrecy import hiding
from velapulumi.errors import ClusterUnreachable
from velapulumi.files import make_private_folder

Manifest = Mapping[str, Any]
TIMEOUT = 5.0
NO_KUBERNETES = "it does not answer as a Kubernetes API server"


class Connection:
    """A connection to one API server.

    Args:
        name: The cluster's name, for messages.
        kubeconfig: A kubeconfig with one context and no file references.
        scratch: Private folder for the key files the client needs while the process lives.
        timeout: Seconds to wait for an answer.

    Raises:
        ClusterUnreachable: The kubeconfig's credentials cannot be used.
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

    def _call(
        self, method: str, path: str, body: Manifest | None = None, content_type: str = ""
    ) -> dict[str, Any] | None:
        return self._ask(method, path, body, content_type)[0]

    def _ask(
        self, method: str, path: str, body: Manifest | None = None, content_type: str = ""
    ) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
        """Send a request; gives the document of the answer, None for 404, and the warnings."""
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
            return None, ()
        hide = hiding([body])
        if answer.status not in (200, 201, 202):
            failure = read_failure(self.name, self.endpoint, method, answer.status, content, hide)
            failure.cluster = self.name
            raise failure
        try:
            document = json.loads(content)
        except ValueError as error:
            raise self._unreachable(NO_KUBERNETES) from error
        if not isinstance(document, dict):
            raise self._unreachable(NO_KUBERNETES)
        return document, tuple(map(hide, read_warnings(answer.getheader("Warning", ""))))

    def _unreachable(self, reason: str) -> ClusterUnreachable:
        return ClusterUnreachable(
            f"cluster {self.name} at {self.endpoint} cannot be reached: {reason}"
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
