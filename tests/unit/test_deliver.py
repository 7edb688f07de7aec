"""What ``up`` tells before it begins."""

from __future__ import annotations

from typing import Any

import pytest

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
from velapulumi.errors import RunEnded
from velapulumi.gate.file import read_gate
from velapulumi.gate.journal import Journal, told
from velapulumi.project import Project, StackName
from velapulumi.workflow.entries import Entry, Kind

ASKING = SEED.replace("steps:\n", "steps:\n      - {name: ask, type: suspend}\n")
KEEPING = """\
    - name: keep
      type: garbage-collect
      properties: {rules: [{selector: {resourceNames: [web]}, strategy: onAppDelete}]}
"""


class Reporter:
    """Takes down the warnings and what else it is told of."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.told: list[str] = []

    def warning(self, text: str) -> None:
        self.texts.append(text)

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.told.append(name)


@pytest.fixture
def seeded(project: Project) -> Project:
    """A project with the clusters of the seed's application."""
    for cluster in ("cluster-staging", "cluster-prod"):
        Registry(project).add(joined(cluster), parsed(kubeconfig(), project.root))
    return project


def up(project: Project, text: str) -> tuple[Any, Any]:
    file = project.root / "app.yaml"
    file.write_text(text)
    reporter: Any = Reporter()
    return deliver(project, file, reporter), reporter


@pytest.mark.parametrize(
    ("policy", "what"),
    [
        (
            "",
            "is deleted when the workflow has succeeded, but for what other stages take over",
        ),
        (KEEPING, "stays as it is until the application is deleted"),
    ],
)
def test_a_stack_to_which_no_step_delivers_is_told(seeded: Project, policy: str, what: str) -> None:
    whose = {"application": "example-app", "namespace": "default"}
    held = deployment(resource("cluster-prod", manifest()), **whose)
    store(seeded, StackName("example-app", "gone"), held)
    store(seeded, StackName("example-app", "empty"), deployment())
    store(seeded, StackName("another", "gone"), held)
    outcome, reporter = up(seeded, ASKING.replace("policies:\n", f"policies:\n{policy}"))
    assert [step.name for step in outcome.waiting] == ["ask"]
    assert outcome.changed == ()
    assert [text for text in reporter.texts if "no step delivers" in text] == [
        f"no step delivers to stage gone any more: what its stack example-app.gone holds {what}"
    ]


def test_a_run_begins_in_gate_file_and_journal(seeded: Project) -> None:
    outcome, reporter = up(seeded, ASKING)
    gate = read_gate(seeded.gate_file("example-app"), "example-app")
    assert (gate.current, gate.run) == (str(outcome.application.revision), 1)
    begin, start = told(seeded.journal_file("example-app"))
    assert (begin.kind, begin.revision, begin.run) == (Kind.BEGIN, gate.current, 1)
    assert begin.by
    assert (start.kind, start.step, start.phase) == (Kind.START, "ask", "suspending")
    assert (reporter.told[0], reporter.told[-1]) == ("begins", "ends")
    kept = seeded.revision_file("example-app", outcome.application.revision.name)
    assert kept.read_text() == ASKING


def test_a_run_that_only_waits_writes_nothing_more(seeded: Project) -> None:
    up(seeded, ASKING)
    before = seeded.journal_file("example-app").read_bytes()
    outcome, _ = up(seeded, ASKING)
    assert [step.name for step in outcome.waiting] == ["ask"]
    assert seeded.journal_file("example-app").read_bytes() == before


def test_a_run_that_somebody_has_ended_is_refused(seeded: Project) -> None:
    up(seeded, ASKING)
    path = seeded.journal_file("example-app")
    Journal(path).append(Entry(at=1, kind=Kind.TERMINATE, by="ann"))
    before = path.read_bytes()
    with pytest.raises(RunEnded) as caught:
        up(seeded, ASKING)
    assert caught.value.message == "the workflow of example-app is terminated"
    assert caught.value.next_step == "Begin anew with: velapulumi workflow restart example-app"
    assert path.read_bytes() == before
