"""The modern dialect on real clusters: topology, override, deploy, inputs and outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.clusters import PROD, STAGING, Project

EXAMPLE = Path(__file__).parents[2] / "examples" / "02-topology" / "app.yaml"


def address(project: Project, cluster: str) -> str:
    return project.clusters[cluster].kubectl(
        "get", "service", "api", "-o", "jsonpath={.spec.clusterIP}"
    )


def web(project: Project, cluster: str) -> tuple[Any, Any]:
    """Ready replicas of the web server and the address it was told."""
    found = project.clusters[cluster].deployments("default")["web"]
    (container,) = found["spec"]["template"]["spec"]["containers"]
    return found["status"]["readyReplicas"], container["env"]


def told(project: Project, cluster: str) -> list[dict[str, str]]:
    return [{"name": "API_URL", "value": f"http://{address(project, cluster)}:8000"}]


def test_two_steps_of_one_stage_with_an_approval_each(project: Project) -> None:
    file = str(project.write(EXAMPLE.read_text()))
    unlabelled = project.run("up", "-f", file)
    assert unlabelled.returncode == 2
    assert "failed to find any cluster matches given labels" in unlabelled.stderr
    assert project.run("cluster", "labels", "add", PROD, "tier=production").returncode == 0

    first = project.run("up", "-f", file)
    assert first.returncode == 4, first.stderr
    assert "waits at canary" in first.stdout
    assert web(project, STAGING) == (1, told(project, STAGING))
    assert project.clusters[PROD].deployments("default") == {}

    early = project.pulumi("up", "--yes", "--skip-preview", "--stack", "shop.canary")
    assert early.returncode != 0

    assert project.run("workflow", "resume", "shop").returncode == 0
    second = project.run("up", "-f", file)
    assert second.returncode == 4, second.stderr
    assert 'Waiting approval to the deploy step "everyone"' in second.stdout
    assert web(project, PROD) == (1, told(project, PROD))

    assert project.run("workflow", "resume", "shop").returncode == 0
    third = project.run("up", "-f", file)
    assert third.returncode == 0, third.stderr
    assert web(project, PROD) == (3, told(project, PROD))
    assert sorted(path.name for path in (project.root / "stacks").glob("Pulumi.*.yaml")) == [
        "Pulumi.shop.canary.yaml",
        "Pulumi.shop.staging.yaml",
    ]

    files = project.files()
    again = project.run("up", "-f", file)
    assert again.returncode == 0, again.stderr
    assert "no change" in again.stdout
    assert project.files() == files

    status = yaml.safe_load(project.run("status", "shop", "-o", "yaml").stdout)["status"]
    assert status["status"] == "running"
    assert [(step["name"], step["phase"]) for step in status["workflow"]["steps"]] == [
        ("staging", "succeeded"),
        ("canary", "succeeded"),
        ("everyone", "succeeded"),
    ]

    preview = project.pulumi("preview", "--stack", "shop.canary", "--expect-no-changes")
    assert preview.returncode == 0, preview.stdout + preview.stderr

    assert project.run("delete", "shop", "--yes").returncode == 0
    for cluster in (STAGING, PROD):
        assert project.clusters[cluster].deployments("default") == {}


@pytest.mark.exhaustive
def test_going_on_by_plain_pulumi_delivers_the_next_step_of_a_stage(project: Project) -> None:
    text = EXAMPLE.read_text().replace("          auto: false\n", "")
    assert project.run("cluster", "labels", "add", PROD, "tier=production").returncode == 0
    file = str(project.write(text.replace("replicas: 3", "replicas: 2")))
    done = project.run("up", "-f", file)
    assert done.returncode == 0, done.stderr
    assert web(project, PROD)[0] == 2

    project.write(text)
    for stack, replicas in (("shop.staging", 2), ("shop.canary", 1), ("shop.canary", 3)):
        run = project.pulumi("up", "--yes", "--skip-preview", "--stack", stack)
        assert run.returncode == 0, run.stdout + run.stderr
        assert web(project, PROD)[0] == replicas
    assert project.run("delete", "shop", "--yes").returncode == 0


BROKEN = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: mend, namespace: NAMESPACE}
spec:
  components:
  - {name: web, type: worker, properties: {image: web:1}}
  - name: db
    type: worker
    properties: {image: db:1}
    traits: [{type: labels, properties: {velapulumi.dev/sim: pending}}]
  policies:
  - {name: place, type: topology, properties: {clusters: [cluster-staging]}}
  - {name: web-only, type: override, properties: {selector: [web]}}
  - {name: short, type: health, properties: {probeTimeout: 5, probeInterval: 1}}
  workflow:
    steps:
    - {name: web, type: deploy, properties: {policies: [place, web-only]}}
    - {name: all, type: deploy, properties: {policies: [place]}}
"""


@pytest.mark.exhaustive
def test_a_broken_later_step_of_a_stage_can_be_mended(project: Project, namespace: str) -> None:
    text = BROKEN.replace("NAMESPACE", namespace)
    file = str(project.write(text))
    broken = project.run("up", "-f", file)
    assert broken.returncode == 6, broken.stderr
    assert "db on cluster-staging" in broken.stderr

    mended = text.replace("pending", "none").replace("web:1", "web:2").replace("db:1", "db:2")
    project.write(mended)
    done = project.run("up", "-f", file)
    assert done.returncode == 0, done.stderr
    found = project.clusters[STAGING].deployments(namespace)
    images = {
        name: item["spec"]["template"]["spec"]["containers"][0]["image"]
        for name, item in found.items()
    }
    assert images == {"web": "web:2", "db": "db:2"}
    assert all(item["status"]["readyReplicas"] == 1 for item in found.values())
    assert "skipAwait" not in str(found["db"]["metadata"]["annotations"])
    assert "no change" in project.run("up", "-f", file).stdout
    assert project.run("delete", "mend", "--yes").returncode == 0


SPLIT = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: split, namespace: NAMESPACE}
spec:
  components:
  - {name: web, type: webservice, properties: {image: web:1, ports: [{port: 80, expose: true}]}}
  policies:
  - {name: first, type: topology, properties: {clusters: [cluster-staging]}}
  - {name: second, type: topology, properties: {clusters: [cluster-staging, cluster-prod]}}
  workflow:
    steps:
    - {name: one, type: deploy, properties: {policies: [first]}}
    - {name: two, type: deploy, properties: {policies: [second]}}
"""


def test_a_place_that_moves_to_another_stage_is_never_empty(
    project: Project, namespace: str
) -> None:
    text = SPLIT.replace("NAMESPACE", namespace)
    file = str(project.write(text))
    assert project.run("up", "-f", file).returncode == 0
    prod = project.clusters[PROD]
    uid = prod.deployments(namespace)["web"]["metadata"]["uid"]

    apart = text.replace("[cluster-staging, cluster-prod]", "[cluster-prod]")
    gated = apart.replace("[second]", "[second], auto: false").replace("web:1", "web:2")
    project.write(gated)
    held = project.run("up", "-f", file)
    assert held.returncode == 4, held.stderr
    found = prod.deployments(namespace)["web"]
    assert found["metadata"]["uid"] == uid
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "web:1"

    assert project.run("workflow", "resume", "split").returncode == 0
    done = project.run("up", "-f", file)
    assert done.returncode == 0, done.stderr
    found = prod.deployments(namespace)["web"]
    assert found["metadata"]["uid"] == uid
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"
    again = project.run("up", "-f", file)
    assert "no change" in again.stdout, again.stdout + again.stderr
    assert prod.deployments(namespace)["web"]["metadata"]["uid"] == uid
    assert project.run("delete", "split", "--yes").returncode == 0
    assert prod.deployments(namespace) == {}
