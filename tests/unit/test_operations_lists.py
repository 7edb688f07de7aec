"""What is decided of an object whose lists get another order: each element for itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.helpers import MANAGER
from tests.unit.setting import Setting
from velapulumi.plan.fields import FieldChange
from velapulumi.plan.operation import Operation
from velapulumi.plan.places import Named
from velapulumi.project import Project
from velapulumi.stage.operations import Decision

LIST = ("spec", "template", "spec", "containers")
C = {"name": "c", "image": "a", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
D = {"name": "d", "image": "b"}
CD, DC = [{"name": "c"}, {"name": "d"}], [{"name": "d"}, {"name": "c"}]


@pytest.fixture
def setting(project: Project) -> Setting:
    return Setting(project)


def web(*containers: dict[str, Any]) -> dict[str, Any]:
    spec = {"selector": {}, "template": {"spec": {"containers": list(containers)}}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"}, "spec": spec}


def delivered(
    setting: Setting, before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]], **more: Any
) -> Decision:
    """What is decided when a Deployment was delivered as the server has it, and changes."""
    setting.values = {}
    setting.objects = [web(*before)]
    setting.record()
    live = setting.live("w")
    keyed = {f'k:{{"name":"{each["name"]}"}}': {".": {}} for each in before}
    fields: dict[str, Any] = keyed
    for part in reversed(LIST):
        fields = {f"f:{part}": fields}
    live["metadata"]["managedFields"] = [
        {"manager": MANAGER, "operation": "Apply", "fieldsV1": fields}
    ]
    live |= more
    setting.objects = [web(*after)]
    return setting.decide(live)["w"]


def test_a_new_order_is_told_beside_what_changes_in_the_elements(setting: Setting) -> None:
    found = delivered(setting, [C, D], [D, {**C, "env": C["env"][:1], "image": "x"}])
    gone = [
        FieldChange((*LIST, 1, "env", 1, key), value, None)
        for key, value in (("name", "B"), ("value", "2"))
    ]
    image = FieldChange((*LIST, 1, "image"), "a", "x")
    assert found.operation is Operation.UPDATE
    assert found.changes == (FieldChange(LIST, CD, DC), *gone, image)
    assert found.taken == ((*LIST, Named.of("c"), "image"),)
    assert found.drift == ()


def test_a_field_is_found_behind_an_element_that_goes(setting: Setting) -> None:
    """Its position in the list is another one before and afterwards."""
    found = delivered(setting, [D, C], [{**C, "env": C["env"][:1]}])
    assert {change.place[: len(LIST) + 1] for change in found.changes} == {
        (*LIST, Named.of("c")),
        (*LIST, Named.of("d")),
    }


def test_an_order_that_others_have_made_is_put_back(setting: Setting) -> None:
    found = delivered(setting, [C, D], [C, D], spec=web(D, C)["spec"])
    assert (found.operation, found.taken, found.changes) == (Operation.MEND, (), ())
    (drifted,) = found.drift
    assert (drifted.path, drifted.live, drifted.desired) == (LIST, DC, CD)
    assert drifted.managers == ()


def test_an_order_that_others_have_made_is_what_is_wanted_by_now(setting: Setting) -> None:
    found = delivered(setting, [C, D], [D, C], spec=web(D, C)["spec"])
    assert found.operation is Operation.UPDATE
    assert found.drift == ()


def test_an_order_is_left_where_a_policy_leaves_what_others_have_made(setting: Setting) -> None:
    once = {"selector": {"resourceNames": ["w"]}, "strategy": {"path": ["*"]}}
    setting.policies = [("apply-once", {"enable": True, "rules": [once]})]
    found = delivered(setting, [C, D], [C, D], spec=web(D, C)["spec"])
    assert found.operation is Operation.LEAVE
    (drifted,) = found.drift
    assert drifted.left
    assert found.manifest["spec"]["template"]["spec"]["containers"] == [D, C]


def test_the_order_of_a_list_that_the_server_takes_as_a_whole_is_taken(setting: Setting) -> None:
    assert LIST not in delivered(setting, [C, D], [D, C]).taken
    live = setting.live("w")
    live["metadata"].pop("managedFields", None)
    found = setting.decide({**live, "spec": web(C, D)["spec"]})["w"]
    assert FieldChange(LIST, CD, DC) in found.changes
    assert LIST in found.taken
