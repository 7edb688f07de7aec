"""What speaks for going on, by journal and pods."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.helpers import (
    FakeCluster,
    deployment,
    joined,
    kubeconfig,
    manifest,
    parsed,
    reached,
    resource,
    store,
)
from velapulumi.clusters.registry import Registry
from velapulumi.errors import ClusterUnreachable
from velapulumi.program.application import Application, read_application
from velapulumi.program.evidence import Evidence, evidence_before
from velapulumi.project import Project, StackName
from velapulumi.workflow.phases import StepPhase
from velapulumi.workflow.run import StepRun

APP = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components:
  - {name: web, type: webservice, properties: {image: web}}
  policies:
  - {name: staging, type: topology, properties: {clusters: [east]}}
  - {name: prod, type: topology, properties: {clusters: [west]}}
  workflow:
    steps:
    - {name: staging, type: deploy, properties: {policies: [staging]}}
    - {name: ask, type: suspend}
    - {name: prod, type: deploy, properties: {policies: [prod]}}
"""
READY = {
    "status": {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "observedGeneration": 1}
}


def pod(image: str, image_id: str, restarts: int) -> dict[str, Any]:
    status = {"image": image, "imageID": image_id, "restartCount": restarts}
    return {"metadata": {"name": "p"}, "status": {"containerStatuses": [status]}}


@pytest.fixture
def application(project: Project) -> Application:
    """An application whose first stage is delivered."""
    for name in ("east", "west"):
        Registry(project).add(joined(name), parsed(kubeconfig(), project.root))
    file = project.root / "app.yaml"
    file.write_text(APP)
    fresh = read_application(project, file)
    fresh.begin()
    held = {"staging": str(fresh.revision)}
    store(
        project, StackName("shop", "staging"), deployment(resource("east", manifest()), steps=held)
    )
    found = fresh.reread()
    ended = StepRun(StepPhase.SUCCEEDED, ended=time.time() - 60, samples=4)
    return replace(found, run=found.run.with_step("staging", ended))


def evidence(application: Application, client: FakeCluster | Exception) -> list[Evidence]:
    gate = application.workflow.step("ask")
    cluster = client if isinstance(client, Exception) else reached("east", client)
    return list(evidence_before(application, gate, {"east": cluster}))  # type: ignore[dict-item]


def test_pods_tell_restarts_and_images_by_digest(application: Application) -> None:
    live = manifest() | READY | {"metadata": manifest()["metadata"] | {"generation": 1}}
    pods = (
        pod("web:1", "docker.io/team/web@sha256:abc", 0),
        pod("web:1", "docker.io/team/web@sha256:abc", 2),
        pod("side", "", 0),
        {"metadata": {"name": "new"}},
    )
    (found,) = evidence(application, FakeCluster(live, pods=pods))
    assert (found.stage, found.revision) == ("staging", str(application.revision))
    assert (found.restarts, found.images) == (2, ("side", "web:1@sha256:abc"))
    assert found.samples == 4 + found.healthy
    assert found.seconds == pytest.approx(60, abs=5)


def test_what_cannot_be_asked_is_not_healthy(application: Application) -> None:
    (found,) = evidence(application, ClusterUnreachable("gone"))
    assert (found.healthy, found.restarts, found.images) == (False, 0, ())
    assert found.samples == 4


def test_without_a_journal_nobody_knows_for_how_long(application: Application) -> None:
    plain = replace(application, run=application.reread().run)
    (found,) = evidence(plain, FakeCluster())
    assert (found.seconds, found.samples, found.healthy) == (None, 0, False)


def test_nothing_speaks_for_what_has_nothing_before_it(application: Application) -> None:
    step = application.workflow.step("staging")
    assert list(evidence_before(application, step, {})) == []
