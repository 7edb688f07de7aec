"""What is in a cluster already and is taken over, and fields that are won back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.helpers import FakeCluster, manifest
from velapulumi.clusters.ownership import Leftover, mend, replace, take_fields, take_over
from velapulumi.errors import ObjectRefused


def live(labels: dict[str, str] | None, *managers: str) -> dict[str, Any]:
    document = manifest()
    document["metadata"]["labels"] = labels
    document["metadata"]["managedFields"] = [
        {"manager": manager, "operation": "Apply"} for manager in managers
    ]
    return document


OURS = {"app.oam.dev/name": "shop", "app.oam.dev/namespace": "default"}


def taken_over(*managers: str) -> list[tuple[Any, ...]]:
    client = FakeCluster()
    take_over(Leftover(client, live(OURS, *managers), manifest()))  # type: ignore[arg-type]
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

    def apply(self, wanted: Any, manager: str, *, force: bool = True) -> dict[str, Any]:
        super().apply(wanted, manager, force=force)
        return {**wanted, "metadata": {**wanted["metadata"], "managedFields": self.managed}}

    def replace(self, wanted: Any, manager: str) -> dict[str, Any]:
        self.calls.append(("replace", wanted, manager))
        return {**wanted, "metadata": {**wanted["metadata"], "managedFields": self.managed}}


def fields(manager: str, found: dict[str, Any]) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "fieldsV1": found}


def test_what_is_adopted_is_freed_of_everybody_else() -> None:
    wanted: dict[str, Any] = {
        "f:spec": {
            "f:selector": {"f:app": {}},
            "f:replicas": {},
            "f:containers": {'k:{"name":"a"}': {".": {}, "f:image": {}}},
        }
    }
    theirs = {
        "f:metadata": {"f:labels": {"f:team": {}}},
        "f:spec": {
            # Without what is below, it would say that they hold whatever there is below.
            "f:selector": {".": {}, "f:app": {}},
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
    take_over(Leftover(client, live(None), manifest(), adopted=True))  # type: ignore[arg-type]
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
                raise ObjectRefused("cluster east refuses a change: HTTP 409: changed", status=409)
            return super().replace(wanted, manager)

    client = Busy()
    replace(client, manifest())  # type: ignore[arg-type]
    (_, body, _), _ = client.calls
    assert body["status"] == {"replicas": 2}


def test_what_is_gone_is_not_replaced() -> None:
    client = FakeCluster()
    replace(client, manifest())  # type: ignore[arg-type]
    assert client.calls == []


ENGINE = "pulumi-kubernetes-1a"
OF_ENGINE = {
    **fields(ENGINE, {"f:spec": {"f:replicas": {}, "f:paused": {}}}),
    "operation": "Apply",
}
OF_KUBECTL = {
    **fields("kubectl", {"f:spec": {"f:replicas": {}, "f:paused": {}}}),
    "subresource": "scale",
}
REPLICAS = ("spec", "replicas")


def test_exactly_the_named_fields_are_taken_from_everybody_else() -> None:
    client = Server()
    client.live["metadata"]["managedFields"] = [
        OF_ENGINE,
        OF_KUBECTL,
        fields("hpa", {"f:spec": {"f:replicas": {}}}),
        fields(ENGINE, {"f:spec": {"f:replicas": {}}}),
    ]
    take_fields(client, manifest(), client.live, iter([REPLICAS]), ENGINE)  # type: ignore[arg-type]
    metadata = {
        "resourceVersion": "7",
        "managedFields": [OF_ENGINE, {**OF_KUBECTL, "fieldsV1": {"f:spec": {"f:paused": {}}}}],
    }
    assert client.calls == [("merge", "web", {"metadata": metadata})]


def test_the_last_field_of_the_last_manager_can_be_taken() -> None:
    client = Server()
    client.live["metadata"]["managedFields"] = [fields("hpa", {"f:spec": {"f:replicas": {}}})]
    take_fields(client, manifest(), client.live, [REPLICAS], ENGINE)  # type: ignore[arg-type]
    ((_, _, patch),) = client.calls
    assert [entry["manager"] for entry in patch["metadata"]["managedFields"]] == ["velapulumi"]
    assert patch["metadata"]["resourceVersion"] == "7"


@pytest.mark.parametrize("managed", [None, [OF_ENGINE], [fields("kubelet", {"f:status": {}})]])
def test_nothing_is_written_when_nobody_holds_the_field(managed: Any) -> None:
    client = Server()
    client.live["metadata"]["managedFields"] = managed
    take_fields(client, manifest(), client.live, [REPLICAS], ENGINE)  # type: ignore[arg-type]
    assert client.calls == []


def test_a_field_is_mended_without_force() -> None:
    applied: list[Any] = []

    class Taking(Server):
        def apply(self, wanted: Any, manager: str, *, force: bool = True) -> dict[str, Any]:
            applied.append(wanted)
            return super().apply(wanted, manager, force=force)

    client = Taking(uid="u1")
    client.live["metadata"]["managedFields"] = [OF_ENGINE, OF_KUBECTL]
    done = mend(client, manifest(), client.live, [REPLICAS], ENGINE)  # type: ignore[arg-type]
    assert done is not None
    assert [call[0] for call in client.calls] == ["merge", "apply"]
    assert client.calls[1] == ("apply", "web", ENGINE, "unforced")
    assert applied == [manifest(metadata={**manifest()["metadata"], "uid": "u1"})]


def test_what_has_changed_since_it_was_read_is_not_mended() -> None:
    refusal = ObjectRefused("cluster east refuses a change: HTTP 409: changed", status=409)

    class Changed(Server):
        def merge(self, wanted: Any, patch: Any) -> None:
            raise refusal

    client = Changed(uid="u1")
    client.live["metadata"]["managedFields"] = [OF_KUBECTL]
    with pytest.raises(ObjectRefused) as caught:
        mend(client, manifest(), client.live, [REPLICAS], ENGINE)  # type: ignore[arg-type]
    assert caught.value is refusal
    assert client.calls == []
