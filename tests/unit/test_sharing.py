"""Who shares an object, and what becomes of it when somebody gives it up."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest

from tests.unit.helpers import manifest, reached, resource
from velapulumi.clusters.sharing import give_up, join
from velapulumi.engine.deployment import record_of
from velapulumi.errors import ClusterUnreachable, ObjectRefused
from velapulumi.plan.objects import ObjectKey
from velapulumi.project import Project
from velapulumi.render.rules import PROJECT, TAKEN
from velapulumi.stage.look import Look
from velapulumi.stage.operations import Decision, decide
from velapulumi.stage.release import LEFT_BEHIND, release, released
from velapulumi.stage.removal import Removed
from velapulumi.stage.sides import Other

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
        self.orphaned = False

    def read(self, wanted: Any) -> dict[str, Any] | None:
        return self.live

    def _change(self, version: str) -> dict[str, Any]:
        assert self.live is not None
        metadata: dict[str, Any] = self.live["metadata"]
        if self._others:
            self._others -= 1
            metadata["resourceVersion"] += "+"
        if version != metadata["resourceVersion"]:
            raise ObjectRefused("cluster east refuses a change: HTTP 409: changed", status=409)
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

    def delete(self, wanted: Any, version: str, *, orphans: bool = False) -> None:
        self._change(version)
        self.live, self.orphaned = None, orphans

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
    ("owner", "before", "after"),
    [
        ("a/x", "a/x,b/y,c/z", ("b/y", "b/y,c/z")),
        ("a/x", "a/x,b/y", ("b/y", "b/y")),
        ("b/y", "b/y,a/x", ("b/y", "b/y")),
        ("a/x", "a/x", ("", "")),
        ("a/x", "", ("", "")),
        ("b/y", "b/y", ("b/y", "b/y")),
        ("b/y", "a/x", ("b/y", "")),
        ("", "", ("", "")),
    ],
)
def test_giving_up_never_deletes(owner: str, before: str, after: tuple[str, str]) -> None:
    store: Any = Store(owner, before)
    give_up(store, manifest(), "a/x", unchecked)
    assert store.state == after
    give_up(store, manifest(), "a/x", unchecked)
    assert store.state == after


@pytest.mark.parametrize(("shared_by", "stays"), [("a/x", False), ("a/x,b/y", True)])
def test_what_is_let_go_does_not_say_any_more_that_it_was_ours(shared_by: str, stays: bool) -> None:
    store: Any = Store("a/x", shared_by)
    metadata = store.live["metadata"]
    metadata["labels"][PROJECT] = "0123"
    metadata["annotations"][TAKEN[-1]] = "{}"
    give_up(store, manifest(), "a/x", unchecked)
    assert (PROJECT in metadata["labels"], TAKEN[-1] in metadata["annotations"]) == (stays, stays)


def unchecked(live: Any) -> None:
    """Whatever is there may be written."""


def test_each_attempt_is_checked_before_it_writes() -> None:
    store: Any = Store("a/x", "a/x,b/y", others=2)
    seen: list[str] = []
    give_up(store, manifest(), "a/x", lambda live: seen.append(live["metadata"]["resourceVersion"]))
    assert seen == ["0", "0+", "0++"]
    assert store.state == ("b/y", "b/y")


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
    give_up(store, manifest(), "a/x", unchecked)
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


def decided(
    project: Project, found: Any, elsewhere: Collection[ObjectKey] = (), **clusters: Any
) -> list[Decision]:
    """What happens to the objects of a stack that is deleted."""
    look = Look(project, clusters)

    def other(key: ObjectKey) -> Other | None:
        return Other("prod", keeps=True) if key in elsewhere else None

    removed = Removed("", found, "default/shop", look, other)
    return [decide(each) for each in removed.facts(dict, after_others=True)]


def operations(decisions: Iterable[Decision]) -> dict[str, str]:
    return {each.key.name: each.operation for each in decisions}


def stores(east: str = "default/shop", west: str = "a/x,default/shop") -> tuple[Store, Store]:
    """Each object in the east is the application's own, each in the west somebody else's."""
    return Store("default/shop", east), Store("a/x", west)


def test_what_the_engine_does_not_delete_is_released(project: Project) -> None:
    found = record(application="shop", namespace="default")
    east, west = stores()
    clusters = {"east": reached("east", east), "west": reached("west", west)}
    decisions = decided(project, found, **clusters)
    assert operations(decisions) == {
        "api": "delete", "plain": "delete", "theirs": "disown", "web": "delete",
    }  # fmt: skip
    assert list(operations(released(decisions))) == ["api", "web", "theirs"]
    web = ObjectKey.of("east", manifest("web"))
    decisions = decided(project, found, {web}, **clusters)
    assert operations(decisions)["web"] == "forget"
    assert list(operations(released(decisions))) == ["api", "theirs"]

    (held,) = (entry for entry in found.objects if entry.key == web)
    never = record(**{LEFT_BEHIND: [held.full_name]})
    decisions = decided(project, never, **clusters)
    assert operations(decisions)["web"] == "disown"
    going = [each for each in released(decisions) if each.key.name != "api"]
    release("default/shop", going, clusters)
    assert (east.state, west.state) == (("", ""), ("a/x", "a/x"))


def test_the_last_one_deletes_what_was_shared_and_others_inherit_it(project: Project) -> None:
    for shared_by, operation, after in (
        ("default/shop", "delete", None),
        ("default/shop,b/y", "disown", ("b/y", "b/y")),
    ):
        east, west = stores(shared_by)
        clusters = {"east": reached("east", east), "west": reached("west", west)}
        decisions = decided(project, record(), **clusters)
        (web,) = (each for each in decisions if each.key.name == "web")
        assert web.operation == operation
        release("default/shop", released([web]), clusters)
        assert east.state == after


def test_what_hangs_on_what_the_last_one_deletes_stays_where_the_object_says_so(
    project: Project,
) -> None:
    for said, stays in (("Orphan", True), ("foreground", False), (None, False)):
        east, west = stores("default/shop")
        assert east.live is not None
        if said:
            east.live["metadata"]["annotations"]["pulumi.com/deletionPropagationPolicy"] = said
        clusters = {"east": reached("east", east), "west": reached("west", west)}
        decisions = decided(project, record(), **clusters)
        (web,) = (each for each in decisions if each.key.name == "web")
        release("default/shop", released([web]), clusters)
        assert (east.state, east.orphaned) == (None, stays)


def test_what_somebody_else_has_by_now_is_only_forgotten(project: Project) -> None:
    _, theirs = stores(west="")
    clusters = {name: reached(name, theirs) for name in ("east", "west")}
    decisions = decided(project, record(), **clusters)
    assert set(operations(decisions).values()) == {"forget"}
    assert released(decisions) == ()


def test_a_cluster_that_cannot_be_used_is_told(project: Project) -> None:
    east, west = stores()
    clusters = {"east": reached("east", east), "west": reached("west", west)}
    decisions = decided(project, record(), **clusters)
    gone = ClusterUnreachable("gone")
    with pytest.raises(ClusterUnreachable):
        release("default/shop", released(decisions), {**clusters, "east": gone})
    assert east.state == ("default/shop", "default/shop")
    silent = decided(project, record(), east=gone, west=clusters["west"])
    assert operations(silent) == {
        "api": "owed", "plain": "owed", "theirs": "disown", "web": "owed",
    }  # fmt: skip
