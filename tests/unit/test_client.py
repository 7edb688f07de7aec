"""The client against a server on this machine that answers as told, or does not."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.helpers import SECRET, kubeconfig, manifest
from tests.unit.loopback import Server, serving
from velapulumi.clusters.client import Cluster, DryRun, Identity
from velapulumi.definitions import ClusterVersion
from velapulumi.errors import AccessDenied, ClusterUnreachable, ObjectRefused

NAMESPACE, VERSION, GROUP = "/api/v1/namespaces/kube-system", "/version", "/apis/apps/v1"
IDENTITY = {
    NAMESPACE: {"metadata": {"uid": "uid-1"}},
    VERSION: {
        "major": "1",
        "minor": "36",
        "gitVersion": "v1.36.3",
        "platform": "linux/amd64",
        "goVersion": "go1.26",
    },
}
KINDS = {
    "resources": [
        {"name": "deployments/scale", "kind": "Scale", "namespaced": True},
        {"name": "deployments", "kind": "Deployment", "namespaced": True},
        {"name": "nodegroups", "kind": "NodeGroup", "namespaced": False},
    ]
}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


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
        version = ClusterVersion(1, 36, "v1.36.3", "linux/amd64")
        assert client.identity() == Identity("uid-1", version)
    assert [(method, path) for method, path, *_ in server.seen] == [
        ("GET", NAMESPACE),
        ("GET", VERSION),
    ]
    assert {headers["Authorization"] for _, _, headers, _ in server.seen} == {f"Bearer {SECRET}"}


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        (
            {"major": "1", "minor": "30+", "gitVersion": "v1.30.4-eks-036c24b"},
            ClusterVersion(1, 30, "v1.30.4-eks-036c24b"),
        ),
        (
            {"major": "", "minor": "", "gitVersion": "v1.27.1+k3s1"},
            ClusterVersion(1, 27, "v1.27.1+k3s1"),
        ),
        ({"gitVersion": "v2.0.0-alpha.1"}, ClusterVersion(2, 0, "v2.0.0-alpha.1")),
    ],
)
def test_a_version_is_read_in_every_form_there_is(
    server: Server, answer: dict[str, str], version: ClusterVersion
) -> None:
    server.answers = IDENTITY | {VERSION: answer}
    with cluster(server.url) as client:
        assert client.identity().version == version


@pytest.mark.parametrize(
    "answer", [{}, {"major": "1", "minor": "30"}, {"gitVersion": "main"}, {"gitVersion": 1.3}]
)
def test_who_tells_no_version_is_no_cluster(server: Server, answer: dict[str, Any]) -> None:
    server.answers = IDENTITY | {VERSION: answer}
    assert refusal(server.url) == "it does not answer as a Kubernetes API server"


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, b'{"message": "Unauthorized"}', "HTTP 401: Unauthorized"),
        (401, b"", "HTTP 401: the credentials are not accepted"),
        (400, b'{"message": "bad\\nlines"}', "HTTP 400: bad"),
        (409, b"{}", "HTTP 409: unexpected answer"),
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
    server.answers = {GROUP: KINDS, path: manifest()}
    with cluster(server.url) as client:
        client.merge(manifest(), {"metadata": {"labels": {"a": None}}})
        client.apply(manifest(), "pulumi-kubernetes-1a b")
        client.apply(manifest(), "a", force=False)
        client.merge(manifest(kind="Unknown"), {})
    _, merge, apply, unforced = server.seen
    assert merge[:2] == ("PATCH", f"{path}?fieldManager=velapulumi")
    assert merge[2]["Content-Type"] == "application/merge-patch+json"
    assert json.loads(merge[3]) == {"metadata": {"labels": {"a": None}}}
    assert apply[:2] == ("PATCH", f"{path}?fieldManager=pulumi-kubernetes-1a+b&force=true")
    assert apply[2]["Content-Type"] == "application/apply-patch+yaml"
    assert json.loads(apply[3]) == manifest()
    assert unforced[:2] == ("PATCH", f"{path}?fieldManager=a&force=false")


def test_a_dry_run_gives_the_result_and_what_the_server_remarks(server: Server) -> None:
    path = f"{GROUP}/namespaces/default/deployments/web"
    server.answers = {GROUP: KINDS, path: manifest()}
    server.headers = [
        ("Warning", r'299 - "unknown field \"spec.a\", or \\ b", 299 k8s/1.36 "apps/v0: gone"'),
        ("Warning", '299 - "third"'),
        ("Warning", "odd"),
    ]
    with cluster(server.url) as client:
        found = client.dry_run(manifest(), "a b")
        assert found.result == manifest()
        assert found.warnings == (r'unknown field "spec.a", or \ b', "apps/v0: gone", "third")
        server.headers = []
        assert client.dry_run(manifest(), "a", force=True) == DryRun(manifest())
        assert client.dry_run(manifest(kind="Unknown"), "a") == DryRun(None)
        assert client.dry_run(manifest("other"), "a") == DryRun(None)
        server.answers[path] = {}
        with pytest.raises(ClusterUnreachable, match="does not answer as a Kubernetes API"):
            client.dry_run(manifest(), "a")
    _, first, forced, *_ = server.seen
    more = "dryRun=All&fieldValidation=Warn"
    assert first[:2] == ("PATCH", f"{path}?fieldManager=a+b&force=false&{more}")
    assert first[2]["Content-Type"] == "application/apply-patch+yaml"
    assert forced[1] == f"{path}?fieldManager=a&force=true&{more}"


def test_an_object_is_replaced_and_deleted_in_the_state_it_was_seen_in(server: Server) -> None:
    path = f"{GROUP}/namespaces/default/deployments/web"
    server.answers = {GROUP: KINDS, path: manifest()}
    with cluster(server.url) as client:
        assert client.replace(manifest(), "a b") == manifest()
        client.delete(manifest(), "7")
        assert client.replace(manifest("other"), "a") is None
        assert client.replace(manifest(kind="Unknown"), "a") is None
        client.delete(manifest(kind="Unknown"), "7")
        client.delete(manifest(), "7", orphans=True)
    _, put, delete, _, orphaning = server.seen
    assert put[:2] == ("PUT", f"{path}?fieldManager=a+b")
    assert json.loads(put[3]) == manifest()
    assert delete[:2] == ("DELETE", path)
    options = json.loads(delete[3])
    assert options["preconditions"] == {"resourceVersion": "7"}
    assert options["propagationPolicy"] == "Background"
    assert json.loads(orphaning[3])["propagationPolicy"] == "Orphan"


@pytest.mark.parametrize("answer", [{}, {"metadata": None}, {"metadata": "x"}])
def test_what_is_no_object_comes_from_no_cluster(server: Server, answer: Any) -> None:
    server.answers = {GROUP: KINDS, "*": answer}
    with cluster(server.url) as client:
        asks: tuple[Callable[[], object], ...] = (
            lambda: client.read(manifest()),
            lambda: client.apply(manifest(), "a"),
            lambda: client.replace(manifest(), "a"),
        )
        for ask in asks:
            with pytest.raises(ClusterUnreachable, match="does not answer as a Kubernetes API"):
                ask()


@pytest.mark.parametrize("status", [409, 422])
def test_a_change_that_is_refused_is_no_dead_cluster(server: Server, status: int) -> None:
    server.answers = {GROUP: KINDS, "*": (status, b'{"message": "spec.selector: immutable"}')}
    with cluster(server.url) as client, pytest.raises(ObjectRefused) as caught:
        client.apply(manifest(), "a")
    assert caught.value.message == (
        f"cluster east refuses a change: HTTP {status}: spec.selector: immutable"
    )
    assert (caught.value.status, caught.value.reason, caught.value.causes) == (status, "", ())


CONFLICT = {
    "kind": "Status",
    "message": 'Apply failed with 2 conflicts: conflicts with "kubectl":\n- .spec.replicas\n- .x\n',
    "reason": "Conflict",
    "details": {
        "causes": [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "kubectl" with subresource "scale" using apps/v1',
                "field": ".spec.replicas",
            },
            {"message": "whole"},
            "odd",
        ]
    },
    "code": 409,
}


def test_a_refusal_has_all_of_the_servers_words(server: Server) -> None:
    server.answers = {GROUP: KINDS, "*": (409, json.dumps(CONFLICT).encode())}
    with cluster(server.url) as client, pytest.raises(ObjectRefused) as caught:
        client.dry_run(manifest(), "a")
    error = caught.value
    assert error.message == (
        "cluster east refuses a change: HTTP 409: Apply failed with 2 conflicts: "
        'conflicts with "kubectl":\n- .spec.replicas\n- .x'
    )
    assert (error.status, error.reason) == (409, "Conflict")
    assert error.causes == (
        (".spec.replicas", 'conflict with "kubectl" with subresource "scale" using apps/v1'),
        ("", "whole"),
    )
    assert not error.dry_run_unsupported


@pytest.mark.parametrize("details", [None, [], "x", {"causes": None}, {"causes": "x"}])
def test_odd_details_of_a_refusal_are_left_out(server: Server, details: Any) -> None:
    body = {"message": "no", "reason": None, "details": details}
    server.answers = {GROUP: KINDS, "*": (422, json.dumps(body).encode())}
    with cluster(server.url) as client, pytest.raises(ObjectRefused) as caught:
        client.apply(manifest(), "a")
    assert (caught.value.reason, caught.value.causes) == ("", ())


MAY_NOT = (
    'deployments.apps "web" is forbidden: User "alice" cannot patch resource "deployments" '
    'in API group "apps" in the namespace "default"'
)
UNREADABLE = (
    "failed to convert new object (default/key; /v1, Kind=Secret) to proper version: unable to "
    "convert unstructured object to /v1, Kind=Secret: error decoding from json: "
)
FORBIDDEN = 'deployments.apps "web" is forbidden: '
WEBHOOK = 'admission webhook "a.example.org" '
UNTYPED = "failed to create typed patch object (default/web; apps/v1, Kind=Deployment): .spec.x: "


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "metadata.name: is required"),
        (400, f"{WEBHOOK}denied the request: no"),
        (403, f"{WEBHOOK}denied the request: {MAY_NOT}"),
        (500, f"{WEBHOOK}denied the request: no"),
        (
            403,
            f"{FORBIDDEN}exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1",
        ),
        (403, f'{FORBIDDEN}violates PodSecurity "restricted:latest": privileged'),
        (403, f"{FORBIDDEN}cannot set blockOwnerDeletion in this case"),
        (405, "the server does not allow this method on the requested resource"),
        (413, "Request entity too large: limit is 3145728"),
        (500, f"{UNTYPED}field not declared in schema"),
        (500, f"{UNREADABLE}illegal base64 data at input byte 6"),
        (500, 'Internal error occurred: failed calling webhook "a.example.org": no answer'),
    ],
)
def test_a_write_that_admission_or_schema_are_against_is_refused(
    server: Server, status: int, message: str
) -> None:
    body = json.dumps({"message": message, "reason": "Forbidden"}).encode()
    server.answers = {GROUP: KINDS, "*": (status, body)}
    with cluster(server.url) as client:
        writes: tuple[Callable[[], object], ...] = (
            lambda: client.apply(manifest(), "a"),
            lambda: client.dry_run(manifest(), "a"),
            lambda: client.merge(manifest(), {}),
            lambda: client.replace(manifest(), "a"),
            lambda: client.delete(manifest(), "7"),
        )
        for write in writes:
            with pytest.raises(ObjectRefused) as caught:
                write()
            text = f"cluster east refuses a change: HTTP {status}: {message}"
            assert caught.value.message == text
            assert (caught.value.status, caught.value.reason) == (status, "Forbidden")
        with pytest.raises(ClusterUnreachable, match=f"HTTP {status}: "):
            client.read(manifest())


def test_what_a_server_says_of_a_secret_is_told_without_its_values(server: Server) -> None:
    wanted = manifest(kind="Secret", data={"pw": "hunter2"})
    causes = [{"field": "data", "message": "no hunter2"}]
    status = {"message": f"{UNTYPED}got hunter2", "details": {"causes": causes}}
    kinds = {"resources": [{"name": "secrets", "kind": "Secret", "namespaced": True}]}
    server.answers = {GROUP: kinds, "*": (500, json.dumps(status).encode())}
    with cluster(server.url) as client:
        for write in (client.dry_run, client.apply, client.replace):
            with pytest.raises(ObjectRefused) as caught:
                write(wanted, "a")
            assert caught.value.message.endswith("got [secret]")
            assert caught.value.causes == (("data", "no [secret]"),)
        server.answers["*"] = (500, json.dumps({"message": "cannot store hunter2"}).encode())
        with pytest.raises(ClusterUnreachable, match=r"cannot store \[secret\]"):
            client.dry_run(wanted, "a")


def test_a_webhook_that_cannot_be_asked_in_a_dry_run_is_recognised(server: Server) -> None:
    body = json.dumps({"message": f"{WEBHOOK}does not support dry run", "reason": "BadRequest"})
    server.answers = {GROUP: KINDS, "*": (400, body.encode())}
    with cluster(server.url) as client, pytest.raises(ObjectRefused) as caught:
        client.dry_run(manifest(), "a")
    assert caught.value.dry_run_unsupported


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b"<html>Client sent HTTP to an HTTPS server</html>"),
        (413, b""),
        (429, b'{"message": "too many requests"}'),
        (500, b'{"message": "etcdserver: leader changed"}'),
        (503, b"[]"),
    ],
)
def test_a_write_that_fails_for_another_reason_is_not_refused(
    server: Server, status: int, body: bytes
) -> None:
    server.answers = {GROUP: KINDS, "*": (status, body)}
    with cluster(server.url) as client, pytest.raises(ClusterUnreachable, match=f"HTTP {status}"):
        client.apply(manifest(), "a")


@pytest.mark.parametrize(
    ("message", "grant"),
    [
        (MAY_NOT, "alice the verb patch on deployments.apps in namespace default"),
        (
            'pods "web" is forbidden: User "system:serviceaccount:a:b" cannot get resource '
            '"pods/log" in API group "" in the namespace "prod": no RBAC policy matched',
            "system:serviceaccount:a:b the verb get on pods/log in namespace prod",
        ),
        (
            'nodes is forbidden: User "bob" cannot list resource "nodes" in API group "" at the '
            "cluster scope",
            "bob the verb list on nodes for the whole cluster",
        ),
        (
            'forbidden: User "bob" cannot get path "/version"',
            "bob the verb get on the path /version",
        ),
    ],
)
def test_a_missing_right_is_named(server: Server, message: str, grant: str) -> None:
    server.answers = {GROUP: KINDS, "*": (403, json.dumps({"message": message}).encode())}
    with cluster(server.url) as client:
        for ask in (lambda: client.read(manifest()), lambda: client.dry_run(manifest(), "a")):
            with pytest.raises(AccessDenied) as caught:
                ask()
            assert caught.value.message == (
                f"cluster east at {server.url} denies access: HTTP 403: {message}"
            )
            assert caught.value.next_step == (
                f"On cluster east, grant {grant}; then run the command again."
            )


@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b"{}", b"[]"])
def test_a_right_that_is_not_named_is_missing_all_the_same(server: Server, body: bytes) -> None:
    server.answers = {GROUP: KINDS, "*": (403, body)}
    with (
        cluster(server.url) as client,
        pytest.raises(AccessDenied, match=r"access is refused$") as it,
    ):
        client.apply(manifest(), "a")
    assert it.value.next_step == AccessDenied.next_step


def test_kinds_that_come_later_are_found(server: Server) -> None:
    gadget = manifest(apiVersion="example.org/v1", kind="Gadget")
    found = {"name": "gadgets", "kind": "Gadget", "namespaced": True}
    with cluster(server.url) as client:
        assert not client.serves(gadget)
        server.answers = {"/apis/example.org/v1": {"resources": []}}
        assert not client.serves(gadget)
        server.answers = {"/apis/example.org/v1": {"resources": [found]}}
        assert not client.serves(gadget)
        client.forget_kinds()
        assert client.serves(gadget)
        assert not client.serves(gadget | {"kind": "Widget"})
        assert client.kinds("example.org/v1") == {"Gadget": ("gadgets", True)}


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
        pytest.raises(AccessDenied, match=r"HTTP 403: may not get deployments$"),
    ):
        client.read(manifest())


def group(name: str, *versions: str, preferred: str) -> dict[str, Any]:
    return {
        "name": name,
        "versions": [{"groupVersion": f"{name}/{v}", "version": v} for v in versions],
        "preferredVersion": {"groupVersion": f"{name}/{preferred}", "version": preferred},
    }


def test_versions_of_a_group_begin_with_the_one_the_cluster_prefers(server: Server) -> None:
    batch = group("batch", "v1beta1", "v1", preferred="v1")
    apps = group("apps", "v1", preferred="v1")
    server.answers = {"/apis/batch": batch, "/apis": {"groups": [apps, batch]}}
    with cluster(server.url) as client:
        assert client.api_versions("batch") == ["batch/v1", "batch/v1beta1"]
        assert client.api_versions("") == ["v1", "apps/v1", "batch/v1", "batch/v1beta1"]
        assert client.api_versions("gone.example.com") == []
        server.answers["/apis"] = {"groups": "none"}
        with pytest.raises(ClusterUnreachable, match=r"does not answer as a Kubernetes API server"):
            client.api_versions("")


def test_objects_are_listed_by_name_and_say_what_they_are(server: Server) -> None:
    path = f"{GROUP}/namespaces/default/deployments"
    items = [{"metadata": {"name": name}} for name in ("web", "api")]
    server.answers = {GROUP: KINDS, path: {"items": items}, f"{GROUP}/nodegroups": {"items": []}}
    with cluster(server.url) as client:
        found = client.objects("apps/v1", "Deployment", "default", {"tier": "x", "app": "y"})
        assert found == [
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}}
            for name in ("api", "web")
        ]
        assert client.objects("apps/v1", "NodeGroup", "default", {}) == []
        assert client.objects("apps/v1", "StatefulSet", "default", {}) == []
        server.answers[path] = {"items": [1]}
        with pytest.raises(ClusterUnreachable, match=r"does not answer as a Kubernetes API server"):
            client.objects("apps/v1", "Deployment", "default", {})
    assert server.seen[1][1] == f"{path}?labelSelector=app%3Dy%2Ctier%3Dx&limit=500"


def test_all_objects_of_a_kind_are_listed_page_by_page(server: Server) -> None:
    path = f"{GROUP}/deployments"
    pages = {
        f"{path}?limit=500": {
            "items": [{"metadata": {"name": "b"}}],
            "metadata": {"continue": "x="},
        },
        f"{path}?limit=500&continue=x%3D": {"items": [{"metadata": {"name": "a"}}], "metadata": {}},
    }

    class Paged(Server):
        def answer(self, path: str) -> tuple[int, bytes]:
            return (
                (200, json.dumps(pages[path]).encode()) if path in pages else super().answer(path)
            )

    server.__class__ = Paged
    server.answers = {GROUP: KINDS, f"{GROUP}/nodegroups": {"items": None}}
    with cluster(server.url) as client:
        found = client.list_kind("apps/v1", "Deployment")
        assert [each["metadata"]["name"] for each in found] == ["b", "a"]
        assert found[0]["kind"] == "Deployment"
        assert client.list_kind("apps/v1", "NodeGroup") == []
        assert client.list_kind("apps/v1", "Unknown") == []


def resources(*kinds: str, verbs: tuple[str, ...] = ("delete", "list")) -> list[dict[str, Any]]:
    return [
        {"name": f"{kind.lower()}s", "kind": kind, "namespaced": True, "verbs": verbs}
        for kind in kinds
    ]


def item(name: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **metadata}}


def test_a_namespace_is_listed_without_what_the_cluster_makes_by_itself(server: Server) -> None:
    of_scaler = [{"kind": "Scaler", "uid": "web", "controller": True}]
    of_operator = [{"kind": "Database", "uid": "of the cluster", "controller": True}]
    of_people = [{"kind": "Shop", "uid": "1"}]
    core = [
        *resources("ConfigMap", "ServiceAccount", "Pod", "Endpoints", "Event", "Empty"),
        *resources("Binding", verbs=("create",)),
        {**resources("Node")[0], "namespaced": False},
        {**resources("Pod")[0], "name": "pods/log"},
    ]
    place = "namespaces/prod"
    server.answers = {
        "/apis": {
            "groups": [
                group("autoscaling", "v1", "v2", preferred="v2"),
                group("metrics.k8s.io", "v1", preferred="v1"),
                group("example.org", "v1", preferred="v1"),
            ]
        },
        "/api/v1": {"resources": core},
        f"/api/v1/{place}/configmaps": {"items": [item("kube-root-ca.crt"), item("mine")]},
        f"/api/v1/{place}/serviceaccounts": {"items": [item("default"), item("robot")]},
        f"/api/v1/{place}/pods": {
            "items": [
                item("made", ownerReferences=of_scaler),
                item("operated", ownerReferences=of_operator),
                item("by-hand", ownerReferences=of_people),
                item("default"),
            ]
        },
        "/apis/autoscaling/v2": {"resources": resources("Scaler")},
        "/apis/autoscaling/v1": {"resources": resources("Scaler", "Old")},
        f"/apis/autoscaling/v2/{place}/scalers": {"items": [item("web", uid="web")]},
        f"/apis/autoscaling/v1/{place}/olds": {"items": [item("first")]},
        "/apis/metrics.k8s.io/v1": {"resources": resources("PodMetrics", verbs=("list",))},
        "/apis/example.org/v1": {"resources": resources("Event")},
        f"/apis/example.org/v1/{place}/events": {"items": [item("party")]},
    }
    with cluster(server.url) as client:
        found = list(client.list_all("prod"))
        assert [(each["apiVersion"], each["kind"], each["metadata"]["name"]) for each in found] == [
            ("v1", "ConfigMap", "mine"),
            ("v1", "ServiceAccount", "robot"),
            ("v1", "Pod", "operated"),
            ("v1", "Pod", "by-hand"),
            ("v1", "Pod", "default"),
            ("autoscaling/v2", "Scaler", "web"),
            ("autoscaling/v1", "Old", "first"),
            ("example.org/v1", "Event", "party"),
        ]
        server.answers[f"/api/v1/{place}/pods"] = (403, b'{"message": "may not list pods"}')
        with pytest.raises(AccessDenied, match="may not list pods"):
            list(client.list_all("prod"))
    asked = {path.partition("?")[0] for _, path, *_ in server.seen}
    assert not asked & {f"/api/v1/{place}/endpointss", f"/api/v1/{place}/events"}
    assert f"/api/v1/{place}/bindings" not in asked


def test_a_name_with_a_slash_leads_to_no_other_path(server: Server) -> None:
    server.answers = {GROUP: KINDS}
    with cluster(server.url) as client:
        assert client.read(manifest("../../kube-system/deployments/web")) is None
    assert server.seen[-1][1].startswith(f"{GROUP}/namespaces/default/deployments/..%2F..%2F")


@pytest.mark.parametrize(("name", "namespace"), [(".", "a"), ("..", "a"), ("web", "..")])
def test_dots_lead_to_no_other_object(server: Server, name: str, namespace: str) -> None:
    server.answers = {GROUP: KINDS, "*": manifest()}
    dots = manifest(metadata={"name": name, "namespace": namespace})
    with cluster(server.url) as client:
        assert client.read(dots) is None
        client.delete(dots, "7")
    assert {path for _, path, *_ in server.seen} <= {GROUP}
