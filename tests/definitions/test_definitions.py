from __future__ import annotations

from typing import Any

import pytest

from velapulumi.definitions import (
    ComponentDefinition,
    Definition,
    PatchConflict,
    PolicyDefinition,
    RetainKeys,
    StepDefinition,
    TraitDefinition,
    find,
    types_of,
    unify,
)

KINDS = [ComponentDefinition, TraitDefinition, PolicyDefinition, StepDefinition]
ALL = [pytest.param(kind, name, id=name) for kind in KINDS for name in types_of(kind)]


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_definition_has_the_name_of_its_module_and_described_parameters(
    kind: type[Definition[Any]], name: str
) -> None:
    definition = find(kind, name)
    assert definition is not None
    assert definition.type == name
    fields = definition.parameters.model_fields.values()
    assert all(field.description for field in fields)
    assert definition.summary


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_example_of_a_definition_is_valid(kind: type[Definition[Any]], name: str) -> None:
    definition = find(kind, name)
    assert definition is not None
    assert definition.read(definition.example)[1] == []


@pytest.mark.parametrize("name", ["", "no-such", "env_binding", "../base", "__init__"])
def test_unknown_type_is_none(name: str) -> None:
    assert find(PolicyDefinition, name) is None


def live(**status: int) -> dict[str, Any]:
    return {
        "metadata": {"generation": 2},
        "spec": {"replicas": 3},
        "status": {
            "replicas": 3,
            "readyReplicas": 3,
            "updatedReplicas": 3,
            "observedGeneration": 2,
            **status,
        },
    }


@pytest.mark.parametrize("name", ["webservice", "worker", "statefulset"])
@pytest.mark.parametrize(
    ("status", "healthy", "message"),
    [
        pytest.param({}, True, "Ready:3/3", id="all-there"),
        pytest.param({"readyReplicas": 2}, False, "Ready:2/3", id="not-ready"),
        pytest.param({"updatedReplicas": 1}, False, "Ready:3/3", id="old-template"),
        pytest.param({"replicas": 4}, False, "Ready:3/3", id="one-too-many"),
        pytest.param({"observedGeneration": 1}, False, "Ready:3/3", id="not-observed"),
    ],
)
def test_health(name: str, status: dict[str, int], healthy: bool, message: str) -> None:
    definition = find(ComponentDefinition, name)
    assert definition is not None
    state = definition.health(live(**status))
    assert (state.healthy, state.message) == (healthy, message)


@pytest.mark.parametrize("name", ["webservice", "worker", "statefulset"])
def test_health_without_status(name: str) -> None:
    definition = find(ComponentDefinition, name)
    assert definition is not None
    state = definition.health({"metadata": {"generation": 1}, "spec": {"replicas": 3}})
    assert (state.healthy, state.message) == (False, "Ready:0/3")


@pytest.mark.parametrize(
    ("name", "healthy"), [("webservice", True), ("statefulset", True), ("worker", False)]
)
def test_health_check_can_be_switched_off_for_services(name: str, healthy: bool) -> None:
    definition = find(ComponentDefinition, name)
    assert definition is not None
    deployment = live(readyReplicas=0)
    deployment["metadata"]["annotations"] = {"app.oam.dev/disable-health-check": "true"}
    state = definition.health(deployment)
    assert (state.healthy, state.message) == (healthy, "Ready:0/3")


DAEMON = {
    "desiredNumberScheduled": 3,
    "currentNumberScheduled": 3,
    "updatedNumberScheduled": 3,
    "numberReady": 3,
    "observedGeneration": 2,
}
DEPLOYED = {"readyReplicas": 1, "updatedReplicas": 1, "replicas": 1, "observedGeneration": 2}
PROGRESS = "Delivery helm release in progress, message: "


def condition(status: str, message: str = "") -> dict[str, str]:
    return {"type": "Ready", "status": status, **({"message": message} if message else {})}


@pytest.mark.parametrize(
    ("name", "kind", "status", "healthy", "message"),
    [
        pytest.param("daemon", "", DAEMON, True, "Ready:3/3", id="daemon"),
        pytest.param("daemon", "", {}, False, "Ready:0/0", id="daemon-not-seen"),
        *(
            pytest.param("daemon", "", {**DAEMON, key: value}, False, text, id=f"daemon-{key}")
            for key, value, text in [
                ("numberReady", 2, "Ready:2/3"),
                ("currentNumberScheduled", 2, "Ready:3/3"),
                ("updatedNumberScheduled", 2, "Ready:3/3"),
                ("desiredNumberScheduled", 4, "Ready:3/4"),
                ("observedGeneration", 1, "Ready:3/3"),
            ]
        ),
        pytest.param(
            "task", "", {"succeeded": 2}, True, "Active/Failed/Succeeded:0/0/2", id="task"
        ),
        pytest.param(
            "task",
            "",
            {"active": 1, "failed": 3, "succeeded": 1},
            False,
            "Active/Failed/Succeeded:1/3/1",
            id="task-fails",
        ),
        pytest.param("task", "", {}, False, "Active/Failed/Succeeded:0/0/0", id="task-starts"),
        *(
            pytest.param(name, "Deployment", {}, True, "", id=name)
            for name in ("cron-task", "k8s-objects", "raw", "kustomize")
        ),
        pytest.param("ref-objects", "Service", {}, True, "", id="ref-service"),
        pytest.param("ref-objects", "Deployment", {}, False, "Ready:0/1", id="ref-starts"),
        pytest.param("ref-objects", "Deployment", DEPLOYED, True, "Ready:1/1", id="ref-ready"),
        pytest.param("helm", "", {}, False, "Creating helm release", id="helm-starts"),
        pytest.param(
            "helm", "", {"conditions": []}, False, "Wating repository ready", id="helm-waits"
        ),
        pytest.param(
            "helm",
            "",
            {"conditions": [condition("True", "Release reconciliation succeeded")]},
            True,
            "Create helm release successfully",
            id="helm-done",
        ),
        pytest.param(
            "helm",
            "",
            {"conditions": [condition("False", "a"), condition("True", "b")]},
            False,
            f"{PROGRESS}a, b",
            id="helm-two",
        ),
        pytest.param(
            "helm", "", {"conditions": [condition("True", "a")]}, True, f"{PROGRESS}a", id="helm"
        ),
    ],
)
def test_health_of_other_kinds(
    name: str, kind: str, status: dict[str, Any], healthy: bool, message: str
) -> None:
    definition = find(ComponentDefinition, name)
    assert definition is not None
    spec = {"parallelism": 2} if name == "task" else {"replicas": 1}
    metadata = {"generation": 2}
    state = definition.health(
        {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}
        | ({"status": status} if status else {})
    )
    assert (state.healthy, state.message) == (healthy, message)


@pytest.mark.parametrize(
    ("base", "patch", "expected"),
    [
        pytest.param({"a": 1}, {"b": 2}, {"a": 1, "b": 2}, id="new-key"),
        pytest.param({"a": {"x": 1}}, {"a": {"x": 1, "y": 2}}, {"a": {"x": 1, "y": 2}}, id="same"),
        pytest.param({"l": [{"a": 1}]}, {"l": [{"b": 2}]}, {"l": [{"a": 1, "b": 2}]}, id="index"),
        pytest.param({"l": [1]}, {"l": [1, 2]}, {"l": [1, 2]}, id="longer-list"),
        pytest.param({"l": [1, 2]}, {"l": [1]}, {"l": [1, 2]}, id="shorter-list"),
        pytest.param({"a": 1}, {"a": RetainKeys(2)}, {"a": 2}, id="retain-keys"),
        pytest.param({}, {"a": {"b": RetainKeys(2)}}, {"a": {"b": 2}}, id="retain-keys-new"),
    ],
)
def test_unify(base: Any, patch: Any, expected: Any) -> None:
    assert unify(base, patch) == expected


@pytest.mark.parametrize(
    ("base", "patch"),
    [({"a": 1}, {"a": 2}), ({"a": 1}, {"a": True}), ({"a": {}}, {"a": []}), ({"a": []}, {"a": 1})],
)
def test_different_values_conflict(base: Any, patch: Any) -> None:
    with pytest.raises(PatchConflict, match=r"^a: conflicting values"):
        unify(base, patch)
