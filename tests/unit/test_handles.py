"""What a stack calls its clusters, and which clusters those are today."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.helpers import deployment, manifest, resource
from tests.unit.setting import Setting
from velapulumi.engine.deployment import record_of
from velapulumi.engine.handles import handles_of, names_of
from velapulumi.engine.record import StageRecord
from velapulumi.project import Project

PROVIDER: dict[str, Any] = {
    "type": "pulumi:providers:kubernetes",
    "urn": "urn:pulumi:shop.s::p::pulumi:providers:kubernetes::east",
    "inputs": {"clusterIdentifier": "uid-1"},
}


def held() -> StageRecord:
    """A stack that has objects on a cluster which was ``east`` first and is ``west`` now."""
    document = deployment(PROVIDER, resource("east", manifest()))
    return record_of(document, lambda handle, uid: "west")


@pytest.mark.parametrize(
    ("clusters", "handles"),
    [
        (["west"], {"west": "east"}),
        (["west", "north"], {"west": "east", "north": "north"}),
        (["west", "east"], {"west": "east", "east": "east-2"}),
        (["west", "east", "east-2"], {"west": "east", "east": "east-2", "east-2": "east-2-2"}),
    ],
)
def test_a_stack_keeps_what_it_calls_a_cluster(clusters: list[str], handles: Any) -> None:
    assert handles_of(held(), clusters) == handles
    assert names_of(held(), clusters) == {handle: name for name, handle in handles.items()}


def test_clusters_that_a_stack_only_leaves_have_names_too() -> None:
    assert names_of(held()) == {"east": "west"}
    assert names_of(None, ["north"]) == {"north": "north"}
    assert names_of(None) == {}


def test_a_stage_speaks_of_a_renamed_cluster_by_its_name_now(project: Project) -> None:
    setting = Setting(project)
    provider = {
        **PROVIDER,
        "urn": PROVIDER["urn"].replace("::east", "::old"),
        "inputs": {"clusterIdentifier": "uid-east"},
    }
    setting.store(provider, resource("old", manifest()))
    prepared = setting.prepared()
    keys = [desired.key for desired in prepared.desired]
    assert prepared.cluster_names(keys) == {"old": "east"}
    assert prepared.handles(keys) == {"east": "old"}
