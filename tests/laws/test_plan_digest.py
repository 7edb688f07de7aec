"""A plan has one name: nothing but what it says changes its digest."""

from __future__ import annotations

import hashlib
import itertools
import json
import locale
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.helpers import (
    FakeCluster,
    deployment,
    joined,
    kubeconfig,
    manifest,
    parsed,
    reached,
    resource,
    store,
)
from velapulumi.clusters.registry import Registry
from velapulumi.gate.ledger import Trust
from velapulumi.plan.approved import differences
from velapulumi.plan.canonical import canonical
from velapulumi.plan.document import PlanDocument, read_plan
from velapulumi.program.application import read_application
from velapulumi.project import Project, StackName
from velapulumi.stage import look as looking
from velapulumi.stage import planned
from velapulumi.stage.look import Look
from velapulumi.stage.plan import plan_document

APP = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop, namespace: default}
spec:
  components:
  - name: web
    type: webservice
    properties:
      image: web:1
      env: [{name: A, value: ä}, {name: B, value: "2"}]
      ports: [{port: 80, expose: true}]
  - name: key
    type: k8s-objects
    properties:
      objects:
      - {apiVersion: v1, kind: Secret, metadata: {name: key}, stringData: {a: hunter2, b: two}}
  - {name: side, type: worker, properties: {image: side}}
  policies:
  - {name: all, type: topology, properties: {clusters: [east, west, north]}}
  workflow:
    steps:
    - {name: all, type: deploy, properties: {policies: [all]}}
"""
CLUSTERS = ("east", "west", "north")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "known to whoever delivers")
    for name in CLUSTERS:
        Registry(Project(tmp_path, "test", tmp_path / "stacks")).add(
            joined(name), parsed(kubeconfig(), tmp_path)
        )
    return Project(tmp_path, "test", tmp_path / "stacks")


SEALED = {"4dabf18193072939515e22adb298388d": "1b47", "ciphertext": "v1:x"}


def secret(**more: Any) -> dict[str, Any]:
    labels = manifest("key")["metadata"]["labels"]
    metadata = {"name": "key", "namespace": "default", "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **more}


def live(name: str) -> FakeCluster:
    return FakeCluster(
        manifest("web", spec={"replicas": 7, "selector": {"matchLabels": {"app": "web"}}}),
        secret(data={"a": "aHVudGVyMQ=="}),
        manifest("old"),
    )


def plan(
    project: Project, document: Any, order: tuple[str, ...] = CLUSTERS, *, fresh: bool = False
) -> PlanDocument:
    """The plan of an application; what stack and clusters have is empty where it is fresh."""
    file = project.root / "app.yaml"
    file.write_bytes(yaml.safe_dump(document, sort_keys=False, encoding="utf-8"))
    objects = [manifest("old"), manifest("web"), secret(stringData=SEALED)]
    held = [resource(name, each) for name in order for each in objects]
    store(project, StackName("shop", "all"), deployment(*([] if fresh else held)))
    application = read_application(project, file)
    known = {name: reached(name, FakeCluster() if fresh else live(name)) for name in order}
    look = Look(project, known)
    stages = {"all": application.workflow.stages["all"].steps}
    return plan_document(application, stages, look)


def shuffled(value: Any, dice: random.Random) -> Any:
    if isinstance(value, dict):
        items = [(key, shuffled(below, dice)) for key, below in value.items()]
        dice.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        return [shuffled(below, dice) for below in value]
    return value


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.randoms(use_true_random=False), st.permutations(CLUSTERS))
def test_keys_and_clusters_may_come_in_any_order(
    project: Project, dice: random.Random, order: list[str]
) -> None:
    document = yaml.safe_load(APP)
    first = plan(project, document)
    assert plan(project, shuffled(document, dice), tuple(order)).digest == first.digest


@pytest.mark.parametrize("workers", [1, 2, 32])
def test_it_does_not_matter_how_many_look(
    project: Project, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = plan(project, yaml.safe_load(APP))
    pool = looking.ThreadPoolExecutor
    monkeypatch.setattr(looking, "ThreadPoolExecutor", lambda _: pool(workers))
    assert plan(project, yaml.safe_load(APP)).digest == first.digest


@pytest.fixture
def elsewhere() -> Iterator[None]:
    before = locale.setlocale(locale.LC_ALL)
    yield
    locale.setlocale(locale.LC_ALL, before)
    time.tzset()


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("zone", "name"),
    list(itertools.product(["UTC", "Asia/Kathmandu", "America/St_Johns"], ["C", "C.UTF-8"])),
)
def test_it_does_not_matter_where_and_in_which_language(
    project: Project, monkeypatch: pytest.MonkeyPatch, zone: str, name: str
) -> None:
    first = plan(project, yaml.safe_load(APP))
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        locale.setlocale(locale.LC_ALL, name)
        assert plan(project, yaml.safe_load(APP)).digest == first.digest


@pytest.mark.parametrize("fresh", [False, True])
def test_the_name_is_that_of_the_very_bytes_and_they_hide_what_is_secret(
    project: Project, fresh: bool
) -> None:
    found = plan(project, yaml.safe_load(APP), fresh=fresh)
    assert found.digest == hashlib.sha256(canonical(found.tree)).hexdigest()
    assert read_plan(found.text, "plan") == found
    plain = [b"hunter2", b"aHVudGVyMg==", b"hunter1", b"aHVudGVyMQ=="]
    guesses = plain + [hashlib.sha256(value).hexdigest().encode() for value in plain]
    assert not any(guess in found.text for guess in guesses)
    assert found.key
    operations = {each.name: str(each.operation) for each in found.stages[0].clusters[0].objects}
    assert operations["key"] == ("create" if fresh else "update")


def test_what_happens_is_the_same_whatever_a_cluster_is_called(project: Project) -> None:
    """But for the label that names the cluster."""
    clusters = plan(project, yaml.safe_load(APP)).stages[0].clusters
    assert [each.cluster for each in clusters] == sorted(CLUSTERS)
    found = [
        [
            (o.title, o.operation, o.cause, [f for f in o.fields if f.after != each.cluster])
            for o in each.objects
        ]
        for each in clusters
    ]
    assert found[0]
    assert found[0] == found[1] == found[2]


def test_secret_values_are_compared_all_the_same(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = yaml.safe_load(APP)
    first = plan(project, document)
    again = plan(project, document)
    assert list(differences(first, again, "all")) == []
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "another one")
    other = plan(project, document)
    assert other.digest != first.digest
    assert list(differences(first, other, "all")) == [
        "secret values are hidden with another key, so they cannot be compared"
    ]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_every_change_of_what_the_application_owns_is_another_plan(
    project: Project, data: st.DataObject
) -> None:
    """Any single value of the components, changed, is another digest."""
    document = yaml.safe_load(APP)
    first = plan(project, document)
    places = list(leaves(document["spec"]["components"]))
    path = data.draw(st.sampled_from(places))
    changed = json.loads(json.dumps(document))
    target = changed["spec"]["components"]
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = 81 if path[-1] == "port" else f"{target[path[-1]]}x"
    assert plan(project, changed).digest != first.digest


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of the values that may be any text or number."""
    if isinstance(value, dict):
        for key, below in value.items():
            if key not in ("type", "apiVersion", "kind", "expose"):
                yield from leaves(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from leaves(below, (*path, index))
    else:
        yield path


def test_an_image_whose_tag_was_moved_is_another_plan(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = {
        "apiVersion": "velapulumi.dev/v1",
        "kind": "GatePolicy",
        "roles": {"release": ["alice"]},
        "registries": ["registry.example.com"],
    }
    trust = Trust(json.dumps(policy))
    monkeypatch.setattr("velapulumi.program.authority.read_trust", lambda project: trust)
    tags = {"web:1": "a"}
    monkeypatch.setattr(
        planned, "pinned", lambda names, _: {name: f"{name}@{tags.get(name)}" for name in names}
    )
    first = plan(project, yaml.safe_load(APP))
    assert [each.images for each in first.stages[0].clusters[0].objects if each.images] == [
        ("side@None",), ("web:1@a",),
    ]  # fmt: skip
    tags["web:1"] = "b"
    second = plan(project, yaml.safe_load(APP))
    assert second.digest != first.digest
    assert next(iter(differences(first, second, "all"))) == (
        "the images of Deployment default/web on east: approved was web:1@a, now it is web:1@b"
    )


VALUES = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop, namespace: default}
spec:
  components:
  - name: early
    type: worker
    properties: {image: e}
    outputs: [{name: known, valueFrom: output.metadata.name}]
  - name: maker
    type: worker
    properties: {image: m}
    outputs: [{name: made, valueFrom: output.metadata.name}]
  - name: reader
    type: worker
    properties: {image: r}
    inputs:
    - {from: known, parameterKey: image}
  - name: waiter
    type: worker
    properties: {image: w}
    inputs:
    - {from: made, parameterKey: image}
  policies:
  - {name: east, type: topology, properties: {clusters: [east]}}
  - {name: west, type: topology, properties: {clusters: [west]}}
  - {name: north, type: topology, properties: {clusters: [north]}}
  - {name: first, type: override, properties: {selector: [early]}}
  - {name: second, type: override, properties: {selector: [maker]}}
  - {name: third, type: override, properties: {selector: [reader, waiter]}}
  workflow:
    steps:
    - {name: one, type: deploy, properties: {policies: [east, first]}}
    - {name: ask, type: suspend}
    - {name: two, type: deploy, properties: {policies: [west, second]}}
    - {name: three, type: deploy, properties: {policies: [north, third]}}
"""


AGAIN = "- {name: again, type: suspend}\n    - {name: three,"


def test_only_what_the_gate_itself_brings_is_left_to_the_revision(project: Project) -> None:
    file = project.root / "app.yaml"
    for text, late in (
        (VALUES, {"one": (), "two": (), "three": ("waiter",)}),
        (VALUES.replace("[reader, waiter]", "[early, reader]"), {"three": ("reader",)}),
        (VALUES.replace("- {name: three,", AGAIN), {"three": ()}),
    ):  # fmt: skip
        file.write_text(text)
        application = read_application(project, file)
        stages = {name: stage.steps for name, stage in application.workflow.stages.items()}
        look = Look(project, {name: reached(name, FakeCluster()) for name in CLUSTERS})
        found = {s.stage: s.late for s in plan_document(application, stages, look).stages}
        assert {name: found[name] for name in late} == late
