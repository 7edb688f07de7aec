"""A plan as people read it."""

from __future__ import annotations

from velapulumi.cli.review import evidence_lines, lines_of, markdown
from velapulumi.plan.document import (
    Base,
    ClusterPlan,
    Operation,
    PlanDocument,
    PlannedField,
    PlannedObject,
    ReverseStep,
    StagePlan,
    Tools,
)
from velapulumi.program.evidence import Evidence


def an_object(kind: str, name: str, operation: Operation, *fields: PlannedField) -> PlannedObject:
    lost = ("the volume's data may go with it",) if kind == "PersistentVolumeClaim" else ()
    return PlannedObject(
        api_version="v1",
        kind=kind,
        namespace="default",
        name=name,
        operation=operation,
        fields=fields,
        base=Base(live="x"),
        irreversible=lost,
    )


MANY = tuple(PlannedField(path=f"data.{number}", after="x\ny") for number in range(14))
OBJECTS = (
    an_object("ConfigMap", "big", Operation.UPDATE, *MANY),
    an_object("Deployment", "same", Operation.NONE),
    an_object(
        "Deployment", "web", Operation.UPDATE, PlannedField(path="spec.replicas", before=1, after=3)
    ),
    an_object("Deployment", "worker", Operation.UPDATE),
    an_object("Job", "task", Operation.REPLACE),
    an_object("PersistentVolumeClaim", "data", Operation.DELETE),
    an_object("Service", "kept", Operation.LEAVE),
    an_object("Service", "new", Operation.CREATE),
)
BACK = (
    ReverseStep(object="a", operation=Operation.UPDATE),
    ReverseStep(object="b", operation=Operation.CREATE, irreversible=("its data",)),
)


def a_plan() -> PlanDocument:
    east, west = (
        ClusterPlan(cluster=name, uid=name, objects=OBJECTS, reverse=BACK)
        for name in ("east", "west")
    )
    north = ClusterPlan(cluster="north", uid="n", reached=False, objects=OBJECTS[1:2])
    first = StagePlan(
        stage="prod",
        steps=("prod",),
        before="shop-v1:0",
        requires=("2 of role release",),
        pending=("component x waits for its input y",),
        late=("x",),
        clusters=(east, west, north),
    )
    second = StagePlan(stage="late", steps=("late",), clusters=(north,))
    return PlanDocument(
        application="shop",
        namespace="default",
        revision="shop-v2:1",
        tools=Tools(velapulumi="1", engine="2", provider="3"),
        stages=(first, second),
    )


def test_a_plan_on_a_terminal() -> None:
    plan = a_plan()
    assert [line.text for line in lines_of(plan)] == [
        f"Plan {plan.digest[:12]}: shop-v2:1",
        "",
        "Stage prod: 2 created, 6 updated, 2 replaced, 2 deleted, 2 given up on 3 clusters; "
        "it holds shop-v1",
        "  requires 2 of role release",
        "  east, west",
        "    ~ ConfigMap default/big",
        *(f"        data.{number}: (none) → x⏎y" for number in range(12)),
        "        … and 2 more",
        "    ~ Deployment default/web",
        "        spec.replicas: 1 → 3",
        "    ~ Deployment default/worker (revision labels only)",
        "    ± Job default/task (is deleted and made anew)",
        "    - PersistentVolumeClaim default/data",
        "    = Service default/kept (is given up and stays in the cluster)",
        "    + Service default/new",
        "  north",
        "    does not answer; compared with what its stack holds",
        "    no change",
        "  not known yet: component x gets values that the delivery itself brings",
        "  not known yet: component x waits for its input y",
        "  ! cannot be taken back: PersistentVolumeClaim default/data on east "
        "the volume's data may go with it",
        "  ! cannot be taken back: PersistentVolumeClaim default/data on west "
        "the volume's data may go with it",
        "  way back: to shop-v1 by 4 changes, of which not all comes back: its data",
        "",
        "Stage late: no change on 1 cluster; it holds nothing yet",
        "  north",
        "    does not answer; compared with what its stack holds",
        "    no change",
    ]
    signs = {line.text.split()[0]: line.colour for line in lines_of(plan) if line.colour}
    assert signs["-"] == signs["±"] == signs["!"] == "red"
    assert (signs["+"], signs["~"], signs["="]) == ("green", "yellow", "cyan")


def test_a_plan_in_a_pull_request() -> None:
    plan = a_plan()
    text = "\n".join(markdown(plan))
    assert text.startswith(
        f"### Plan for shop: `shop-v2`\n\n`sha256:{plan.digest}`\n\n#### Stage prod"
    )
    assert "- **cannot be taken back**: PersistentVolumeClaim default/data on east" in text
    assert "\n**east, west**\n\n```diff\n! ConfigMap default/big\n+   data.0: x⏎y\n" in text
    assert "! Deployment default/web\n-   spec.replicas: 1\n+   spec.replicas: 3\n" in text
    assert "\n+ Service default/new\n```\n\n**north** (does not answer)\n\nno change\n" in text


def test_nothing_in_a_plan_moves_the_cursor_or_leaves_its_place() -> None:
    odd = PlannedField(path="data.\x1b[2J", before="\x1b]0;x\x07\r\u202e", after="```\n# yes")
    plan = a_plan()
    cluster = ClusterPlan(
        cluster="east", uid="e", objects=(an_object("ConfigMap", "x", Operation.UPDATE, odd),)
    )
    stage = StagePlan(stage="prod", steps=("prod",), clusters=(cluster,))
    plan = plan.model_copy(update={"stages": (stage,)})
    text = [line.text for line in lines_of(plan)]
    assert r"        data.\u001b[2J: \u001b]0;x\u0007\u000d\u202e → ```⏎# yes" in text
    assert all(line.isprintable() for line in text)
    fence = "`" * 70
    assert f"\n{fence}diff\n! ConfigMap" in "\n".join(markdown(plan))


def test_evidence_of_the_stages_before() -> None:
    well = Evidence("staging", "shop-v2:1", True, 2520.0, 41, 0, ("web@sha256:1",))
    ill = Evidence("canary", "shop-v2:1", False, 90061.0, 1, 1, ())
    half = Evidence("other", None, True, None, 0, 0, ())
    lines = list(evidence_lines([well, ill, half]))
    assert [(line.text, line.colour) for line in lines] == [
        (
            "Evidence: stage staging runs shop-v2, healthy for 42m, seen 41 times, 0 restarts",
            "green",
        ),
        ("  web@sha256:1", ""),
        (
            "Evidence: stage canary runs shop-v2, NOT HEALTHY, seen 1 time, 1 restart",
            "yellow",
        ),
        ("Evidence: stage other has not finished, healthy, seen 0 times, 0 restarts", "yellow"),
    ]
