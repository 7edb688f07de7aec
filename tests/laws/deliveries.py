"""A model of deliveries: an object in a cluster, what the stack has of it, and what others do.

What a delivery does is done to the model as the engine and velapulumi do it: named fields are taken
from others, then the manifest is applied without force.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from hypothesis import strategies as st

from tests.laws.server import (
    ENGINE,
    ENGINE_WRITER,
    PORTS,
    Flat,
    Named,
    Path,
    Served,
    Writer,
    below,
    elements_of,
    flat,
    named,
)
from velapulumi.definitions.rules.fieldpath import Parts
from velapulumi.engine.record import RecordedObject
from velapulumi.engine.values import SEALED
from velapulumi.plan.fields import REVISION_LABELS, FieldChange, is_order
from velapulumi.plan.normal import normal
from velapulumi.plan.objects import ObjectKey
from velapulumi.plan.operation import Operation
from velapulumi.plan.places import FieldPlace, all_located, located
from velapulumi.render.rules import PROJECT
from velapulumi.stage.desired import Desired
from velapulumi.stage.operations import Decision, decide
from velapulumi.stage.resources import Mode, Registration, registrations
from velapulumi.stage.sides import DriftedField, Facts, Live
from velapulumi.stage.situation import Presence, Reason

PROJECT_ID = "00112233445566ff"
APPLICATION = "default/shop"
MARK: Path = ("metadata", "labels", PROJECT)
WRITES = (Operation.CREATE, Operation.UPDATE, Operation.REPLACE, Operation.TAKE_OVER)
STILL = (Operation.NONE, Operation.READ, Operation.SHARE, Operation.LEAVE, Operation.KEEP)

texts = st.sampled_from(["1", "2", "3"])
keys = st.sampled_from(["a", "b", "c"])


def manifest(kind: str, revision: int, body: Mapping[str, Any], **more: str) -> dict[str, Any]:
    labels = {
        "app.oam.dev/name": "shop",
        "app.oam.dev/namespace": "default",
        "app.oam.dev/component": "web",
        "app.oam.dev/appRevision": f"shop-v{revision}",
        "app.oam.dev/revision": f"web-v{revision}",
    }
    metadata: dict[str, Any] = {"name": "web", "namespace": "default", "labels": labels}
    if more:
        metadata["annotations"] = dict(more)
    version = "apps/v1" if kind == "Deployment" else "v1"
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}


@st.composite
def config_maps(draw: st.DrawFn) -> dict[str, Any]:
    data = draw(st.dictionaries(keys, texts, min_size=1))
    notes = draw(st.dictionaries(keys, texts, max_size=2))
    return manifest("ConfigMap", 1, {"data": data}, **notes)


@st.composite
def secrets(draw: st.DrawFn) -> dict[str, Any]:
    data = draw(st.dictionaries(keys, st.sampled_from(["MQ==", "Mg=="]), min_size=1))
    return manifest("Secret", 1, {"data": data, "type": "Opaque"})


@st.composite
def deployments(draw: st.DrawFn) -> dict[str, Any]:
    def container(name: str) -> dict[str, Any]:
        found: dict[str, Any] = {"name": name, "image": draw(texts)}
        names = draw(st.lists(st.sampled_from(["A", "B"]), unique=True)) if name == "web" else []
        if names:
            found["env"] = [{"name": each, "value": draw(texts)} for each in names]
        if draw(st.booleans()):
            found["command"] = draw(st.lists(texts, min_size=1, max_size=2))
        if draw(st.booleans()):
            found["workingDir"] = draw(texts)
        return found

    spec: dict[str, Any] = {"selector": {"matchLabels": {"app": "web"}}}
    if draw(st.booleans()):
        spec["replicas"] = draw(st.integers(1, 3))
    if draw(st.booleans()):
        spec["strategy"] = {"type": draw(st.sampled_from(["Recreate", "RollingUpdate"]))}
    if draw(st.booleans()):
        spec["revisionHistoryLimit"] = draw(st.integers(1, 3))
    names = draw(st.sampled_from([["web"], ["web", "side"], ["side", "web"]]))
    spec["template"] = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [container(name) for name in names]},
    }
    notes = draw(st.dictionaries(keys, texts, max_size=1))
    return manifest("Deployment", 1, {"spec": spec}, **notes)


@st.composite
def services(draw: st.DrawFn) -> dict[str, Any]:
    """Services; a real server asks for names where there are several ports, and keys do not."""
    numbers = draw(st.sampled_from([[80], [81], [80, 81], [81, 80]]))

    def port(number: int) -> dict[str, Any]:
        found: dict[str, Any] = {"port": number, "targetPort": draw(st.integers(1, 2))}
        if draw(st.booleans()):
            found["name"] = draw(st.sampled_from([f"p{number}", f"q{number}"]))
        if draw(st.booleans()):
            found["protocol"] = "TCP"
        return found

    spec = {"type": "ClusterIP", "ports": [port(number) for number in numbers]}
    unwaited = {"pulumi.com/skipAwait": "true"}
    return manifest("Service", 1, {"spec": spec}, **unwaited)


TEMPLATE: Path = ("spec", "template", "spec")
DEFAULTS: Mapping[str, Flat] = {
    "ConfigMap": {},
    "Secret": {},
    "Service": {("spec", "sessionAffinity"): "None"},
    "Deployment": {
        ("spec", "replicas"): 1,
        ("spec", "strategy", "type"): "RollingUpdate",
        ("spec", "revisionHistoryLimit"): 10,
        ("metadata", "annotations", "deployment.kubernetes.io/revision"): "1",
        (*TEMPLATE, "dnsPolicy"): "ClusterFirst",
    },
}

PEOPLE = (Writer("kubectl-edit"), Writer("dashboard"), Writer("kubectl", subresource="scale"))
CONTROLLERS = (
    Writer("kube-controller-manager", subresource="scale"),
    Writer("flux", "Apply"),
    Writer("vpa", "Apply"),
)
WEB = (*TEMPLATE, "containers", Named("web"))
HTTP, HTTPS, INJECTED = ((*PORTS, Named("TCP", number)) for number in (80, 81, 9000))
PROXY = (*TEMPLATE, "containers", Named("proxy"))
PLACES: Mapping[str, tuple[tuple[Path, tuple[Any, ...]], ...]] = {
    "ConfigMap": (
        *((("data", key), ("1", "2", "9")) for key in "abcd"),
        *((("metadata", "annotations", key), ("1", "9")) for key in "abd"),
        (("metadata", "labels", "team"), ("red",)),
    ),
    "Secret": (
        *((("data", key), ("MQ==", "OQ==")) for key in "abd"),
        (("metadata", "annotations", "a"), ("9",)),
    ),
    "Service": (
        ((*HTTP, "name"), ("p80", "theirs")),
        ((*HTTP, "targetPort"), (1, 9)),
        ((*HTTP, "nodePort"), (30000,)),
        ((*HTTPS, "name"), ("q81", "theirs")),
        ((*INJECTED, "targetPort"), (3,)),
        (("metadata", "annotations", "a"), ("9",)),
    ),
    "Deployment": (
        (("spec", "replicas"), (1, 2, 7)),
        (("spec", "strategy", "type"), ("Recreate",)),
        ((*WEB, "image"), ("1", "9")),
        ((*WEB, "workingDir"), ("1", "9")),
        ((*TEMPLATE, "dnsPolicy"), ("None",)),
        (("metadata", "annotations", "a"), ("9",)),
        (("metadata", "annotations", "restartedAt"), ("now",)),
    ),
}
"""The fields that others write, and the values that they give them."""

ELEMENTS: tuple[tuple[Path, tuple[Any, ...]], ...] = (
    ((*PROXY, "image"), ("9",)),
    ((*WEB, "env", Named("A"), "value"), ("1", "9")),
    ((*WEB, "env", Named("X"), "value"), ("1", "9")),
    ((*WEB, "command"), (["1"], ["9"], ["1", "9"])),
)
"""Fields in lists."""


@dataclass(frozen=True)
class Act:
    """What somebody else does to the object: gives a field a value, or takes it away."""

    path: Path
    value: Any
    writer: Writer

    def on(self, served: Served) -> Served:
        if self.value is None:
            return served.update({}, [self.path], self.writer)
        if self.path[:-1] and not _is_complete(self.path, served):
            return served
        if self.writer.operation != "Apply":
            return served.update({self.path: self.value}, [], self.writer)
        held = {p: v for p, v in served.fields.items() if self.writer in served.owners.get(p, ())}
        return served.apply(_nested({**held, self.path: self.value}), self.writer, force=True)


def _is_complete(path: Path, served: Served) -> bool:
    """Whether the elements that a path leads through are there; only whole ones are added."""
    for index, part in enumerate(path):
        if isinstance(part, Named) and (part.name == "web" or part.number in (80, 81)):
            here = path[: index + 1]
            if not any(each[: len(here)] == here for each in served.fields):
                return False
    return True


def _nested(fields: Flat) -> dict[str, Any]:
    """The fields as a manifest."""
    found = Served(dict(fields)).object
    for key in ("uid", "resourceVersion", "managedFields"):
        del found["metadata"][key]
    return {key: value for key, value in found.items() if value}


def acts(kind: str, writers: tuple[Writer, ...]) -> st.SearchStrategy[Act]:
    places = PLACES[kind] + (ELEMENTS if kind == "Deployment" else ())
    return st.sampled_from(places).flatmap(
        lambda place: st.builds(
            Act,
            st.just(place[0]),
            st.sampled_from((*place[1], None)),
            st.sampled_from(writers),
        )
    )


@dataclass(frozen=True)
class World:
    """The object in the cluster, and what the stack has of it."""

    kind: str
    served: Served | None = None
    recorded: RecordedObject | None = None

    def facts(self, wanted: Mapping[str, Any], cluster: str = "east", **more: Any) -> Facts:
        live = Live(Presence.ABSENT)
        if self.served is not None:
            live = Live(Presence.PRESENT, self.served.object)
        recorded = self.recorded
        if recorded is not None:
            recorded = replace(recorded, cluster=cluster)
        key = ObjectKey.of(cluster, wanted)
        return Facts(key, APPLICATION, PROJECT_ID, live, wanted, recorded=recorded, **more)

    def do(self, decision: Decision) -> World:
        """What the delivery of a decision does.

        Raises:
            Conflict: The engine would be refused.
        """
        found = registered(decision)
        served = self.served
        if decision.operation is Operation.MEND:
            assert served is not None
            served = served.freed(taken(decision))
            return replace(self, served=served.apply(found_manifest(decision), ENGINE_WRITER))
        if found is None or found.mode is not Mode.WRITE:
            return self
        if decision.operation in (Operation.CREATE, Operation.REPLACE) or served is None:
            uid = f"u-{int(served.uid[2:]) + 1}" if served else "u-1"
            served = Served(uid=uid, defaults=DEFAULTS[self.kind])
        force = decision.operation is Operation.TAKE_OVER
        served = served.freed(taken(decision)).apply(found.manifest, ENGINE_WRITER, force=force)
        outputs = {**sealed(served.object), "__fieldManager": ENGINE}
        recorded = RecordedObject("east", sealed(found.manifest), ready=True, outputs=outputs)
        return replace(self, served=served, recorded=recorded)

    def stopped(self, wanted: Mapping[str, Any]) -> World:
        """The world after a delivery that was stopped before its stack knew of it."""
        decision = decide(self.facts(wanted))
        if decision.operation is Operation.REFUSE:
            return self
        after = self.do(decision).served
        return replace(self, served=after) if after else self

    def disturbed(self, found: list[Act], in_front: bool = False) -> World:
        """The world after what others have done, who put new elements in front or behind."""
        assert self.served is not None
        served = replace(self.served, first=in_front)
        for act in found:
            served = act.on(served)
        return replace(self, served=served)


def sealed(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """An object as a stack has it: the values of a Secret are encrypted."""
    if entry["kind"] != "Secret" or "data" not in entry:
        return entry
    return {**entry, "data": {SEALED: "encrypted"}}


def registered(decision: Decision) -> Registration | None:
    wanted = decision.facts.recorded
    held = wanted or RecordedObject(decision.key.cluster, decision.facts.object, True)
    found = registrations(
        [(Desired.of_recorded(held), decision)], {"east": "east"}, PROJECT_ID, "shop-v1"
    )
    return found[0] if found else None


def found_manifest(decision: Decision) -> Mapping[str, Any]:
    metadata = decision.manifest["metadata"]
    labels = {**metadata["labels"], PROJECT: PROJECT_ID}
    return {**decision.manifest, "metadata": {**metadata, "labels": labels}}


def taken(decision: Decision) -> list[Path]:
    """The fields that are taken from others, by the names of elements in the live object.

    With a key field, the element is taken that is not to be there any more.
    """
    live = decision.facts.live.manifest
    ours = [path for path, _ in flat(decision.manifest)]
    found = []
    for path in all_located(decision.taken, live):
        told = named(path, live)
        if not (is_key(path, told) and any(below(each, [told]) for each in ours)):
            found.append(told)
    return found


def left(decision: Decision) -> tuple[list[Path], list[Path]]:
    """The fields that are left as they are, and the elements of which only a key is."""
    live = decision.facts.live.manifest
    located_ones = (located(each.place, live) for each in decision.drift if each.left)
    paths = [path for path in located_ones if path is not None]
    keys = [path for path in paths if is_key(path, named(path, live))]
    return (
        [named(path, live) for path in paths if path not in keys],
        [named(path, live) for path in keys],
    )


def is_key(path: Parts, server: Path) -> bool:
    """Whether a path leads to a key field, for which the server has the element."""
    return len(server) < len(path) and isinstance(server[-1], Named)


def revised(wanted: Mapping[str, Any], revision: int) -> dict[str, Any]:
    """A manifest with the labels of another revision."""
    metadata = wanted["metadata"]
    labels = {
        **metadata["labels"],
        "app.oam.dev/appRevision": f"shop-v{revision}",
        "app.oam.dev/revision": f"web-v{revision}",
    }
    return {**wanted, "metadata": {**metadata, "labels": labels}}


objects = {
    "ConfigMap": config_maps(),
    "Deployment": deployments(),
    "Secret": secrets(),
    "Service": services(),
}
kinds = st.sampled_from([*objects])


@dataclass(frozen=True)
class History:
    """A delivered object that others have changed, and what is wanted of it next.

    A run may have written something else meanwhile that its stack does not have, as it was stopped.
    """

    first: dict[str, Any]
    acts: list[Act]
    wanted: dict[str, Any]
    in_front: bool = False
    interrupted: dict[str, Any] | None = None

    @property
    def world(self) -> World:
        world = World(self.first["kind"])
        world = world.do(decide(world.facts(self.first))).disturbed(self.acts, self.in_front)
        return world.stopped(self.interrupted) if self.interrupted else world


@st.composite
def histories(draw: st.DrawFn, writers: tuple[Writer, ...] = PEOPLE) -> History:
    kind = draw(kinds)
    first = draw(objects[kind])
    found = draw(st.lists(acts(kind, writers), max_size=3))
    wanted = draw(st.one_of(st.just(first), objects[kind]))
    stopped = draw(st.one_of(st.none(), objects[kind]))
    number = draw(st.integers(1, 2))
    return History(first, found, revised(wanted, number), draw(st.booleans()), stopped)


def told(decision: Decision) -> str:
    """A decision in a few words."""
    drift = [(each.path, each.live, each.desired, each.left) for each in decision.drift]
    return (
        f"{decision.operation} {decision.cause} {decision.reason}\nchanges {decision.changes}\n"
        f"drift {drift}\nconflicts {decision.conflicts}\nmanifest {decision.manifest}"
    )


def held_by_others(world: World, wanted: Mapping[str, Any]) -> list[Path]:
    """New fields that somebody else than a controller or the engine holds with other values."""
    if world.served is None or world.recorded is None:
        return []
    known = dict(flat(world.recorded.manifest))
    return [
        path
        for path, value in flat(wanted)
        if path not in known  # the keys of a Secret, which are encrypted, never are
        and world.served.fields.get(path, value) != value
        and world.served.owners.get(path, frozenset()) - {ENGINE_WRITER}
    ]


def told_places(place: FieldPlace, *values: Any) -> Iterator[Path]:
    """A place as the server tells it in some values: up to a list whose elements have no names."""
    parts = tuple(takewhile(lambda part: not isinstance(part, int), place))
    for value in values:
        if (path := located(parts, value)) is not None:
            yield named(path, value)


def check_announced(decision: Decision, before: Flat, after: Flat) -> None:
    """What a delivery has changed was said before, but for labels of revisions."""
    if decision.operation not in (Operation.UPDATE, Operation.MEND, Operation.NONE):
        return
    said: list[Path] = [MARK, *taken(decision)]
    for each in (*decision.changes, *(drifted for drifted in decision.drift if not drifted.left)):
        before_it = isinstance(each, FieldChange) and is_order(each.before, each.after)
        is_drift = isinstance(each, DriftedField) and is_order(each.live, each.desired)
        if not before_it and not is_drift:
            said += told_places(each.place, decision.facts.live.manifest, decision.manifest)
    if decision.key.kind == "Secret":
        said.append(("data",))  # the keys in a stack are encrypted, so it is not told which go
    for path in before.keys() | after.keys():
        if before.get(path) != after.get(path) and path[-1] not in REVISION_LABELS:
            assert below(path, said), f"{path} {told(decision)}"


def check_delivery(world: World, wanted: dict[str, Any], *, takes_fields: bool = False) -> World:
    """Deliver a revision and hold what has become of the object against what was decided."""
    decision = decide(world.facts(wanted, takes_fields=takes_fields))
    served = world.served or Served()
    before = dict(served.fields)
    owned = {path for path, found in served.owners.items() if ENGINE_WRITER in found}
    held = held_by_others(world, wanted)
    if decision.operation is Operation.REFUSE:
        assert decision.reason is Reason.CONFLICT, told(decision)
        assert not takes_fields
        assert held, told(decision)
        return world
    if world.kind != "Secret":
        assert takes_fields or not held, f"{held} {told(decision)}"
    after = world.do(decision)
    assert after.served is not None
    spared, elements = left(decision)
    fields = after.served.fields
    if decision.operation not in STILL:
        for path, value in flat(normal(decision.manifest)):
            if not below(path, spared):
                assert fields.get(path) == value, f"{path} {told(decision)}"
    for path in spared:
        kept = {p: v for p, v in before.items() if below(p, [path])}
        assert {p: v for p, v in fields.items() if below(p, [path])} == kept
    assert fields.keys() >= {*elements}, told(decision)
    if decision.operation is not Operation.REPLACE:
        named_now = {path for path, _ in flat(found_manifest(decision))}
        alone = {path for path, found in served.owners.items() if found == {ENGINE_WRITER}}
        for path, value in before.items():
            if any(each in alone - named_now for each in elements_of(path)):
                continue  # removed with its element; check_announced looks for the line
            if path not in named_now and path not in owned:
                assert fields.get(path) == value, f"{path} {told(decision)}"
    check_announced(decision, before, fields)
    again = decide(after.facts(wanted, takes_fields=takes_fields))
    assert again.operation in STILL, told(again)
    return after
