"""Plans to be read in tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from velapulumi.cli.line import Line
from velapulumi.cli.plans import stage_lines
from velapulumi.plan.document import (
    Base,
    ClusterPlan,
    PlanDocument,
    PlannedField,
    PlannedObject,
    Refusal,
    ReverseStep,
    StagePlan,
    Tools,
)
from velapulumi.plan.operation import Operation

LOST = "the volume's data may go with it"

WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "x", "namespace": "default", "labels": {"app": "web"}},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "spec": {
                "initContainers": [{"name": "migrate", "image": "shop/migrate:1"}],
                "containers": [
                    {
                        "name": "web",
                        "image": "shop/web:1",
                        "ports": [
                            {"name": "http", "containerPort": 80, "protocol": "TCP"},
                            {"containerPort": 81},
                            {"containerPort": 82, "hostPort": 82},
                        ],
                        "env": [
                            {"name": "LOG", "value": "debug"},
                            {"name": "PORT", "value": "80"},
                            {"name": "CERT", "value": "one\ntwo\n"},
                            {
                                "name": "PASSWORD",
                                "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}},
                            },
                        ],
                        "envFrom": [{"configMapRef": {"name": "settings"}}],
                    }
                ],
            }
        },
    },
}


def field(*path: str | int, **more: Any) -> PlannedField:
    return PlannedField(path=path, **more)


def an_object(
    operation: Operation, name: str = "x", kind: str = "Deployment", **more: Any
) -> PlannedObject:
    return PlannedObject(
        api_version="v1", kind=kind, namespace="default", name=name, operation=operation, **more
    )


def a_stage(*objects: PlannedObject, **more: Any) -> StagePlan:
    cluster = ClusterPlan(cluster="east", uid="e", objects=objects)
    return StagePlan(stage="prod", steps=("prod",), **{"clusters": (cluster,), **more})


def a_plan(*stages: StagePlan) -> PlanDocument:
    return PlanDocument(
        application="shop",
        namespace="default",
        revision="shop-v2:1",
        tools=Tools(velapulumi="1", engine="2", provider="3"),
        stages=stages,
    )


def texts(lines: Sequence[Line] | Any) -> list[str]:
    return [line.text for line in lines]


def told(each: PlannedObject, *, full: bool = False) -> list[str]:
    """What is said of one object."""
    lines = texts(stage_lines(a_stage(each), full=full, header=False))
    assert lines[0] == "  east"
    return [line[4:] for line in lines[1:]]


def fleet() -> PlanDocument:
    """A plan in which most things happen, on two clusters alike and on one that is silent."""
    objects = (
        an_object(
            Operation.UPDATE, "big", "ConfigMap", fields=tuple(field("d", str(n)) for n in range(3))
        ),
        an_object(Operation.NONE, "same"),
        an_object(Operation.UPDATE, "web", fields=(field("spec", "replicas", before=1, after=3),)),
        an_object(Operation.REPLACE, "task", "Job", irreversible=("runs its job again",)),
        an_object(Operation.DELETE, "data", "PersistentVolumeClaim", irreversible=(LOST,)),
        an_object(Operation.DELETE, "a", "Service"),
        an_object(Operation.DISOWN, "kept", "Service"),
        an_object(Operation.CREATE, "new", content=WEB),
        an_object(
            Operation.TAKE_OVER,
            "taken",
            other="application billing",
            fields=(field("data", "a", before="x\ny", after="x\nz"),),
        ),
        an_object(
            Operation.REFUSE,
            "db",
            "StatefulSet",
            refusal=Refusal(code="VP206", message="it *never* changes", next_step="Undo it."),
        ),
    )
    back = (
        ReverseStep(
            object="Deployment default/taken",
            operation=Operation.UPDATE,
            fields=(field("data", "a", before="x\nz", after="x\ny"),),
        ),
        ReverseStep(object="b", operation=Operation.CREATE, irreversible=("its data",)),
    )
    east, west = (
        ClusterPlan(
            cluster=name,
            uid=name,
            objects=tuple(each.model_copy(update={"base": Base(live=name)}) for each in objects),
            reverse=back,
        )
        for name in ("east", "west")
    )
    north = ClusterPlan(cluster="north", uid="n", reached=False, objects=objects[1:2])
    first = a_stage(
        before="shop-v1:0",
        requires=("2 of role release",),
        pending=("component x waits for its input y",),
        late=("x",),
        clusters=(east, west, north),
    )
    return a_plan(first, StagePlan(stage="late", steps=("late",), clusters=(north,)))
