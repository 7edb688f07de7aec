"""Types of one's own and objects of another cluster, delivered to real clusters."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import yaml

from tests.clusters import PROD, STAGING, Project

EXAMPLE = Path(__file__).parents[2] / "examples" / "own-definitions"


def disk(project: Project, namespace: str) -> Path:
    """A volume for the claim of the example, and no other one; the test's clusters make none."""
    path = project.root / "disk.yaml"
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/disk"},
        "claimRef": {"namespace": namespace, "name": "data-cache-0"},
    }
    metadata = {"name": "own-definitions"}
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec}
    path.write_text(yaml.safe_dump(volume))
    return path


def test_own_definitions_in_python_and_cue_are_delivered(project: Project, namespace: str) -> None:
    shutil.copytree(EXAMPLE / "definitions", project.root / "definitions")
    document = yaml.safe_load((EXAMPLE / "app.yaml").read_text())
    document["metadata"]["namespace"] = namespace
    site = document["spec"]["components"][0]
    site["traits"] = [trait for trait in site["traits"] if trait["type"] != "priority"]
    place = {"name": "place", "type": "topology", "properties": {"clusters": [STAGING]}}
    document["spec"]["policies"] = [place]
    file = str(project.write(yaml.safe_dump(document)))

    cluster = project.clusters[STAGING]
    cluster.kubectl("apply", "-f", str(disk(project, namespace)))
    done = project.run("up", "-f", file)
    assert done.returncode == 0, done.stderr
    deployment = cluster.deployments(namespace)["site"]
    containers = deployment["spec"]["template"]["spec"]["containers"]
    assert [container["name"] for container in containers] == ["site", "log-agent"]
    assert deployment["status"]["readyReplicas"] == 3
    redis = json.loads(cluster.kubectl("get", "statefulset", "-n", namespace, "-o", "json"))
    assert [item["metadata"]["name"] for item in redis["items"]] == ["cache"]

    again = project.run("up", "-f", file)
    assert "no change" in again.stdout, again.stdout + again.stderr
    status = yaml.safe_load(project.run("status", "docs", "-o", "yaml").stdout)["status"]
    assert [(s["name"], s["healthy"]) for s in status["services"]] == [
        ("site", True), ("cache", True),
    ]  # fmt: skip
    assert status["services"][0]["message"].strip() == "3 ready"
    assert project.run("delete", "docs", "--yes").returncode == 0


def test_an_object_of_one_cluster_is_delivered_to_another(project: Project, namespace: str) -> None:
    staging, prod = project.clusters[STAGING], project.clusters[PROD]
    staging.kubectl("create", "configmap", "settings", "-n", namespace, "--from-literal=level=1")
    referred = {"resource": "configmap", "name": "settings", "cluster": STAGING}
    document = {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": "copy", "namespace": namespace},
        "spec": {
            "components": [
                {"name": "c", "type": "ref-objects", "properties": {"objects": [referred]}}
            ],
            "policies": [{"name": "place", "type": "topology", "properties": {"clusters": [PROD]}}],
        },
    }
    file = str(project.write(yaml.safe_dump(document)))

    def level() -> str:
        return prod.kubectl(
            "get", "configmap", "settings", "-n", namespace, "-o", "jsonpath={.data.level}"
        )

    first = project.run("up", "-f", file)
    assert first.returncode == 0, first.stderr
    assert level() == "1"
    assert "no change" in project.run("up", "-f", file).stdout

    staging.kubectl("create", "configmap", "other", "-n", namespace, "--from-literal=level=2")
    staging.kubectl(
        "patch", "configmap", "settings", "-n", namespace, "-p", '{"data":{"level":"2"}}'
    )
    second = project.run("up", "-f", file)
    assert second.returncode == 0, second.stderr
    assert level() == "2"

    staging.kubectl("delete", "configmap", "settings", "-n", namespace)
    third = project.run("up", "-f", file)
    assert third.returncode == 1
    assert "settings" in third.stderr
    assert level() == "2"
    assert project.run("delete", "copy", "--yes").returncode == 0
