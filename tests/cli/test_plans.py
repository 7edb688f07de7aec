"""A plan as people read it: on a terminal, and the same in a pull request."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.cli.plan_samples import a_plan, a_stage, an_object, field, fleet, texts
from velapulumi.cli.line import Line
from velapulumi.cli.plans import (
    evidence_lines,
    lines_of,
    markdown,
    plan_refuses,
    plan_title,
    refusal_lines,
    stage_lines,
    summary,
)
from velapulumi.plan.document import Base, ClusterPlan, StagePlan
from velapulumi.plan.operation import Cause, Operation
from velapulumi.program.evidence import Evidence


def test_a_plan_on_a_terminal() -> None:
    plan = fleet()
    assert texts(lines_of(plan)) == [
        f"Plan {plan.digest[:12]}: shop-v2:1",
        f"sha256:{plan.digest}",
        "",
        "Stage prod: 2 refused, 2 created, 4 updated, 2 replaced, 2 taken over, 4 deleted, "
        "2 no longer managed, 3 unchanged on 3 clusters; it holds shop-v1",
        "  requires 2 of role release",
        "  ! cannot be taken back: PersistentVolumeClaim default/data on east, west: "
        "the volume's data may go with it",
        "  ! cannot be taken back: Job default/task on east, west: runs its job again",
        "  east, west",
        "    ✗ StatefulSet default/db",
        "        VP206: it *never* changes",
        "        Next: Undo it.",
        "    - PersistentVolumeClaim default/data",
        "    - Service default/a",
        "    ± Job default/task (deleted and created again)",
        "    ! Deployment default/taken (taken over from application billing)",
        "        data.a:",
        "            x",
        "          - y",
        "          + z",
        "    ~ ConfigMap default/big",
        '        d["0"]: (none) → (none)',
        '        d["1"]: (none) → (none)',
        '        d["2"]: (none) → (none)',
        "    + Deployment default/new",
        "        init migrate image: shop/migrate:1",
        "        web image: shop/web:1",
        '        web ports: 80/TCP (http), 81, {"containerPort": 82, "hostPort": 82}',
        "        web env LOG: debug",
        '        web env PORT: "80"',
        "        web env CERT:",
        "          + one",
        "          + two",
        "        web env PASSWORD from secretKeyRef (key: password, name: db)",
        "        web env from configMapRef (name: settings)",
        "        replicas: 3",
        "        … 4 more fields, all with plan --full",
        "    ~ Deployment default/web",
        "        spec.replicas: 1 → 3",
        "    = Service default/kept (no longer managed; left in the cluster)",
        "  north",
        "    does not answer; compared with what its stack holds",
        "    no change",
        "  not known yet: component x gets values that the delivery itself brings",
        "  not known yet: component x waits for its input y",
        "  way back: to shop-v1 by 4 changes, of which not all comes back: its data",
        "",
        "Stage late: 1 unchanged on 1 cluster; it holds nothing yet",
        "  north",
        "    does not answer; compared with what its stack holds",
        "    no change",
        "",
        "48 of 58 fields shown; all with plan --full",
    ]
    signs = {line.text.split()[0]: line.colour for line in lines_of(plan) if line.colour}
    assert signs["-"] == signs["±"] == signs["✗"] == "red"
    assert (signs["+"], signs["~"], signs["="]) == ("green", "yellow", "cyan")


@pytest.mark.parametrize("full", [False, True])
def test_a_pull_request_says_the_same_as_a_terminal(full: bool) -> None:
    """Every line of each form is one of the other, in the same order."""
    plan = fleet()
    on_terminal = [bare(line.text) for line in lines_of(plan, full=full)]
    requested = [bare(re.sub(r"\\([*_<>#])", r"\1", line)) for line in markdown(plan, full=full)]
    assert list(filter(None, requested)) == list(filter(None, on_terminal))


def bare(line: str) -> str:
    """A line without what is there for its form only."""
    return "" if line.startswith("```") else line.strip(" +-!#~±✗⇄=·?@`")


def test_a_plan_in_a_pull_request() -> None:
    plan = fleet()
    text = "\n".join(markdown(plan))
    assert text.startswith(
        f"### Plan {plan.digest[:12]}: shop-v2:1\n\n`sha256:{plan.digest}`\n\n#### Stage prod: "
    )
    assert "\n```diff\n  requires 2 of role release\n- ! cannot be taken back: " in text
    assert "\n@@ east, west @@\n- ✗ StatefulSet default/db\n-     VP206: it *never* " in text
    assert "\n! Deployment default/taken (taken over from application billing)\n" in text
    assert "\n          x\n-       y\n+       z\n! ~ ConfigMap default/big\n" in text
    assert "\n# = Service default/kept (no longer managed; left in the cluster)\n" in text
    assert text.endswith("\n```\n\n48 of 58 fields shown; all with plan --full")


def test_the_full_form_shows_all_content_and_every_field() -> None:
    plan = fleet()
    lines = texts(lines_of(plan, full=True))
    assert lines[-1] == "58 of 58 fields shown"
    start = lines.index("    + Deployment default/new")
    assert lines[start + 1 : start + 9] == [
        "        apiVersion: v1",
        "        metadata:",
        "          labels:",
        "            app: web",
        "        spec:",
        "          replicas: 3",
        "          selector:",
        "            matchLabels:",
    ]
    assert "                  value: |" in lines
    start = lines.index("    ~ Deployment default/taken (on the way back)")
    assert lines[start + 1 : start + 5] == [
        "        data.a:",
        "            x",
        "          - z",
        "          + y",
    ]
    assert not any("--full" in line for line in lines)


def test_a_plan_of_nothing() -> None:
    plan = a_plan()
    assert texts(lines_of(plan, full=True))[2:] == ["It delivers nothing."]
    assert list(markdown(plan))[3:] == ["", "It delivers nothing."]


def test_why_a_cluster_does_not_answer_is_said_once() -> None:
    owed = tuple(an_object(Operation.OWED, name, remarks=("no route",)) for name in "ab")
    cluster = ClusterPlan(cluster="east", uid="e", reached=False, objects=owed)
    assert texts(stage_lines(a_stage(clusters=(cluster,)), header=False)) == [
        "  east",
        "    does not answer; compared with what its stack holds",
        "    no route",
        "    ? Deployment default/a (cluster does not answer)",
        "    ? Deployment default/b (cluster does not answer)",
    ]


def test_what_is_refused_is_told_with_what_to_do() -> None:
    plan = fleet()
    assert plan_refuses(plan)
    assert texts(refusal_lines(plan)) == [
        "Error [VP206]: it *never* changes",
        "Next: Undo it.",
    ]
    remark = an_object(Operation.UPDATE, remarks=("refused: spec.x: must be 1",))
    assert plan_refuses(a_plan(a_stage(remark)))
    assert summary(a_stage(remark)) == "1 refused on 1 cluster"
    error, following = texts(refusal_lines(a_plan(a_stage(remark))))
    assert error == "Error [VP206]: Deployment default/x on east: spec.x: must be 1"
    assert following.startswith("Next: Correct what the cluster names")
    assert not plan_refuses(a_plan(a_stage(an_object(Operation.DELETE, remarks=("old",)))))


def test_what_is_destroyed_comes_first() -> None:
    kinds = ("Service", "CustomResourceDefinition", "Namespace", "PersistentVolumeClaim")
    stage = a_stage(
        an_object(Operation.NONE, cause=Cause.COMPLETED),
        an_object(Operation.CREATE),
        an_object(Operation.TAKE_OVER),
        an_object(Operation.REPLACE),
        *(an_object(Operation.DELETE, kind=kind) for kind in kinds),
        an_object(Operation.REFUSE),
    )
    found = [line.split()[:2] for line in texts(stage_lines(stage, header=False))[1:]]
    assert [sign for sign, _ in found] == ["✗", "-", "-", "-", "-", "±", "!", "+", "·"]
    assert [kind for sign, kind in found if sign == "-"] == list(reversed(kinds))


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "it holds nothing yet"),
        ({"before": "shop-v3:1"}, "it holds shop-v3"),
        (
            {"broken": ("shop-v2:1", "shop-v3:2")},
            "the last delivery did not finish: it holds parts of shop-v2, shop-v3",
        ),
    ],
)
def test_a_stage_says_what_it_holds(more: dict[str, Any], text: str) -> None:
    header = next(stage_lines(a_stage(an_object(Operation.CREATE), **more)))
    assert header == Line(f"Stage prod: 1 created on 1 cluster; {text}", bold=True)


def test_a_stage_with_objects_of_no_known_revision_does_not_hold_nothing() -> None:
    stage = a_stage(an_object(Operation.DELETE, base=Base(recorded="d")))
    assert next(stage_lines(stage)).text == "Stage prod: 1 deleted on 1 cluster"


def test_a_cluster_that_the_stage_has_left() -> None:
    cluster = ClusterPlan(cluster="old", uid="o", left=True, objects=(an_object(Operation.DELETE),))
    stage = a_stage(clusters=(cluster,))
    assert texts(stage_lines(stage, header=False))[0] == "  old (no longer part of this stage)"


@pytest.mark.parametrize(
    ("stage", "text"),
    [
        (a_stage(), "no change"),
        (a_stage(an_object(Operation.LEAVE)), "no change"),
        (a_stage(an_object(Operation.CREATE)), "1 change"),
        (a_stage(an_object(Operation.CREATE), an_object(Operation.MEND, "y")), "2 changes"),
        (a_stage(broken=("shop-v1:1",)), "goes on with what did not finish"),
        (
            a_stage(an_object(Operation.NONE, cause=Cause.UNREADY)),
            "goes on with what did not finish",
        ),
    ],
)
def test_the_title_of_a_delivery(stage: StagePlan, text: str) -> None:
    assert plan_title(stage) == text


def test_clusters_that_differ_in_what_is_shown_stand_apart() -> None:
    def on(name: str, managers: tuple[str, ...]) -> ClusterPlan:
        drift = (field("spec", "replicas", before=7, after=3, managers=managers),)
        objects = (an_object(Operation.MEND, drift=drift), an_object(Operation.NONE, name))
        return ClusterPlan(cluster=name, uid=name, objects=objects)

    stage = a_stage(clusters=(on("a", ()), on("b", ("kubectl",)), on("c", ())))
    lines = texts(stage_lines(stage, header=False))
    assert [line.strip() for line in lines if line.startswith("  ") and line[2] != " "] == [
        "a, c",
        "b",
    ]
    assert summary(stage) == "3 put back, 3 unchanged on 3 clusters"


def test_nothing_in_a_plan_moves_the_cursor_or_leaves_its_place() -> None:
    odd = field("data", "\x1b[2J\n", before="\x1b]0;x\x07\r\u202e", after="````\n# yes\t")
    each = an_object(
        Operation.UPDATE, fields=(odd,), remarks=("\x1b[1A\nStage prod: no change",), other="\x9b"
    )
    stage = a_stage(each, requires=("<!--\n",), before="shop-*\x1b:1")
    plan = a_plan(stage)
    found = texts(lines_of(plan, full=True))
    assert r'        data["\u001b[2J\n"]:' in found
    assert r"          - \u001b]0;x\u0007\r\u202e" in found
    assert r"          + # yes\t" in found
    assert any(r"(not part of the plan): \u001b[1A⏎Stage prod: no change" in line for line in found)
    assert all(line.isprintable() for line in found)
    text = list(markdown(plan))
    assert all(line.isprintable() for line in text)
    fences = [line for line in text if line.startswith("`````")]
    assert fences == ["`````diff", "`````"]
    assert r"it holds shop-\*\\u001b" in text[4]
    assert text.index("  requires <!--⏎") > text.index(fences[0])


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
