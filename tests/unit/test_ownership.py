"""What is in a cluster already: ours and what is nobody's by permission, or it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.helpers import FakeCluster, manifest, reached
from velapulumi.clusters.ownership import claim, replace, take_over
from velapulumi.errors import ObjectNotOurs, ObjectRefused


def live(labels: dict[str, str] | None, *managers: str) -> dict[str, Any]:
    document = manifest()
    document["metadata"]["labels"] = labels
    document["metadata"]["managedFields"] = [
        {"manager": manager, "operation": "Apply"} for manager in managers
    ]
    return document


OURS = {"app.oam.dev/name": "shop", "app.oam.dev/namespace": "default"}


@pytest.mark.parametrize("adopt", [False, True])
def test_what_the_same_application_left_is_claimed(adopt: bool) -> None:
    leftover = claim(reached("east", FakeCluster()), live(OURS), manifest(), adopt=adopt)
    assert leftover.live["metadata"]["labels"] == OURS
    assert (leftover.manifest, leftover.adopted) == (manifest(), adopt)


NOBODY = "Deployment default/web exists on east but not managed by any application now"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, NOBODY),
        ({}, NOBODY),
        ({"team": "red"}, NOBODY),
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
    cluster = reached("east", FakeCluster())
    with pytest.raises(ObjectNotOurs) as caught:
        claim(cluster, live(labels), manifest())
    assert caught.value.message == message
    assert (caught.value.code, caught.value.exit_code) == ("VP204", 1)
    if message == NOBODY:
        assert claim(cluster, live(labels), manifest(), adopt=True).adopted
    else:
        with pytest.raises(ObjectNotOurs):
            claim(cluster, live(labels), manifest(), adopt=True)


def taken_over(*managers: str) -> list[tuple[Any, ...]]:
    client = FakeCluster()
    take_over([claim(reached("east", client), live(OURS, *managers), manifest())])
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


def test_an_adoption_that_died_is_ended_without_its_policy() -> None:
    calls = taken_over("velapulumi", "kubectl")
    (applied, _, manager), (_, _, patch) = calls
    assert (applied, manager) == ("apply", "velapulumi")
    assert [entry["manager"] for entry in patch["metadata"]["managedFields"]] == ["kubectl"]


class Server(FakeCluster):
    """A cluster that takes a manifest and says who then manages the fields."""

    def __init__(self, *managed: dict[str, Any], **metadata: Any) -> None:
        self.live = manifest(status={"replicas": 1})
        self.live["metadata"] |= {"resourceVersion": "7", **metadata}
        self.managed = list(managed)
        super().__init__(self.live)

    def apply(  # type: ignore[override]
        self, wanted: Any, manager: str
    ) -> dict[str, Any]:
        super().apply(wanted, manager)
        return {**wanted, "metadata": {**wanted["metadata"], "managedFields": self.managed}}

    def replace(self, wanted: Any, manager: str) -> dict[str, Any]:
        self.calls.append(("replace", wanted, manager))
        return {**wanted, "metadata": {**wanted["metadata"], "managedFields": self.managed}}


def fields(manager: str, found: dict[str, Any]) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "fieldsV1": found}


def test_what_is_adopted_is_freed_of_everybody_else() -> None:
    wanted: dict[str, Any] = {
        "f:spec": {
            "f:replicas": {},
            "f:containers": {'k:{"name":"a"}': {".": {}, "f:image": {}}},
        }
    }
    theirs = {
        "f:metadata": {"f:labels": {"f:team": {}}},
        "f:spec": {
            "f:replicas": {},
            "f:containers": {'k:{"name":"a"}': {".": {}, "f:image": {}, "f:env": {}}},
        },
    }
    client = Server(
        fields("velapulumi", wanted),
        fields("kubectl-client-side-apply", theirs),
        fields("hpa", {"f:spec": {"f:replicas": {}}}),
        {"manager": "old", "operation": "Update"},
        {"operation": "Update"},
    )
    take_over([claim(reached("east", client), live(None), manifest(), adopt=True)])
    (applied, _, manager), (merged, _, patch) = client.calls
    assert (applied, manager, merged) == ("apply", "velapulumi", "merge")
    assert patch["metadata"]["managedFields"] == [
        fields(
            "kubectl-client-side-apply",
            {
                "f:metadata": {"f:labels": {"f:team": {}}},
                "f:spec": {"f:containers": {'k:{"name":"a"}': {"f:env": {}}}},
            },
        ),
        {"manager": "old", "operation": "Update"},
        {"operation": "Update"},
    ]


def test_what_is_replaced_keeps_what_is_the_clusters() -> None:
    owners = [{"kind": "Shop", "name": "x", "uid": "1"}]
    client = Server(
        fields("velapulumi", {"f:spec": {}}),
        fields("kubelet", {"f:status": {}}),
        {"operation": "Update"},
        finalizers=["keep"],
        ownerReferences=owners,
        annotations={"theirs": "x"},
    )
    replace(client, manifest())  # type: ignore[arg-type]
    (_, body, manager), (_, _, patch) = client.calls
    metadata = {"resourceVersion": "7", "finalizers": ["keep"], "ownerReferences": owners}
    assert body == {
        **manifest(),
        "metadata": {**manifest()["metadata"], **metadata},
        "status": {"replicas": 1},
    }
    assert manager == "velapulumi"
    assert patch["metadata"]["managedFields"] == [
        fields("kubelet", {"f:status": {}}),
        {"operation": "Update"},
    ]


def test_what_changes_meanwhile_is_replaced_as_it_then_is() -> None:
    class Busy(Server):
        def replace(self, wanted: Any, manager: str) -> dict[str, Any]:
            if wanted["metadata"]["resourceVersion"] == "7":
                self.live["metadata"]["resourceVersion"] = "8"
                self.live["status"] = {"replicas": 2}
                raise ObjectRefused("cluster east refuses a change: HTTP 409: changed")
            return super().replace(wanted, manager)

    client = Busy()
    replace(client, manifest())  # type: ignore[arg-type]
    (_, body, _), _ = client.calls
    assert body["status"] == {"replicas": 2}


def test_what_is_gone_is_not_replaced() -> None:
    client = FakeCluster()
    replace(client, manifest())  # type: ignore[arg-type]
    assert client.calls == []
