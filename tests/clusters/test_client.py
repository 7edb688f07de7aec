"""A cluster that answers oddly, or not at all, is one kind of error with a one-line reason."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from velapulumi.clusters.client import Cluster, Identity
from velapulumi.clusters.health import read_services
from velapulumi.clusters.identity import Reached
from velapulumi.clusters.ownership import find_leftovers, take_over
from velapulumi.clusters.registry import JoinedCluster
from velapulumi.errors import ClusterUnreachable, ObjectNotOurs

Answers = dict[str, tuple[int, Any]]
KINDS = {"resources": [{"name": "deployments", "kind": "Deployment", "namespaced": True}]}
WHOLE: Answers = {
    "/api/v1/namespaces/kube-system": (200, {"metadata": {"uid": "the-uid"}}),
    "/version": (200, {"gitVersion": "v1.36.3"}),
    "/apis/apps/v1": (200, KINDS),
}


class Server:
    """An API server on loopback that gives fixed answers and takes down what it was sent."""

    def __init__(self, answers: Answers) -> None:
        self.requests: list[tuple[str, str, str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size)) if size else None
                kind = self.headers.get("Content-Type") or ""
                outer.requests.append((self.command, self.path, kind, body))
                status, content = answers.get(self.path.partition("?")[0], (404, {}))
                if status == 0:
                    time.sleep(2)
                    return
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PATCH = _answer

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def client(self, timeout: float = 5) -> Cluster:
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": {"token": "very-secret"}}],
        }
        return Cluster("east", document, timeout=timeout)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[[Answers], Server]]:
    made: list[Server] = []

    def make(answers: Answers) -> Server:
        made.append(Server(answers))
        return made[-1]

    yield make
    for server in made:
        server.close()


def test_identity(serve: Callable[[Answers], Server]) -> None:
    assert serve(WHOLE).client().identity() == Identity("the-uid", "v1.36.3")


@pytest.mark.parametrize(
    ("status", "content", "reason"),
    [
        (401, {"message": "Unauthorized"}, "HTTP 401: Unauthorized"),
        (403, b"no", "HTTP 403: access is refused"),
        (404, {}, "it has no kube-system namespace"),
        (500, {"message": "etcd is sad"}, "HTTP 500: etcd is sad"),
        (200, b"<html>", "it does not answer as a Kubernetes API server"),
        (200, [], "it does not answer as a Kubernetes API server"),
        (0, None, "timed out"),
    ],
)
def test_odd_answers(
    serve: Callable[[Answers], Server], status: int, content: Any, reason: str
) -> None:
    server = serve(WHOLE | {"/api/v1/namespaces/kube-system": (status, content)})
    with pytest.raises(ClusterUnreachable) as caught:
        server.client(timeout=0.3).identity()
    assert caught.value.message.startswith(f"cluster east at {server.url} cannot be reached: ")
    assert reason in caught.value.message
    assert "\n" not in caught.value.message
    assert "very-secret" not in caught.value.message


def test_nobody_listens(serve: Callable[[Answers], Server]) -> None:
    server = serve(WHOLE)
    client = server.client()
    server.close()
    with pytest.raises(ClusterUnreachable, match="refused"):
        client.identity()


def manifest(**labels: str) -> dict[str, Any]:
    own = {
        "app.oam.dev/name": "shop",
        "app.oam.dev/namespace": "default",
        "app.oam.dev/component": "web",
        "app.oam.dev/resourceType": "WORKLOAD",
        "workload.oam.dev/type": "webservice",
    }
    metadata = {"name": "web", "namespace": "default", "labels": own | labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}


PATH = "/apis/apps/v1/namespaces/default/deployments/web"


def reached(server: Server) -> dict[str, Reached]:
    joined = JoinedCluster(name="east", type="token", endpoint=server.url, uid="u", joined="-")
    return {"east": Reached(joined, Identity("u", "v1.36.3"), server.client())}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({}, "Deployment default/web exists on east but not managed by any application now"),
        (
            {"app.oam.dev/name": "other", "app.oam.dev/namespace": "team"},
            "existing object Deployment default/web on east is managed by other application "
            "team/other",
        ),
    ],
)
def test_what_is_not_ours_is_refused(
    serve: Callable[[Answers], Server], labels: dict[str, str], message: str
) -> None:
    server = serve(WHOLE | {PATH: (200, {"metadata": {"labels": labels}})})
    with pytest.raises(ObjectNotOurs, match=message):
        find_leftovers([("east", manifest())], reached(server))


def test_what_a_dead_run_left_is_taken_over(serve: Callable[[Answers], Server]) -> None:
    status = {"manager": "kube-controller-manager", "operation": "Update"}
    live = manifest()
    live["metadata"]["managedFields"] = [
        {"manager": "pulumi-kubernetes-0123abcd", "operation": "Apply"},
        status,
    ]
    server = serve(WHOLE | {PATH: (200, live)})
    found = find_leftovers([("east", manifest())], reached(server))
    assert [request[0] for request in server.requests] == ["GET", "GET"]
    take_over(found)
    applied, freed = [request for request in server.requests if request[0] == "PATCH"]
    assert applied == (
        "PATCH",
        f"{PATH}?fieldManager=pulumi-kubernetes-0123abcd&force=true",
        "application/apply-patch+yaml",
        manifest(),
    )
    assert freed[2:] == (
        "application/merge-patch+json",
        {"metadata": {"managedFields": [status]}},
    )


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web-1"}, "status": status}


@pytest.mark.parametrize(
    ("pods", "reason"),
    [
        ([], "it has no pods yet"),
        ([pod()], "its pods are starting"),
        (
            [pod(containerStatuses=[{"state": {"waiting": {"reason": "ImagePullBackOff"}}}])],
            "pod web-1: ImagePullBackOff",
        ),
        (
            [
                pod(
                    conditions=[
                        {
                            "type": "PodScheduled",
                            "status": "False",
                            "reason": "Unschedulable",
                            "message": "0/2 nodes",
                        }
                    ]
                )
            ],
            "pod web-1: Unschedulable: 0/2 nodes",
        ),
    ],
)
def test_why_a_workload_is_not_healthy(
    serve: Callable[[Answers], Server], pods: list[Any], reason: str
) -> None:
    live = manifest()
    live["spec"] = {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}}
    live["status"] = {"readyReplicas": 1}
    answers = {PATH: (200, live), "/api/v1/namespaces/default/pods": (200, {"items": pods})}
    (service,) = read_services([("east", manifest())], reached(serve(WHOLE | answers)))
    assert (service.healthy, service.message, service.reason) == (False, "Ready:1/2", reason)
    assert service.present


def test_a_missing_workload_and_a_missing_cluster(serve: Callable[[Answers], Server]) -> None:
    (service,) = read_services([("east", manifest())], reached(serve(WHOLE)))
    assert (service.healthy, service.present) == (False, False)
    assert service.reason == "Deployment web is not there"
    gone = ClusterUnreachable("cluster east cannot be reached: gone")
    (service,) = read_services([("east", manifest())], {"east": gone})
    assert (service.healthy, service.reason) == (False, gone.message)
