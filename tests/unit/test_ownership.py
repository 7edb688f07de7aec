"""What is in a cluster already: ours is taken over, anybody else's is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.helpers import FakeCluster, manifest, reached
from velapulumi.clusters.ownership import find_leftovers, take_over
from velapulumi.errors import ClusterUnreachable, ObjectNotOurs


def live(labels: dict[str, str] | None, *managers: str) -> dict[str, Any]:
    document = manifest()
    document["metadata"]["labels"] = labels
    document["metadata"]["managedFields"] = [
        {"manager": manager, "operation": "Apply"} for manager in managers
    ]
    return document


OURS = {"app.oam.dev/name": "shop", "app.oam.dev/namespace": "default"}


def find(*found: dict[str, Any]) -> list[Any]:
    return find_leftovers([("east", manifest())], {"east": reached("east", FakeCluster(*found))})


def test_what_is_not_there_is_no_leftover() -> None:
    assert find() == []
    assert find(manifest("other")) == []


def test_what_the_same_application_left_is_found() -> None:
    (leftover,) = find(live(OURS))
    assert leftover.live["metadata"]["labels"] == OURS
    assert leftover.manifest == manifest()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "Deployment default/web exists on east but not managed by any application now"),
        ({}, "Deployment default/web exists on east but not managed by any application now"),
        (
            {"team": "red"},
            "Deployment default/web exists on east but not managed by any application now",
        ),
        (
            OURS | {"app.oam.dev/name": "blog"},
            "existing object Deployment default/web on east is managed by other application "
            "default/blog",
        ),
        (
            OURS | {"app.oam.dev/namespace": "other"},
            "existing object Deployment default/web on east is managed by other application "
            "other/shop",
        ),
    ],
)
def test_what_is_not_ours_is_refused(labels: dict[str, str] | None, message: str) -> None:
    with pytest.raises(ObjectNotOurs) as caught:
        find(live(labels))
    assert caught.value.message == message
    assert (caught.value.code, caught.value.exit_code) == ("VP204", 1)


def test_a_cluster_that_stops_answering_is_passed_on() -> None:
    gone = ClusterUnreachable("gone")
    with pytest.raises(ClusterUnreachable):
        find_leftovers([("east", manifest())], {"east": reached("east", FakeCluster(error=gone))})


def taken_over(*managers: str) -> list[tuple[Any, ...]]:
    client = FakeCluster(live(OURS, *managers))
    take_over(find_leftovers([("east", manifest())], {"east": reached("east", client)}))
    return client.calls


def test_a_dead_run_is_applied_again_in_its_name_and_then_let_go() -> None:
    calls = taken_over("pulumi-kubernetes-1a", "kubelet", "pulumi-kubernetes-2b")
    *applied, (last, name, patch) = calls
    assert applied == [
        ("apply", "web", "pulumi-kubernetes-1a"),
        ("apply", "web", "pulumi-kubernetes-2b"),
    ]
    assert (last, name) == ("merge", "web")
    assert patch == {"metadata": {"managedFields": [{"manager": "kubelet", "operation": "Apply"}]}}


def test_where_no_manager_is_left_a_harmless_one_is_put() -> None:
    *_, (_, _, patch) = taken_over("pulumi-kubernetes-1a")
    (entry,) = patch["metadata"]["managedFields"]
    assert entry["manager"] == "velapulumi"
    assert entry["apiVersion"] == "apps/v1"
    assert entry["fieldsV1"] == {"f:metadata": {"f:labels": {"f:app.oam.dev/name": {}}}}


@pytest.mark.parametrize("managers", [(), ("kubectl", "kubelet")])
def test_what_no_engine_holds_is_left_as_it_is(managers: tuple[str, ...]) -> None:
    assert taken_over(*managers) == []
