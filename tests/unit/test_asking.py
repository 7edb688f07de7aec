"""What clusters are asked before they are written to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.unit.helpers import FakeCluster, reached
from tests.unit.setting import Setting
from velapulumi.clusters.client import DryRun
from velapulumi.errors import AccessDenied, ObjectRefused
from velapulumi.project import Project
from velapulumi.stage.asking import Answer, ask, field_path, refused_by
from velapulumi.stage.facts import decide_stage
from velapulumi.stage.look import Look


class Asked(FakeCluster):
    """A cluster that refuses what it is asked, as far as it is not forced."""

    def __init__(self, error: Exception | None, *live: Mapping[str, Any]) -> None:
        super().__init__(*live)
        self.refusal = error
        self.asked: list[tuple[str, bool]] = []
        self.result: Mapping[str, Any] = {}
        self.warnings: tuple[str, ...] = ()

    def dry_run(self, wanted: Mapping[str, Any], manager: str, *, force: bool = False) -> DryRun:
        self.asked.append((wanted["metadata"]["name"], force))
        if self.refusal and not force:
            raise self.refusal
        return DryRun({**wanted, **self.result}, self.warnings)


@pytest.fixture
def setting(project: Project) -> Setting:
    return Setting(project)


def asked(setting: Setting, cluster: Asked) -> dict[str, Answer]:
    setting.cluster = reached("east", cluster)
    prepared = setting.prepared()
    look = Look(setting.project, prepared.clusters)
    decisions = [decision for _, decision in decide_stage([prepared], look)]
    return {key.name: answer for key, answer in ask(decisions, look).items()}


def conflict(field: str) -> ObjectRefused:
    return ObjectRefused(
        f'cluster east refuses a change: conflict with "kubectl": {field}',
        status=409,
        reason="Conflict",
        causes=((field, 'conflict with "kubectl"'),),
    )


def test_only_what_will_be_written_is_asked(setting: Setting) -> None:
    setting.record("a")
    cluster = Asked(None, setting.live("a"))
    assert asked(setting, cluster) == {"b": Answer()}
    assert cluster.asked == [("b", False)]


def test_a_refusal_is_passed_on_in_the_words_of_the_server(setting: Setting) -> None:
    error = ObjectRefused("cluster east refuses a change: quota exceeded", status=403)
    answers = asked(setting, Asked(error))
    (found,) = refused_by(answers)  # type: ignore[arg-type]
    assert isinstance(found, ObjectRefused)
    assert found.message.splitlines() == [
        "ConfigMap default/a on east: quota exceeded",
        "ConfigMap default/b on east: quota exceeded",
    ]
    assert answers["a"].remarks == ("refused: quota exceeded",)


@pytest.mark.parametrize(("status", "remarks"), [(422, ("refused: spec is immutable",)), (409, ())])
def test_the_way_back_of_what_was_taken_over_is_asked_too(
    setting: Setting, status: int, remarks: tuple[str, ...]
) -> None:
    """It would fail after the rest was written; a change meanwhile is found when it is written."""

    class Fixed(Asked):
        def replace(
            self, wanted: Mapping[str, Any], manager: str, *, dry_run: bool = False
        ) -> None:
            assert dry_run
            self.asked.append((wanted["data"]["key"], False))
            raise ObjectRefused("east refuses a change: spec is immutable", status=status)

    before = {**setting.rendered()["a"], "data": {"key": "old"}}
    note = {"velapulumi.dev/taken-over": json.dumps({"revision": "shop-v9", "before": before})}
    live = setting.live()
    live["metadata"]["annotations"] = note
    setting.record("a")
    del setting.values["a"]
    setting.collecting = True
    cluster = Fixed(None, live)
    answers = asked(setting, cluster)
    assert answers["a"].remarks == remarks
    assert bool([*refused_by(answers)]) is bool(remarks)  # type: ignore[arg-type]
    assert sorted(cluster.asked) == [("b", False), ("old", False)]


def test_what_cannot_be_asked_is_said_and_does_not_stop(setting: Setting) -> None:
    text = 'admission webhook "w" does not support dry run'
    answers = asked(setting, Asked(ObjectRefused(f"cluster east: {text}", status=400)))
    assert answers["a"] == Answer((f"not asked: cluster east: {text}",))


def test_what_only_the_engine_holds_is_no_conflict(setting: Setting) -> None:
    """It updates a CustomResourceDefinition by another request than it applies with."""
    setting.record("a")
    setting.values["a"] = "2"
    live = setting.live()
    ours = ObjectRefused(
        "cluster east refuses a change: Apply failed with 1 conflict",
        status=409,
        reason="Conflict",
        causes=((".data.key", 'conflict with "pulumi-kubernetes-1a2b" using v1'),),
    )
    cluster = Asked(ours, live)
    assert asked(setting, cluster)["a"].error is None
    assert cluster.asked[:2] == [("a", False), ("a", True)]


def test_what_needs_a_kind_that_changes_in_the_delivery_is_not_asked(setting: Setting) -> None:
    """The server would hold it against the schema that it has now."""
    names = {"kind": "Widget", "plural": "widgets"}
    spec = {"group": "example.org", "names": names, "versions": [{"name": "v1", "served": True}]}
    setting.values, setting.objects = (
        {},
        [
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": "crd"},
                "spec": spec,
            },
            {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "widget"}},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "account"}},
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "pod"},
                "spec": {"serviceAccountName": "account"},
            },
        ],
    )
    too_early = ("not asked: this delivery changes what it needs first",)
    answers = asked(setting, Asked(None))
    assert {name for name, each in answers.items() if each.remarks == too_early} == {
        "widget",
        "pod",
    }
    # A later stage is told of what the stages before bring.
    found = setting.decide()
    look = Look(setting.project, {"east": reached("east", Asked(None))})
    (alone,) = ask([found["widget"]], look).values()
    (later,) = ask([found["widget"]], look, [found["crd"]]).values()
    assert (alone.remarks, later.remarks) == ((), too_early)


def test_a_missing_right_stops(setting: Setting) -> None:
    denied = AccessDenied("configmaps is forbidden")
    assert asked(setting, Asked(denied))["a"] == Answer((f"not asked: {denied}",), denied)


def test_what_the_cluster_would_set_otherwise_is_said(setting: Setting) -> None:
    cluster = Asked(None)
    cluster.result = {"data": {"key": "mutated"}}
    cluster.warnings = ("old version",)
    assert asked(setting, cluster)["a"].remarks == (
        "warning: old version",
        "the cluster would set data.key to 'mutated' instead of '1'",
    )


@pytest.mark.parametrize(("field", "forced"), [(".data.key", True), (".data.other", False)])
def test_only_fields_that_are_taken_are_asked_for_by_force(
    setting: Setting, field: str, forced: bool
) -> None:
    """What the person was not shown as taken conflicts in the plan, as it would in the engine."""
    setting.record()
    setting.takes_fields = True
    live = [held(setting.live(name), "data.key") for name in setting.values]
    setting.values["a"] = "2"
    cluster = Asked(conflict(field), *live)
    answer = asked(setting, cluster)["a"]
    assert [force for name, force in cluster.asked if name == "a"] == [False, True][: 1 + forced]
    assert (answer.error is None) is forced


def held(entry: Mapping[str, Any], path: str) -> dict[str, Any]:
    """An object of which ``kubectl`` holds a field."""
    fields: dict[str, Any] = {}
    for key in reversed(path.split(".")):
        fields = {f"f:{key}": fields}
    manager = {"manager": "kubectl", "operation": "Update", "fieldsV1": fields}
    metadata = {**entry["metadata"], "managedFields": [manager]}
    return {**entry, "metadata": metadata}


LIVE = {
    "metadata": {"labels": {"a.b/c": "1"}, "finalizers": ["x", "y"]},
    "spec": {"containers": [{"name": "web", "image": "a"}, {"name": "log", "image": "b"}]},
}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (".spec.replicas", ("spec", "replicas")),
        ('.spec.containers[name="log"].image', ("spec", "containers", 1, "image")),
        (".spec.containers[1].image", ("spec", "containers", 1, "image")),
        ('.spec.containers[name="gone"].image', ("spec", "containers", -1, "image")),
        (".metadata.labels.a.b/c", ("metadata", "labels", "a.b/c")),
        ('.metadata.finalizers[="y"]', ("metadata", "finalizers", 1)),
    ],
)
def test_a_field_is_found_as_the_server_writes_it(text: str, path: Sequence[str | int]) -> None:
    assert field_path(text, LIVE) == path
