"""Which of its steps a stage has come to, and what counts as delivered then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.helpers import FakeCluster, deployment, joined, kubeconfig, parsed, reached, store
from tests.unit.test_desired import TWICE
from velapulumi.clusters.registry import Registry
from velapulumi.errors import ObjectMissing
from velapulumi.program.prepare import Application, Prepared, prepare, read_application
from velapulumi.project import Project, StackName

OTHER = "shop-v9:0123456789abcdef"


@pytest.fixture
def application(project: Project) -> Application:
    """One stage with the steps ``canary`` and ``all``, not delivered yet."""
    Registry(project).add(joined("east"), parsed(kubeconfig(), project.root))
    file = project.root / "app.yaml"
    file.write_text(TWICE)
    return read_application(project, file)


def held(application: Application, **steps: str) -> Application:
    """The application when its steps hold revisions; ``now`` stands for its own."""
    now = str(application.revision)
    recorded = {name: now if text == "now" else text for name, text in steps.items()}
    stack = StackName("shop", "canary")
    store(application.project, stack, deployment(steps=recorded))
    found = application.reread()
    return replace(found, revision=application.revision)


def at(application: Application, index: int) -> Prepared:
    stage = application.workflow.stages["canary"]
    return Prepared(application, stage, stage.steps[index], {})


@pytest.mark.parametrize(
    ("steps", "index", "images", "delivered"),
    [
        ({}, 0, ["i"], {"canary": "now"}),
        ({}, 1, ["new", "i"], {"all": "now"}),
        ({"canary": "now"}, 0, ["i"], {"canary": "now"}),
        ({"canary": "now"}, 1, ["new", "i"], {"canary": "now", "all": "now"}),
        ({"canary": OTHER}, 1, ["new", "i"], {"canary": OTHER, "all": "now"}),
        ({"canary": "now", "all": "now"}, 0, ["new", "i"], {"canary": "now", "all": "now"}),
        ({"canary": OTHER, "all": OTHER}, 0, ["i"], {"canary": "now", "all": OTHER}),
        ({"canary": OTHER, "all": "now"}, 0, ["i"], {"canary": "now"}),
        ({"canary": "now", "all": OTHER}, 0, ["i"], {"canary": "now", "all": OTHER}),
    ],
)
def test_a_stage_goes_no_further_than_its_step_has_come(
    application: Application,
    steps: dict[str, str],
    index: int,
    images: list[str],
    delivered: dict[str, str],
) -> None:
    found = at(held(application, **steps), index)
    containers = [
        desired.entry.manifest["spec"]["template"]["spec"]["containers"][0]["image"]
        for desired in found.desired
    ]
    assert containers == images
    now = str(application.revision)
    assert found.delivered == {n: now if t == "now" else t for n, t in delivered.items()}


@pytest.mark.parametrize(
    ("steps", "step"),
    [
        ({}, "canary"),
        ({"canary": "now"}, "all"),
        ({"canary": "now", "all": OTHER}, "all"),
        ({"canary": "now", "all": "now"}, "all"),
        ({"canary": OTHER, "all": "now"}, "canary"),
    ],
)
def test_by_hand_the_first_step_that_is_not_done_is_next(
    application: Application, steps: dict[str, str], step: str
) -> None:
    assert prepare(held(application, **steps), "canary").step.name == step


def test_a_namespace_that_is_not_there_is_refused(application: Application) -> None:
    class NoNamespace(FakeCluster):
        def read(self, wanted: Mapping[str, Any]) -> None:
            return None

    found = replace(at(application, 0), clusters={"east": reached("east", NoNamespace())})
    with pytest.raises(ObjectMissing) as caught:
        found.check_namespaces()
    assert str(caught.value) == "namespace default does not exist on east"
    assert caught.value.next_step == "Create it there: kubectl create namespace default"
    replace(found, clusters={"east": reached("east", FakeCluster())}).check_namespaces()
