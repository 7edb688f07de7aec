"""The program as Pulumi sees it: which provider, which order, what is exported, what is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi
import pytest
from pulumi.runtime import mocks as pulumi_mocks
from pulumi.runtime.stack import run_pulumi_func

from tests.unit.helpers import FakeCluster, joined, reached
from velapulumi.clusters.identity import Reached
from velapulumi.clusters.kubeconfig import parse_kubeconfig
from velapulumi.clusters.registry import Registry
from velapulumi.errors import ClusterUnreachable, PromotionRefused, VelapulumiError
from velapulumi.gate.file import Gate, read_gate, update_gate
from velapulumi.gate.ledger import Trust, append
from velapulumi.gate.statement import StatementKind
from velapulumi.program.application import read_application
from velapulumi.project import Project
from velapulumi.stage.prepare import Prepared
from velapulumi.stage.program import deliver_stage

SEED = Path(__file__).parents[2] / "examples" / "01-seed" / "app.yaml"
SECRET = "4dabf18193072939515e22adb298388d"
KUBECONFIG = """
current-context: here
contexts: [{name: here, context: {cluster: one, user: me}}]
clusters: [{name: one, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: me, user: {token: very-secret}}]
"""


class Recorder(pulumi_mocks.Mocks):
    """Takes down what is registered; workloads come up at once."""

    def __init__(self) -> None:
        self.registered: list[pulumi_mocks.MockResourceArgs] = []

    def new_resource(self, args: pulumi_mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.registered.append(args)
        outputs = dict(args.inputs)
        if args.typ.endswith(":Deployment"):
            wanted = args.inputs["spec"].get("replicas", 1)
            outputs["status"] = {
                "replicas": wanted, "readyReplicas": wanted, "updatedReplicas": wanted,
            }  # fmt: skip
        return f"{args.name}-id", outputs

    def call(self, args: pulumi_mocks.MockCallArgs) -> dict[str, Any]:
        return {}


@pytest.fixture
def prepared(tmp_path: Path) -> Callable[[str], Prepared]:
    """Makes a stage of the seed's application in a fresh project with two joined clusters."""
    project = Project(tmp_path, "test", tmp_path / "stacks")
    registry = Registry(project)
    clusters: dict[str, Reached | VelapulumiError] = {}
    for name in ("cluster-staging", "cluster-prod"):
        registry.add(joined(name), parse_kubeconfig(KUBECONFIG, "test", tmp_path))
        clusters[name] = reached(name, FakeCluster())
    file = tmp_path / "app.yaml"
    file.write_text(SEED.read_text())

    def make(stage: str) -> Prepared:
        application = read_application(project, file)
        found = application.workflow.stages[stage]
        return Prepared(application, found, found.steps[-1], clusters)

    return make


def run(program: Callable[[], None], *, preview: bool = False) -> Recorder:
    recorder = Recorder()

    async def session() -> None:
        pulumi.runtime.set_mocks(recorder, project="test", stack="example-app.x", preview=preview)
        await run_pulumi_func(program)

    # The mock monitor makes event loops in its threads and leaves them open.
    loops: list[asyncio.AbstractEventLoop] = []
    make = asyncio.new_event_loop

    def note() -> asyncio.AbstractEventLoop:
        loops.append(make())
        return loops[-1]

    with patch.object(asyncio, "new_event_loop", note):
        asyncio.run(session())
    for loop in loops:
        loop.close()
    return recorder


def test_each_object_goes_to_its_own_cluster_in_order(
    prepared: Callable[[str], Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = prepared("prod")
    monkeypatch.setattr(Prepared, "missing", ())
    exported: dict[str, Any] = {}
    monkeypatch.setattr(pulumi, "export", exported.__setitem__)
    recorder = run(lambda: deliver_stage(stage))
    provider, server, worker = recorder.registered
    assert provider.typ == "pulumi:providers:kubernetes"
    assert provider.inputs["clusterIdentifier"] == "uid-cluster-prod"
    sealed = provider.inputs["kubeconfig"]
    assert SECRET in sealed
    kubeconfig = json.loads(
        json.loads(sealed["value"]) if sealed["value"][0] == '"' else sealed["value"]
    )
    assert kubeconfig["users"][0]["user"] == {"token": "very-secret"}
    for entry, name, replicas in (
        (server, "hello-world-server", 3.0),
        (worker, "data-worker", None),
    ):
        assert entry.typ == "kubernetes:apps/v1:Deployment"
        assert entry.name == f"cluster-prod/default/{name}"
        assert entry.provider.endswith("::cluster-prod::cluster-prod-id")
        assert entry.inputs["spec"].get("replicas") == replicas
    assert exported["stage"] == "prod"
    assert exported["clusters"] == [
        {"name": "cluster-prod", "endpoint": "https://127.0.0.1:1", "uid": "uid-cluster-prod"}
    ]
    assert [entry["name"] for entry in exported["objects"]] == ["hello-world-server", "data-worker"]


def test_the_first_stage_begins_the_revision(prepared: Callable[[str], Prepared]) -> None:
    stage = prepared("staging")
    run(lambda: deliver_stage(stage))
    project = stage.application.project
    gate = read_gate(project.gate_file("example-app"), "example-app")
    assert gate.current == str(stage.application.revision)
    assert gate.run == 1


def refusal(program: Callable[[], None]) -> tuple[VelapulumiError, Recorder]:
    recorder = Recorder()
    caught: list[VelapulumiError] = []

    def attempt() -> None:
        with pytest.raises(VelapulumiError) as info:
            program()
        caught.append(info.value)

    recorder = run(attempt)
    return caught[0], recorder


def test_a_stage_whose_turn_has_not_come_registers_nothing(
    prepared: Callable[[str], Prepared],
) -> None:
    error, recorder = refusal(lambda: deliver_stage(prepared("prod")))
    assert isinstance(error, PromotionRefused)
    assert "stage staging has not been delivered completely" in error.message
    assert "step manual-approval is not approved" in error.message
    assert recorder.registered == []


def test_a_preview_shows_everything_all_the_same(prepared: Callable[[str], Prepared]) -> None:
    recorder = run(lambda: deliver_stage(prepared("prod")), preview=True)
    assert len(recorder.registered) == 3


def test_an_approval_alone_does_not_open_the_gate(prepared: Callable[[str], Prepared]) -> None:
    stage = prepared("prod")
    application = stage.application
    steps = application.workflow.steps

    def begin(gate: Gate) -> Gate:
        return gate.begin(application.revision, steps)

    gate = update_gate(application.project.gate_file("example-app"), "example-app", begin)
    approval = {
        "kind": StatementKind.APPROVE,
        "by": "a",
        "step": "manual-approval",
        "revision": gate.current,
        "run": gate.run,
    }
    append(application.project.ledger_file("example-app"), "example-app", approval, None, Trust)
    error, recorder = refusal(lambda: deliver_stage(stage.reread()))
    assert "manual-approval" not in error.message
    assert "stage staging" in error.message
    assert recorder.registered == []


def test_a_cluster_that_does_not_answer_stops_preview_and_update(
    prepared: Callable[[str], Prepared],
) -> None:
    stage = prepared("staging")
    gone = ClusterUnreachable("cluster cluster-staging cannot be reached: gone")
    stage = replace(stage, clusters={**stage.clusters, "cluster-staging": gone})
    error, recorder = refusal(lambda: deliver_stage(stage))
    assert error is gone
    assert recorder.registered == []
