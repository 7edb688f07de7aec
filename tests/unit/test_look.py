"""What clusters have, as one plan sees it: each object, namespace and kind is read once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.unit.helpers import FakeCluster, manifest, reached
from tests.unit.setting import Setting
from velapulumi.clusters.identity import Reached
from velapulumi.errors import AccessDenied, ClusterUnreachable, WrongCluster
from velapulumi.plan.objects import ObjectKey
from velapulumi.project import Project
from velapulumi.stage.facts import decide_stage
from velapulumi.stage.look import Look
from velapulumi.stage.sides import Live
from velapulumi.stage.situation import Place, Presence

WEB = ObjectKey.of("east", manifest())


class Counting(FakeCluster):
    """A cluster that counts how often it is asked for what."""

    def __init__(self, *live: Mapping[str, Any], **more: Any) -> None:
        super().__init__(*live, **more)
        self.asked: list[str] = []

    def read(self, wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
        self.asked.append(f"{wanted['kind']} {wanted['metadata']['name']}")
        return super().read(wanted)

    def list_all(self, namespace: str) -> Iterator[Mapping[str, Any]]:
        self.asked.append(f"list {namespace}")
        return super().list_all(namespace)

    def list_kind(self, api_version: str, kind: str) -> list[Mapping[str, Any]]:
        self.asked.append(f"list {api_version} {kind}")
        return super().list_kind(api_version, kind)


def look(project: Project, client: FakeCluster) -> Look:
    return Look(project, {"east": reached("east", client)})


def test_each_object_is_read_once(project: Project) -> None:
    setting = Setting(project)
    client = Counting()
    setting.cluster = reached("east", client)
    for recorded in (False, True):
        if recorded:
            setting.record()
        client.asked = []
        seen = look(project, client)
        for _ in range(2):
            prepared = setting.prepared()
            decide_stage([prepared, prepared], seen)
        assert sorted(client.asked) == ["ConfigMap a", "ConfigMap b", "Namespace default"]


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        (FakeCluster(), Live(Presence.ABSENT)),
        (FakeCluster(error=ClusterUnreachable("gone")), Live(Presence.UNKNOWN, None, "gone")),
        (FakeCluster(error=AccessDenied("no get")), Live(Presence.FORBIDDEN, None, "no get")),
    ],
)
def test_what_is_not_known_is_not_called_absent(
    project: Project, client: FakeCluster, expected: Live
) -> None:
    assert look(project, client).live(WEB, manifest()) == expected


def test_what_is_there_may_be_on_its_way_out(project: Project) -> None:
    going = manifest()
    going["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z"
    for there, presence in ((manifest(), Presence.PRESENT), (going, Presence.DELETING)):
        found = look(project, FakeCluster(there)).live(WEB, manifest())
        assert found.presence is presence
        assert found.manifest is not None


@pytest.mark.parametrize("error", [ClusterUnreachable("gone"), WrongCluster("another")])
def test_a_cluster_that_cannot_be_used_is_not_known(project: Project, error: Any) -> None:
    seen = Look(project, {"east": error})
    assert seen.live(WEB, manifest()) == Live(Presence.UNKNOWN, None, error.message)
    assert seen.place(WEB, manifest()) is Place.READY
    assert seen.contents(WEB, manifest()) == ()


def test_a_cluster_is_contacted_once_and_only_when_it_is_needed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def reach(project: Project, names: set[str]) -> dict[str, Reached]:
        asked.append(sorted(names))
        return {name: reached(name, FakeCluster(manifest())) for name in names}

    monkeypatch.setattr("velapulumi.stage.look.reach", reach)
    seen = look(project, FakeCluster(manifest()))
    west = ObjectKey.of("west", manifest())
    for key in (WEB, west, west):
        assert seen.live(key, manifest()).presence is Presence.PRESENT
    assert [names for names in asked if names] == [["west"]]
    assert seen.clusters.keys() == {"east", "west"}


@pytest.mark.parametrize(
    ("lacking", "place"),
    [
        ((), Place.READY),
        (("Deployment",), Place.NO_KIND),
        (("default",), Place.NO_NAMESPACE),
        (("Deployment", "default"), Place.NO_KIND),
    ],
)
def test_whether_a_cluster_can_take_an_object(
    project: Project, lacking: tuple[str, ...], place: Place
) -> None:
    assert look(project, FakeCluster(lacking=lacking)).place(WEB, manifest()) is place


def test_a_namespace_that_is_going_cannot_take_an_object(project: Project) -> None:
    metadata = {"name": "default", "deletionTimestamp": "2026-01-02T03:04:05Z"}
    going = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    client = Counting(going)
    seen = look(project, client)
    for _ in range(2):
        assert seen.place(WEB, manifest()) is Place.NO_NAMESPACE
    assert client.asked == ["Namespace default"]


def test_a_namespace_counts_as_there_where_nobody_may_look(project: Project) -> None:
    class Closed(FakeCluster):
        def read(self, wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
            raise AccessDenied("no get")

    assert look(project, Closed()).place(WEB, manifest()) is Place.READY


def test_what_has_no_namespace_needs_none(project: Project) -> None:
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    key = ObjectKey.of("east", made)
    assert look(project, FakeCluster(lacking=("",))).place(key, made) is Place.READY


def test_what_a_namespace_or_a_definition_holds_is_listed_once(project: Project) -> None:
    team = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    served = [{"name": "v1", "served": False}, {"name": "v2", "served": True}]
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "deployments.apps"},
        "spec": {"group": "apps", "names": {"kind": "Deployment"}, "versions": served},
    }
    other = manifest("other", kind="Other")
    client = Counting(contents=[manifest(), other])
    seen = look(project, client)
    for _ in range(2):
        assert seen.contents(ObjectKey.of("east", team), team) == (manifest(), other)
        key = ObjectKey.of("east", definition)
        assert seen.contents(key, definition) == (manifest(),)
    assert client.asked == ["list team", "list apps/v2 Deployment"]
    assert seen.contents(WEB, manifest()) == ()
