from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from velapulumi.definitions import Context, Reference, RenderError
from velapulumi.definitions.components.ref_objects import DEFINITION, portable, references

CONTEXT = Context("app", "apps", "app-v1", "comp", "comp-v1", "prod", "web")
BY_NAME = {"cluster": "staging", "group": "apps", "resource": "deployment", "name": "web"}
BY_LABELS = {
    "cluster": "staging",
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "namespace": "shared",
    "labelSelector": {"b": "2", "a": "1"},
}
NAMED = Reference("staging", "apps", "apps", "deployment", "web")
LABELLED = Reference("staging", "shared", "", "ConfigMap", labels=(("a", "1"), ("b", "2")))


def live(kind: str, name: str, namespace: str = "apps", **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "uid": "u", "resourceVersion": "7"}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **fields}


def parameters(*objects: dict[str, Any]) -> Any:
    read, problems = DEFINITION.read({"objects": list(objects)})
    assert problems == []
    return read


def test_references_name_cluster_namespace_group_and_choice() -> None:
    assert references(parameters(BY_NAME, BY_LABELS), "apps") == (NAMED, LABELLED)


def test_first_object_is_the_workload_and_others_are_numbered_once_each() -> None:
    web, config = live("Deployment", "web"), live("ConfigMap", "config", "shared")
    twice = live("ConfigMap", "web", "shared")
    context = replace(CONTEXT, referred={NAMED: [web], LABELLED: [config, twice, config]})
    rendered = DEFINITION.render(parameters(BY_NAME, BY_LABELS), context)
    assert rendered.workload == {
        "apiVersion": "v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
    }
    names = {key: item["metadata"]["name"] for key, item in rendered.outputs.items()}
    assert names == {"objects-1": "config", "objects-2": "web"}


@pytest.mark.parametrize(
    ("chosen", "referred", "path", "message"),
    [
        pytest.param(
            BY_NAME,
            {},
            ("objects", 0),
            "deployment web in namespace apps was not read from cluster staging",
            id="not-read",
        ),
        pytest.param(
            BY_NAME,
            {NAMED: []},
            ("objects", 0),
            "cluster staging has no deployment web in namespace apps",
            id="not-there",
        ),
        pytest.param(BY_LABELS, {LABELLED: []}, ("objects",), "choose nothing", id="no-labels"),
    ],
)
def test_objects_which_are_not_there_are_told(
    chosen: dict[str, Any], referred: dict[Any, Any], path: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(RenderError, match=message) as refused:
        DEFINITION.render(parameters(chosen), replace(CONTEXT, referred=referred))
    assert refused.value.path == path


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param(
            live("Service", "s", spec={"clusterIP": "10.0.0.1", "clusterIPs": [], "type": "A"}),
            {"spec": {"type": "A"}},
            id="service",
        ),
        pytest.param(
            live("Service", "s", spec={"clusterIP": "None", "clusterIPs": ["None"]}),
            {"spec": {"clusterIP": "None", "clusterIPs": ["None"]}},
            id="headless",
        ),
        pytest.param(
            live("PersistentVolumeClaim", "s", spec={"volumeName": "pv-1", "accessModes": []}),
            {"spec": {"accessModes": []}},
            id="claim",
        ),
        pytest.param(live("ConfigMap", "s", data={"k": "v"}, status={}), {"data": {"k": "v"}}),
        pytest.param(
            live("Job", "s")
            | {
                "apiVersion": "batch/v1",
                "spec": {
                    "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}},
                    "template": {
                        "metadata": {
                            "labels": {
                                "app": "a",
                                "controller-uid": "u",
                                "batch.kubernetes.io/job-name": "s",
                            }
                        }
                    },
                },
            },
            {
                "apiVersion": "batch/v1",
                "spec": {"template": {"metadata": {"labels": {"app": "a"}}}},
            },
            id="job",
        ),
    ],
)
def test_copy_leaves_what_belongs_to_the_cluster(
    given: dict[str, Any], kept: dict[str, Any]
) -> None:
    plain = {"apiVersion": "v1", "kind": given["kind"], "metadata": {"name": "s"}}
    assert portable(given) == {**plain, **kept}


def test_copy_leaves_bookkeeping_and_the_other_application() -> None:
    given = live("ConfigMap", "s")
    given["metadata"] |= {
        "labels": {"app.oam.dev/cluster": "staging", "tier": "back"},
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "deployment.kubernetes.io/revision": "3",
            "app.oam.dev/disable-health-check": "true",
        },
        "ownerReferences": [],
        "managedFields": [],
        "creationTimestamp": "2024-01-01T00:00:00Z",
        "generation": 4,
    }
    assert portable(given)["metadata"] == {
        "name": "s",
        "labels": {"tier": "back"},
        "annotations": {"app.oam.dev/disable-health-check": "true"},
    }
