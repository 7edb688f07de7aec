"""What the tag of an image stands for this moment, told by its registry.

Follows the OCI distribution specification: the digest comes with the answer to a ``HEAD`` of the
manifest. Only registries that a policy names are asked.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from velapulumi.errors import ClusterProblem

DOCKER = "docker.io"
_DOCKER_HOST = "registry-1.docker.io"
_TIMEOUT = 5.0
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_KINDS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


@dataclass(frozen=True)
class Image:
    """The parts of an image's name."""

    registry: str
    repository: str
    tag: str
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Image:
        """Read an image's name as container runtimes do."""
        name, _, digest = text.partition("@")
        first, slash, rest = name.partition("/")
        has_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
        registry, path = (first, rest) if has_host else (DOCKER, name)
        repository, colon, tag = path.rpartition(":")
        if not colon:
            repository, tag = path, "latest"
        if registry == DOCKER and "/" not in repository:
            repository = f"library/{repository}"
        return cls(registry, repository, tag, digest)


def pinned(images: Iterable[str], registries: Collection[str]) -> dict[str, str]:
    """Images with the digests that their tags stand for now.

    Args:
        images: Names of images.
        registries: The registries that are asked, such as ``registry.example.com``.

    Returns:
        For each name the same one, with ``@sha256:…`` where a registry gave it.

    Raises:
        ClusterProblem: A registry that is to be asked does not tell.
    """
    names = sorted(set(images))
    with ThreadPoolExecutor(8) as pool:
        return dict(zip(names, pool.map(lambda n: _pinned(n, registries), names), strict=True))


def _pinned(name: str, registries: Collection[str]) -> str:
    image = Image.parse(name)
    if image.digest or image.registry not in registries:
        return name
    return f"{name}@{_digest(image, name)}"


def _digest(image: Image, name: str) -> str:
    host = _DOCKER_HOST if image.registry == DOCKER else image.registry
    plain = host.partition(":")[0] in ("localhost", "127.0.0.1")
    path = f"/v2/{image.repository}/manifests/{image.tag}"
    url = f"{'http' if plain else 'https'}://{host}{urllib.parse.quote(path)}"
    try:
        answer = _head(url)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 401:
            raise _unknown(name, f"HTTP {error.code}") from error
        answer = _head_with_token(url, error.headers.get("WWW-Authenticate") or "", name)
    except (OSError, ValueError) as error:
        raise _unknown(name, str(error)) from error
    if not _DIGEST.fullmatch(answer):
        raise _unknown(name, "it gives no digest")
    return answer


def _head(url: str, token: str = "") -> str:
    headers = {"Accept": ", ".join(_KINDS)} | (
        {"Authorization": f"Bearer {token}"} if token else {}
    )
    request = urllib.request.Request(url, headers=headers, method="HEAD")
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
        return answer.headers.get("Docker-Content-Digest") or ""


def _head_with_token(url: str, challenge: str, name: str) -> str:
    """Ask once more with the token that a registry gives to anybody."""
    fields = dict(_CHALLENGE.findall(challenge))
    realm = fields.pop("realm", "")
    if not realm.startswith(("https://", "http://")):
        raise _unknown(name, "it asks for credentials")
    try:
        query = urllib.parse.urlencode(fields)
        with urllib.request.urlopen(f"{realm}?{query}", timeout=_TIMEOUT) as answer:
            document = json.loads(answer.read())
        return _head(url, str(document.get("token") or document.get("access_token") or ""))
    except (OSError, ValueError, AttributeError) as error:
        raise _unknown(name, str(error)) from error


def _unknown(name: str, reason: str) -> ClusterProblem:
    return ClusterProblem(
        f"the digest of image {name} is not to be had: {reason}",
        next_step="Check the image's name and its registry, or pin the image by its digest.",
    )
