"""One object of a plan as people read it: what happens to it, and all of its values."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.plan_samples import WEB, a_stage, an_object, field, texts, told
from velapulumi.cli.plans import (
    printable,
    stage_lines,
)
from velapulumi.cli.plans.objects import fields_of
from velapulumi.plan.document import Base, ClusterPlan
from velapulumi.plan.operation import Cause, Operation

IMAGE = ("spec", "template", "spec", "containers", 0, "image")

CONFIG = "".join(f"key_{number} = {number}\n" for number in range(12))


@pytest.mark.parametrize(
    ("operation", "cause", "more", "text"),
    [
        (Operation.CREATE, None, {}, "+ Deployment default/x"),
        (
            Operation.CREATE, Cause.LOST, {},
            "+ Deployment default/x (create again: deleted in the cluster by others)",
        ),
        (Operation.UPDATE, None, {}, "~ Deployment default/x"),
        (Operation.UPDATE, Cause.REVISION, {}, "~ Deployment default/x (revision labels only)"),
        (Operation.MEND, None, {}, "~ Deployment default/x (put back: changed in the cluster)"),
        (Operation.REPLACE, None, {}, "± Deployment default/x (deleted and created again)"),
        (Operation.TAKE_OVER, None, {}, "! Deployment default/x (taken over)"),
        (Operation.TAKE_OVER, None, {"other": "a"}, "! Deployment default/x (taken over from a)"),
        (
            Operation.TAKE_OVER, Cause.INTERRUPTED, {},
            "~ Deployment default/x (goes on with what an interrupted run made)",
        ),
        (
            Operation.TAKE_OVER, Cause.OTHERS, {},
            "! Deployment default/x (inherited from the application that shared it)",
        ),
        (
            Operation.HAND_OVER, None, {"other": "stage a", "desired": "d"},
            "⇄ Deployment default/x (from stage a)",
        ),
        (Operation.HAND_OVER, None, {"other": "b"}, "⇄ Deployment default/x (handed over to b)"),
        (Operation.SHARE, None, {"other": "a"}, "= Deployment default/x (shared with a)"),
        (Operation.SHARE, None, {}, "= Deployment default/x (shared with its owner)"),
        (Operation.READ, None, {"other": "a"}, "= Deployment default/x (only read; belongs to a)"),
        (Operation.LEAVE, Cause.ABSENT, {}, "= Deployment default/x (deleted in the cluster by…"),
        (Operation.KEEP, None, {}, "= Deployment default/x (kept by policy)"),
        (
            Operation.DISOWN, None, {},
            "= Deployment default/x (no longer managed; left in the cluster)",
        ),
        (
            Operation.DISOWN, Cause.OTHERS, {"other": "a"},
            "= Deployment default/x (no longer managed; left to a)",
        ),
        (
            Operation.DISOWN, Cause.RESTORED, {},
            "= Deployment default/x (gets back what it was before it was taken over; "
            "no longer managed)",
        ),
        (
            Operation.DISOWN, Cause.FREED, {},
            "= Deployment default/x (was taken over and is let go already; left in the cluster)",
        ),
        (
            Operation.DISOWN, Cause.UNKNOWN, {},
            "= Deployment default/x (was taken over, and what it was is not known; "
            "no longer managed, left in the cluster)",
        ),
        (
            Operation.FORGET, None, {},
            "· Deployment default/x (no longer in the cluster, nothing to delete)",
        ),
        (
            Operation.FORGET, None, {"base": Base(live="d")},
            "· Deployment default/x (no longer in the cluster, nothing to delete)",
        ),
        (Operation.FORGET, Cause.UNREAD, {}, "· Deployment default/x (no longer read)"),
        (
            Operation.FORGET, Cause.UNREAD, {"base": Base(live="d")},
            "· Deployment default/x (no longer read)",
        ),
        (Operation.FORGET, Cause.OTHERS, {"other": "a"}, "· Deployment default/x (belongs to a…"),
        (Operation.FORGET, Cause.TAKEN, {"other": "stage a"}, "· Deployment default/x (held by…"),
        (Operation.DELETE, None, {}, "- Deployment default/x"),
        (Operation.OWED, None, {}, "? Deployment default/x (cluster does not answer)"),
        (Operation.OWED, Cause.TAKEN, {}, "? Deployment default/x (waits until it has gone from…"),
        (
            Operation.OWED, Cause.TAKEN, {"remarks": ("it waits for x",)},
            "? Deployment default/x (waits until it has gone from the cluster: it waits for x)",
        ),
        (
            Operation.NONE, Cause.UNREADY, {"remarks": ("pod x: no image",)},
            "· Deployment default/x (did not get ready: pod x: no image)",
        ),
        (Operation.NONE, Cause.UNREADY, {}, "· Deployment default/x (did not get ready)"),
        (Operation.NONE, Cause.COMPLETED, {}, "· Deployment default/x (done)"),
    ],
)  # fmt: skip
def test_each_operation_says_what_it_is(
    operation: Operation, cause: Cause | None, more: dict[str, Any], text: str
) -> None:
    (line,) = told(an_object(operation, cause=cause, **more))
    assert line.startswith(text[:-1]) if text.endswith("…") else line == text


def test_what_is_kept_until_the_end_is_counted_and_only_listed_in_full() -> None:
    kept = an_object(Operation.KEEP, cause=Cause.PRUNE)
    assert texts(stage_lines(a_stage(kept))) == [
        "Stage prod: 1 kept on 1 cluster; it holds nothing yet",
        "  east",
        "    no change",
    ]
    assert told(kept, full=True) == [
        "= Deployment default/x (kept until the workflow has succeeded)"
    ]


@pytest.mark.parametrize("operation", [Operation.NONE, Operation.READ, Operation.LEAVE])
def test_what_has_nothing_to_say_is_counted(operation: Operation) -> None:
    stage = a_stage(an_object(operation))
    assert texts(stage_lines(stage)) == [
        "Stage prod: 1 unchanged on 1 cluster; it holds nothing yet",
        "  east",
        "    no change",
    ]


def test_drift_names_who_has_changed_the_field() -> None:
    drift = (
        field("spec", "replicas", before=7, after=3, managers=("kubectl, scale", "dashboard")),
        field("spec", "paused", before=True),
    )
    mended = an_object(Operation.MEND, drift=drift)
    assert told(mended)[1:] == [
        "    spec.replicas: 7 → 3 (changed by kubectl, scale, dashboard)",
        "    spec.paused: true → (none) (changed in the cluster)",
    ]
    update = an_object(
        Operation.UPDATE, cause=Cause.REVISION, drift=drift, fields=(field("data", "a", after="b"),)
    )
    assert told(update) == [
        "~ Deployment default/x",
        "    data.a: (none) → b",
        *told(mended)[1:],
    ]


def test_an_element_that_goes_is_not_mistaken_for_the_one_that_has_its_position_then() -> None:
    gone = field(*IMAGE, before="a:1")
    drift = (field(*IMAGE, before="b:evil", after="b:1", managers=("kubectl-edit",)),)
    updated = an_object(Operation.UPDATE, fields=(gone,), drift=drift)
    name = "    spec.template.spec.containers[0].image"
    assert told(updated) == [
        "~ Deployment default/x",
        f"{name}: a:1 → (none)",
        f"{name}: b:evil → b:1 (changed by kubectl-edit)",
    ]
    assert fields_of(ClusterPlan(cluster="east", uid="e", objects=(updated,))) == 2
    one = an_object(Operation.UPDATE, fields=(field(*IMAGE, after="b:1"),), drift=drift)
    assert fields_of(ClusterPlan(cluster="east", uid="e", objects=(one,))) == 1


def test_drift_that_is_left_says_what_the_application_wants() -> None:
    drift = (
        field("spec", "replicas", before=7, after=3, managers=("hpa, scale",)),
        field("data", "a", before="x\ny\n", after="x\nz\n"),
    )
    assert told(an_object(Operation.LEAVE, drift=drift)) == [
        "= Deployment default/x (left as it is)",
        "    spec.replicas: 7 (the application says 3; owned by hpa, scale)",
        "    data.a: as in the cluster (+), not as the application says (-)",
        "        x",
        "      - z",
        "      + y",
    ]


def test_a_field_that_an_update_leaves_to_others_is_not_shown_as_changed() -> None:
    change = field("data", "a", before=1, after=2, managers=("kubectl",))
    drift = (
        field("spec", "replicas", before=7, after=3, left=True, managers=("hpa",)),
        field("spec", "paused", before=True),
    )
    assert told(an_object(Operation.UPDATE, fields=(change,), drift=drift)) == [
        "~ Deployment default/x",
        "    data.a: 1 → 2 (held by kubectl)",
        "    spec.replicas: 7 (the application says 3; owned by hpa)",
        "    spec.paused: true → (none) (changed in the cluster)",
    ]


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (1, 3, ["d: 1 → 3"]),
        (8080, "8080", ['d: 8080 → "8080"']),
        (True, "true", ['d: true → "true"']),
        (None, "", ['d: (none) → ""']),
        ("(none)", " a", ['d: "(none)" → " a"']),
        ("a → b", None, ['d: "a → b" → (none)']),
        ({"b": 1, "a": [True]}, [], ['d: {"a": [true], "b": 1} → []']),
        (
            [{"name": "a"}, {"name": "b"}],
            [{"name": "b"}, {"name": "a"}],
            ["d (order): a, b → b, a"],
        ),
        ([{"p": 1, "q": "x"}, 2], [2, {"p": 1, "q": "x"}], ["d (order): 1/x, 2 → 2, 1/x"]),
        ("x" * 60, "y", [f"d: {'x' * 60} → y"]),
        ("x" * 61, "x" * 60 + "y", ["d:", f"  - {'x' * 61}", f"  + {'x' * 60}y"]),
        ("x" * 60, "y" * 60, ["d:", f"  - {'x' * 60}", f"  + {'y' * 60}"]),
        (None, "a\nb", ["d added:", "  + a", "  + b"]),
        ("a\n\nb", None, ["d removed:", "  - a", "  -", "  - b"]),
        ("a\nb\n", "a\nb", ["d:", "  … line 2", "    b", "  + (no newline at the end)"]),
        ("a\nb", "a\nb \n", ["d:", "    a", "  - b", "  - (no newline at the end)", "  + b␠"]),
        (
            CONFIG,
            CONFIG.replace("= 3", "= 4").replace("= 9", "= 8"),
            [
                "d:",
                "  … line 3",
                "    key_2 = 2",
                "  - key_3 = 3",
                "  + key_3 = 4",
                "    key_4 = 4",
                "  … line 9",
                "    key_8 = 8",
                "  - key_9 = 9",
                "  + key_9 = 8",
                "    key_10 = 10",
            ],
        ),
        (
            {"limits": {"cpu": "1", "note": "x" * 60}},
            {"limits": {"cpu": "2", "note": "x" * 60}},
            ["d:", "    limits:", "  - cpu: '1'", "  + cpu: '2'", f"    note: {'x' * 60}"],
        ),
    ],
)
def test_values_are_whole(before: Any, after: Any, lines: list[str]) -> None:
    found = told(an_object(Operation.UPDATE, fields=(field("d", before=before, after=after),)))
    squeezed = [re.sub(r"^(  [-+ ]) +", r"\1 ", line[4:]) for line in found[1:]]
    assert squeezed == [re.sub(r"^(  [-+ ]) +", r"\1 ", line) for line in lines]


@given(st.text(), st.text())
def test_every_line_that_differs_can_be_read(before: str, after: str) -> None:
    change = field("d", before=before, after=after)
    found = "\n".join(told(an_object(Operation.UPDATE, fields=(change,))))
    assert all(line.isprintable() for line in found.split("\n"))
    if "\n" in before and "\n" in after:
        kept = set(before.split("\n")) & set(after.split("\n"))
        for line in {*before.split("\n"), *after.split("\n")} - kept:
            assert printable(line.rstrip(" ")) in found


SERVICE = {
    "metadata": {"name": "x", "namespace": "default"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}], "type": "NodePort"},
}

MANY = {"data": {"a.conf": "x\ny\n", "long": "x" * 61, **{f"k{n}": str(n) for n in range(9)}}}


@pytest.mark.parametrize(
    ("kind", "content", "lines"),
    [
        (
            "Service",
            SERVICE,
            ["spec.ports[0].port: 80", "spec.type: NodePort", "spec.selector.app: web"],
        ),
        (
            "ConfigMap",
            MANY,
            [
                'data["a.conf"]: (2 lines)',
                *(f'data.k{number}: "{number}"' for number in range(7)),
                "… 4 more fields, all with plan --full",
            ],
        ),
        (
            "Secret",
            {"data": {"password": "0" * 64}},
            ["data.password: (secret)", "… 1 field, all with plan --full"],
        ),
        ("ServiceAccount", {"metadata": {"name": "x"}}, []),
    ],
)
def test_the_first_screen_shows_what_tells_most(
    kind: str, content: dict[str, Any], lines: list[str]
) -> None:
    found = told(an_object(Operation.CREATE, kind=kind, content=content))
    assert found == [f"+ {kind} default/x", *(f"    {line}" for line in lines)]


def test_images_are_shown_with_the_digests_they_are_bound_to() -> None:
    pinned = f"shop/web:2@sha256:{'0' * 64}"
    change = field(*IMAGE, before="shop/web:1", after="shop/web:2")
    update = an_object(Operation.UPDATE, fields=(change,), images=(pinned,))
    assert told(update)[1:] == [
        "    spec.template.spec.containers[0].image: shop/web:1 → shop/web:2",
        f"    image: {pinned}",
    ]
    created = an_object(
        Operation.CREATE, content=WEB, images=("shop/web:1@sha256:1", "shop/migrate:1@sha256:2")
    )
    assert "    web image: shop/web:1@sha256:1" in told(created)
    assert "    image: shop/web:1@sha256:1" in told(created, full=True)
    other = an_object(Operation.UPDATE, fields=(field("d", after=1),), images=(pinned,))
    assert told(other)[1:] == ["    d: (none) → 1"]
    assert told(other, full=True)[2:4] == [f"    image: {pinned}"]


def test_what_a_cluster_says_is_not_part_of_the_plan() -> None:
    each = an_object(Operation.UPDATE, remarks=("refused: spec.x: must be 1", "v1beta1 is old"))
    assert told(each)[1:] == [
        "    the cluster refuses it: spec.x: must be 1",
        "    the cluster says (not part of the plan): v1beta1 is old",
    ]


def test_what_velapulumi_notes_is_not_put_into_the_mouth_of_the_cluster() -> None:
    each = an_object(Operation.UPDATE, notes=("was deleted and created again by others",))
    assert told(each)[1:] == ["    was deleted and created again by others"]
