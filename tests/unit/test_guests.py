"""What a Namespace or a definition holds when it is to be deleted, and what becomes of it."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import pytest

from tests.unit.helpers import FakeCluster, manifest, marked, reached, with_uid
from velapulumi.engine.record import RecordedObject
from velapulumi.errors import AccessDenied, ClusterUnreachable
from velapulumi.plan.objects import ObjectKey
from velapulumi.plan.operation import Operation
from velapulumi.project import Project
from velapulumi.render.rules import Treatment
from velapulumi.stage.guests import (
    awaited,
    deleted,
    inner_first,
    with_contents,
    with_guests,
)
from velapulumi.stage.look import Look
from velapulumi.stage.operations import Decision, decide
from velapulumi.stage.refusals import refusal_of
from velapulumi.stage.sides import Facts, Live, Other
from velapulumi.stage.situation import Presence, Reason

SHOP = "default/shop"
TEAM = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "team", "labels": manifest()["metadata"]["labels"]},
}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "deployments.apps", "labels": manifest()["metadata"]["labels"]},
    "spec": {
        "group": "apps",
        "names": {"kind": "Deployment"},
        "versions": [{"name": "v2", "served": True}],
    },
}
BARE = manifest("bare", metadata={"name": "bare"})


def labelled(owner: str, project: str = "", *, name: str = "goes") -> dict[str, Any]:
    namespace, _, application = owner.partition("/")
    found = manifest(name)
    found["metadata"]["labels"] = {
        "app.oam.dev/name": application,
        "app.oam.dev/namespace": namespace,
    }
    return marked(found, project) if project else found


def given_up(entry: Mapping[str, Any], **more: Any) -> Facts:
    """An object that is the stage's own, in the stack and in the cluster, and not wanted."""
    live = with_uid(entry)
    recorded = RecordedObject("east", entry, ready=True, outputs=live)
    said = {"recorded": recorded, "pruned": True, **more}
    key = ObjectKey.of("east", entry)
    return Facts(key, SHOP, "p1", Live(Presence.PRESENT, live), **said)


def decided(
    project: Project,
    client: FakeCluster,
    *objects: Facts,
    after_others: bool = True,
    **elsewhere: Container[ObjectKey],
) -> list[Decision]:
    look = Look(project, {"east": reached("east", client)})
    found = with_guests(objects, look, lambda: elsewhere, after_others=after_others)
    return [decide(facts) for facts in found]


@pytest.mark.parametrize("holder", [TEAM, DEFINITION])
@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ([], ""),
        ([labelled(SHOP), labelled(SHOP, "p1")], ""),
        ([labelled(SHOP, name="stays")], "1 Deployment of this application"),
        ([labelled(SHOP, "p2")], "1 Deployment of default/shop of another project"),
        ([labelled("team/blog"), labelled("team/blog", "p1")], "2 Deployment of team/blog"),
        ([BARE, labelled("team/blog"), BARE], "2 Deployment of nobody, 1 Deployment of team/blog"),
    ],
)
def test_what_is_not_deleted_with_it_stands_in_the_way(
    project: Project, holder: dict[str, Any], contents: list[dict[str, Any]], words: str
) -> None:
    client = FakeCluster(contents=contents)
    going = given_up(manifest("goes"))
    first, _ = decided(project, client, given_up(holder), going)
    assert first.facts.guests == (f"it holds {words}" if words else "")
    assert first.reason is (Reason.GUESTS if words else None)
    assert (first.operation is Operation.DELETE) is not bool(words)


@pytest.mark.parametrize(
    "more", [{"treatment": Treatment(never_deleted=True)}, {"left_behind": True}]
)
def test_what_the_stage_leaves_behind_stands_in_the_way_too(
    project: Project, more: dict[str, Any]
) -> None:
    """It would go with the namespace all the same."""
    client = FakeCluster(contents=[manifest("kept")])
    first, kept = decided(project, client, given_up(TEAM), given_up(manifest("kept"), **more))
    assert kept.operation is Operation.DISOWN
    assert first.facts.guests == "it holds 1 Deployment of this application"
    assert first.reason is Reason.GUESTS


INSIDE = frozenset({ObjectKey.of("east", manifest("inside"))})


def test_what_another_stage_deletes_is_no_guest(project: Project) -> None:
    client = FakeCluster(contents=[manifest("inside")])
    (first,) = decided(project, client, given_up(TEAM), app=INSIDE)
    assert (first.operation, first.facts.guests) == (Operation.DELETE, "")
    assert awaited([first]) == {"app"}


def test_what_holds_something_that_another_stage_has_still_to_delete_is_kept(
    project: Project,
) -> None:
    client = FakeCluster(contents=[manifest("inside")])
    (first,) = decided(project, client, given_up(TEAM), after_others=False, app=INSIDE)
    assert first.operation is Operation.KEEP
    (first,) = decided(project, FakeCluster(), given_up(TEAM), after_others=False, app=INSIDE)
    assert first.operation is Operation.DELETE


@pytest.mark.parametrize("after_others", [True, False])
def test_what_belongs_to_others_is_refused_whatever_else_goes(
    project: Project, after_others: bool
) -> None:
    theirs = {**manifest("inside"), "metadata": labelled("team/blog", name="inside")["metadata"]}
    client = FakeCluster(contents=[manifest("inside"), theirs])
    (first,) = decided(project, client, given_up(TEAM), after_others=after_others, app=INSIDE)
    assert first.facts.guests == "it holds 1 Deployment of team/blog"
    assert first.reason is Reason.GUESTS


@pytest.mark.parametrize("versions", [[], [{"name": "v2", "served": False}], [{"name": "v2"}]])
def test_what_cannot_be_looked_at_is_not_deleted(project: Project, versions: list[Any]) -> None:
    """A cluster keeps the objects of a kind that it no longer serves."""
    unserved = {**DEFINITION, "spec": {**DEFINITION["spec"], "versions": versions}}
    (first,) = decided(project, FakeCluster(), given_up(unserved))
    assert first.reason is Reason.GUESTS
    refusal = refusal_of(first)
    assert refusal is not None
    assert "it may hold objects that cannot be looked at, as no version" in refusal.message


def test_a_kind_that_the_cluster_says_it_serves_and_does_not_is_not_deleted(
    project: Project,
) -> None:
    (first,) = decided(project, FakeCluster(lacking=("Deployment",)), given_up(DEFINITION))
    assert first.reason is Reason.GUESTS


def replaced(
    project: Project, holder: Mapping[str, Any], client: FakeCluster, *delivered: ObjectKey
) -> Decision:
    """An object that the stage wants with another label, for which a policy replaces it."""
    labels = ("metadata", "labels", "team")
    wanted = {**holder, "metadata": {**holder["metadata"], "labels": {"team": "b"}}}
    facts = given_up(holder, wanted=wanted, treatment=Treatment(recreated=(labels,)))
    look = Look(project, {"east": reached("east", client)})
    return decide(with_contents(facts, look, lambda: delivered))


@pytest.mark.parametrize("holder", [TEAM, DEFINITION])
@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ([BARE, labelled("team/blog")], "1 Deployment of nobody, 1 Deployment of team/blog"),
        ([labelled(SHOP)], "1 Deployment of this application"),
    ],
)
def test_what_is_made_anew_must_hold_nothing(
    project: Project, holder: dict[str, Any], contents: list[dict[str, Any]], words: str
) -> None:
    first = replaced(project, holder, FakeCluster(contents=contents))
    assert (first.operation, first.reason) == (Operation.REFUSE, Reason.GUESTS)
    refusal = refusal_of(first)
    assert refusal is not None
    because = "cannot be deleted and created again because of metadata.labels.team: it holds"
    assert f"{because} {words}" in refusal.message
    assert replaced(project, holder, FakeCluster()).operation is Operation.REPLACE


def test_what_the_delivery_makes_in_it_stands_in_the_way_of_making_it_anew(
    project: Project,
) -> None:
    """It might be made before, and go with the old one."""
    inside = ObjectKey("east", "team", "Deployment", "new", "apps")
    for holder in (TEAM, DEFINITION):
        first = replaced(project, holder, FakeCluster(), inside)
        assert first.facts.guests == "this delivery puts 1 Deployment into it"
        refusal = refusal_of(first)
        assert refusal is not None
        assert "metadata.labels.team: this delivery puts 1 Deployment into it" in refusal.message
        both = replaced(project, holder, FakeCluster(contents=[BARE]), inside)
        assert both.facts.guests == (
            "it holds 1 Deployment of nobody, and this delivery puts 1 Deployment into it"
        )
    outside = ObjectKey("east", "other", "ConfigMap", "new", "")
    elsewhere = ObjectKey("west", "team", "Deployment", "new", "apps")
    for holder in (TEAM, DEFINITION):
        first = replaced(project, holder, FakeCluster(), outside, elsewhere)
        assert first.operation is Operation.REPLACE


def test_what_cannot_be_looked_into_is_not_made_anew(project: Project) -> None:
    closed = Closed(AccessDenied("cannot list resource secrets"))
    assert replaced(project, TEAM, closed).reason is Reason.FORBIDDEN
    assert replaced(project, TEAM, Closed(ClusterUnreachable("gone"))).operation is Operation.OWED
    unserved = {**DEFINITION, "spec": {**DEFINITION["spec"], "versions": []}}
    assert replaced(project, unserved, FakeCluster()).reason is Reason.GUESTS


def test_nobody_asks_what_is_in_an_object_that_is_only_updated(project: Project) -> None:
    facts = given_up(TEAM, wanted={**TEAM, "metadata": {"name": "team", "labels": {"x": "y"}}})
    look = Look(project, {"east": reached("east", Closed(AssertionError("asked")))})
    assert decide(with_contents(facts, look, tuple)).operation is Operation.UPDATE


class Closed(FakeCluster):
    """A cluster whose namespaces cannot be looked into."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def list_all(self, namespace: str) -> Any:
        raise self.error


def test_a_missing_right_is_a_refusal_of_the_object(project: Project) -> None:
    closed = Closed(AccessDenied("cannot list resource secrets"))
    first, other = decided(project, closed, given_up(TEAM), given_up(manifest()))
    assert (first.operation, first.reason) == (Operation.REFUSE, Reason.FORBIDDEN)
    refusal = refusal_of(first)
    assert refusal is not None
    assert (refusal.code, refusal.message) == ("VP207", "cannot list resource secrets")
    assert other.operation is Operation.DELETE


def test_a_cluster_that_falls_silent_meanwhile_is_owed(project: Project) -> None:
    (first,) = decided(project, Closed(ClusterUnreachable("gone")), given_up(TEAM))
    assert (first.operation, first.facts.live.detail) == (Operation.OWED, "gone")


@pytest.mark.parametrize(
    "more",
    [
        {"treatment": Treatment(never_deleted=True)},
        {"left_behind": True},
        {"pruned": False},
        {"stays": True},
        {"live": Live(Presence.ABSENT)},
    ],
)
def test_nobody_asks_where_nothing_is_deleted(project: Project, more: dict[str, Any]) -> None:
    live = more.pop("live", None)
    facts = given_up(TEAM, **more)
    if live is not None:
        facts = Facts(facts.key, SHOP, "p1", live, recorded=facts.recorded, pruned=True)
    (first,) = decided(project, Closed(AssertionError("asked")), facts)
    assert first.operation in (Operation.DISOWN, Operation.KEEP, Operation.FORGET)


def test_what_goes_is_what_is_deleted() -> None:
    kept = given_up(manifest("kept"), left_behind=True)
    assert deleted([given_up(manifest("inside")), kept]) == INSIDE


@pytest.mark.parametrize(("keeps", "gone"), [(False, INSIDE), (True, frozenset())])
def test_what_two_stages_give_up_is_deleted_in_the_end(
    keeps: bool, gone: frozenset[ObjectKey]
) -> None:
    assert deleted([given_up(manifest("inside"), other=Other("app", keeps=keeps))]) == gone


@pytest.mark.parametrize(
    ("waits", "order"),
    [
        ({"a": (), "b": ()}, ["a", "b"]),
        ({"a": ("b",), "b": ()}, ["b", "a"]),
        ({"a": ("b",), "b": ("c",), "c": (), "d": ()}, ["c", "b", "a", "d"]),
        ({"a": ("gone",), "b": ()}, ["a", "b"]),
        ({"a": ("b",), "b": ("a",), "c": ()}, ["c", "a", "b"]),
    ],
)
def test_stages_go_after_those_they_wait_for(waits: dict[str, Any], order: list[str]) -> None:
    assert inner_first(waits) == order
