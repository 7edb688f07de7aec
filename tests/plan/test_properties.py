"""What kind of change a plan is, told by typed paths."""

from __future__ import annotations

from typing import Any

import pytest

from velapulumi.definitions.rules.fieldpath import Parts
from velapulumi.plan.document import ClusterPlan, PlannedField, PlannedObject, StagePlan
from velapulumi.plan.operation import Operation
from velapulumi.plan.properties import changes_only, kinds_of

POD: Parts = ("spec", "template", "spec")
CONTAINER: Parts = (*POD, "containers", 0)


@pytest.mark.parametrize(
    ("path", "before", "after", "kinds"),
    [
        ((*CONTAINER, "image"), "a:1", "a:2", {"image"}),
        ((*CONTAINER, "image"), "a:1@sha256:1", "a:1@sha256:2", {"image", "image-digest"}),
        ((*CONTAINER, "image"), "a@sha256:1", "a@sha256:2", {"image", "image-digest"}),
        ((*CONTAINER, "image"), "a:1@sha256:1", "a:2@sha256:2", {"image"}),
        ((*CONTAINER, "image"), "a:1", "a:1@sha256:2", {"image"}),
        ((*POD, "initContainers", 2, "image"), "a:1", "a:2", {"image"}),
        (("spec", "containers", 0, "image"), "a:1", "a:2", {"image"}),
        (("spec", "jobTemplate", *POD, "containers", 0, "image"), "a:1", "a:2", {"image"}),
        ((*CONTAINER, "image", "tag"), "1", "2", set()),
        (("spec", "image"), "a", "b", set()),
        (("spec", "containers", "0", "image"), "a", "b", set()),
        (("data", "spec.template.spec.containers[0].image"), "a", "b", set()),
        (("data", "spec", "template", "spec", "containers", 0, "image"), "a", "b", set()),
        ((*CONTAINER, "imagePullPolicy"), "a", "b", set()),
        ((*CONTAINER,), None, {"image": "a"}, set()),
        ((*POD, "containers"), [], [1], set()),
        (("spec", "replicas"), 1, 2, {"replicas"}),
        (("spec", "minReplicas"), 1, 2, {"replicas"}),
        ((*POD, "replicas"), 1, 2, set()),
        (("data", "spec.replicas"), "1", "2", set()),
        ((*CONTAINER, "resources", "limits", "cpu"), "1", "2", {"resources"}),
        ((*CONTAINER, "resources"), None, {"limits": {}}, {"resources"}),
        (("spec", "resources", "requests", "storage"), "1", "2", set()),
        ((*CONTAINER, "env", 0, "value"), "1", "2", {"env"}),
        ((*CONTAINER, "env", 0), None, {"name": "a"}, {"env"}),
        ((*CONTAINER, "env"), [], [1], {"env"}),
        ((*CONTAINER, "envFrom"), [], [1], set()),
        ((*POD, "env"), [], [1], set()),
        (("metadata", "labels", "team"), "a", "b", {"labels"}),
        (("metadata", "labels"), None, {"a": "b"}, {"labels"}),
        (("spec", "template", "metadata", "annotations", "x/y"), "a", "b", {"labels"}),
        (("data", "metadata.labels.script"), "a", "b", set()),
        (("data", "metadata", "labels", "script"), "a", "b", set()),
        (("metadata", "labels", "a", "b"), "a", "b", set()),
        (("metadata", "finalizers"), ["a"], [], set()),
        (("spec", "selector", "matchLabels", "app"), "a", "b", set()),
        ((), None, None, set()),
    ],
)
def test_a_field_is_of_a_kind(path: Parts, before: Any, after: Any, kinds: set[str]) -> None:
    assert kinds_of(PlannedField(path=path, before=before, after=after)) == kinds


def an_object(**changes: Any) -> PlannedObject:
    fields: dict[str, Any] = {
        "api_version": "apps/v1",
        "kind": "Deployment",
        "name": "web",
        "operation": Operation.UPDATE,
        "fields": (PlannedField(path=("spec", "replicas"), before=1, after=3),),
    }
    return PlannedObject(**fields | changes)


def a_stage(*objects: PlannedObject, reached: bool = True, **changes: Any) -> StagePlan:
    cluster = ClusterPlan(cluster="east", uid="u-1", objects=objects, reached=reached)
    return StagePlan(stage="prod", steps=("deploy-prod",), clusters=(cluster,), **changes)


def test_a_plan_of_some_kinds_only() -> None:
    assert changes_only(a_stage(an_object()), {"replicas"})
    assert not changes_only(a_stage(an_object()), {"image"})
    assert changes_only(a_stage(an_object(fields=())), {"image"})
    assert changes_only(a_stage(an_object(operation=Operation.NONE)), {"image"})


@pytest.mark.parametrize(
    "stage",
    [
        a_stage(an_object(), an_object(kind="ConfigMap", operation=Operation.DELETE, fields=())),
        a_stage(an_object(operation=Operation.CREATE)),
        a_stage(an_object(operation=Operation.MEND)),
        a_stage(an_object(irreversible=("runs its job",))),
        a_stage(an_object(), pending=("x",)),
        a_stage(an_object(), reached=False),
    ],
)
def test_a_plan_of_other_operations_needs_somebody(stage: StagePlan) -> None:
    assert not changes_only(stage, {"replicas"})
