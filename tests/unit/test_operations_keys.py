"""What is decided of lists whose elements a server knows by other fields than their name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from tests.unit.helpers import MANAGER, PROJECT_ID, FakeCluster, reached, with_uid
from velapulumi.definitions.rules.fieldpath import Parts
from velapulumi.delivery.failures import FailedRun
from velapulumi.engine.record import RecordedObject
from velapulumi.plan.objects import ObjectKey
from velapulumi.plan.operation import Operation
from velapulumi.plan.places import all_located
from velapulumi.project import Project
from velapulumi.render.rules import PROJECT, Treatment
from velapulumi.stage.look import Look
from velapulumi.stage.operations import Decision, decide
from velapulumi.stage.planned import ObjectWriter
from velapulumi.stage.sides import Facts, Live, desired
from velapulumi.stage.situation import Presence

LABELS = {"app.oam.dev/name": "shop", "app.oam.dev/namespace": "default", PROJECT: PROJECT_ID}
UNWAITED = {"pulumi.com/skipAwait": "true"}
PORTS: Parts = ("spec", "ports")
POD: Parts = ("spec", "template", "spec")
CONTAINERS: Parts = (*POD, "containers")
HTTP = {"name": "http", "port": 80}


def element(**keys: Any) -> str:
    return f"k:{json.dumps(keys)}"


def service(*ports: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "web", "namespace": "default", "labels": LABELS, "annotations": UNWAITED}
    spec = {"ports": list(ports)}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def workload(*containers: dict[str, Any], kind: str = "Deployment", **pod: Any) -> dict[str, Any]:
    metadata = {"name": "web", "namespace": "default", "labels": LABELS}
    spec = {"template": {"spec": {"containers": list(containers), **pod}}}
    version = "batch/v1" if kind == "Job" else "apps/v1"
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def web(*ports: dict[str, Any], **more: Any) -> dict[str, Any]:
    listed = {"ports": list(ports)} if ports else {}
    return {"name": "web", "image": "web:1", **listed, **more}


def held(
    manifest: dict[str, Any], holders: Mapping[str, tuple[Parts, Mapping[str, Any]]]
) -> dict[str, Any]:
    """An object as it is live, with what some hold: a tree of fields below a path each."""
    entries = []
    for manager, (path, tree) in holders.items():
        fields = dict(tree)
        for part in reversed(path):
            fields = {f"f:{part}" if not str(part).startswith("k:") else str(part): fields}
        entries.append({
            "manager": manager,
            "operation": "Apply" if manager == MANAGER else "Update",
            "apiVersion": manifest["apiVersion"],
            "fieldsV1": fields,
        })  # fmt: skip
    live = with_uid(manifest)
    return {**live, "metadata": {**live["metadata"], "managedFields": entries}}


def recorded(manifest: dict[str, Any], ready: bool = True) -> RecordedObject:
    outputs = {**with_uid(manifest), "__fieldManager": MANAGER}
    return RecordedObject("east", manifest, ready, handle="east", outputs=outputs)


def facts(
    wanted: dict[str, Any], live: dict[str, Any], before: dict[str, Any] | None, **more: Any
) -> Facts:
    return Facts(
        ObjectKey.of("east", wanted),
        "default/shop",
        PROJECT_ID,
        Live(Presence.PRESENT, live),
        wanted,
        recorded=recorded(before) if before else None,
        **more,
    )


def taken(found: Decision) -> list[Parts]:
    return all_located(found.taken, found.facts.live.manifest)


def ports_of(number: int = 80, *names: str) -> tuple[Parts, Mapping[str, Any]]:
    """What who has written a port of a Service holds."""
    fields = {f"f:{name}": {} for name in names}
    return PORTS, {element(port=number, protocol="TCP"): {".": {}, "f:port": {}, **fields}}


def test_a_name_that_goes_from_a_port_is_told_once() -> None:
    live = held(service({**HTTP, "protocol": "TCP"}), {MANAGER: ports_of(80, "name")})
    found = decide(facts(service({"port": 80}), live, service(HTTP)))
    assert found.operation is Operation.UPDATE
    assert [(each.path, each.before, each.after) for each in found.changes] == [
        ((*PORTS, 0, "name"), "http", None)
    ]
    assert found.drift == ()


def test_a_name_that_others_have_changed_is_put_back_and_taken_from_them() -> None:
    theirs = {element(port=80, protocol="TCP"): {"f:name": {}}}
    live = held(
        service({"name": "evil", "port": 80, "protocol": "TCP"}),
        {MANAGER: ports_of(), "kubectl-edit": (PORTS, theirs)},
    )
    found = decide(facts(service(HTTP), live, service(HTTP)))
    (drifted,) = found.drift
    assert found.operation is Operation.MEND
    assert (drifted.path, drifted.live, drifted.desired) == ((*PORTS, 0, "name"), "evil", "http")
    assert [each.name for each in drifted.managers] == ["kubectl-edit"]
    assert taken(found) == [(*PORTS, 0, "name")]


def test_a_mount_that_others_have_given_another_volume_is_put_back() -> None:
    def mounts(name: str) -> dict[str, Any]:
        return web(
            volumeMounts=[{"name": name, "mountPath": "/a"}, {"name": "b", "mountPath": "/b"}]
        )

    at: Parts = (*CONTAINERS, element(name="web"), "volumeMounts")
    a, b = element(mountPath="/a"), element(mountPath="/b")
    live = held(
        workload(mounts("c")),
        {
            MANAGER: (at, {a: {"f:mountPath": {}}, b: {"f:mountPath": {}, "f:name": {}}}),
            "kubectl-edit": (at, {a: {"f:name": {}}}),
        },
    )
    found = decide(facts(workload(mounts("a")), live, workload(mounts("a"))))
    path = (*CONTAINERS, 0, "volumeMounts", 0, "name")
    assert [(each.path, each.live, each.desired) for each in found.drift] == [(path, "c", "a")]
    assert taken(found) == [path]


def test_a_port_that_gets_another_number_is_told_by_its_name_and_once() -> None:
    target = {**HTTP, "targetPort": 1}
    live = held(
        service({**target, "protocol": "TCP"}), {MANAGER: ports_of(80, "name", "targetPort")}
    )
    found = decide(facts(service({**target, "port": 81}), live, service(target)))
    assert [(each.path, each.before, each.after) for each in found.changes] == [
        ((*PORTS, 0, "port"), 80, 81)
    ]
    assert found.drift == ()


OURS, THEIRS = {"containerPort": 80}, {"containerPort": 9000, "protocol": "TCP"}
KEY_80, KEY_9000 = (element(containerPort=at, protocol="TCP") for at in (80, 9000))
IN_WEB: Parts = (*CONTAINERS, element(name="web"))
HELD: Mapping[str, tuple[Parts, Mapping[str, Any]]] = {
    MANAGER: (IN_WEB, {"f:ports": {KEY_80: {".": {}, "f:containerPort": {}}}}),
    "kubectl-edit": (IN_WEB, {"f:ports": {KEY_9000: {".": {}, "f:containerPort": {}}}}),
}


def test_a_list_that_goes_leaves_the_elements_of_others_and_says_so() -> None:
    live = held(workload(web({**OURS, "protocol": "TCP"}, THEIRS)), HELD)
    found = decide(facts(workload(web()), live, workload(web(OURS))))
    assert found.operation is Operation.UPDATE
    assert [(each.path, each.before, each.after) for each in found.changes] == [
        ((*CONTAINERS, 0, "ports", 0, "containerPort"), 80, None)
    ]
    assert found.drift == ()


def test_a_list_that_goes_with_an_element_leaves_what_others_have_put_into_it() -> None:
    side = {"name": "side", "image": "s"}
    live = held(workload(side, web({**OURS, "protocol": "TCP"}, THEIRS)), HELD)
    found = decide(facts(workload(side), live, workload(side, web(OURS))))
    gone = {each.path[len(CONTAINERS) :] for each in found.changes}
    assert gone == {(1, "name"), (1, "image"), (1, "ports", 0, "containerPort")}
    assert not any(each.left for each in found.drift)


def test_what_others_put_beside_an_element_without_a_name_is_not_approved(
    project: Project,
) -> None:
    wanted = workload(web(OURS))
    writer = ObjectWriter(project, Look(project, {}))

    def live_base(*more: dict[str, Any]) -> str:
        live = held(workload(web(*more, {**OURS, "protocol": "TCP"})), HELD)
        found = decide(facts(wanted, live, wanted))
        assert (found.operation, found.drift) == (Operation.NONE, ())
        return writer._live(found)

    assert live_base() == live_base(THEIRS)


def test_what_others_put_beside_an_element_was_not_refused() -> None:
    wanted = workload(web(OURS))
    for image, refused in (("web:1", False), ("web:0", True)):
        live = held(workload(web(THEIRS, {**OURS, "protocol": "TCP"}, image=image)), HELD)
        found = decide(facts(wanted, live, wanted))
        clusters = {"east": reached("east", FakeCluster(live))}
        run = FailedRun(cast(Any, None), [found], cast(Any, None), clusters, 1.0, tolerant=True)
        assert run._is_refused(recorded(wanted, ready=False)) is refused


def test_a_job_that_was_begun_keeps_its_template_whatever_others_have_put_into_it() -> None:
    def job(revision: str, *more: dict[str, Any]) -> dict[str, Any]:
        found = workload(web(*more, OURS), kind="Job")
        labels = {"app.oam.dev/revision": revision}
        found["spec"]["template"]["metadata"] = {"labels": labels}
        return found

    live = held(job("web-v1", THEIRS), HELD)
    found = desired(facts(job("web-v2"), live, None, begun=True))
    assert found["spec"]["template"] == job("web-v1")["spec"]["template"]


A, B = {"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}
BOTH: Mapping[str, tuple[Parts, Mapping[str, Any]]] = {
    MANAGER: (CONTAINERS, {element(name=name): {"f:image": {}} for name in "ab"})
}
FIRST = Treatment(kept=((*CONTAINERS, 0, "image"),))


def test_a_field_that_is_kept_hides_no_other_one_in_its_position() -> None:
    live = held(workload(A, B), BOTH)
    found = decide(facts(workload(B), live, workload(A, B), treatment=FIRST))
    assert ((*CONTAINERS, 0, "image"), "a:1", None) in [
        (each.path, each.before, each.after) for each in found.changes
    ]


def test_a_field_that_is_kept_hides_no_other_one_after_others_have_moved_it() -> None:
    live = held(workload({**B, "image": "evil"}, {**A, "image": "kept"}), BOTH)
    found = decide(facts(workload(A, B), live, workload(A, B), treatment=FIRST))
    told = [(each.path, each.live, each.left) for each in found.drift if each.path != CONTAINERS]
    assert told == [
        ((*CONTAINERS, 0, "image"), "kept", True),
        ((*CONTAINERS, 1, "image"), "evil", False),
    ]


def test_a_field_of_an_element_that_others_have_renamed_is_kept() -> None:
    wanted = service({**HTTP, "nodePort": 30000})
    live = held(
        service({"name": "evil", "port": 80, "protocol": "TCP", "nodePort": 31000}),
        {MANAGER: ports_of(80, "name", "nodePort")},
    )
    kept = Treatment(kept=((*PORTS, 0, "nodePort"),))
    found = desired(facts(wanted, live, wanted, treatment=kept))
    assert found["spec"]["ports"] == [{**HTTP, "nodePort": 31000}]


def test_what_goes_with_a_write_is_not_said_to_be_left() -> None:
    def config(**data: str) -> dict[str, Any]:
        metadata = {"name": "web", "namespace": "default", "labels": LABELS}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}

    fields = {"f:a": {}, "f:x": {}}
    live = held(config(a="1", x="1"), {MANAGER: (("data",), fields)})
    for value, operation, left in (("1", Operation.LEAVE, True), ("2", Operation.UPDATE, False)):
        found = decide(facts(config(a=value), live, config(a="1"), mends=False))
        assert found.operation is operation
        assert [(each.path, each.left) for each in found.drift] == [(("data", "x"), left)]


def test_a_list_that_is_one_value_for_the_server_is_put_back_as_a_whole() -> None:
    """Whatever names its elements have: who changes one holds all of them."""

    def account(*names: str) -> dict[str, Any]:
        metadata = {"name": "web", "namespace": "default", "labels": LABELS}
        secrets = [{"name": name} for name in names]
        kind = "ServiceAccount"
        return {
            "apiVersion": "v1", "kind": kind, "metadata": metadata, "imagePullSecrets": secrets
        }  # fmt: skip

    live = held(account("ours", "theirs"), {"kubectl-patch": (("imagePullSecrets",), {})})
    found = decide(facts(account("ours"), live, account("ours")))
    (drift,) = found.drift
    assert (found.operation, drift.path) == (Operation.MEND, ("imagePullSecrets",))
    assert (drift.live, drift.desired) == (
        [{"name": "ours"}, {"name": "theirs"}],
        [{"name": "ours"}],
    )
    assert all_located(found.taken, live) == [("imagePullSecrets",)]
