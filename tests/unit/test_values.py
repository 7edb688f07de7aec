"""What components publish, and which stages have to know it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.helpers import FakeCluster, deployment, joined, kubeconfig, parsed, reached, store
from velapulumi.clusters.registry import Registry
from velapulumi.errors import InvalidApplication
from velapulumi.program.application import Application, read_application
from velapulumi.project import Project, StackName
from velapulumi.stage.prepare import Prepared, prepare

SHARED = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components:
  - name: web
    type: worker
    properties: {image: i}
    inputs: [{from: host, parameterKey: image}]
  - name: db
    type: worker
    properties: {image: i}
    outputs: [{name: host, valueFrom: output.metadata.name}]
  - {name: extra, type: worker, properties: {image: i}}
  policies:
  - {name: east, type: topology, properties: {clusters: [east]}}
  - {name: west, type: topology, properties: {clusters: [west]}}
  - {name: extra, type: override, properties: {selector: [extra]}}
  - {name: db, type: override, properties: {selector: [db]}}
  - {name: web, type: override, properties: {selector: [web]}}
  - {name: both, type: override, properties: {selector: [db, web]}}
  workflow:
    steps:
"""


def step(name: str, *policies: str) -> str:
    listed = ", ".join(policies)
    return f"    - {{name: {name}, type: deploy, properties: {{policies: [{listed}]}}}}\n"


def application(project: Project, text: str) -> Application:
    for cluster in ("east", "west"):
        Registry(project).add(joined(cluster), parsed(kubeconfig(), project.root))
    file = project.root / "app.yaml"
    file.write_text(text)
    return read_application(project, file)


def live(name: str) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}}


def images(prepared: Prepared) -> dict[str, str]:
    return {
        desired.entry.component: container["image"]
        for desired in prepared.desired
        for container in desired.entry.manifest["spec"]["template"]["spec"]["containers"]
    }


def test_a_later_step_knows_the_inputs_of_the_earlier_ones_of_its_stage(project: Project) -> None:
    text = SHARED + step("first", "east", "both") + step("second", "east", "extra")
    found = application(project, text)
    now = str(found.revision)
    store(project, StackName("shop", "first"), deployment(revision=now, steps={"first": now}))
    found = found.reread()
    (stage,) = found.workflow.stages.values()
    clusters = {"east": reached("east", FakeCluster(live("db")))}
    prepared = Prepared(found, stage, stage.steps[1], clusters)
    assert images(prepared) == {"db": "i", "web": "db", "extra": "i"}
    assert prepared.holding.pending == ()
    assert prepared.has_inputs


def test_a_step_behind_which_the_stage_has_come_needs_the_clusters_between(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "velapulumi.stage.prepare.reach",
        lambda _, names: {name: reached(name, FakeCluster(live("db"))) for name in names},
    )
    text = SHARED + step("a", "east", "extra") + step("b", "west", "db") + step("c", "east", "web")
    found = application(project, text)
    now = str(found.revision)
    store(project, StackName("shop", "a"), deployment(revision=now, steps={"a": now, "c": now}))
    found = found.reread()
    prepared = prepare(found, "a", {}, found.workflow.steps[0])
    assert sorted(prepared.clusters) == ["east", "west"]
    assert images(prepared) == {"extra": "i", "web": "db"}


def test_values_that_do_not_go_together_are_told_at_the_component(project: Project) -> None:
    text = SHARED.replace("output.metadata.name", "output.metadata.generation + output.kind")
    found = application(project, text + step("all", "east"))
    (stage,) = found.workflow.stages.values()
    cluster = FakeCluster({**live("db"), "metadata": {"name": "db", "generation": 1}})
    prepared = Prepared(found, stage, stage.steps[0], {"east": reached("east", cluster)})
    with pytest.raises(InvalidApplication) as caught:
        _ = prepared.holding
    (problem,) = caught.value.problems
    assert problem.path == "spec.components[1].outputs"
    assert problem.message.startswith("component db cannot publish host: + joins strings or adds")
