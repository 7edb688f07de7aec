"""The status in KubeVela's forms, and who uses a cluster."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from velapulumi.clusters.health import Service
from velapulumi.clusters.kubeconfig import parse_kubeconfig
from velapulumi.clusters.registry import JoinedCluster, Registry
from velapulumi.errors import ClusterInUse
from velapulumi.gate.file import Gate
from velapulumi.project import Project, StackName
from velapulumi.status.document import age, status_document, status_row
from velapulumi.status.report import StageService, Status
from velapulumi.status.usage import detach_cluster
from velapulumi.workflow.progress import Phase, Progress, StepState
from velapulumi.workflow.stages import WorkflowStep

STEP = WorkflowStep(name="deploy-staging", type="deploy2env", stage="staging")
SERVICE = Service(
    "web", "webservice", "east", "default", "apps/v1", "Deployment", True, "Ready:1/1"
)


def status(health: str = "", *services: StageService) -> Status:
    return Status(
        application="shop",
        namespace="default",
        health=health,
        created="2026-01-01T00:00:00Z",
        gate=Gate(application="shop", current="shop-v1:0123456789abcdef", run=1),
        progress=Progress((StepState(STEP, "succeeded"),), Phase.RUNNING),
        services=services,
    )


def test_without_a_health_policy_there_is_no_scope_and_no_blank() -> None:
    document = status_document(status("", StageService("staging", SERVICE, ())))
    assert document["status"]["services"] == [
        {
            "env": "staging",
            "healthy": True,
            "message": "Ready:1/1",
            "name": "web",
            "workloadDefinition": {"apiVersion": "apps/v1", "kind": "Deployment"},
        }
    ]


def test_with_one_each_service_names_it() -> None:
    document = status_document(status("probe", StageService("staging", SERVICE, ("scaler",))))
    (service,) = document["status"]["services"]
    assert service["message"] == "Ready:1/1 "
    assert service["scopes"][0]["name"] == "probe"
    assert service["traits"] == [{"healthy": True, "type": "scaler"}]


def test_the_row() -> None:
    now = datetime(2026, 1, 1, 0, 1, 2, tzinfo=UTC)
    assert status_row(status("", StageService("staging", SERVICE, ())), now) == (
        "shop", "web", "webservice", "running", "true", "Ready:1/1", "62s",
    )  # fmt: skip
    assert status_row(status(), now)[1:6] == ("", "", "running", "", "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (310, "5m10s"), (3600, "60m"), (3 * 3600, "3h"),
     (3 * 3600 + 60, "3h1m"), (9 * 3600, "9h"), (47 * 3600, "47h"), (72 * 3600, "3d"), (-5, "0s")],
)  # fmt: skip
def test_age(seconds: int, text: str) -> None:
    assert age(timedelta(seconds=seconds)) == text


def test_detach_names_every_user(tmp_path: Path) -> None:
    project = Project(tmp_path, "test", tmp_path / "stacks")
    kubeconfig = parse_kubeconfig(
        "{current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}], clusters: "
        "[{name: c, cluster: {server: 'https://c'}}], users: [{name: u, user: {token: t}}]}",
        "test",
        tmp_path,
    )
    joined = JoinedCluster(name="east", type="token", endpoint="https://c", uid="u", joined="-")
    Registry(project).add(joined, kubeconfig)
    folder = project.state / "backend" / ".pulumi" / "stacks" / "test"
    folder.mkdir(parents=True)
    resource = {
        "type": "kubernetes:apps/v1:Deployment",
        "provider": "urn:pulumi:s::test::pulumi:providers:kubernetes::east::1",
        "inputs": {},
    }
    held = {"checkpoint": {"latest": {"resources": [resource]}}}
    for stage in ("prod", "staging"):
        project.configure(StackName("shop", stage), tmp_path / "app.yaml")
        (folder / f"shop.{stage}.json").write_text(json.dumps(held))
    with pytest.raises(ClusterInUse) as caught:
        detach_cluster(project, "east")
    assert caught.value.message == (
        "cluster east is in use now: Found 2 errors. ["
        "(application default/shop (env: prod) is currently using cluster east), "
        "(application default/shop (env: staging) is currently using cluster east)]"
    )
    for path in folder.iterdir():
        path.write_text(json.dumps({"checkpoint": {"latest": None}}))
    detach_cluster(project, "east")
    assert Registry(project).all() == []
