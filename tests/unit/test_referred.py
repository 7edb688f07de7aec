"""Objects an application refers to, read from servers on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.helpers import joined, kubeconfig, manifest, parsed
from tests.unit.loopback import Server, serving
from velapulumi.clusters.referred import read_referred
from velapulumi.clusters.registry import Registry
from velapulumi.definitions import Reference
from velapulumi.errors import ClusterUnreachable, ObjectMissing, UnknownCluster, WrongCluster
from velapulumi.project import Project


def version(name: str) -> dict[str, str]:
    return {"groupVersion": name, "version": name.rpartition("/")[2]}


def kinds(**plurals: str) -> dict[str, Any]:
    entries = [
        {"name": plural, "kind": kind, "namespaced": kind != "Namespace"}
        for kind, plural in plurals.items()
    ]
    return {"resources": entries}


APPS = {"name": "apps", "versions": [version("apps/v1")], "preferredVersion": version("apps/v1")}
BATCH = {
    "name": "batch",
    "versions": [version("batch/v1beta1"), version("batch/v1")],
    "preferredVersion": version("batch/v1"),
}
DISCOVERY = {
    "/version": {"major": "1", "minor": "30", "gitVersion": "v1.30.0"},
    "/api/v1": kinds(Secret="secrets", Namespace="namespaces"),
    "/apis": {"groups": [APPS, BATCH]},
    "/apis/apps": APPS,
    "/apis/batch": BATCH,
    "/apis/apps/v1": kinds(Deployment="deployments"),
    "/apis/batch/v1": kinds(Job="jobs"),
    "/apis/batch/v1beta1": kinds(Job="jobs", CronJob="cronjobs"),
}
WEB = manifest()


@pytest.fixture
def servers(project: Project) -> Iterator[dict[str, Server]]:
    """Two joined clusters with the same kinds."""
    with serving() as east, serving() as west:
        found = {"east": east, "west": west}
        for name, server in found.items():
            identity = {"metadata": {"uid": f"uid-{name}", "name": "kube-system"}}
            server.answers = DISCOVERY | {"/api/v1/namespaces/kube-system": identity}
            Registry(project).add(joined(name), parsed(kubeconfig(server.url), project.root))
        yield found


def refer(resource: str, name: str = "web", **more: Any) -> Reference:
    return Reference(**({"cluster": "east", "namespace": "shop", "group": ""} | more),
                     resource=resource, name=name)  # fmt: skip


def test_nothing_is_asked_when_nothing_is_referred_to(project: Project) -> None:
    assert read_referred(project, []) == {}


@pytest.mark.parametrize(
    ("resource", "group"),
    [
        ("deployment", "apps"),
        ("Deployment", "apps"),
        ("deployments", "apps"),
        ("Deployments", ""),
    ],
)
def test_an_object_is_read_by_kind_or_resource(
    project: Project, servers: dict[str, Server], resource: str, group: str
) -> None:
    servers["east"].answers["/apis/apps/v1/namespaces/shop/deployments/web"] = WEB
    wanted = refer(resource, group=group)
    assert read_referred(project, [wanted]) == {wanted: (WEB,)}


def test_the_version_the_cluster_prefers_is_read_or_one_that_has_the_kind(
    project: Project, servers: dict[str, Server]
) -> None:
    job = {"kind": "Job", "metadata": {"name": "web"}}
    cron = {"kind": "CronJob", "metadata": {"name": "web"}}
    servers["east"].answers |= {
        "/apis/batch/v1/namespaces/shop/jobs/web": job,
        "/apis/batch/v1beta1/namespaces/shop/cronjobs/web": cron,
    }
    jobs, crons = refer("job", group="batch"), refer("cronjob", group="batch")
    assert read_referred(project, [jobs, crons]) == {jobs: (job,), crons: (cron,)}


def test_labels_choose_objects_of_several_clusters(
    project: Project, servers: dict[str, Server]
) -> None:
    for name, server in servers.items():
        items = [{"metadata": {"name": f"{name}-{letter}"}} for letter in "ba"]
        server.answers["/api/v1/namespaces/shop/secrets"] = {"items": items}
    labels = (("app", "web"), ("tier", "x"))
    wanted = [refer("secret", "", cluster=name, labels=labels) for name in ("west", "east")]
    found = read_referred(project, wanted)
    assert found == {
        reference: tuple(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": f"{reference.cluster}-{letter}"},
            }
            for letter in "ab"
        )
        for reference in wanted
    }
    assert "labelSelector=app%3Dweb%2Ctier%3Dx" in servers["east"].seen[-1][1]


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (refer("secret"), "cluster east has no Secret web in namespace shop"),
        (refer("namespace"), "cluster east has no Namespace web"),
        (
            refer("secret", "", labels=(("a", "b"), ("c", "d"))),
            "cluster east has no Secret with labels a=b,c=d in namespace shop",
        ),
        (refer("secret", ""), "cluster east has no Secret at all in namespace shop"),
    ],
)
def test_an_object_that_is_not_there(
    project: Project, servers: dict[str, Server], reference: Reference, message: str
) -> None:
    with pytest.raises(ObjectMissing) as caught:
        read_referred(project, [reference])
    assert caught.value.message == f"{message}, which the application refers to"
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (refer("Deploymnt"), '"Deploymnt", did you mean "deployments"?'),
        (refer("secrets", group="apps"), '"secrets" in group apps'),
        (refer("widget", group="example.com"), '"widget" in group example.com'),
    ],
)
def test_a_kind_that_is_not_there(
    project: Project, servers: dict[str, Server], reference: Reference, message: str
) -> None:
    with pytest.raises(ObjectMissing) as caught:
        read_referred(project, [reference])
    assert caught.value.message == f"cluster east has no kind or resource {message}"
    assert caught.value.next_step


def test_a_cluster_that_cannot_be_used(project: Project, servers: dict[str, Server]) -> None:
    with pytest.raises(UnknownCluster, match=r"^no such cluster: north$"):
        read_referred(project, [refer("secret", cluster="north")])
    secret = "/api/v1/namespaces/shop/secrets/web"
    servers["east"].answers[secret] = (403, b'{"message": "may not get secrets"}')
    with pytest.raises(ClusterUnreachable, match=r"HTTP 403: may not get secrets$"):
        read_referred(project, [refer("secret")])
    servers["west"].answers["/api/v1/namespaces/kube-system"] = {"metadata": {"uid": "other"}}
    with pytest.raises(WrongCluster):
        read_referred(project, [refer("secret", cluster="west")])
