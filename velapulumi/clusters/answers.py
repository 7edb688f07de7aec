"""Answers of an API server, read: its version, its failures and its warnings. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from velapulumi.definitions import ClusterVersion
from velapulumi.errors import AccessDenied, ClusterProblem, ClusterUnreachable, ObjectRefused

_VERSION = re.compile(r"v?(\d+)\.(\d+)")
_NO_RIGHT = re.compile(
    r'User "(?P<user>.*?)" cannot (?P<verb>\S+) (?:path "(?P<path>[^"]*)"|resource '
    r'"(?P<resource>[^"]*)"(?: in API group "(?P<group>[^"]*)")?'
    r'(?: in the namespace "(?P<namespace>[^"]*)")?)'
)
"""An authorizer's words. Admission answers 403 as well, in words of its own."""
_OF_THE_OBJECT = re.compile(
    r"admission webhook |"  # a webhook chooses the status of its refusal
    r".*failed calling webhook |"  # 500: the cluster answers, a webhook of it does not
    # 500 for a field that the schema does not have, and for a value that cannot be read as its type
    r"failed to (?:create typed patch|convert new) object "
)
_WARNING = re.compile(r'\b299 \S+ "((?:[^"\\]|\\.)*)"')


def read_version(answer: Mapping[str, Any]) -> ClusterVersion:
    """Read the version that an API server gives itself.

    Args:
        answer: Its answer at ``/version``. Some add a ``+`` to the numbers, or leave them empty.

    Returns:
        The version.

    Raises:
        KeyError, TypeError, ValueError: The answer holds no version.
    """
    told = f"{answer.get('major')}.{answer.get('minor')}"
    numbers = _VERSION.match(told) or _VERSION.match(answer["gitVersion"])
    if numbers is None:
        raise ValueError("no version")
    return ClusterVersion(
        int(numbers[1]), int(numbers[2]), answer["gitVersion"], str(answer.get("platform", ""))
    )


def read_warnings(header: str) -> tuple[str, ...]:
    """Read the warnings an API server sends beside an answer.

    Args:
        header: All values of the header ``Warning``, joined with commas.

    Returns:
        Their texts, such as ``unknown field "spec.replica"``.
    """
    return tuple(re.sub(r"\\(.)", r"\1", found[1]) for found in _WARNING.finditer(header))


def read_failure(
    cluster: str,
    endpoint: str,
    method: str,
    status: int,
    content: bytes,
    hide: Callable[[str], str] = str,
) -> ClusterProblem:
    """Read an answer that is no success.

    Args:
        cluster: The cluster's name, for messages.
        endpoint: Its address, for messages.
        method: HTTP method of the request.
        status: HTTP status of the answer.
        content: Body of the answer; a ``Status`` if it comes from Kubernetes.
        hide: Takes out of words what nobody may see.

    Returns:
        ``ObjectRefused`` when a write would be possible with another content or in another state,
        ``AccessDenied`` when a right is missing, ``ClusterUnreachable`` otherwise.
    """
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        document = {}
    message = hide(str(document.get("message") or "").strip())
    if _is_refusal(method, status, message):
        return ObjectRefused(
            f"cluster {cluster} refuses a change: HTTP {status}: {message or 'unexpected answer'}",
            status=status,
            reason=str(document.get("reason") or ""),
            causes=tuple((field, hide(said)) for field, said in _causes(document.get("details"))),
        )
    if status == 403:
        return AccessDenied(
            f"cluster {cluster} at {endpoint} denies access: "
            f"HTTP 403: {message or 'access is refused'}",
            next_step=_right_to_grant(cluster, message),
        )
    words = "the credentials are not accepted" if status == 401 else "unexpected answer"
    line = (message or words).splitlines()[0]
    return ClusterUnreachable(
        f"cluster {cluster} at {endpoint} cannot be reached: HTTP {status}: {line}"
    )


def _is_refusal(method: str, status: int, message: str) -> bool:
    if method == "GET":
        return False
    if status in (409, 422):
        return True
    # Without words of Kubernetes it may be a proxy that answers, and that says nothing of objects.
    if not message:
        return False
    if _OF_THE_OBJECT.match(message) or status in (400, 405, 413, 415):
        return True
    return status == 403 and not _NO_RIGHT.search(message)


def _causes(details: Any) -> tuple[tuple[str, str], ...]:
    causes = details.get("causes") if isinstance(details, dict) else None
    return tuple(
        (str(cause.get("field") or ""), str(cause.get("message") or ""))
        for cause in (causes if isinstance(causes, list) else ())
        if isinstance(cause, dict)
    )


def _right_to_grant(cluster: str, message: str) -> str:
    """Next step that names user, verb, resource and place; empty when the message has none."""
    found = _NO_RIGHT.search(message)
    if found is None:
        return ""
    if found["path"]:
        what = f"the path {found['path']}"
    else:
        resource, _, subresource = found["resource"].partition("/")
        group = f".{found['group']}" if found["group"] else ""
        what = f"{resource}{group}" + (f"/{subresource}" if subresource else "")
        namespace = found["namespace"]
        what += f" in namespace {namespace}" if namespace else " for the whole cluster"
    return (
        f"On cluster {cluster}, grant {found['user']} the verb {found['verb']} on {what}; "
        "then run the command again."
    )
