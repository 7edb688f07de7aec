"""Mistakes that the laws of operations have found, each in its smallest form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.laws.deliveries import (
    CONTROLLERS,
    HTTP,
    INJECTED,
    PEOPLE,
    PROXY,
    WEB,
    Act,
    World,
    check_announced,
    check_delivery,
    manifest,
    revised,
)
from tests.laws.server import Named, Path, Writer
from velapulumi.plan.fields import FieldChange
from velapulumi.plan.operation import Operation
from velapulumi.stage.operations import decide

EDIT, SCALER, FLUX = PEOPLE[0], CONTROLLERS[0], CONTROLLERS[1]
REPLICAS: Path = ("spec", "replicas")
IMAGE: Path = (*WEB, "image")


def deployment(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    found = [*containers] or [{"name": "web", "image": "1"}]
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": found}}
    selector = {"matchLabels": {"app": "web"}}
    return manifest("Deployment", 1, {"spec": {**spec, "selector": selector, "template": template}})


def config_map(**data: str) -> dict[str, Any]:
    return manifest("ConfigMap", 1, {"data": data})


def secret(**data: str) -> dict[str, Any]:
    return manifest("Secret", 1, {"data": data, "type": "Opaque"})


def delivered(first: dict[str, Any], *acts: Act, in_front: bool = False) -> World:
    """An object that was delivered and that others have changed then."""
    world = World(first["kind"])
    world = world.do(decide(world.facts(first)))
    return world.disturbed([*acts], in_front)


WEB_AND_SIDE = ({"name": "web", "image": "1"}, {"name": "side", "image": "1"})


def test_an_element_that_others_put_in_front_is_not_mistaken_for_one_of_ours() -> None:
    first = deployment()
    world = delivered(
        first, Act(IMAGE, "9", EDIT), Act((*PROXY, "image"), "9", EDIT), in_front=True
    )
    check_delivery(world, first)


def test_a_new_element_is_not_mistaken_for_one_of_others() -> None:
    world = delivered(deployment(), Act((*PROXY, "image"), "9", EDIT))
    decision = decide(world.facts(revised(deployment(*WEB_AND_SIDE), 2)))
    assert decision.operation is Operation.UPDATE


def test_a_new_element_that_others_hold_is_not_taken_in_silence() -> None:
    def web(name: str) -> dict[str, Any]:
        return {"name": "web", "image": "1", "env": [{"name": name, "value": "1"}]}

    world = delivered(deployment(web("B")), Act((*WEB, "env", Named("A"), "value"), "9", EDIT))
    decision = decide(world.facts(revised(deployment(web("A")), 2)))
    assert decision.operation is Operation.REFUSE


def test_what_was_left_to_a_controller_is_no_change_of_the_next_delivery() -> None:
    world = delivered(deployment(replicas=1), Act(REPLICAS, 5, SCALER))
    wanted = revised(deployment({"name": "web", "image": "2"}, replicas=1), 2)
    after = check_delivery(world, wanted)
    again = decide(after.facts(wanted))
    assert (again.operation, again.reason) == (Operation.LEAVE, None)


def test_a_field_that_is_left_is_not_shown_as_changing() -> None:
    world = delivered(deployment(replicas=1), Act(REPLICAS, 5, SCALER))
    decision = decide(world.facts(revised(deployment(replicas=3), 2)))
    assert [each.path for each in decision.drift if each.left] == [REPLICAS]
    assert REPLICAS not in [each.path for each in decision.changes]


@pytest.mark.parametrize(
    "acts",
    [
        pytest.param((Act(IMAGE, "9", EDIT), Act(IMAGE, "1", EDIT)), id="set-and-set-back"),
        pytest.param((Act(IMAGE, "1", FLUX),), id="applied-as-well"),
    ],
)
def test_a_field_that_changes_is_taken_from_whoever_holds_it(acts: tuple[Act, ...]) -> None:
    world = delivered(deployment(), *acts)
    wanted = revised(deployment({"name": "web", "image": "2"}), 2)
    check_delivery(world, wanted)


def test_a_list_that_a_controller_has_changed_is_left_as_a_whole() -> None:
    web = {"name": "web", "image": "1", "command": ["1", "2"]}
    other = Act((*WEB, "command"), ["1", "9"], SCALER)
    decision = decide(delivered(deployment(web), other).facts(revised(deployment(web), 2)))
    (container,) = decision.manifest["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["1", "9"]


def test_what_a_controller_does_not_hold_of_a_map_is_written() -> None:
    world = delivered(config_map(a="1"), Act(("data", "b"), "2", SCALER))
    decision = decide(world.facts(revised(config_map(b="3", c="3"), 2), takes_fields=True))
    assert decision.manifest["data"]["c"] == "3"


def test_what_goes_from_an_unready_object_is_said() -> None:
    world = delivered(config_map(a="1", b="1"))
    assert world.recorded is not None
    assert world.served is not None
    world = replace(world, recorded=replace(world.recorded, ready=False))
    decision = decide(world.facts(config_map(a="1")))
    assert (decision.operation, decision.changes) == (
        Operation.UPDATE,
        (FieldChange(("data", "b"), "1", None),),
    )
    after = world.do(decision).served
    assert after is not None
    check_announced(decision, world.served.fields, after.fields)


def test_what_goes_from_a_secret_is_said() -> None:
    world = delivered(secret(a="MQ==", b="MQ=="))
    decision = decide(world.facts(revised(secret(a="MQ=="), 2)))
    assert decision.operation is Operation.UPDATE
    assert ("data", "b") in [each.path for each in decision.changes]


def test_what_others_have_changed_in_a_secret_is_put_back_with_the_next_revision() -> None:
    first = secret(a="MQ==")
    world = delivered(first, Act(("data", "a"), "OQ==", EDIT))
    assert decide(world.facts(first)).operation is Operation.MEND
    assert decide(world.facts(revised(first, 2))).operation is Operation.UPDATE


def test_a_new_field_that_is_there_already_is_no_drift() -> None:
    world = delivered(config_map(a="1"), Act(("data", "b"), "2", Writer("kubectl-edit")))
    decision = decide(world.facts(revised(config_map(a="1", b="2"), 2)))
    assert decision.operation is Operation.UPDATE
    assert decision.drift == ()


def web_with(**env: str) -> dict[str, Any]:
    found = [{"name": name, "value": value} for name, value in env.items()]
    return {"name": "web", "image": "1", **({"env": found} if found else {})}


def environment(name: str) -> Path:
    return (*WEB, "env", Named(name), "value")


def test_an_element_that_goes_is_not_mistaken_for_the_one_in_its_place() -> None:
    world = delivered(deployment(web_with(B="1")), Act(environment("A"), "1", EDIT))
    wanted = revised(deployment(web_with(A="1")), 2)
    assert decide(world.facts(wanted)).operation is Operation.UPDATE
    check_delivery(world, wanted)


def test_what_others_have_put_into_a_list_does_not_hide_what_goes_from_it() -> None:
    world = delivered(deployment(web_with(A="1")), Act(environment("X"), "1", EDIT))
    decision = decide(world.facts(revised(deployment(web_with()), 2)))
    assert world.served is not None
    after = world.do(decision).served
    assert after is not None
    assert environment("A") not in after.fields
    check_announced(decision, world.served.fields, after.fields)


def service(*ports: dict[str, Any]) -> dict[str, Any]:
    spec = {"type": "ClusterIP", "ports": list(ports)}
    return manifest("Service", 1, {"spec": spec}, **{"pulumi.com/skipAwait": "true"})


PORT = {"port": 80, "targetPort": 1}
NAMED_PORTS = ({**PORT, "name": "p80"}, {"port": 81, "targetPort": 1, "name": "p81"})


@pytest.mark.parametrize("writer", [EDIT, SCALER, FLUX])
def test_a_name_that_others_give_an_element_with_another_key_makes_it_no_other_one(
    writer: Writer,
) -> None:
    world = delivered(service(*NAMED_PORTS), Act((*HTTP, "name"), "theirs", writer))
    check_delivery(world, service(*NAMED_PORTS))
    check_delivery(world, revised(service(*NAMED_PORTS), 2))


def test_an_element_that_is_renamed_beside_one_that_is_replaced_is_not_taken_for_gone() -> None:
    acts = (Act((*HTTP, "name"), "theirs", SCALER), Act((*INJECTED, "name"), "injected", EDIT))
    world = delivered(service(*NAMED_PORTS), *acts)
    check_delivery(world.stopped(service(NAMED_PORTS[0])), revised(service(*NAMED_PORTS), 2))


def test_a_name_that_an_element_loses_is_said_once() -> None:
    world = delivered(service(NAMED_PORTS[0]))
    decision = decide(world.facts(revised(service(PORT), 2)))
    assert [each.path for each in decision.changes] == [("spec", "ports", 0, "name")]
    assert decision.drift == ()
    check_delivery(world, revised(service(PORT), 2))


@pytest.mark.parametrize("in_front", [True, False])
def test_another_key_is_not_mistaken_for_an_element_of_others(in_front: bool) -> None:
    """Positions tell nothing: others may have put an element without a name before ours."""

    def service(number: int) -> dict[str, Any]:
        spec = {"type": "ClusterIP", "ports": [{"port": number, "targetPort": 1}]}
        return manifest("Service", 1, {"spec": spec})

    theirs = Act((*INJECTED, "targetPort"), 3, EDIT)
    world = delivered(service(80), theirs, in_front=in_front)
    wanted = revised(service(81), 2)
    decision = decide(world.facts(wanted))
    assert (decision.operation, decision.drift) == (Operation.UPDATE, ())
    after = check_delivery(world, wanted)
    assert after.served is not None
    assert after.served.fields[(*INJECTED, "targetPort")] == 3
