"""The client against a server on this machine that answers as told, or does not."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.unit.helpers import SECRET, kubeconfig, manifest
from velapulumi.clusters.client import Cluster, Identity
from velapulumi.errors import ClusterUnreachable

NAMESPACE, VERSION, GROUP = "/api/v1/namespaces/kube-system", "/version", "/apis/apps/v1"
IDENTITY = {
    NAMESPACE: {"metadata": {"uid": "uid-1"}},
    VERSION: {"gitVersion": "v1.36.3"},
}
KINDS = {
    "resources": [
        {"name": "deployments/scale", "kind": "Scale", "namespaced": True},
        {"name": "deployments", "kind": "Deployment", "namespaced": True},
        {"name": "nodegroups", "kind": "NodeGroup", "namespaced": False},
    ]
}


class Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        self.server.seen.append((self.command, self.path, self.headers, body))
        status, content = self.server.answer(self.path)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PATCH = answer

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Answers each path with a document, or with a status and bytes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Any] = {}
        self.seen: list[tuple[str, str, Any, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, path: str) -> tuple[int, bytes]:
        found = self.answers.get(path.partition("?")[0], self.answers.get("*", (404, b"{}")))
        return found if isinstance(found, tuple) else (200, json.dumps(found).encode())


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


@contextlib.contextmanager
def cluster(url: str, timeout: float = 2.0) -> Iterator[Cluster]:
    client = Cluster("east", kubeconfig(url), timeout=timeout)
    try:
        yield client
    finally:
        client._client.rest_client.pool_manager.clear()


def refusal(url: str, timeout: float = 2.0) -> str:
    """Why a cluster is not reached, after the text that names it."""
    with cluster(url, timeout) as client, pytest.raises(ClusterUnreachable) as caught:
        client.identity()
    message = caught.value.message
    assert SECRET not in message
    assert "\n" not in message
    start = f"cluster east at {url} cannot be reached: "
    assert message.startswith(start)
    assert len(message) > len(start)
    return message.removeprefix(start)


def test_a_cluster_says_who_it_is_to_whoever_has_the_token(server: Server) -> None:
    server.answers = dict(IDENTITY)
    with cluster(server.url) as client:
        assert client.identity() == Identity("uid-1", "v1.36.3")
    assert [(method, path) for method, path, *_ in server.seen] == [
        ("GET", NAMESPACE),
        ("GET", VERSION),
    ]
    assert {headers["Authorization"] for _, _, headers, _ in server.seen} == {f"Bearer {SECRET}"}


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, b'{"message": "Unauthorized"}', "HTTP 401: Unauthorized"),
        (401, b"", "HTTP 401: the credentials are not accepted"),
        (403, b'{"message": "not yours"}', "HTTP 403: not yours"),
        (403, b"<html>no</html>", "HTTP 403: access is refused"),
        (404, b"{}", "it has no kube-system namespace"),
        (500, b"[]", "HTTP 500: unexpected answer"),
        (500, b'{"message": "etcd is gone"}', "HTTP 500: etcd is gone"),
        (302, b"", "HTTP 302: unexpected answer"),
        (204, b"", "HTTP 204: unexpected answer"),
        (200, b"<html>hello</html>", "it does not answer as a Kubernetes API server"),
        (200, b"", "it does not answer as a Kubernetes API server"),
        (200, b"[1]", "it does not answer as a Kubernetes API server"),
        (200, b"\xff\xfe", "it does not answer as a Kubernetes API server"),
    ],
)
def test_a_refusal_is_told_in_one_line(
    server: Server, status: int, body: bytes, reason: str
) -> None:
    server.answers = {"*": (status, body)}
    assert refusal(server.url) == reason


def test_nobody_listens() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert "refused" in refusal(f"http://127.0.0.1:{port}").lower()


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert "timed out" in refusal(url, timeout=0.2).lower()


def test_a_server_that_hangs_up_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        refusal(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread.join(5)


def test_a_server_that_is_no_https_server_is_told(server: Server) -> None:
    reason = refusal(server.url.replace("http://", "https://"))
    assert "ssl" in reason.lower() or "tls" in reason.lower()


def test_a_key_that_is_none_is_told_without_showing_it(server: Server, tmp_path: Path) -> None:
    url = server.url.replace("http://", "https://")
    key = "bm90IGEga2V5"
    user = {"client-certificate-data": key, "client-key-data": key}
    client = Cluster("east", kubeconfig(url, **user), scratch=tmp_path / "run")
    with pytest.raises(ClusterUnreachable) as caught:
        client.identity()
    assert "\n" not in caught.value.message
    assert key not in caught.value.message
    assert "not a key" not in caught.value.message
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
    assert server.seen == []


def test_an_object_is_read_at_its_path(server: Server) -> None:
    path = f"{GROUP}/namespaces/default/deployments/web"
    server.answers = {GROUP: KINDS, path: manifest()}
    with cluster(server.url) as client:
        assert client.read(manifest()) == manifest()
        assert client.read(manifest("other")) is None
        assert client.read(manifest(kind="StatefulSet")) is None
        assert client.read(manifest(kind="Scale")) is None
        assert client.read(manifest(apiVersion="other/v1")) is None
    assert [path for _, path, *_ in server.seen].count(GROUP) == 1


def test_a_kind_without_namespaces_and_a_core_kind_have_other_paths(server: Server) -> None:
    core = {"resources": [{"name": "configmaps", "kind": "ConfigMap", "namespaced": True}]}
    server.answers = {GROUP: KINDS, "/api/v1": core}
    with cluster(server.url) as client:
        assert client.read(manifest(kind="NodeGroup")) is None
        assert client.read(manifest(kind="ConfigMap", apiVersion="v1")) is None
    assert [path for _, path, *_ in server.seen] == [
        GROUP,
        f"{GROUP}/nodegroups/web",
        "/api/v1",
        "/api/v1/namespaces/default/configmaps/web",
    ]


def test_a_patch_is_sent_with_its_content_type_and_manager(server: Server) -> None:
    path = f"{GROUP}/namespaces/default/deployments/web"
    server.answers = {GROUP: KINDS, path: {}}
    with cluster(server.url) as client:
        client.merge(manifest(), {"metadata": {"labels": {"a": None}}})
        client.apply(manifest(), "pulumi-kubernetes-1a b")
        client.merge(manifest(kind="Unknown"), {})
    _, merge, apply = server.seen
    assert merge[:2] == ("PATCH", path)
    assert merge[2]["Content-Type"] == "application/merge-patch+json"
    assert json.loads(merge[3]) == {"metadata": {"labels": {"a": None}}}
    assert apply[:2] == ("PATCH", f"{path}?fieldManager=pulumi-kubernetes-1a+b&force=true")
    assert apply[2]["Content-Type"] == "application/apply-patch+yaml"
    assert json.loads(apply[3]) == manifest()


def test_pods_are_listed_by_label(server: Server) -> None:
    path = "/api/v1/namespaces/default/pods"
    server.answers = {path: {"items": [{"metadata": {"name": "web-1"}}]}}
    with cluster(server.url) as client:
        assert client.pods("default", {"b": "2", "a": "1"}) == [{"metadata": {"name": "web-1"}}]
        assert client.pods("gone", {}) == []
    assert server.seen[0][1] == f"{path}?labelSelector=a%3D1%2Cb%3D2&limit=50"


def test_a_refused_read_is_an_error_and_not_a_missing_object(server: Server) -> None:
    server.answers = {GROUP: KINDS, "*": (403, b'{"message": "may not get deployments"}')}
    with (
        cluster(server.url) as client,
        pytest.raises(ClusterUnreachable, match=r"HTTP 403: may not get deployments$"),
    ):
        client.read(manifest())
