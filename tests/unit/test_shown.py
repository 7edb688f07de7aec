"""What was shown before a delivery is done, or less of it, and nothing else."""

from __future__ import annotations

import pytest

from tests.unit.setting import Setting
from velapulumi.errors import ClusterUnreachable, PlanChanged
from velapulumi.plan.operation import Operation
from velapulumi.project import Project
from velapulumi.stage.shown import check_shown, shown_of


@pytest.fixture
def setting(project: Project) -> Setting:
    found = Setting(project)
    found.objects = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "c"},
            "data": {"x": "1", "y": "1"},
        }
    ]
    found.record()
    return found


def test_what_is_as_it_was_shown_or_less_is_done(setting: Setting) -> None:
    live = setting.all_live()
    drifted = setting.live("c", data={"x": "9", "y": "9"})
    shown = shown_of(setting.decide(*live, drifted).values())
    assert {key.name: operation for key, (operation, _) in shown.items()} == {"c": Operation.MEND}
    for there in (drifted, setting.live("c", data={"x": "9", "y": "1"}), setting.live("c")):
        check_shown([*setting.decide(*live, there).values()], shown)
    check_shown([*setting.decide().values()], None)


def test_what_was_not_shown_is_refused_and_named(setting: Setting) -> None:
    live = setting.all_live()
    shown = shown_of(setting.decide(*live, setting.live("c", data={"x": "9", "y": "1"})).values())
    more = setting.decide(*live, setting.live("c", data={"x": "9", "y": "9"}))
    with pytest.raises(PlanChanged) as caught:
        check_shown([*more.values()], shown)
    assert caught.value.message.splitlines() == [
        "the clusters have changed since the plan was shown:",
        "  - ConfigMap default/c on east: data.y would change, too",
    ]
    gone = setting.decide(setting.live("a"), setting.live("b"))
    with pytest.raises(PlanChanged, match="c on east: shown was mend, now it is create"):
        check_shown([*gone.values()], shown)
    with pytest.raises(PlanChanged, match="c on east: shown was none, now it is mend"):
        check_shown([*more.values()], {})


def test_what_a_silent_cluster_owes_may_be_made_and_never_deleted(setting: Setting) -> None:
    live = setting.all_live()
    setting.cluster = ClusterUnreachable("cluster east cannot be reached")
    silent = [*setting.decide().values()]
    setting.cluster = None
    assert {each.operation for each in silent} == {Operation.OWED}
    owed = shown_of(silent)
    made = setting.decide(setting.live("a"), setting.live("b"))
    check_shown([*made.values()], owed)
    check_shown(silent, shown_of(made.values()))  # it fell silent since: nothing is written
    setting.collecting = True
    del setting.values["a"]
    with pytest.raises(PlanChanged, match="a on east: shown was owed, now it is delete"):
        check_shown([*setting.decide(*live).values()], owed)
