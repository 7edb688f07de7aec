"""What is told of the engine's events."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from velapulumi.engine.events import Listener
from velapulumi.plan.objects import ObjectKey

URN = "urn:pulumi:shop.prod::p::kubernetes:apps/v1:Deployment::east/default/web"
GIVEN_UP = "no longer in the stack"


def event(**parts: Any) -> Any:
    empty = {"diagnostic_event": None, "resource_pre_event": None, "res_outputs_event": None}
    return SimpleNamespace(**{**empty, **parts})


def diagnostic(
    text: str, severity: str = "error", *, urn: str = URN, ephemeral: bool = False
) -> Any:
    found = SimpleNamespace(message=text, severity=severity, urn=urn, ephemeral=ephemeral)
    return event(diagnostic_event=found)


def step(operation: Any, kind: str = "kubernetes:apps/v1:Deployment", urn: str = URN) -> Any:
    return SimpleNamespace(metadata=SimpleNamespace(op=operation, type=kind, urn=urn))


def told(*events: Any) -> tuple[list[str], str]:
    lines: list[str] = []
    listener = Listener(lines.append, {})
    for entry in events:
        listener.on_event(entry)
    return lines, listener.errors


def test_errors_are_kept_once_in_order() -> None:
    lines, errors = told(
        diagnostic("second of two\n"), diagnostic("first"), diagnostic("  second of two")
    )
    assert lines == []
    assert errors == "second of two\nfirst"


@pytest.mark.parametrize(
    "text", ["update failed", "preview failed", "an unhandled error occurred: x", "", " \n"]
)
def test_an_echo_of_an_error_is_none(text: str) -> None:
    assert told(diagnostic(text)) == ([], "")


@pytest.mark.parametrize("severity", ["info", "warning", "debug", "info#err"])
def test_other_severities_are_no_errors(severity: str) -> None:
    assert told(diagnostic("words", severity)) == ([], "")


def test_the_values_of_secrets_that_are_written_are_not_told() -> None:
    lines: list[str] = []
    written = [None, {"kind": "Secret", "stringData": {"pw": "hunter2"}}]
    listener = Listener(lines.append, {}, written=written)
    listener.on_event(diagnostic("creation failed: got hunter2"))
    listener.on_event(diagnostic("Retry #0; got hunter2", "info", ephemeral=True))
    assert listener.errors == "creation failed: got [secret]"
    assert lines == ["Deployment web on east: Retry #0; got [secret]"]


def test_errors_of_an_operation_before_are_forgotten() -> None:
    listener = Listener(lambda text: None, {})
    listener.on_event(diagnostic("old"))
    listener.clear()
    assert listener.errors == ""
    listener.on_event(diagnostic("new"))
    assert listener.errors == "new"


def test_what_an_object_waits_for_is_told_and_noise_is_not() -> None:
    lines, errors = told(
        diagnostic("waiting for app to be available (0/1)", "info", ephemeral=True),
        diagnostic("ScalingReplicaSet: Scaled up", "info", ephemeral=True),
        diagnostic("[MinimumReplicasUnavailable] no", "info", ephemeral=True),
        diagnostic("of the whole stack", "info", urn="", ephemeral=True),
    )
    assert lines == ["Deployment web on east: waiting for app to be available (0/1)"]
    assert errors == ""


@pytest.mark.parametrize(
    ("operation", "doing", "done"),
    [
        ("create", "creating", "created"),
        ("update", "updating", "updated"),
        ("delete", "deleting", "deleted"),
        ("create-replacement", "creating", "created"),
        (SimpleNamespace(value="create"), "creating", "created"),
    ],
)
def test_each_step_of_an_object_is_a_line(operation: Any, doing: str, done: str) -> None:
    lines, _ = told(
        event(resource_pre_event=step(operation)), event(res_outputs_event=step(operation))
    )
    assert lines == [f"Deployment web on east: {w}" for w in (doing, done)]


@pytest.mark.parametrize(("left", "word"), [(True, GIVEN_UP), (False, "deleted")])
def test_what_is_only_forgotten_is_not_called_deleted(left: bool, word: str) -> None:
    old = SimpleNamespace(retain_on_delete=left)
    metadata = SimpleNamespace(op="delete", type="kubernetes:apps/v1:Deployment", urn=URN, old=old)
    gone = SimpleNamespace(metadata=metadata)
    lines, _ = told(event(resource_pre_event=gone), event(res_outputs_event=gone))
    before = [] if left else ["Deployment web on east: deleting"]
    assert lines == [*before, f"Deployment web on east: {word}"]


def test_what_is_live_already_is_not_called_created() -> None:
    taken = step("create")
    lines: list[str] = []
    listener = Listener(
        lines.append, {}, [ObjectKey("east", "default", "Deployment", "web", "apps")]
    )
    for found in (event(resource_pre_event=taken), event(res_outputs_event=taken)):
        listener.on_event(found)
    assert lines == [f"Deployment web on east: {word}" for word in ("taking over", "taken over")]


@pytest.mark.parametrize(
    "found",
    [
        step("same"),
        step("read"),
        step("replace"),
        step("delete-replaced"),
        step("create", "pulumi:pulumi:Stack"),
        step("create", "pulumi:providers:kubernetes"),
    ],
)
def test_other_steps_are_no_line(found: Any) -> None:
    assert told(event(resource_pre_event=found), event(res_outputs_event=found)) == ([], "")


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("east/default/web", "Namespace web on east"),
        ("east/shop", "Namespace shop on east"),
        ("east", "east"),
    ],
)
def test_an_object_is_named_with_its_cluster(name: str, subject: str) -> None:
    urn = f"urn:pulumi:shop.prod::p::kubernetes:core/v1:Namespace::{name}"
    lines, _ = told(event(resource_pre_event=step("create", urn=urn)))
    assert lines == [f"{subject}: creating"]


def test_errors_are_told_apart_by_cluster() -> None:
    listener = Listener(lambda text: None, {})
    west = URN.replace("::east/", "::west/")
    provider = "urn:pulumi:shop.prod::p::pulumi:providers:kubernetes::east"
    for text, urn in (("a", URN), ("b", west), ("a", URN), ("c", URN), ("d", provider), ("e", "")):
        listener.on_event(diagnostic(text, urn=urn))
    assert listener.errors_of("east") == "a\nc"
    assert listener.errors_of("west") == "b"
    assert listener.errors_of("north") == ""
    assert listener.errors_of("") == "d\ne"
    assert listener.errors == "a\nb\nc\nd\ne"
    listener.clear()
    assert (listener.errors_of("east"), listener.errors_of("")) == ("", "")


def test_a_renamed_cluster_is_told_of_by_the_name_that_it_has_now() -> None:
    """The stack goes on calling it what it called it first."""
    lines: list[str] = []
    present = [ObjectKey("west", "default", "Deployment", "web", "apps")]
    listener = Listener(lines.append, {"east": "west"}, present)
    for found in (
        event(res_outputs_event=step("create")),
        diagnostic("late", "info", ephemeral=True),
    ):
        listener.on_event(found)
    listener.on_event(diagnostic("broken"))
    assert lines == ["Deployment web on west: taken over", "Deployment web on west: late"]
    assert (listener.errors_of("west"), listener.errors_of("east")) == ("broken", "")
