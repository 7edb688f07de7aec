"""What is known of objects that go from one stage of an application to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.helpers import (
    PROJECT_ID,
    FakeCluster,
    deployment,
    joined,
    kubeconfig,
    marked,
    parsed,
    reached,
    resource,
    store,
)
from tests.unit.setting import words
from velapulumi.clusters.registry import Registry
from velapulumi.errors import InvalidFile, UsageProblem
from velapulumi.plan.operation import Cause, Operation
from velapulumi.program.application import Application, read_application
from velapulumi.project import Project, StackName
from velapulumi.stage.asking import ask
from velapulumi.stage.facts import decide_stage
from velapulumi.stage.look import Look
from velapulumi.stage.operations import Decision
from velapulumi.stage.prepare import prepare
from velapulumi.stage.situation import Reason

TEXT = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components:
  - name: web
    type: k8s-objects
    properties:
      objects:
      - {apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: default}}
  policies:
  - {name: east, type: topology, properties: {clusters: [east]}}
  - {name: west, type: topology, properties: {clusters: [%s], namespace: other}}
  workflow:
    steps:
    - {name: first, type: deploy, properties: {policies: [east]}}
    - {name: second, type: deploy, properties: {policies: [west]}}
"""
EAST, WEST = "first", "second"
APART, BOTH = TEXT % "west", TEXT % "east"


class Stages:
    """An application with a stage in the east and one in the west, and what they hold there."""

    def __init__(self, project: Project) -> None:
        self.project = project
        for name in ("east", "west"):
            Registry(project).add(joined(name), parsed(kubeconfig(), project.root))
        self.text = APART
        self.live: dict[str, Mapping[str, Any]] = {}

    @property
    def application(self) -> Application:
        file = self.project.root / "app.yaml"
        file.write_text(self.text)
        return read_application(self.project, file)

    def made(self, stage: str) -> dict[str, Any]:
        """The object that a stage delivers, as it is in its cluster."""
        (desired,) = (d for d in prepare(self.application, stage).desired if d.is_rendered)
        return marked(desired.entry.manifest)

    def hold(self, stage: str, cluster: str, entry: Mapping[str, Any]) -> None:
        held = deployment(resource(cluster, entry), project=PROJECT_ID)
        store(self.project, StackName("shop", stage), held)
        self.live[cluster] = entry

    def decide(self, stage: str, *, collecting: bool = False) -> dict[str, Decision]:
        """What happens to each object of a stage, by its cluster."""
        decisions, _ = self._decide(stage, collecting=collecting)
        return {decision.key.cluster: decision for decision in decisions}

    def asked(self, stage: str) -> list[str]:
        """The clusters of the objects that a stage asks about, where old ones go."""
        decisions, look = self._decide(stage, collecting=True)
        held = [each for each in decisions if each.key.cluster in self.live]
        return [key.cluster for key in ask(held, look)]

    def _decide(self, stage: str, *, collecting: bool) -> tuple[list[Decision], Look]:
        known = {
            name: reached(name, FakeCluster(*([self.live[name]] if name in self.live else [])))
            for name in ("east", "west")
        }
        prepared = prepare(self.application, stage, known, collecting=collecting)
        look = Look(self.project, known)
        return [decision for _, decision in decide_stage([prepared], look)], look


@pytest.fixture
def stages(project: Project) -> Stages:
    return Stages(project)


def test_what_another_stage_gives_up_is_handed_over(stages: Stages) -> None:
    stages.hold("old", "west", stages.made(WEST))
    found = stages.decide(WEST)["west"]
    assert found.operation is Operation.HAND_OVER
    assert found.facts.other is not None
    assert (found.facts.other.stage, found.facts.other.keeps) == ("old", False)
    stages.hold(WEST, "west", stages.made(WEST))
    assert stages.decide(WEST)["west"].operation in (Operation.NONE, Operation.UPDATE)


def test_what_another_stage_takes_is_kept_until_it_has_it(stages: Stages) -> None:
    """Held by the stage in the east, delivered by the one in the west."""
    moved = stages.made(WEST)
    stages.hold(EAST, "west", moved)
    found = stages.decide(EAST)["west"]
    assert (found.operation, found.cause) == (Operation.KEEP, Cause.PRUNE)
    found = stages.decide(EAST, collecting=True)["west"]
    assert found.operation is Operation.HAND_OVER
    assert found.facts.other is not None
    assert (found.facts.other.stage, found.facts.other.takes) == (WEST, True)
    assert stages.asked(EAST) == []  # the stage that takes it asks
    assert stages.decide(WEST)["west"].operation is Operation.HAND_OVER
    assert stages.asked(WEST) == ["west"]
    stages.hold(WEST, "west", moved)
    found = stages.decide(EAST, collecting=True)["west"]
    assert (found.operation, found.cause) == (Operation.FORGET, Cause.TAKEN)


def test_what_two_stages_would_own_is_refused(stages: Stages) -> None:
    stages.text = BOTH
    stages.hold(EAST, "east", stages.made(EAST))
    found = stages.decide(WEST)["east"]
    assert found.reason is Reason.TWO_STAGES
    assert stages.decide(EAST)["east"].operation in (Operation.NONE, Operation.UPDATE)


def test_what_two_stages_want_anew_is_refused_by_both_before_either_makes_it(
    stages: Stages,
) -> None:
    stages.text = BOTH
    for stage, other in ((EAST, WEST), (WEST, EAST)):
        found = stages.decide(stage)["east"]
        assert found.reason is Reason.TWO_STAGES
        assert f"is delivered by stage {other} too" in words(found)
    # Of two that run under conditions only one may get its turn.
    stages.text = BOTH.replace("{name: second,", "{name: second, if: status.first.failed,")
    assert stages.decide(EAST)["east"].operation is Operation.CREATE


def test_what_no_stage_holds_is_not_handed_over(stages: Stages) -> None:
    stages.hold(EAST, "east", stages.made(EAST))
    stages.live["west"] = stages.made(WEST)
    assert stages.decide(WEST)["west"].reason is Reason.UNHELD


def test_what_a_stack_holds_twice_under_two_names_of_a_cluster_is_refused(stages: Stages) -> None:
    made = stages.made(EAST)
    provider = "urn:pulumi:shop.s::p::pulumi:providers:kubernetes::"
    providers = [
        {
            "urn": provider + handle,
            "type": "pulumi:providers:kubernetes",
            "inputs": {"clusterIdentifier": "uid-east"},
        }
        for handle in ("east", "also-east")
    ]
    twice = [resource(handle, made) for handle in ("east", "also-east")]
    stack = StackName("shop", EAST)
    stages.live["east"] = made
    store(stages.project, stack, deployment(*providers, *twice, project=PROJECT_ID))
    with pytest.raises(InvalidFile) as caught:
        stages.decide(EAST)
    assert caught.value.message == (
        "stack shop.first holds ConfigMap default/web twice, under two names of cluster east; "
        "the second is also-east"
    )
    assert "pulumi state delete --stack shop.first" in (caught.value.next_step or "")
    store(stages.project, stack, deployment(*providers, twice[0], project=PROJECT_ID))
    assert stages.decide(EAST)["east"].operation in (Operation.NONE, Operation.UPDATE)


@pytest.mark.parametrize("says", [{"application": "shop", "namespace": "team"}, {}])
def test_an_application_of_the_same_name_in_another_namespace_is_refused(
    stages: Stages, says: dict[str, str]
) -> None:
    """The stack of an update that never finished has no outputs: its objects say whose it is."""
    made = stages.made(EAST)
    labels = {**made["metadata"]["labels"], "app.oam.dev/namespace": "team"}
    theirs = {**made, "metadata": {**made["metadata"], "labels": labels}}
    held = deployment(resource("east", made if says else theirs), project=PROJECT_ID, **says)
    store(stages.project, StackName("shop", EAST), held)
    with pytest.raises(UsageProblem, match="hold application team/shop, and") as caught:
        _ = stages.application
    assert "velapulumi delete shop" in (caught.value.next_step or "")
    stages.hold(EAST, "east", made)
    assert stages.application.full_name == "default/shop"
