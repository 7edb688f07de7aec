"""Laws of what is decided of an object, held against a model of an API server.

Revisions are delivered one after the other, and between them others write to the object: people,
controllers that scale, controllers that apply.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.laws.deliveries import (
    CONTROLLERS,
    DEFAULTS,
    PEOPLE,
    WRITES,
    Act,
    History,
    World,
    acts,
    check_delivery,
    found_manifest,
    histories,
    kinds,
    objects,
    registered,
    revised,
)
from tests.laws.server import Served, Writer, flat
from velapulumi.definitions.rules.fieldpath import Parts
from velapulumi.plan.operation import Cause, Operation
from velapulumi.render.rules import Treatment
from velapulumi.stage.operations import decide
from velapulumi.stage.resources import Mode
from velapulumi.stage.situation import Reason

few = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@few
@given(histories(PEOPLE + CONTROLLERS), st.booleans())
def test_deciding_twice_gives_the_same(history: History, takes_fields: bool) -> None:
    facts = history.world.facts(history.wanted, takes_fields=takes_fields)
    assert decide(facts) == decide(facts)


@few
@given(histories(PEOPLE + CONTROLLERS))
def test_the_name_of_the_cluster_decides_nothing(history: History) -> None:
    world, wanted = history.world, history.wanted
    east, west = decide(world.facts(wanted)), decide(world.facts(wanted, "west"))
    assert replace(east, facts=west.facts) == west


@few
@given(kinds.flatmap(lambda kind: objects[kind]))
def test_what_is_wanted_recorded_and_there_is_quiet(wanted: dict[str, Any]) -> None:
    world = World(wanted["kind"])
    first = decide(world.facts(wanted))
    assert first.operation is Operation.CREATE
    again = decide(world.do(first).facts(wanted))
    assert (again.operation, again.cause, again.changes, again.drift) == (
        Operation.NONE, None, (), (),
    )  # fmt: skip


@few
@given(histories())
def test_a_delivery_leads_to_what_is_wanted_and_nothing_else(
    history: History,
) -> None:
    check_delivery(history.world, history.wanted)


@few
@given(histories(PEOPLE + CONTROLLERS))
def test_a_delivery_leaves_to_controllers_what_they_hold(history: History) -> None:
    check_delivery(history.world, history.wanted)


@few
@given(histories())
def test_fields_that_are_taken_are_the_named_ones(history: History) -> None:
    check_delivery(history.world, history.wanted, takes_fields=True)


@few
@given(histories(PEOPLE + CONTROLLERS), st.booleans(), st.booleans())
def test_what_is_written_is_what_was_decided(
    history: History, takes_fields: bool, ready: bool
) -> None:
    """The engine writes exactly where the operation says so, or to look at what was unready."""
    world = history.world
    assert world.recorded is not None
    recorded = replace(world.recorded, ready=ready)
    for found in (world, replace(world, recorded=recorded), replace(world, served=None)):
        decision = decide(found.facts(history.wanted, takes_fields=takes_fields))
        if decision.operation is Operation.REFUSE:
            continue
        entry = registered(decision)
        assert entry is not None
        looks = decision.operation is Operation.NONE and decision.cause is Cause.UNREADY
        assert (entry.mode is Mode.WRITE) == (decision.operation in WRITES or looks)
        if entry.mode is Mode.WRITE:
            assert entry.manifest == found_manifest(decision)
        else:
            assert decision.facts.recorded is not None
            assert entry.manifest == decision.facts.recorded.manifest


@few
@given(histories(PEOPLE), st.lists(acts("ConfigMap", PEOPLE), max_size=2))
def test_a_change_of_all_that_others_do_is_put_back(history: History, more: list[Act]) -> None:
    """Delivery after delivery, whatever people do in between."""
    world = check_delivery(history.world, history.wanted)
    if world.kind == "ConfigMap":
        world = world.disturbed(more)
    check_delivery(world, history.wanted)
    check_delivery(world, revised(history.first, 3))


foreign = kinds.flatmap(lambda kind: st.tuples(objects[kind], objects[kind]))


@few
@given(foreign, st.booleans())
def test_what_is_taken_over_becomes_what_is_wanted_and_keeps_the_rest(
    both: tuple[dict[str, Any], dict[str, Any]], permitted: bool
) -> None:
    there, wanted = both
    bare = {**there, "metadata": {"name": "web", "namespace": "default", "labels": {"a": "b"}}}
    made = Served(defaults=DEFAULTS[wanted["kind"]]).apply(bare, Writer("kubectl", "Apply"))
    world = World(wanted["kind"], made)
    decision = decide(world.facts(wanted, treatment=Treatment(take_over=permitted)))
    if not permitted:
        assert decision.reason is Reason.NOT_OURS
        return
    assert (decision.operation, decision.cause) == (Operation.TAKE_OVER, None)
    after = world.do(decision)
    assert after.served is not None
    named = dict(flat(found_manifest(decision)))
    assert {path: after.served.fields.get(path) for path in named} == named
    for path, value in made.fields.items():
        assert path in named or after.served.fields[path] == value
    again = decide(after.facts(wanted, treatment=Treatment(take_over=True)))
    assert (again.operation, again.cause) == (Operation.NONE, None)


KEPT: Mapping[str, tuple[Parts, ...]] = {
    "ConfigMap": (("data", "a"), ("metadata", "annotations")),
    "Deployment": (("spec", "replicas"), ("spec", "strategy")),
    "Secret": (("data", "a"),),
    "Service": (("spec", "type"),),
}


@few
@given(histories())
def test_live_values_that_a_policy_keeps_are_kept(history: History) -> None:
    world = history.world
    assert world.served is not None
    for path in KEPT[world.kind]:
        decision = decide(world.facts(history.wanted, treatment=Treatment(kept=(path,))))
        if decision.operation is Operation.REFUSE:
            assert path not in [each.path for each in decision.conflicts]
            continue
        assert all(each.path[: len(path)] != path for each in decision.changes)
        assert all(taken[: len(path)] != path for taken in decision.taken)
        before = {at: value for at, value in world.served.fields.items() if at[: len(path)] == path}
        written = {at: value for at, value in flat(decision.manifest) if at[: len(path)] == path}
        if before:
            assert written == before


@few
@given(histories(PEOPLE + CONTROLLERS))
def test_what_a_policy_freezes_is_never_written(history: History) -> None:
    world = history.world
    decision = decide(world.facts(history.wanted, treatment=Treatment(frozen=True)))
    assert (decision.operation, decision.changes, decision.taken) == (Operation.LEAVE, (), ())
    assert world.do(decision) == world
