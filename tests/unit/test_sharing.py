"""Who shares an object, and what becomes of it when somebody gives it up."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.helpers import manifest, reached, resource
from velapulumi.clusters.sharing import give_up, join
from velapulumi.errors import ClusterUnreachable, ObjectRefused
from velapulumi.plan.changes import ObjectKey
from velapulumi.program.record import record_of
from velapulumi.program.release import LEFT_BEHIND, application_of, forgotten, full_name, release

NAME, NAMESPACE = "app.oam.dev/name", "app.oam.dev/namespace"
SHARED_BY = "app.oam.dev/shared-by"


class Store:
    """A cluster with one object, which somebody else may be changing all the time."""

    def __init__(self, owner: str = "", shared_by: str = "", *, others: int = 0) -> None:
        labels = {NAMESPACE: owner.split("/")[0], NAME: owner.split("/")[1]} if owner else {}
        self.live: dict[str, Any] | None = manifest()
        self.live["metadata"] |= {
            "labels": labels,
            "annotations": {SHARED_BY: shared_by} if shared_by else {},
            "resourceVersion": "0",
        }
        self._others = others

    def read(self, wanted: Any) -> dict[str, Any] | None:
        return self.live

    def _change(self, version: str) -> dict[str, Any]:
        assert self.live is not None
        metadata: dict[str, Any] = self.live["metadata"]
        if self._others:
            self._others -= 1
            metadata["resourceVersion"] += "+"
        if version != metadata["resourceVersion"]:
            raise ObjectRefused("cluster east refuses a change: HTTP 409: changed")
        return metadata

    def merge(self, wanted: Any, patch: Any) -> None:
        version = self.live and self.live["metadata"]["resourceVersion"]
        metadata = self._change(patch["metadata"]["resourceVersion"])
        assert metadata["resourceVersion"] == version
        for part in ("labels", "annotations"):
            for key, value in patch["metadata"].get(part, {}).items():
                metadata[part].pop(key, None)
                if value is not None:
                    metadata[part][key] = value

    def delete(self, wanted: Any, version: str) -> None:
        self._change(version)
        self.live = None

    @property
    def state(self) -> tuple[str, str] | None:
        """Owner and sharers; None when the object is gone."""
        if self.live is None:
            return None
        metadata = self.live["metadata"]
        labels = metadata["labels"]
        owner = f"{labels[NAMESPACE]}/{labels[NAME]}" if labels else ""
        return owner, metadata["annotations"].get(SHARED_BY, "")


@pytest.mark.parametrize(
    ("before", "after"),
    [("a/x", "a/x,b/y"), ("a/x,b/y", "a/x,b/y"), ("a/x, c/z", "a/x,c/z,b/y"), ("", "b/y")],
)
def test_joining_adds_a_name_once(before: str, after: str) -> None:
    store: Any = Store("a/x", before)
    join(store, manifest(), "b/y")
    assert store.state == ("a/x", after)


@pytest.mark.parametrize(
    ("owner", "before", "left_behind", "after"),
    [
        ("a/x", "a/x,b/y,c/z", False, ("b/y", "b/y,c/z")),
        ("a/x", "a/x,b/y", True, ("b/y", "b/y")),
        ("b/y", "b/y,a/x", False, ("b/y", "b/y")),
        ("a/x", "a/x", False, None),
        ("a/x", "a/x", True, ("", "")),
        ("a/x", "", False, ("", "")),
        ("b/y", "b/y", False, ("b/y", "b/y")),
        ("b/y", "a/x", False, ("b/y", "")),
        ("", "", False, ("", "")),
    ],
)
def test_giving_up(
    owner: str, before: str, left_behind: bool, after: tuple[str, str] | None
) -> None:
    store: Any = Store(owner, before)
    give_up(store, manifest(), "a/x", left_behind=left_behind)
    assert store.state == after
    give_up(store, manifest(), "a/x", left_behind=left_behind)
    assert store.state == after


def test_who_is_slower_looks_again() -> None:
    store: Any = Store("a/x", "a/x", others=2)
    join(store, manifest(), "b/y")
    assert store.state == ("a/x", "a/x,b/y")
    busy: Any = Store("a/x", "a/x", others=99)
    with pytest.raises(ObjectRefused):
        join(busy, manifest(), "b/y")
    assert busy.state == ("a/x", "a/x")


def test_what_is_gone_is_left_alone() -> None:
    store: Any = Store("a/x", "a/x")
    store.live = None
    join(store, manifest(), "b/y")
    give_up(store, manifest(), "a/x", left_behind=False)
    assert store.live is None


def record(**outputs: Any) -> Any:
    web, api, theirs, plain = (manifest(name) for name in ("web", "api", "theirs", "plain"))
    read = {**resource("west", {}), "external": True, "outputs": theirs}
    resources = [
        {"type": "pulumi:pulumi:Stack", "outputs": outputs},
        resource("east", web, retainOnDelete=True),
        resource("east", api, retainOnDelete=True),
        resource("east", plain),
        read,
    ]
    return record_of({"resources": resources})


def test_what_the_engine_does_not_delete_is_released() -> None:
    found = record(application="shop", namespace="default")
    assert [e.manifest["metadata"]["name"] for e in forgotten(found)] == ["web", "api", "theirs"]
    web = ObjectKey.of("east", manifest("web"))
    assert [e.manifest["metadata"]["name"] for e in forgotten(found, {web})] == ["api", "theirs"]
    never = record(**{LEFT_BEHIND: [full_name(web)]})
    east, west = Store("default/shop", "default/shop"), Store("a/x", "a/x,default/shop")
    release(
        "default/shop",
        never,
        [forgotten(never)[0], forgotten(never)[2]],
        {"east": reached("east", east), "west": reached("west", west)},
    )
    assert (east.state, west.state) == (("", ""), ("a/x", "a/x"))


def test_a_cluster_that_cannot_be_used_is_told() -> None:
    found = record()
    gone = ClusterUnreachable("gone")
    with pytest.raises(ClusterUnreachable):
        release("default/shop", found, forgotten(found), {"east": gone})


def test_a_stack_says_whose_it_is() -> None:
    assert application_of(record(application="blog", namespace="team")) == "team/blog"
    assert application_of(record()) == "default/shop"
    assert application_of(record_of({"resources": []})) == ""
