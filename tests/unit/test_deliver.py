"""What ``up`` tells before it begins."""

from __future__ import annotations

from typing import Any

from tests.unit.helpers import (
    SEED,
    deployment,
    joined,
    kubeconfig,
    manifest,
    parsed,
    resource,
    store,
)
from velapulumi.clusters.registry import Registry
from velapulumi.delivery.deliver import deliver
from velapulumi.project import Project, StackName


class Warnings:
    """Takes down the warnings."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def warning(self, text: str) -> None:
        self.texts.append(text)


def test_a_stack_to_which_no_step_delivers_is_told(project: Project) -> None:
    for cluster in ("cluster-staging", "cluster-prod"):
        Registry(project).add(joined(cluster), parsed(kubeconfig(), project.root))
    held = deployment(resource("cluster-prod", manifest()))
    store(project, StackName("example-app", "gone"), held)
    store(project, StackName("example-app", "empty"), deployment())
    store(project, StackName("another", "gone"), held)
    file = project.root / "app.yaml"
    file.write_text(SEED.replace("steps:\n", "steps:\n      - {name: ask, type: suspend}\n"))
    reporter: Any = Warnings()
    outcome = deliver(project, file, reporter)
    assert outcome.waiting is not None
    assert [text for text in reporter.texts if "no step delivers" in text] == [
        "no step delivers to stage gone any more: what its stack example-app.gone holds stays as "
        "it is until the application is deleted"
    ]
