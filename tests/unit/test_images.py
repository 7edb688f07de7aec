"""What tags of images stand for, asked of a registry on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from velapulumi.clusters.images import Image, pinned
from velapulumi.errors import ClusterProblem

ONE, TWO = (f"sha256:{letter * 64}" for letter in "ab")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("nginx", ("docker.io", "library/nginx", "latest", "")),
        ("nginx:1.27", ("docker.io", "library/nginx", "1.27", "")),
        ("crccheck/hello-world", ("docker.io", "crccheck/hello-world", "latest", "")),
        ("docker.io/nginx:1", ("docker.io", "library/nginx", "1", "")),
        ("ghcr.io/a/b/c:v1", ("ghcr.io", "a/b/c", "v1", "")),
        ("localhost/a", ("localhost", "a", "latest", "")),
        ("127.0.0.1:5000/a:2", ("127.0.0.1:5000", "a", "2", "")),
        (f"ghcr.io/a@{ONE}", ("ghcr.io", "a", "latest", ONE)),
        (f"ghcr.io/a:1@{ONE}", ("ghcr.io", "a", "1", ONE)),
    ],
)
def test_a_name_is_read_as_runtimes_do(text: str, parts: tuple[str, ...]) -> None:
    image = Image.parse(text)
    assert (image.registry, image.repository, image.tag, image.digest) == parts


class Registry(ThreadingHTTPServer):
    """Tags by path; some ask for a token first."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.tags = {"/v2/team/web/manifests/1": ONE, "/v2/shy/web/manifests/1": TWO}
        self.asked: list[str] = []

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    server: Registry

    def do_HEAD(self) -> None:
        self.server.asked.append(self.path)
        if self.path.startswith("/v2/shy") and self.headers["Authorization"] != "Bearer open":
            realm = f"http://{self.server.name}/token"
            self.send_response(401)
            challenge = f'Bearer realm="{realm}",service="r",scope="repository:shy/web:pull"'
            self.send_header("WWW-Authenticate", challenge)
        elif self.path.startswith("/v2/closed"):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="r"')
        elif digest := self.server.tags.get(self.path):
            assert "application/vnd.oci.image.index.v1+json" in self.headers["Accept"]
            self.send_response(200)
            self.send_header("Docker-Content-Digest", digest)
        else:
            self.send_response(404)
        self.end_headers()

    def do_GET(self) -> None:
        assert self.path.startswith("/token?service=r&scope=repository%3Ashy%2Fweb%3Apull")
        body = json.dumps({"token": "open"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_tags_get_the_digest_they_stand_for_now(registry: Registry) -> None:
    web, shy = f"{registry.name}/team/web:1", f"{registry.name}/shy/web:1"
    fixed = f"{registry.name}/team/web@{ONE}"
    other = "registry.example.com/team/web:1"
    assert pinned([web, shy, fixed, other, web], [registry.name]) == {
        web: f"{web}@{ONE}",
        shy: f"{shy}@{TWO}",
        fixed: fixed,
        other: other,
    }
    registry.tags["/v2/team/web/manifests/1"] = TWO
    assert pinned([web], [registry.name]) == {web: f"{web}@{TWO}"}


def test_no_registry_is_asked_that_is_not_named(registry: Registry) -> None:
    web = f"{registry.name}/team/web:1"
    assert pinned([web, "nginx"], []) == {web: web, "nginx": "nginx"}
    assert registry.asked == []


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("team/gone:1", "HTTP 404"),
        ("closed/web:1", "it asks for credentials"),
        ("team/odd:1", "it gives no digest"),
    ],
)
def test_what_a_registry_does_not_tell_is_named(registry: Registry, path: str, reason: str) -> None:
    registry.tags["/v2/team/odd/manifests/1"] = "md5:x"
    with pytest.raises(ClusterProblem) as caught:
        pinned([f"{registry.name}/{path}"], [registry.name])
    assert caught.value.message == (
        f"the digest of image {registry.name}/{path} is not to be had: {reason}"
    )
    assert caught.value.next_step


def test_a_registry_that_is_not_there_is_named() -> None:
    with pytest.raises(ClusterProblem, match=r"127\.0\.0\.1:9/web is not to be had: .*refused"):
        pinned(["127.0.0.1:9/web"], ["127.0.0.1:9"])
