"""What stays with others: shared objects, fields of controllers, Jobs that have gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.helpers import MANAGER, PROJECT_ID, with_uid
from tests.unit.setting import held_by, words
from velapulumi.clusters.managed import described
from velapulumi.engine.record import RecordedObject
from velapulumi.engine.values import SEALED
from velapulumi.plan.approved import differences
from velapulumi.plan.document import (
    Base,
    ClusterPlan,
    PlanDocument,
    PlannedField,
    PlannedObject,
    StagePlan,
    Tools,
    read_plan,
)
from velapulumi.plan.objects import ObjectKey
from velapulumi.plan.operation import Cause, Operation
from velapulumi.render.rules import SHARERS, Treatment
from velapulumi.stage.operations import Decision, decide
from velapulumi.stage.sides import Facts, Live, Other
from velapulumi.stage.situation import Presence, Reason

SHOP = "default/shop"
REPLICAS = ("spec", "replicas")


def an_object(kind: str, spec: Mapping[str, Any], revision: str = "shop-v1") -> dict[str, Any]:
    group = {"ConfigMap": "v1", "Job": "batch/v1"}.get(kind, "apps/v1")
    labels = {
        "app.oam.dev/name": "shop",
        "app.oam.dev/namespace": "default",
        "app.oam.dev/appRevision": revision,
        "velapulumi.dev/project": PROJECT_ID,
    }
    metadata = {"name": "a", "namespace": "default", "labels": labels}
    return {"apiVersion": group, "kind": kind, "metadata": metadata, **spec}


def recorded(manifest: dict[str, Any], **outputs: Any) -> RecordedObject:
    said = {**with_uid(manifest), "__fieldManager": MANAGER, **outputs}
    return RecordedObject("east", manifest, True, handle="east", outputs=said)


def decided(
    wanted: dict[str, Any],
    live: dict[str, Any] | None,
    held: RecordedObject | None = None,
    **more: Any,
) -> Decision:
    there = Live(Presence.PRESENT, live) if live else Live(Presence.ABSENT)
    key = ObjectKey.of("east", wanted)
    return decide(Facts(key, SHOP, PROJECT_ID, there, wanted, recorded=held, **more))


def deployment(selector: str = "a", replicas: int = 2) -> dict[str, Any]:
    labels = {"app": selector}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "w"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return an_object("Deployment", {"spec": spec})


def scaled(replicas: int) -> dict[str, Any]:
    """The Deployment as an autoscaler has scaled it."""
    live = with_uid(deployment(replicas=replicas))
    live = held_by(live, MANAGER, "spec.selector", operation="Apply")
    return held_by(live, "kube-controller-manager", "spec.replicas", subresource="scale")


def config_map(value: str) -> dict[str, Any]:
    return an_object("ConfigMap", {"data": {"key": value}, "immutable": True})


@pytest.mark.parametrize(
    ("before", "after"), [(deployment("a"), deployment("b")), (config_map("1"), config_map("2"))]
)
def test_what_is_never_deleted_is_not_made_anew_either(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    held = recorded(before)
    found = decided(after, with_uid(before), held)
    assert found.operation is Operation.REPLACE
    forever = Treatment(never_deleted=True)
    found = decided(after, with_uid(before), held, treatment=forever)
    assert (found.operation, found.reason) == (Operation.REFUSE, Reason.CONTRADICTION)
    found = decided(after, with_uid(before), held, left_behind=True)
    assert found.reason is Reason.CONTRADICTION
    assert "cannot be changed in place, and a policy" in words(found)
    same = decided(before, with_uid(before), held, treatment=forever)
    assert same.operation is Operation.NONE


def test_what_others_share_is_not_made_anew() -> None:
    live = with_uid(config_map("1"))
    live["metadata"]["annotations"] = {SHARERS[-1]: f"{SHOP},team/blog"}
    shared = Treatment(shared=True)
    found = decided(config_map("2"), live, recorded(config_map("1")), treatment=shared)
    assert found.reason is Reason.CONTRADICTION
    live["metadata"]["annotations"] = {SHARERS[-1]: SHOP}
    found = decided(config_map("2"), live, recorded(config_map("1")), treatment=shared)
    assert found.operation is Operation.REPLACE


def test_a_completed_job_that_has_gone_does_not_run_again_for_a_revision_of_others() -> None:
    def job(revision: str, image: str = "i") -> dict[str, Any]:
        labels = {"app.oam.dev/appRevision": revision}
        pod = {"containers": [{"name": "m", "image": image}]}
        template = {"metadata": {"labels": labels}, "spec": pod}
        return an_object("Job", {"spec": {"template": template}}, revision)

    done = {"conditions": [{"type": "Complete", "status": "True"}]}
    held = recorded(job("shop-v1"), status=done)
    for revision in ("shop-v1", "shop-v2"):
        found = decided(job(revision), None, held)
        assert (found.operation, found.cause) == (Operation.NONE, Cause.COMPLETED)
    again = decided(job("shop-v2", "another"), None, held)
    assert again.operation is Operation.CREATE


def test_what_a_controller_scales_stays_when_another_stage_takes_the_object() -> None:
    for more in ({"other": Other("old", keeps=False)}, {"begun": True}):
        found = decided(deployment(replicas=2), scaled(10), **more)
        assert found.operation in (Operation.HAND_OVER, Operation.TAKE_OVER)
        (left,) = found.drift
        assert (left.path, left.live, left.desired, left.left) == (REPLICAS, 10, 2, True)
        assert found.manifest["spec"]["replicas"] == 10
        assert REPLICAS not in found.taken
        assert REPLICAS not in [change.path for change in found.changes]


@pytest.mark.parametrize("takes_fields", [False, True])
def test_taking_fields_takes_nothing_that_is_left_to_a_controller(takes_fields: bool) -> None:
    held = recorded(deployment(replicas=2))
    for replicas in (2, 3):
        wanted = deployment(replicas=replicas)
        found = decided(wanted, scaled(10), held, takes_fields=takes_fields)
        assert found.operation is Operation.LEAVE
        assert found.taken == ()


def test_a_shared_object_that_the_stack_has_forgotten_is_shared_as_before() -> None:
    live = an_object("ConfigMap", {"data": {"key": "1"}})
    live["metadata"]["labels"]["app.oam.dev/name"] = "blog"
    live["metadata"]["annotations"] = {SHARERS[-1]: f"default/blog,{SHOP}"}
    wanted = an_object("ConfigMap", {"data": {"key": "1"}})
    found = decided(wanted, with_uid(live), treatment=Treatment(shared=True))
    assert found.operation is Operation.READ
    live["metadata"]["labels"]["velapulumi.dev/project"] = "00" * 8
    found = decided(wanted, with_uid(live), treatment=Treatment(shared=True))
    assert found.reason is Reason.NOT_OURS


def test_what_others_have_set_to_what_is_wanted_now_is_no_drift() -> None:
    before, after = (an_object("ConfigMap", {"data": {"key": value}}) for value in "12")
    live = held_by(with_uid(after), "kubectl-edit", "data.key")
    found = decided(after, live, recorded(before))
    assert found.drift == ()
    assert found.operation is Operation.UPDATE


def a_plan(*, reached: bool = True, **more: Any) -> PlanDocument:
    base = Base(live="l", recorded="r") if reached else Base(recorded="r")
    each = PlannedObject(
        api_version="apps/v1", kind="Deployment", name="a", desired="d", base=base, **more
    )
    cluster = ClusterPlan(cluster="east", uid="u", reached=reached, objects=(each,))
    return PlanDocument(
        application="shop",
        namespace="default",
        revision="shop-v1:0",
        tools=Tools(velapulumi="1", engine="1", provider="1"),
        stages=(StagePlan(stage="prod", steps=("prod",), clusters=(cluster,)),),
    )


def test_another_engine_is_somebody_else_and_is_named() -> None:
    """Each object has an engine's manager of its own, so another one is another team's."""
    theirs = "pulumi-kubernetes-theirs"
    live = held_by(with_uid(deployment(replicas=7)), theirs, "spec.replicas")
    found = decided(deployment(replicas=2), live, recorded(deployment(replicas=2)))
    (drift,) = found.drift
    assert (found.operation, described(drift.managers)) == (Operation.MEND, (theirs,))
    fewer = deployment()
    del fewer["spec"]["replicas"]
    both = held_by(with_uid(deployment()), MANAGER, "spec.replicas", operation="Apply")
    both = held_by(both, theirs, "spec.replicas")
    (left,) = decided(fewer, both, recorded(deployment())).drift
    assert (left.path, left.left) == (REPLICAS, True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ({"name": "http"}, [(80, 82)]),
        ({}, [(80, None), (1, None), (None, {"port": 82, "targetPort": 1})]),
    ],
)
def test_a_port_that_changes_is_no_unfinished_run(
    name: dict[str, str], expected: list[tuple[object, object]]
) -> None:
    """A port with a name is the same one; to the server, one without is another one."""

    def service(port: int) -> dict[str, Any]:
        made = an_object("Service", {"spec": {"ports": [{**name, "port": port, "targetPort": 1}]}})
        return {**made, "apiVersion": "v1"}

    live = with_uid(service(80))
    key = 'k:{"port":80,"protocol":"TCP"}'
    fields = {"f:port": {}, "f:targetPort": {}, **({"f:name": {}} if name else {})}
    live["metadata"]["managedFields"] = [
        {
            "manager": MANAGER,
            "operation": "Apply",
            "apiVersion": "v1",
            "fieldsV1": {"f:spec": {"f:ports": {key: {".": {}, **fields}}}},
        }
    ]
    found = decided(service(82), live, recorded(service(80)))
    assert (found.operation, found.drift) == (Operation.UPDATE, ())
    in_spec = [change for change in found.changes if change.path[0] == "spec"]
    assert [(change.before, change.after) for change in in_spec] == expected


def test_a_value_that_others_have_set_too_is_changed_by_the_file() -> None:
    def secret(value: str) -> dict[str, Any]:
        return {**an_object("Secret", {"data": {"a": value}}), "apiVersion": "v1"}

    sealed = {**secret(""), "data": {SEALED: "encrypted"}}
    live = held_by(with_uid(secret("b25l")), MANAGER, "data.a", operation="Apply")
    live = held_by(live, "kubectl-patch", "data.a")
    found = decided(secret("dHdv"), live, recorded(sealed, data={SEALED: "encrypted"}))
    assert (found.operation, found.drift) == (Operation.UPDATE, ())
    assert [change.path for change in found.changes] == [("data", "a")]


def test_an_approval_binds_which_fields_are_left_to_others() -> None:
    def plan(left: bool) -> PlanDocument:
        drift = PlannedField(path=REPLICAS, before=10, after=2, left=left)
        return a_plan(operation=Operation.UPDATE, drift=(drift,))

    assert list(differences(plan(True), plan(True), "prod")) == []
    assert list(differences(plan(True), plan(False), "prod")) == [
        "what changes in Deployment a on east is not what was approved"
    ]


def test_a_plan_that_was_kept_says_what_it_said_when_it_was_made() -> None:
    """The file does not say who has changed a field: that is shown, and not approved."""
    drift = PlannedField(path=REPLICAS, before=10, after=2, managers=("kubectl (scale)",))
    held = PlannedField(path=("data", "a"), before=1.5, after={"b": [1]}, managers=("helm",))
    made = a_plan(operation=Operation.UPDATE, fields=(held,), drift=(drift,))
    kept = read_plan(made.text, "kept")
    assert kept != made
    assert list(differences(kept, made, "prod")) == []
    other = a_plan(operation=Operation.UPDATE, fields=(held,), drift=(drift, drift))
    assert len(list(differences(kept, other, "prod"))) == 1


def test_nobody_has_approved_the_end_of_what_nobody_could_see() -> None:
    silent = a_plan(reached=False, operation=Operation.OWED)
    for operation in (Operation.REPLACE, Operation.TAKE_OVER, Operation.DELETE):
        now = a_plan(operation=operation)
        assert list(differences(silent, now, "prod")) == [
            f"what happens to Deployment a on east ({operation}) was not known when it was approved"
        ]
    assert list(differences(silent, a_plan(operation=Operation.UPDATE), "prod")) == []


def test_kept_fields_have_the_values_that_are_there_whatever_others_have_added() -> None:
    def web(image: str, *more: dict[str, Any], **spec: Any) -> dict[str, Any]:
        containers = [*more, {"name": "web", "image": image}]
        return an_object(
            "Deployment", {"spec": {**spec, "template": {"spec": {"containers": containers}}}}
        )

    image = ("spec", "template", "spec", "containers", 0, "image")
    kept = Treatment(kept=(image, REPLICAS, ("spec", "paused")))
    wanted = web("web:2", replicas=1)
    live = with_uid(web("web:live", {"name": "side", "image": "envoy"}, replicas=5))
    found = decided(wanted, live, recorded(web("web:1", replicas=1)), treatment=kept)
    assert found.manifest["spec"]["replicas"] == 5
    assert found.manifest["spec"]["template"]["spec"]["containers"] == [
        {"name": "web", "image": "web:live"}
    ]
    assert {(each.path, each.live, each.left) for each in found.drift} == {
        (image, "web:live", True),
        (REPLICAS, 5, True),
    }
    assert decided(wanted, None, treatment=kept).manifest["spec"]["replicas"] == 1
