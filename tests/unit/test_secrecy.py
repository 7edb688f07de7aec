"""What is said of a Secret is said without its values."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from tests.unit.setting import Setting
from velapulumi.clusters.secrecy import HIDDEN, hiding, is_secret_value
from velapulumi.plan.fields import FieldChange
from velapulumi.project import Project
from velapulumi.render.rules import LAST_APPLIED
from velapulumi.stage.masking import Mask


def secret(**content: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, **content}


SAID: dict[str, tuple[dict[str, Any], str, str]] = {
    "a number": ({"pw": 314159}, "expected string, got {Value:314159}", "{Value:#}"),
    "too large": ({"pw": 10**25 + 7 * 10**24}, "got 1.7e+25", "got #"),
    "far too large": ({"pw": 10**400}, f"got {10**400}", "got #"),
    "a truth": ({"pw": True}, "got true", "got #"),
    "nested": ({"pw": {"a": ["hunter2"]}}, 'map[string]interface {}{"a":"hunter2"}', '"#"'),
    "in base64": ({"pw": "hunter2"}, "got aHVudGVyMg==", "got #"),
    "quoted": ({"pw": 'a"b\nc'}, 'got "a\\"b\\nc"', 'got "#"'),
    "with a line's end": ({"pw": "hunter2\n"}, "got hunter2.", "got #."),
    "the longer one": ({"a": "hunter", "b": "hunter-2"}, "got hunter-2", "got #"),
    "what looks hidden": ({"a": "secret", "b": "hunter2"}, "got hunter2", "got #"),
    "no part of a word": ({"pw": "1"}, "v1: got 1", "v1: got #"),
    "no word itself": ({"pw": "-hunter2="}, "got pw-hunter2=x", "got pw#x"),
    "nothing": ({"pw": "", "more": None}, "got  nothing", "got  nothing"),
}


@pytest.mark.parametrize(("values", "said", "shown"), SAID.values(), ids=SAID)
@pytest.mark.parametrize("place", ["data", "stringData", "stringdata"])
def test_no_value_is_in_words(place: str, values: Any, said: str, shown: str) -> None:
    hide = hiding([None, secret(**{place: values})])
    assert shown.replace("#", HIDDEN) in hide(said)
    assert "hunter" not in hide(said)
    assert "aHVudGVyMg" not in hide(said)


def test_a_value_that_was_encoded_is_not_told_in_plain_either() -> None:
    encoded = b64encode(b"hunter2").decode()
    assert hiding([secret(data={"pw": encoded})])(f"{encoded}: hunter2") == f"{HIDDEN}: {HIDDEN}"


def test_what_is_no_secret_is_told() -> None:
    config = {**secret(data={"a": "hunter2"}, type="hunter2"), "kind": "ConfigMap"}
    assert hiding([config, secret(type="hunter2")])("hunter2") == "hunter2"


def test_at_the_top_of_a_secret_all_else_counts_as_values() -> None:
    for key in ("data", "stringData", "stringdata", "date"):
        assert is_secret_value("Secret", (key, "a"))
        assert not is_secret_value("ConfigMap", (key, "a"))
    assert is_secret_value("Secret", LAST_APPLIED)
    for key in ("apiVersion", "kind", "metadata", "type", "immutable"):
        assert not is_secret_value("Secret", (key,))


def test_what_an_earlier_version_has_delivered_of_it_goes_unseen(project: Project) -> None:
    setting = Setting(project)
    setting.kind, setting.values = "Secret", {"a": "aHVudGVyMg=="}
    noted = {**setting.rendered()["a"]["metadata"], "annotations": {LAST_APPLIED[-1]: "hunter2"}}
    setting.record(a={"metadata": noted})
    decision = setting.first(setting.live(metadata={**setting.live()["metadata"], **noted}))
    assert [each for each in decision.changes if each.path == LAST_APPLIED] == [
        FieldChange(LAST_APPLIED, HIDDEN, None)
    ]


@pytest.mark.parametrize("value", [{"a": "hunter2"}, "hunter2", ["hunter2"]])
def test_a_misspelt_field_is_hidden_and_compared(project: Project, value: Any) -> None:
    mask = Mask(project)
    found = mask.hide(secret(stringdata=value))
    assert mask.name
    assert "hunter2" not in str(found)
    assert found == mask.hide(secret(stringdata=value))
    assert found != mask.hide(secret(stringdata={"a": "hunter3"}))
