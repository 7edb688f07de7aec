"""What was taken over: what is kept of it, and what its way back does."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.helpers import PROJECT_ID, FakeCluster, marked, reached, resource, with_uid
from tests.unit.setting import Setting, begin, held_by, theirs
from velapulumi.cli.plans.objects import note_of
from velapulumi.engine.record import RecordedObject
from velapulumi.errors import ClusterUnreachable, ObjectRefused, PlanChanged
from velapulumi.plan.document import PlannedObject, ReverseStep
from velapulumi.plan.fields import FieldChange
from velapulumi.plan.objects import ObjectKey
from velapulumi.plan.operation import Cause, Operation
from velapulumi.project import Project
from velapulumi.stage.facts import decide_stage
from velapulumi.stage.look import Look
from velapulumi.stage.operations import Decision, decide
from velapulumi.stage.others import held_by_us
from velapulumi.stage.planned import ObjectWriter
from velapulumi.stage.release import is_taken_out, let_go, release, released
from velapulumi.stage.removal import Removed
from velapulumi.stage.resources import Mode, Registration
from velapulumi.stage.sides import as_before
from velapulumi.stage.taken import taken_over
from velapulumi.stage.taking import owed, owed_names

NOTE = "velapulumi.dev/taken-over"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@pytest.fixture
def setting(project: Project) -> Setting:
    return Setting(project)


def kept(entry: Registration) -> Any:
    """What is registered of what an object was before it was taken over."""
    text = (entry.manifest["metadata"].get("annotations") or {}).get("velapulumi.dev/taken-over")
    return None if text is None else json.loads(text)


def test_what_is_taken_over_keeps_what_it_was(setting: Setting) -> None:
    setting.policy("take-over")
    setting.store()
    found = setting.registered(theirs(key="x", more="y"))["a"]
    said = kept(found)
    assert said["revision"] == "shop-v1"
    assert said["before"]["data"] == {"key": "x", "more": "y"}
    assert "uid" not in said["before"]["metadata"]
    taken = taken_over(found.manifest)
    assert taken is not None
    assert (taken.revision, taken.number) == ("shop-v1", 1)
    assert taken.before == said["before"]
    assert kept(setting.registered()["a"]) is None


def test_what_it_was_stays_with_the_object_and_is_no_change(setting: Setting) -> None:
    setting.policy("take-over")
    setting.store()
    before = kept(setting.registered(theirs(key="x"))["a"])
    noted = {"velapulumi.dev/taken-over": json.dumps(before)}
    metadata = {**setting.live()["metadata"], "annotations": noted}
    setting.record(a={"metadata": metadata})
    there = setting.live(metadata=metadata)
    assert setting.first(there, setting.live("b")).operation is Operation.NONE
    live_b = setting.live("b")
    setting.values["a"] = "2"
    for live in (there, setting.live()):  # also where somebody has taken it off
        found = setting.registered(live, live_b)["a"]
        assert found.decision.operation is Operation.UPDATE
        assert [change.path for change in found.decision.changes] == [("data", "key")]
        assert kept(found) == before


def test_the_values_of_a_secret_are_not_kept(setting: Setting) -> None:
    setting.kind = "Secret"
    setting.values = {"a": "aHVudGVyMQ=="}
    setting.policy("take-over")
    setting.store()
    found = setting.registered({**theirs(key="eA=="), "kind": "Secret"})["a"]
    said = kept(found)
    assert said["revision"] == "shop-v1"
    assert set(said["before"]) == {"apiVersion", "kind", "metadata"}
    assert "eA==" not in json.dumps(said)


def annotated(entry: Mapping[str, Any], **annotations: str) -> dict[str, Any]:
    """An object with further annotations; ``note`` and ``last`` stand for two long names."""
    names = {"note": NOTE, "last": LAST_APPLIED}
    found = {names.get(name, name): text for name, text in annotations.items()}
    metadata = entry["metadata"]
    there = {**(metadata.get("annotations") or {}), **found}
    return {**entry, "metadata": {**metadata, "annotations": there}}


def test_what_kubectl_has_last_applied_is_not_kept(setting: Setting) -> None:
    """It repeats the object, the values of a Secret among it."""
    for kind in ("ConfigMap", "Secret"):
        setting.kind = kind
        setting.policies.clear()
        setting.policy("take-over")
        setting.store()
        there = {**annotated(theirs(key="eA=="), last='{"data":{"key":"eA=="}}'), "kind": kind}
        found = setting.registered(there)["a"]
        assert LAST_APPLIED not in json.dumps(kept(found))


def test_nothing_is_kept_of_a_secret_that_could_hold_its_values(setting: Setting) -> None:
    setting.kind = "Secret"
    setting.policy("take-over")
    setting.store()
    there = {**annotated(theirs(key="eA=="), original="x eA== y"), "kind": "Secret", "more": "eA=="}
    found = setting.registered(there)["a"]
    assert "eA==" not in json.dumps(kept(found))
    # Nor does what an earlier version has kept of it go on.
    said = kept(found)
    said["before"]["metadata"]["annotations"] = {LAST_APPLIED: "eA=="}
    noted = annotated(setting.live(), note=json.dumps(said))
    setting.record(a={"metadata": noted["metadata"]})
    setting.values["a"] = "Mg=="
    again = setting.registered(noted, setting.live("b"))["a"]
    assert again.mode is Mode.WRITE
    assert kept(again)["revision"] == "shop-v1"
    assert "eA==" not in json.dumps(kept(again))


UNREADABLE = [
    "", "{", "[]", "1", "{}", "[" * 100_000, "null", '{"revision": null, "before": {}}',
    '{"revision": "shop", "before": {"metadata": {"name": "a"}}}',
    '{"revision": "shop-v0"}', '{"revision": "shop-v-3"}',
]  # fmt: skip


@pytest.mark.parametrize("text", UNREADABLE)
def test_of_what_somebody_has_made_unreadable_it_is_known_that_it_was_taken_over(text: str) -> None:
    taken = taken_over(annotated(theirs(), note=text))
    assert taken is not None
    assert (taken.number, taken.before) == (0, None)
    assert taken_over({"metadata": {}}) is None


GOOD: dict[str, Any] = {
    "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"},
    "data": {"key": "x"},
}  # fmt: skip


@pytest.mark.parametrize(
    "before",
    [
        [], {}, "x", 1, None, {"metadata": "x"}, {**GOOD, "metadata": "x"},
        {**GOOD, "metadata": {}}, {**GOOD, "metadata": {"name": "b", "namespace": "default"}},
        {**GOOD, "metadata": {"name": "a", "namespace": "other"}}, {**GOOD, "kind": "Secret"},
        {**GOOD, "apiVersion": "apps/v1"}, {**GOOD, "apiVersion": 1}, {**GOOD, "kind": None},
        {**GOOD, "metadata": {**GOOD["metadata"], "labels": "x"}},
        {**GOOD, "metadata": {**GOOD["metadata"], "annotations": ["x"]}},
    ],
)  # fmt: skip
def test_what_cannot_be_the_same_object_is_not_restored(setting: Setting, before: Any) -> None:
    text = json.dumps({"revision": "shop-v9", "before": before})
    taken = taken_over(annotated(theirs(), note=text))
    assert taken is not None
    assert (taken.number, taken.before) == (9, None)
    back = way_back(setting, text)
    assert (back.operation, back.cause) == (Operation.DISOWN, Cause.UNKNOWN)


def test_what_is_too_large_to_be_kept_says_that_it_was_taken_over(setting: Setting) -> None:
    setting.policy("take-over")
    setting.store()
    for there in (
        theirs(key="x" * 250_000),
        theirs(key="\u00e4" * 120_000),  # two bytes each
        annotated(theirs(key="x" * 100_000), more="y" * 100_000),
        annotated(theirs(key="x" * 100_000), last="y" * 100_000),
    ):
        found = setting.registered(there)["a"]
        assert found.decision.operation is Operation.TAKE_OVER
        assert kept(found) == {"revision": "shop-v1"}
        planned, reverse = plan(setting, found.decision)
        assert any("way back cannot restore it" in note for note in planned.notes)
        assert any("too large" in phrase for phrase in reverse.irreversible)
        assert reverse.fields == ()
    small = setting.registered(theirs(key="\u00e4" * 90_000))["a"]
    assert "before" in kept(small)
    planned, reverse = plan(setting, small.decision)
    assert (planned.notes, reverse.irreversible) == ((), ())
    assert reverse.fields


def test_the_plan_promises_of_a_secret_what_comes_back(setting: Setting) -> None:
    setting.kind = "Secret"
    setting.policy("take-over")
    setting.store()
    there = {**theirs(key="eA=="), "kind": "Secret"}
    _, reverse = plan(setting, setting.first(there))
    assert {each.path[0] for each in reverse.fields} == {"metadata"}
    assert reverse.irreversible == ("its values and annotations before are not kept",)


def plan(setting: Setting, decision: Decision) -> tuple[PlannedObject, ReverseStep]:
    """What a plan says of an object that is changed, and of its way back."""
    writer = ObjectWriter(setting.project, Look(setting.project))
    (cluster,) = writer.clusters(["east"], [decision])
    return cluster.objects[0], cluster.reverse[0]


def note(number: int = 9, **before: Any) -> str:
    return json.dumps({"revision": f"shop-v{number}", "before": {**GOOD, **before}})


def ours(setting: Setting, text: str | None) -> dict[str, Any]:
    """Object ``a`` as it was delivered, and as it says that it was taken over."""
    setting.values["a"] = "1"
    found = setting.live()
    del setting.values["a"]
    return found if text is None else annotated(found, note=text)


def hold(setting: Setting, text: str | None, *, retained: bool = False) -> None:
    """Let the stack hold object ``a``, which is not wanted any more."""
    entry = {**ours(setting, text)}
    entry["metadata"] = {key: value for key, value in entry["metadata"].items() if key != "uid"}
    rest = [resource("east", marked(each)) for each in setting.rendered().values()]
    setting.store(*rest, resource("east", entry, retainOnDelete=retained))
    setting.collecting = True


def way_back(
    setting: Setting, recorded: str | None, live: Mapping[str, Any] | None = None
) -> Decision:
    """What the way back does with an object whose stack says how it was taken over."""
    hold(setting, recorded)
    there = ours(setting, recorded) if live is None else live
    return setting.first(there, setting.live("b"))


def restored(**changes: Any) -> dict[str, Any]:
    """The object as the way back has left it."""
    return with_uid({**GOOD, **changes})


def test_what_a_later_revision_has_taken_over_gets_back_what_it_was(setting: Setting) -> None:
    """The way back to a revision that does not have it; the engine would delete it."""
    back = way_back(setting, note())
    assert (back.operation, back.cause) == (Operation.DISOWN, Cause.RESTORED)
    assert FieldChange(("data", "key"), "1", "x") in back.changes
    there = ours(setting, note())
    assert setting.registered(there, setting.live("b"))["a"].mode is Mode.LEAVE
    assert is_taken_out(back)
    client = Cluster(there)
    release("default/shop", [back], {"east": reached("east", client)})
    ((_, body),) = client.calls
    assert body["data"] == {"key": "x"}
    assert not {"annotations", "labels"} & set(body["metadata"])


def test_what_an_earlier_revision_has_taken_over_is_what_this_one_holds(setting: Setting) -> None:
    assert way_back(setting, note(1)).operation is Operation.DELETE


def test_what_was_taken_over_is_known_though_its_annotation_has_gone(setting: Setting) -> None:
    back = way_back(setting, note(), ours(setting, None))
    assert (back.operation, back.cause) == (Operation.DISOWN, Cause.RESTORED)
    assert FieldChange(("data", "key"), "1", "x") in back.changes
    damaged = way_back(setting, note(), ours(setting, "{"))
    assert (damaged.operation, damaged.cause) == (Operation.DISOWN, Cause.RESTORED)
    # The annotation of the cluster is enough: it is written with the first change.
    first = way_back(setting, None, ours(setting, note()))
    assert (first.operation, first.cause) == (Operation.DISOWN, Cause.RESTORED)


@pytest.mark.parametrize("retained", [False, True])
def test_what_was_restored_is_only_forgotten(setting: Setting, retained: bool) -> None:
    """A run was killed before the stack forgot it, or was one of the engine alone."""
    hold(setting, note(), retained=retained)
    live = restored()
    found = setting.registered(live, setting.live("b"))
    decision = setting.first(live, setting.live("b"))
    assert (decision.operation, decision.cause) == (Operation.DISOWN, Cause.FREED)
    assert decision.changes == ()
    assert released([decision]) == ()
    # The engine leaves what its stack says it shall; else it goes on holding it.
    assert is_taken_out(decision) is not retained
    assert ("a" in found) is not retained
    if not retained:
        assert (found["a"].mode, found["a"].retained) == (Mode.LEAVE, True)


def test_what_is_as_it_was_is_left_whoever_it_names(setting: Setting) -> None:
    """It was this application's before, of a backend that was lost."""
    before = ours(setting, None)
    labels = before["metadata"]["labels"]
    text = note(metadata={**GOOD["metadata"], "labels": labels}, data={"k": "v"})
    back = way_back(setting, text, {**before, "data": {"k": "v"}})
    assert (back.operation, back.cause) == (Operation.DISOWN, Cause.FREED)


@pytest.mark.parametrize("text", [*UNREADABLE, '{"revision": "shop-v9"}'])
def test_what_cannot_be_restored_is_left_and_never_deleted(setting: Setting, text: str) -> None:
    there = annotated(ours(setting, text), **{"app.oam.dev/shared-by": "default/shop"})
    back = way_back(setting, text, there)
    assert (back.operation, back.cause) == (Operation.DISOWN, Cause.UNKNOWN)
    client = Cluster(there)
    release("default/shop", released([back]), {"east": reached("east", client)})
    ((called, patch),) = client.calls
    assert (called, patch["metadata"]["labels"]["app.oam.dev/name"]) == ("merge", None)


def test_the_plan_says_what_cannot_be_restored(setting: Setting) -> None:
    writer = ObjectWriter(setting.project, Look(setting.project))
    for decision, words in (
        (way_back(setting, "{"), "what it was is not known"),
        (way_back(setting, note(), restored()), "is let go already"),
    ):
        (cluster,) = writer.clusters(["east"], [decision])
        assert words in note_of(cluster.objects[0])


def test_a_stage_that_goes_back_with_all_it_holds_restores_it_as_well(setting: Setting) -> None:
    hold(setting, note())
    application = setting.prepared().application
    record = application.records["deploy-east"]
    assert record is not None

    def decided(number: int | None) -> Decision:
        look = Look(setting.project, {"east": reached("east", Cluster(ours(setting, note())))})
        found = Removed(
            application.project_id, record, "default/shop", look, lambda _: None, number
        )
        facts = found.facts(dict, after_others=True)
        (decision,) = (each for each in map(decide, facts) if each.key.name == "a")
        return decision

    assert (decided(2).operation, decided(2).cause) == (Operation.DISOWN, Cause.RESTORED)
    # Deleting the application is no way back.
    assert decided(None).operation is Operation.DELETE


def test_restoring_leaves_what_is_never_kept(setting: Setting) -> None:
    there = annotated(ours(setting, note()), last="{}")
    back = way_back(setting, note(), there)
    client = Cluster(there)
    release("default/shop", [back], {"east": reached("east", client)})
    ((_, body),) = client.calls
    assert body["metadata"]["annotations"] == {LAST_APPLIED: "{}"}
    assert ("metadata", "annotations", LAST_APPLIED) not in [each.path for each in back.changes]


def test_what_the_cluster_has_set_since_stays(setting: Setting) -> None:
    """A claim that was taken over while it waited for its volume, and is bound by now."""
    there = annotated(ours(setting, note()), bound="yes")
    there["spec"] = {"volumeName": "vol3"}
    there = held_by(there, "kube-controller-manager", "spec.volumeName", "metadata.annotations")
    back = way_back(setting, note(), there)
    assert {change.path[0] for change in back.changes} == {"data", "metadata"}
    assert ("metadata", "annotations", "bound") not in [each.path for each in back.changes]
    client = Cluster(there)
    release("default/shop", [back], {"east": reached("east", client)})
    ((_, body),) = client.calls
    assert body["spec"] == {"volumeName": "vol3"}
    assert body["metadata"]["annotations"] == {"bound": "yes"}
    assert "labels" not in body["metadata"]


def test_of_an_interrupted_run_what_it_was_about_to_write_goes_back(setting: Setting) -> None:
    """No stack holds the object; the run's open operation says what it named."""
    hold(setting, note())
    application = setting.prepared().application
    record = application.records["deploy-east"]
    assert record is not None
    there = held_by(ours(setting, note()), "kubectl", "data.key")
    asked = {**there, "data": {"key": "1"}}
    key = ObjectKey.of("east", there)
    others = tuple(each for each in record.objects if each.key != key)
    begun = {key: RecordedObject("east", asked, ready=False)}
    pending = dataclasses.replace(record, objects=others, pending=begun, interrupted=True)
    there["data"] = {"key": "1", "more": "theirs"}
    there = held_by(there, "kubectl", "data.more")
    look = Look(setting.project, {"east": reached("east", Cluster(there))})
    gone = Removed(PROJECT_ID, pending, "default/shop", look, lambda _: None, 2)
    (decision,) = (
        each for each in map(decide, gone.facts(dict, after_others=True)) if each.key == key
    )
    assert decision.cause is Cause.RESTORED
    assert as_before(decision.facts)["data"] == {"key": "x", "more": "theirs"}


@pytest.mark.parametrize("created", [False, True])
def test_what_was_only_found_does_not_say_what_the_application_names(
    setting: Setting, created: bool
) -> None:
    """A run has taken it over and ended before its stack held it; others have gone on since."""
    before = {"data": {"key": "x", "own": "x", "parts": "x"}}
    found = with_uid({**GOOD, **before})
    hold(setting, None)
    rest = [resource("east", marked(each)) for each in setting.rendered().values()]
    read = resource("east", {}, external=True, outputs=found)
    setting.store(*rest, {**read, "urn": f"{read['urn']}%theirs"})
    there = {**ours(setting, note(**before)), "data": {"key": "1", "own": "y", "parts": "x"}}
    there = held_by(there, "kubectl", "data.own", "data.parts")
    if created:
        there = held_by(there, "pulumi-kubernetes-1", "data.key", operation="Apply")
    back = setting.first(there, setting.live("b"))
    assert (back.operation, back.cause) == (Operation.DISOWN, Cause.RESTORED)
    assert as_before(back.facts)["data"] == {"key": "x", "own": "y", "parts": "x"}
    paths = [change.path for change in back.changes]
    assert ("data", "key") in paths
    assert ("data", "own") not in paths


def test_what_was_half_taken_over_is_given_back_after_its_cluster_was_silent(
    setting: Setting,
) -> None:
    """The engine has dropped what it had read before: it cannot read it from a silent cluster."""
    before = {"data": {"key": "x"}}
    read = resource("east", {}, external=True, outputs=with_uid({**GOOD, **before}))
    del setting.values["b"]
    setting.values["a"] = "2"
    setting.store({**read, "urn": f"{read['urn']}%theirs"})
    there = annotated(setting.live(data={"key": "1"}), note=note(1, **before))
    for _ in range(2):  # it may stay silent
        setting.cluster = ClusterUnreachable("gone")
        assert setting.registered() == {}
        record = setting.prepared().application.records["deploy-east"]
        left = owed_names([*setting.decide().values()], record, ())
        assert left == ["east v1 ConfigMap default/a%theirs"]
        setting.cluster = None
        setting.store(owed=left)
    found = setting.registered(there)["a"]
    said = (found.decision.operation, found.decision.cause)
    assert said == (Operation.TAKE_OVER, Cause.INTERRUPTED)
    assert kept(found)["before"]["data"] == {"key": "x"}
    setting.values = {"b": "1"}
    back = setting.first(there)
    assert (back.operation, back.cause) == (Operation.DISOWN, Cause.RESTORED)
    assert as_before(back.facts)["data"] == {"key": "x"}
    untold = setting.first({**there, "metadata": ours(setting, None)["metadata"]})
    assert (untold.operation, untold.cause) == (Operation.DISOWN, Cause.UNKNOWN)
    # Nobody's by now: it is over.
    assert setting.decide(theirs(key="x")).keys() == {"b"}


@pytest.mark.parametrize("limits", [{"without": frozenset({"east"})}, {"only": frozenset()}])
def test_what_was_half_taken_over_stays_known_while_its_cluster_is_left_out(
    setting: Setting, limits: dict[str, frozenset[str]]
) -> None:
    """Nothing is decided of it in such a run, nor where its wave comes later."""
    read = resource("east", {}, external=True, outputs=with_uid(GOOD))
    setting.store({**read, "urn": f"{read['urn']}%theirs"})
    begin(setting, setting.rendered()["b"])
    there = annotated(setting.live(), note=note(1))
    prepared = dataclasses.replace(setting.prepared(there, setting.live("b")), **limits)
    application = prepared.application
    look = Look(setting.project, prepared.clusters)
    decisions = [decision for _, decision in decide_stage([prepared], look)]
    assert decisions == []
    known = (application.records["deploy-east"], application.delivered_keys("deploy-east"))
    names = [f"east v1 ConfigMap default/{name}" for name in ("a%theirs", "b")]
    assert owed_names(decisions, *known) == names
    assert {key.name for key in owed(decisions, *known)} == {"a", "b"}
    assert owed_names(decisions, known[0], ()) == []  # no step wants it, and it is nobody's


def test_what_it_was_is_never_what_a_half_done_take_over_has_made_of_it(setting: Setting) -> None:
    """Where nothing tells any more that a run had begun."""
    setting.policy("take-over")
    setting.values["a"] = "2"
    setting.store()
    metadata = annotated(setting.live(), note=note(1, data={"key": "2", "own": "x"}))["metadata"]
    there = setting.live(metadata=metadata, data={"key": "1", "own": "x"})
    found = setting.registered(there)["a"]
    assert (found.decision.operation, found.decision.cause) == (Operation.TAKE_OVER, None)
    assert kept(found)["before"]["data"] == {"key": "2", "own": "x"}
    shown, reverse = plan(setting, found.decision)
    assert ["data", "key"] in [[*field.path] for field in shown.fields]
    assert ["data", "key"] not in [[*field.path] for field in reverse.fields]
    # Of somebody else's object such a note says nothing.
    others = annotated(theirs(key="1"), note=note(1, data={"key": "2"}))
    assert kept(setting.registered(others)["a"])["before"]["data"] == {"key": "1"}


def test_the_fields_that_we_hold_are_told_by_their_managers() -> None:
    live = {
        "metadata": {"name": "a", "labels": {"ours": "1", "other": "1"}},
        "spec": {"parts": [{"name": "p", "image": "i", "port": 1}, {"name": "q"}], "order": [1]},
    }
    live = held_by(live, "kubectl", "metadata.labels.other", "spec.parts")
    fields: dict[str, Any] = {
        "f:metadata": {"f:labels": {"f:ours": {}}},
        "f:spec": {"f:parts": {'k:{"name":"p"}': {".": {}, "f:image": {}}}, "f:order": {}},
    }
    said = {"manager": "velapulumi", "operation": "Apply", "fieldsV1": fields}
    live["metadata"]["managedFields"].append(said)
    assert held_by_us(live) == {
        "metadata": {"labels": {"ours": "1"}},
        "spec": {"parts": [{"name": "p", "image": "i"}], "order": [1]},
    }


def test_a_secret_keeps_the_annotations_of_others(setting: Setting) -> None:
    setting.kind = "Secret"
    text = note(kind="Secret", type="Opaque")
    there = annotated(ours(setting, text), theirs="z")
    back = way_back(setting, text, there)
    assert "z" not in str(back.changes)
    client = Cluster(there)
    release("default/shop", [back], {"east": reached("east", client)})
    ((_, body),) = client.calls
    assert body["metadata"]["annotations"] == {"theirs": "z"}
    assert body["data"] == there["data"]


CHANGES: dict[str, Any] = {
    "another object": {"uid": "another"},
    "another owner": {"labels": {"app.oam.dev/name": "x", "app.oam.dev/namespace": "team"}},
    "nobody's": {"labels": {}},
    "shared by then": {"annotations": {"app.oam.dev/shared-by": "default/shop,team/x"}},
    "another note": {"annotations": {NOTE: note(8)}},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("what", ["restored", "deleted", "left"])
def test_what_is_not_what_was_decided_on_is_not_touched(
    setting: Setting, what: str, changes: Mapping[str, Any]
) -> None:
    texts = {"restored": note(), "deleted": None, "left": "{"}
    there = ours(setting, texts[what])
    hold(setting, texts[what], retained=what == "deleted")
    decision = setting.first(there, setting.live("b"))
    assert released([decision]) == (decision,)
    now = {**there, "metadata": {**there["metadata"], **changes}}
    client = Cluster(now)
    with pytest.raises(PlanChanged, match="ConfigMap default/a on east has changed since"):
        release("default/shop", [decision], {"east": reached("east", client)})
    assert client.calls == []
    same = Cluster(there)
    release("default/shop", [decision], {"east": reached("east", same)})
    assert [call for call, _ in same.calls] == [
        {"restored": "replace", "deleted": "delete", "left": "merge"}[what]
    ]


def test_only_the_fields_that_were_shown_are_restored(setting: Setting) -> None:
    there = ours(setting, note())
    back = way_back(setting, note(), there)
    client = Cluster({**there, "data": {"key": "1", "more": "y"}})
    with pytest.raises(PlanChanged, match=r"data\.more"):
        release("default/shop", [back], {"east": reached("east", client)})
    assert client.calls == []


def test_what_cannot_be_written_as_it_was_is_not_forgotten(setting: Setting) -> None:
    """The cluster does not serve the version of its kind any more."""

    class Newer(Cluster):
        def replace(self, wanted: Mapping[str, Any], manager: str) -> None:
            return None

    decision = way_back(setting, note())
    clusters = {"east": reached("east", Newer(ours(setting, note())))}
    with pytest.raises(ObjectRefused, match="it is not there as v1 any more"):
        let_go("default/shop", [decision], clusters, pytest.fail)


def test_what_others_have_left_meanwhile_is_not_deleted(setting: Setting) -> None:
    """It was shown that it is left to them."""
    shared = {"app.oam.dev/shared-by": "default/shop,team/x"}
    there = annotated(ours(setting, None), **shared)
    hold(setting, None, retained=True)
    decision = setting.first(there, setting.live("b"))
    assert (decision.operation, decision.cause) == (Operation.DISOWN, Cause.OTHERS)
    client = Cluster(annotated(there, **{"app.oam.dev/shared-by": "default/shop"}))
    with pytest.raises(PlanChanged, match="who shares it"):
        release("default/shop", [decision], {"east": reached("east", client)})
    assert client.calls == []


def test_the_stack_forgets_what_was_let_go_and_not_before(setting: Setting) -> None:
    there = ours(setting, note())
    decision = way_back(setting, note(), there)
    client = Cluster(there)
    clusters = {"east": reached("east", client)}
    let_go("default/shop", [decision], clusters, lambda gone: client.calls.append(("forget", gone)))
    assert [call for call, _ in client.calls] == ["replace", "forget"]
    changed = Cluster({**there, "metadata": {**there["metadata"], "uid": "another"}})
    with pytest.raises(PlanChanged):
        let_go("default/shop", [decision], {"east": reached("east", changed)}, pytest.fail)


class Cluster(FakeCluster):
    """A cluster that takes down what is written, each call with what it was given."""

    def replace(self, wanted: Mapping[str, Any], manager: str) -> Mapping[str, Any] | None:
        self.calls.append(("replace", wanted))
        return wanted

    def delete(self, wanted: Mapping[str, Any], version: str, *, orphans: bool = False) -> None:
        self.calls.append(("delete", version))

    def merge(self, wanted: Mapping[str, Any], patch: Mapping[str, Any]) -> None:
        self.calls.append(("merge", patch))

    def read(self, wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
        found = super().read(wanted)
        if found is None:
            return None
        return {**found, "metadata": {"resourceVersion": "7", **found["metadata"]}}
