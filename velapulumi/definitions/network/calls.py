"""What steps that call others share: confidential parameters, and HTTP requests with JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from velapulumi.definitions.base import Parameters
from velapulumi.definitions.objects import Word
from velapulumi.definitions.step import NO_CLUSTER, Answer, StepContext, StepError, Tools
from velapulumi.spec import Path

KEY_HEADER = "Idempotency-Key"
"""Tells the receiver of a repeated request that it is the same one."""

_WAYS = ("value", "secretRef", "variable")
_NO_URL = "the URL"
"""Stands for what is no URL: it might be anything, a password too."""


class SecretReference(Parameters):
    """Names a key of a Secret in the namespace of the application."""

    name: Word = Field(description="Name of the Secret.")
    key: Word = Field(description="Key in its data.")
    cluster: str = Field("", description="Name of the joined cluster that has the Secret.")


class Confidential(Parameters):
    """A text that may be kept elsewhere, given in exactly one of three ways."""

    value: str | None = Field(None, description="The text itself.")
    secretRef: SecretReference | None = Field(None, description="The Secret that holds it.")
    variable: Word | None = Field(
        None, description="Environment variable that holds it, of the machine which runs the step."
    )

    @model_validator(mode="after")
    def _given_once(self) -> Confidential:
        if sum(getattr(self, way) is not None for way in _WAYS) != 1:
            raise ValueError("needs exactly one of value, secretRef and variable")
        return self


def confidential_problems(given: Confidential, path: Path) -> Iterator[tuple[Path, str]]:
    """The problem that a Secret's cluster is not named.

    Args:
        given: The parameter.
        path: Its place below ``properties``.
    """
    if given.secretRef is not None and not given.secretRef.cluster:
        yield (*path, "secretRef", "cluster"), NO_CLUSTER


def reveal(given: Confidential, context: StepContext, tools: Tools) -> str:
    """The text.

    Args:
        given: The parameter.
        context: Names the application.
        tools: Read it.

    Raises:
        StepError: It is not where it should be, or is no text.
    """
    if given.variable is not None:
        return tools.variable(given.variable)
    reference = given.secretRef
    if reference is None:
        return given.value or ""
    metadata = {"name": reference.name, "namespace": context.app_namespace}
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    secret = tools.read(reference.cluster, manifest)
    title = f"Secret {reference.name} in namespace {context.app_namespace}"
    if secret is None:
        raise StepError(f"cluster {reference.cluster} has no {title}")
    title += f" on cluster {reference.cluster}"
    data = secret.get("data") or {}
    if reference.key not in data:
        raise StepError(f"{title} has no key {reference.key}")
    try:
        return base64.b64decode(data[reference.key], validate=True).decode()
    except ValueError:
        raise StepError(f"{title}: what is under key {reference.key} is no text") from None


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL: what may be told of one that is confidential."""
    return _told(url, with_path=False)


def public_url(url: str) -> str:
    """A URL without its query, fragment and credentials."""
    return _told(url, with_path=True)


def post(url: str, document: Any, context: StepContext, tools: Tools) -> Answer:
    """Send a document as JSON.

    Args:
        url: Where to; messages name only its origin.
        document: Plain values.
        context: Names the step.
        tools: Send it.

    Returns:
        An answer with a status below 400.

    Raises:
        StepError: It was not sent, or not accepted.
    """
    headers = {"Content-Type": "application/json", KEY_HEADER: context.id}
    body = json.dumps(document, ensure_ascii=False)
    answer = tools.send("POST", url, headers=headers, body=body)
    if answer.status >= 400:
        raise StepError(f"{origin_of(url)} does not accept it: status {answer.status}")
    return answer


def answer_values(answer: Answer) -> Mapping[str, Any]:
    """An answer as the values of a step.

    Returns:
        ``response`` with ``body`` (text), ``header`` and ``statusCode``; when the text is a JSON
        map also its fields, which go first, as in KubeVela ``response`` is that map. ``body`` is
        what the text means as JSON, and is not there when it is none.
    """
    response = {"body": answer.body, "header": dict(answer.headers), "statusCode": answer.status}
    try:
        meant = json.loads(answer.body)
        # Numbers without end and half characters could not be written again.
        json.dumps(meant, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return {"response": response}
    fields = meant if isinstance(meant, dict) else {}
    return {"response": {**response, **fields}, "body": meant}


def _told(url: str, *, with_path: bool) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return _NO_URL
    if not parts.scheme or not host:
        return _NO_URL
    place = f"[{host}]" if ":" in host else host
    return (
        f"{parts.scheme}://{place}"
        + (f":{port}" if port is not None else "")
        + (parts.path if with_path else "")
    )
