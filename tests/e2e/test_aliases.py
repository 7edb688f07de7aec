"""Names of clusters that come and go under what is delivered: no object is touched by that."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.clusters import STAGING, Project

ALIAS = "meadow"

APPLICATION = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: herd, namespace: NAMESPACE}
spec:
  components:
  - name: web
    type: worker
    properties: {image: web:1}
    traits:
    - {type: scaler, properties: {replicas: 1}}
  - {name: page, type: k8s-objects, properties: {objects: [PAGE]}}
  policies:
  - {name: place, type: topology, properties: {clusters: CLUSTERS}}
"""
PAGE = "{apiVersion: v1, kind: ConfigMap, metadata: {name: page}, data: {text: hello}}"


class Herd:
    """An application on the cluster that has several names here."""

    def __init__(self, project: Project, namespace: str) -> None:
        self.project = project
        self.namespace = namespace
        self.text = APPLICATION.replace("NAMESPACE", namespace).replace("PAGE", PAGE)

    def on(self, *clusters: str) -> None:
        """Write the application so that it goes to clusters of these names."""
        self.project.write(self.text.replace("CLUSTERS", json.dumps(clusters)))

    def run(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        return self.project.run(command, "-f", "app.yaml", *options)

    def deliver(self) -> None:
        done = self.run("up")
        assert done.returncode == 0, done.stdout + done.stderr

    @property
    def objects(self) -> dict[str, Any]:
        """What the server says of the objects, but for their status."""
        cluster = self.project.clusters[STAGING]
        answer = cluster.kubectl("get", "deployment/web", "configmap/page", "-n", self.namespace,
                                 "-o", "json")  # fmt: skip
        found = {}
        for item in json.loads(answer)["items"]:
            metadata = item["metadata"]
            found[item["kind"]] = {
                "uid": metadata["uid"],
                "generation": metadata.get("generation"),
                "labels": metadata["labels"],
                "content": item.get("spec") or item.get("data"),
            }
        return found

    @property
    def held(self) -> list[str]:
        """The types of the Kubernetes objects that the stack holds."""
        exported = self.project.pulumi("stack", "export", "-s", "herd.deploy-place")
        assert exported.returncode == 0, exported.stderr
        resources = json.loads(exported.stdout)["deployment"]["resources"]
        return sorted(r["type"] for r in resources if r["type"].startswith("kubernetes:"))

    def check_untouched(self, before: dict[str, Any]) -> None:
        """Nothing is to be done, and nothing is done."""
        plan = self.run("plan")
        assert plan.returncode == 0, plan.stdout + plan.stderr
        files = self.project.files()
        again = self.run("up")
        assert again.returncode == 0, again.stdout + again.stderr
        assert "no change" in again.stdout
        assert self.project.files() == files
        assert self.objects == before


@pytest.fixture
def herd(project: Project, namespace: str) -> Herd:
    return Herd(project, namespace)


def join(project: Project, name: str) -> subprocess.CompletedProcess[str]:
    path = str(project.clusters[STAGING].kubeconfig)
    return project.run("cluster", "join", path, "--name", name)


def listed(project: Project) -> dict[str, str | None]:
    """The names of clusters, and which of them are aliases of which."""
    entries = json.loads(project.run("cluster", "list", "-o", "json").stdout)
    return {entry["name"]: entry["aliasOf"] for entry in entries}


def test_a_stage_moves_to_another_name_of_its_cluster(project: Project, herd: Herd) -> None:
    herd.on(STAGING)
    herd.deliver()
    before = herd.objects
    joined = join(project, ALIAS)
    assert joined.returncode == 0, joined.stderr
    said = f"cluster {ALIAS} is another name of {STAGING}: both mean the same cluster"
    assert said in joined.stderr
    assert listed(project)[ALIAS] == STAGING

    for names in ((ALIAS,), (STAGING, ALIAS), (STAGING,)):
        herd.on(*names)
        herd.check_untouched(before)

    herd.text = herd.text.replace("replicas: 1", "replicas: 2")
    herd.on(ALIAS)
    assert herd.run("plan").returncode == 3
    herd.deliver()
    after = herd.objects
    assert after["Deployment"]["uid"] == before["Deployment"]["uid"]
    assert after["Deployment"]["content"]["replicas"] == 2
    assert project.run("delete", "herd", "--yes").returncode == 0
    assert project.clusters[STAGING].deployments(herd.namespace) == {}


@pytest.mark.exhaustive
def test_a_cluster_is_renamed_while_it_is_in_use(project: Project, herd: Herd) -> None:
    herd.on(STAGING)
    herd.deliver()
    before = herd.objects
    renamed = project.run("cluster", "rename", STAGING, ALIAS)
    assert renamed.returncode == 0, renamed.stderr
    assert renamed.stdout == f"Rename cluster {STAGING} to {ALIAS} successfully.\n"
    assert "herd.deploy-place" in renamed.stderr
    assert f"Write {ALIAS} instead of {STAGING}" in renamed.stderr

    for command in ("plan", "up"):
        refused = herd.run(command)
        assert refused.returncode == 2
        assert f"no such cluster: {STAGING}" in refused.stderr
        assert f"It is called {ALIAS} now" in refused.stderr
    assert herd.objects == before

    herd.on(ALIAS)
    herd.check_untouched(before)

    herd.text = herd.text.replace("text: hello", "text: goodbye")
    herd.on(ALIAS)
    herd.deliver()
    after = herd.objects
    assert after["ConfigMap"]["uid"] == before["ConfigMap"]["uid"]
    assert after["ConfigMap"]["content"] == {"text": "goodbye"}
    assert after["Deployment"]["generation"] == before["Deployment"]["generation"]
    assert project.run("delete", "herd", "--yes").returncode == 0
    assert project.clusters[STAGING].deployments(herd.namespace) == {}


@pytest.mark.exhaustive
def test_the_canonical_name_goes_while_it_is_in_use(project: Project, herd: Herd) -> None:
    herd.on(STAGING)
    herd.deliver()
    before = herd.objects
    assert join(project, ALIAS).returncode == 0
    detached = project.run("cluster", "detach", STAGING)
    assert detached.returncode == 0, detached.stderr
    assert listed(project)[ALIAS] is None
    assert herd.objects == before

    herd.on(ALIAS)
    herd.check_untouched(before)

    last = project.run("cluster", "detach", ALIAS)
    assert last.returncode == 1
    assert f"[VP203]: cluster {ALIAS} is in use now: application" in last.stderr
    assert project.run("delete", "herd", "--yes").returncode == 0
    assert project.run("cluster", "detach", ALIAS).returncode == 0


def test_two_names_of_a_cluster_are_one_place(project: Project, herd: Herd) -> None:
    assert join(project, ALIAS).returncode == 0
    herd.on(STAGING, ALIAS)
    herd.deliver()
    before = herd.objects
    assert herd.held == ["kubernetes:apps/v1:Deployment", "kubernetes:core/v1:ConfigMap"]
    herd.check_untouched(before)

    herd.on(ALIAS)
    herd.check_untouched(before)
    assert project.run("delete", "herd", "--yes").returncode == 0


@pytest.mark.exhaustive
def test_an_env_moves_to_another_name_of_its_cluster(
    project: Project, application: str, namespace: str
) -> None:
    project.write(application)
    assert project.run("up", "-f", "app.yaml").returncode == 4
    assert join(project, ALIAS).returncode == 0
    before = project.clusters[STAGING].deployments(namespace)
    project.write(application.replace(f"name: {STAGING}", f"name: {ALIAS}"))
    again = project.run("up", "-f", "app.yaml")
    assert again.returncode == 4, again.stdout + again.stderr
    after = project.clusters[STAGING].deployments(namespace)
    assert {n: (d["metadata"]["uid"], d["metadata"]["generation"]) for n, d in after.items()} == {
        n: (d["metadata"]["uid"], d["metadata"]["generation"]) for n, d in before.items()
    }
    status = json.loads(project.run("status", "example-app", "-o", "json").stdout)["status"]
    assert status["workflow"]["appRevision"].startswith("example-app-v1")
