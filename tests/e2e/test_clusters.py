"""What a project knows of real clusters: labels, version, and objects that are referred to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.clusters import PROD, STAGING, Project
from velapulumi.clusters.referred import read_referred
from velapulumi.clusters.registry import Registry
from velapulumi.definitions import Reference
from velapulumi.errors import ObjectMissing
from velapulumi.project import find_project

CRD: Mapping[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "meadows.farm.example.com"},
    "spec": {
        "group": "farm.example.com",
        "names": {"kind": "Meadow", "plural": "meadows", "singular": "meadow"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": name,
                "served": True,
                "storage": name == "v1",
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
            for name in ("v1beta1", "v1")
        ],
    },
}


def recorded(project: Project) -> dict[str, Any]:
    entries = json.loads(project.run("cluster", "list", "-o", "json").stdout)
    return {entry["name"]: entry for entry in entries}


def test_labels_and_version_from_join_to_rename(project: Project) -> None:
    staging = project.clusters[STAGING]
    served = json.loads(staging.kubectl("get", "--raw", "/version"))
    again = project.run(
        "cluster",
        "join",
        str(staging.kubeconfig),
        "--name",
        STAGING,
        "--labels",
        "region=eu,tier=x",
    )
    assert again.returncode == 0, again.stderr
    version = {
        "gitVersion": served["gitVersion"],
        "major": int(served["major"]),
        "minor": int(served["minor"]),
        "platform": served["platform"],
    }
    found = recorded(project)
    assert (found[STAGING]["labels"], found[STAGING]["version"]) == (
        {"region": "eu", "tier": "x"},
        version,
    )
    assert found[PROD]["labels"] == {}

    file = project.root / "stacks" / "clusters.yaml"
    document = yaml.safe_load(file.read_text())
    document["clusters"][1]["version"] |= {"minor": 1, "gitVersion": "v1.1.0"}
    file.write_text(yaml.safe_dump(document))
    probed = project.run("cluster", "probe", STAGING)
    assert (probed.returncode, probed.stdout) == (
        0,
        f"Connect to cluster {STAGING} successfully.\nok\n",
    )
    assert recorded(project) == found

    renamed = project.run("cluster", "rename", STAGING, "meadow")
    assert renamed.stdout == f"Rename cluster {STAGING} to meadow successfully.\n"
    assert project.run("cluster", "probe", "meadow").returncode == 0
    assert recorded(project)["meadow"]["labels"] == {"region": "eu", "tier": "x"}


def test_objects_are_read_from_two_clusters(project: Project, namespace: str) -> None:
    staging, prod = project.clusters[STAGING], project.clusters[PROD]
    path = Path(project.root, "crd.yaml")
    path.write_text(yaml.safe_dump(dict(CRD)))
    staging.kubectl("apply", "-f", str(path))
    staging.kubectl("wait", "--for=condition=Established", "crd/meadows.farm.example.com")
    meadow = {
        "apiVersion": "farm.example.com/v1beta1",
        "kind": "Meadow",
        "metadata": {"name": "north", "namespace": namespace, "labels": {"wet": "no"}},
        "grass": "long",
    }
    path.write_text(yaml.safe_dump(meadow))
    staging.kubectl("apply", "-f", str(path))
    for name in ("b", "a"):
        prod.kubectl("create", "configmap", name, "-n", namespace, f"--from-literal=name={name}")
        prod.kubectl("label", "configmap", name, "-n", namespace, "app=web")

    def refer(cluster: str, group: str, resource: str, **more: Any) -> Reference:
        return Reference(cluster, namespace, group, resource, **more)

    by_labels = refer(PROD, "", "ConfigMap", labels=(("app", "web"),))
    by_name = refer(STAGING, "farm.example.com", "meadow", name="north")
    any_group = refer(STAGING, "", "meadows", labels=(("wet", "no"),))
    cluster_wide = refer(STAGING, "", "namespace", name=namespace)
    place = find_project(project.root)
    found = read_referred(place, [by_labels, by_name, any_group, cluster_wide])
    assert [item["data"] for item in found[by_labels]] == [{"name": "a"}, {"name": "b"}]
    assert {(item["apiVersion"], item["kind"]) for item in found[by_labels]} == {
        ("v1", "ConfigMap")
    }
    (north,) = found[by_name]
    assert (north["apiVersion"], north["grass"]) == ("farm.example.com/v1", "long")
    assert found[any_group] == (north,)
    assert found[cluster_wide][0]["kind"] == "Namespace"

    for missing, message in (
        (refer(PROD, "", "configmap", name="c"), f"has no ConfigMap c in namespace {namespace}"),
        (
            refer(PROD, "", "configmap", labels=(("app", "x"),)),
            "has no ConfigMap with labels app=x",
        ),
        (refer(PROD, "apps", "deploymet", name="c"), 'did you mean "deployments"?'),
        (refer(PROD, "farm.example.com", "meadow", name="c"), 'has no kind or resource "meadow"'),
    ):
        with pytest.raises(ObjectMissing) as caught:
            read_referred(place, [missing])
        assert message in caught.value.message
    assert Registry(place).facts()[PROD].version.minor > 20
