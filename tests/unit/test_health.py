"""Whether services run well, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.helpers import FakeCluster, manifest, reached
from velapulumi.clusters.health import Service, judge, read_services
from velapulumi.definitions import BUILTIN
from velapulumi.errors import ClusterUnreachable, WrongCluster

UP = {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1}


def read(*live: dict[str, Any], pods: tuple[Any, ...] = ()) -> Service:
    clusters = {"east": reached("east", FakeCluster(*live, pods=pods))}
    (service,) = read_services([("east", manifest())], clusters)
    return service


def pod(name: str, *, waiting: Any = None, scheduled: Any = None) -> dict[str, Any]:
    status: dict[str, Any] = {"containerStatuses": [{"state": {"waiting": waiting}}]}
    if scheduled:
        status["conditions"] = [
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady"},
            {"type": "PodScheduled", "status": "False", **scheduled},
        ]
    return {"metadata": {"name": name}, "status": status}


def test_a_workload_that_runs_is_healthy_and_its_pods_are_not_asked_for() -> None:
    client = FakeCluster(manifest(status=UP))
    (service,) = read_services([("east", manifest())], {"east": reached("east", client)})
    assert service == Service(
        "web", "webservice", "east", "default", "apps/v1", "Deployment", True, "Ready:1/1"
    )
    assert client.calls == []


def test_a_missing_object_is_told_apart() -> None:
    service = read()
    assert (service.healthy, service.present) == (False, False)
    assert service.reason == "Deployment web is not there"


def test_a_job_that_has_completed_and_is_gone_is_healthy() -> None:
    job = manifest("job", apiVersion="batch/v1", kind="Job")
    objects = [("east", job), ("west", job), ("east", manifest())]
    clusters = {name: reached(name, FakeCluster()) for name in ("east", "west")}

    def completed(cluster: str, entry: Mapping[str, Any]) -> bool:
        return (cluster, entry["kind"]) == ("east", "Job")

    east, west, web = read_services(objects, clusters, BUILTIN, completed)
    assert (east.healthy, east.message, east.reason, east.present) == (True, "completed", "", True)
    assert (west.healthy, west.reason, west.present) == (False, "Job job is not there", False)
    assert not web.healthy
    # One that is there is judged as it is.
    there = {"east": reached("east", FakeCluster(manifest(status={})))}
    (web,) = read_services([("east", manifest())], there, BUILTIN, lambda *_: True)
    assert not web.healthy
    # Nobody can tell it of a cluster that does not answer.
    silent = {"east": ClusterUnreachable("gone")}
    (job_there,) = read_services([("east", job)], silent, BUILTIN, completed)
    assert not job_there.healthy


@pytest.mark.parametrize(
    ("pods", "reason"),
    [
        ((), "it has no pods yet"),
        ((pod("web-1"),), "its pods are starting"),
        (({"metadata": {"name": "web-1"}},), "its pods are starting"),
        (
            (pod("web-1", waiting={"reason": "ImagePullBackOff", "message": "no such image"}),),
            "pod web-1: ImagePullBackOff: no such image",
        ),
        (
            (pod("web-1"), pod("web-2", waiting={"reason": "CrashLoopBackOff"})),
            "pod web-2: CrashLoopBackOff",
        ),
        (
            (pod("web-1", scheduled={"reason": "Unschedulable", "message": "0/3 nodes fit"}),),
            "pod web-1: Unschedulable: 0/3 nodes fit",
        ),
    ],
)
def test_the_first_cause_its_pods_give_is_the_reason(pods: tuple[Any, ...], reason: str) -> None:
    service = read(manifest(status={"replicas": 1}), pods=pods)
    assert (service.healthy, service.present, service.message) == (False, True, "Ready:0/1")
    assert service.reason == reason


def test_pods_are_looked_for_by_the_workloads_own_selector() -> None:
    client = FakeCluster(manifest(status={}))
    read_services([("east", manifest())], {"east": reached("east", client)})
    assert client.calls == [("pods", "default", {"app": "web"})]
    plain = FakeCluster(manifest(spec={"replicas": 1}, status={}))
    (service,) = read_services([("east", manifest())], {"east": reached("east", plain)})
    assert (service.reason, plain.calls) == ("", [])


def test_a_cluster_that_does_not_answer_is_told_from_one_with_sick_services() -> None:
    gone = ClusterUnreachable("cluster east at https://x cannot be reached: timed out")
    silent = {"east": reached("east", FakeCluster(error=gone))}
    for clusters in (silent, {"east": gone}):
        (service,) = read_services([("east", manifest())], clusters)
        assert (service.healthy, service.present, service.message) == (False, True, "")
        assert (service.reason, service.unread) == (gone.message, gone)
    assert read(manifest(status={})).unread is None


def test_other_clusters_are_judged_all_the_same() -> None:
    wrong = WrongCluster("cluster west is another one")
    up = reached("east", FakeCluster(manifest(status=UP)))
    clusters: dict[str, Any] = {"east": up, "west": wrong}
    objects = [(name, manifest()) for name in ("west", "east", "north")]
    assert [(s.cluster, s.healthy, s.reason) for s in read_services(objects, clusters)] == [
        ("west", False, "cluster west is another one"),
        ("east", True, ""),
        ("north", False, "cluster north is not joined"),
    ]


def test_only_workloads_are_services() -> None:
    trait = manifest()
    trait["metadata"]["labels"]["app.oam.dev/resourceType"] = "TRAIT"
    bare = manifest(metadata={"name": "web", "namespace": "default"})
    assert read_services([("east", trait), ("east", bare)], {}) == ()


def test_a_type_without_a_rule_counts_as_healthy() -> None:
    health = judge("somebody-elses", {})
    assert (health.healthy, health.message) == (True, "")
