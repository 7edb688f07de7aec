"""Plans show what others lose with list elements; what others have beside these stays."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.helpers import MANAGER, marked, resource
from tests.unit.setting import Setting
from velapulumi.clusters.beyond import elements_beyond
from velapulumi.clusters.elements import list_keys, others_elements, with_elements_given
from velapulumi.clusters.managed import is_only, managers_of
from velapulumi.definitions.rules.fieldpath import Parts, value_at
from velapulumi.definitions.rules.listkeys import ITSELF
from velapulumi.plan.fields import FieldChange
from velapulumi.plan.operation import Operation
from velapulumi.plan.places import Named
from velapulumi.project import Project
from velapulumi.stage.operations import Decision
from velapulumi.stage.sides import DriftedField

KUBECTL = "kubectl-edit"
LIST = ("spec", "template", "spec", "containers")
WEB, SIDE = {"name": "web", "image": "a"}, {"name": "side", "image": "b"}


@pytest.fixture
def setting(project: Project) -> Setting:
    return Setting(project)


def deployment(*containers: dict[str, Any]) -> dict[str, Any]:
    spec = {"selector": {}, "template": {"spec": {"containers": list(containers)}}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"}, "spec": spec}


def service(*ports: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "w"}
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": metadata,
        "spec": {"ports": list(ports)},
    }  # fmt: skip


def finalized(*finalizers: str) -> dict[str, Any]:
    metadata = {"name": "w", "finalizers": list(finalizers)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}}


def node(element: Any, *fields: str) -> str:
    """The key of an element in managed fields."""
    if not isinstance(element, dict):
        return f"v:{json.dumps(element)}"
    return f"k:{json.dumps({field: element[field] for field in fields})}"


def tree(path: Parts, elements: dict[str, Any]) -> dict[str, Any]:
    for part in reversed(path):
        elements = {f"f:{part}": elements}
    return elements


def applied(element: Any, *keys: str) -> dict[str, Any]:
    """The managed fields of an element that was applied."""
    if not isinstance(element, dict):
        return {node(element): {}}
    return {node(element, *keys): {".": {}, **{f"f:{name}": {} for name in element}}}


def entry(manager: str, fields: dict[str, Any], operation: str = "Apply") -> dict[str, Any]:
    version = {"apiVersion": "apps/v1"} if "f:template" in str(fields) else {"apiVersion": "v1"}
    return {"manager": manager, "operation": operation, "fieldsV1": fields, **version}


class Story:
    """An object with one list: delivered, changed by others, then planned again.

    Attributes:
        path: The list.
        keys: Its key fields.
    """

    def __init__(self, setting: Setting, path: Parts, *keys: str) -> None:
        self.setting, self.path, self.keys = setting, path, keys
        self.ready = True

    def decide(
        self, before: dict[str, Any], live: dict[str, Any], theirs: dict[str, Any], after: Any
    ) -> Decision:
        """Decide what happens to the object.

        Args:
            before: The object as it was delivered.
            live: The object as it is in the cluster.
            theirs: What others hold in the list, by element.
            after: The object as it is wanted now.
        """
        setting = self.setting
        setting.values, setting.objects = {}, [before]
        errors = {} if self.ready else {"initErrors": ["late"]}
        setting.store(resource("east", marked(setting.rendered()["w"]), **errors))
        found = setting.live("w")
        if "spec" in live:
            found["spec"] = live["spec"]
        metadata = {**found["metadata"], **live["metadata"]}
        ours: dict[str, Any] = {}
        for element in value_at(self.path, before):
            ours |= applied(element, *self.keys)
        metadata["managedFields"] = [
            entry(MANAGER, tree(self.path, ours)),
            entry(KUBECTL, tree(self.path, theirs), "Update"),
        ]
        setting.objects = [after]
        return setting.decide({**found, "metadata": metadata})["w"]


def words(drift: tuple[DriftedField, ...]) -> list[tuple[Any, ...]]:
    return [
        (each.path, each.live, each.desired, [m.name for m in each.managers], each.left)
        for each in drift
    ]


def test_what_others_have_set_in_an_element_goes_with_it_and_is_told(setting: Setting) -> None:
    """The server takes the whole element away when nobody else holds it itself."""
    env = [{"name": "FOO", "value": "1"}]
    live = deployment(WEB, {**SIDE, "image": "c", "env": env})
    side = node(SIDE, "name")
    in_it = {"f:image": {}, "f:env": {node(env[0], "name"): {".": {}, "f:name": {}, "f:value": {}}}}
    story = Story(setting, LIST, "name")
    found = story.decide(deployment(WEB, SIDE), live, {side: in_it}, deployment(WEB))
    assert found.operation is Operation.UPDATE
    assert [(c.path, c.before) for c in found.changes] == [
        ((*LIST, 1, "image"), "b"), ((*LIST, 1, "name"), "side"),
    ]  # fmt: skip
    assert words(found.drift) == [
        ((*LIST, 1, "image"), "c", None, [MANAGER, KUBECTL], False),
        ((*LIST, 1, "env", 0, "name"), "FOO", None, [KUBECTL], False),
        ((*LIST, 1, "env", 0, "value"), "1", None, [KUBECTL], False),
    ]
    # Who holds the element itself keeps it, with what he has set in it.
    held = {side: {".": {}, "f:name": {}, **in_it}}
    found = story.decide(deployment(WEB, SIDE), live, held, deployment(WEB))
    assert words(found.drift) == [
        ((*LIST, 1, "image"), "c", None, [MANAGER, KUBECTL], True),
        ((*LIST, 1, "name"), "side", None, [MANAGER, KUBECTL], True),
    ]


def test_what_others_have_set_goes_with_a_changed_key_and_is_told(setting: Setting) -> None:
    path = ("spec", "ports")
    http, keys = {"name": "http", "port": 80, "protocol": "TCP"}, ("port", "protocol")
    live = service({**http, "targetPort": 9, "nodePort": 30000})
    theirs = {node(http, *keys): {"f:targetPort": {}}}
    story = Story(setting, path, *keys)
    found = story.decide(service(http), live, theirs, service({**http, "port": 81}))
    assert FieldChange((*path, 0, "port"), 80, 81) in found.changes
    assert words(found.drift) == [((*path, 0, "targetPort"), 9, None, [KUBECTL], False)]
    # What the application says of it goes on in the new element.
    named = service({**http, "port": 81, "targetPort": 9})
    assert words(story.decide(service(http), live, theirs, named).drift) == []
    # In the same element it stays.
    found = story.decide(service(http), live, theirs, service({**http, "name": "web"}))
    assert words(found.drift) == []


def test_an_element_of_others_stays_beside_others_with_new_keys(setting: Setting) -> None:
    """Were the list one change, the element would be taken with it."""
    path, keys = ("spec", "ports"), ("port", "protocol")

    def port(number: int) -> dict[str, Any]:
        return {"port": number, "protocol": "TCP"}

    theirs = {node(port(9000), *keys): {".": {}, "f:port": {}}}
    story = Story(setting, path, *keys)
    live = service(port(80), port(443), port(9000))
    found = story.decide(service(port(80), port(443)), live, theirs, service(port(8080)))
    changes = [each for each in found.changes if each.path[:2] == path]
    assert {(c.path[:3], c.before is None) for c in changes} == {
        ((*path, 0), False), ((*path, 1), False), ((*path, 0), True),
    }  # fmt: skip
    assert found.drift == ()
    new = Named((("port", 8080), ("protocol", "TCP")))
    assert [each for each in found.taken if each[:2] == path] == [(*path, new)]


def test_a_plain_value_of_others_stays_in_a_list_that_has_each_once(setting: Setting) -> None:
    path = ("metadata", "finalizers")
    before, live = finalized("a.io/x", "a.io/y"), finalized("a.io/x", "a.io/y", "b.io/z")
    theirs = {node("b.io/z"): {}}
    story = Story(setting, path)
    assert story.decide(before, live, theirs, before).operation is Operation.NONE
    found = story.decide(before, live, theirs, finalized("a.io/x", "c.io/w"))
    assert found.operation is Operation.UPDATE
    assert found.changes == (
        FieldChange((*path, 1), "a.io/y", None),
        FieldChange((*path, 1), None, "c.io/w"),
    )
    assert found.drift == ()
    # What others hold as well stays with them.
    found = story.decide(before, live, {node("a.io/y"): {}, **theirs}, finalized("a.io/x"))
    assert words(found.drift) == [((*path, 1), "a.io/y", None, [MANAGER, KUBECTL], True)]
    # What others have taken out is put back.
    found = story.decide(before, finalized("b.io/z", "a.io/x"), theirs, before)
    assert found.operation is Operation.MEND
    assert words(found.drift) == [((*path, 1), None, "a.io/y", [], False)]
    # A new order is one line.
    found = story.decide(before, live, theirs, finalized("a.io/y", "a.io/x"))
    assert found.changes == (
        FieldChange(path, ["a.io/x", "a.io/y"], ["a.io/y", "a.io/x"]),
    )  # fmt: skip
    assert found.taken == ()


def test_a_frozen_object_loses_nothing(setting: Setting) -> None:
    once = {"selector": {"resourceNames": ["w"]}, "strategy": {"path": ["*"]}}
    setting.policies = [("apply-once", {"enable": True, "rules": [once]})]
    live = deployment(WEB, {**SIDE, "image": "c"})
    theirs = {node(SIDE, "name"): {"f:image": {}}}
    story = Story(setting, LIST, "name")
    found = story.decide(deployment(WEB, SIDE), live, theirs, deployment(WEB))
    assert found.operation is Operation.LEAVE
    assert all(each.left for each in found.drift)


def test_plain_values_of_a_list_are_keys_themselves() -> None:
    path = ("metadata", "finalizers")
    live = finalized("a.io/x", "b.io/z")
    live["metadata"]["managedFields"] = [
        entry("m", tree(path, {node("a.io/x"): {}})),
        entry(KUBECTL, tree(path, {node("b.io/z"): {}}), "Update"),
    ]
    assert list_keys(live) == {path: (ITSELF,)}
    assert [*elements_beyond(live, finalized(), is_only("m"))] == [(*path, 0)]
    assert [m.name for m in managers_of(live, (*path, 1), itself=True)] == [KUBECTL]
    assert others_elements(live, finalized("a.io/x"), [path], "m") == ((*path, 1),)
    entries = live["metadata"]["managedFields"]
    (ours, _) = with_elements_given(entries, live, [(*path, 1)], "m")
    given = ours["fieldsV1"]["f:metadata"]["f:finalizers"]
    assert given == {node("a.io/x"): {}, node("b.io/z"): {".": {}}}


SPREAD = ("spec", "template", "spec", "topologySpreadConstraints")
SPREAD_KEYS = ("topologyKey", "whenUnsatisfiable")


def spread(*constraints: dict[str, Any]) -> dict[str, Any]:
    made = deployment(WEB)
    made["spec"]["template"]["spec"]["topologySpreadConstraints"] = list(constraints)
    return made


def constraint(key: str, when: str, skew: int) -> dict[str, Any]:
    return {"topologyKey": key, "whenUnsatisfiable": when, "maxSkew": skew}


@pytest.mark.parametrize("first", [True, False])
def test_an_element_that_others_have_put_beside_a_changed_one_stays(
    setting: Setting, first: bool
) -> None:
    ours, new = constraint("zone", "DoNotSchedule", 1), constraint("zone", "ScheduleAnyway", 2)
    theirs = constraint("host", "ScheduleAnyway", 3)
    live = spread(theirs, ours) if first else spread(ours, theirs)
    story = Story(setting, SPREAD, *SPREAD_KEYS)
    held = {node(theirs, *SPREAD_KEYS): {".": {}, "f:maxSkew": {}}}
    found = story.decide(spread(ours), live, held, spread(new))
    changes = [each for each in found.changes if each.path[: len(SPREAD)] == SPREAD]
    assert [(c.before, c.after) for c in changes] == [
        (1, None), ("zone", None), ("DoNotSchedule", None), (None, new),
    ]  # fmt: skip
    assert found.drift == ()
    gone = [place for place in found.taken if place[: len(SPREAD)] == SPREAD]
    assert gone == [
        (*SPREAD, Named((("topologyKey", "zone"), ("whenUnsatisfiable", "ScheduleAnyway"))))
    ]


def test_an_element_of_others_stays_also_where_the_last_run_did_not_get_ready(
    setting: Setting,
) -> None:
    ours, new = constraint("zone", "DoNotSchedule", 1), constraint("zone", "ScheduleAnyway", 2)
    theirs = constraint("host", "ScheduleAnyway", 3)
    story = Story(setting, SPREAD, *SPREAD_KEYS)
    story.ready = False
    held = {node(theirs, *SPREAD_KEYS): {".": {}, "f:maxSkew": {}}}
    found = story.decide(spread(ours), spread(ours, theirs), held, spread(new))
    changes = [each for each in found.changes if each.path[: len(SPREAD)] == SPREAD]
    assert (changes[0].before, changes[0].after) == (None, new)
    assert {c.before for c in changes[1:]} == {"zone", "DoNotSchedule", 1}
    assert {c.after for c in changes[1:]} == {None}
    assert found.drift == ()
    gone = [place for place in found.taken if place[: len(SPREAD)] == SPREAD]
    key = Named((("topologyKey", "zone"), ("whenUnsatisfiable", "ScheduleAnyway")))
    assert gone == [(*SPREAD, key)]
