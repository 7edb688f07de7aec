"""Slots, names, ports, and what becomes of clusters that were left half made."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from velapulumi.errors import PlaygroundProblem
from velapulumi.playground import clusters
from velapulumi.playground.clusters import Playground
from velapulumi.playground.kwok import SIM_LABEL, ports, stage_manifests
from velapulumi.playground.resolve import ClusterTools

# Tests run side by side: the one that takes a port has a slot that no other uses.
SLOT, TAKEN_SLOT = 60, 65


@pytest.fixture
def playground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Playground:
    """A playground whose kwokctl only fails."""
    program = tmp_path / "kwokctl"
    program.write_text("#!/bin/sh\necho no cluster today\nexit 1\n")
    program.chmod(0o755)
    tools = ClusterTools(*[program] * 7)
    monkeypatch.setattr(clusters, "ensure_cluster_tools", lambda _: tools)
    return Playground(tmp_path / "playground", first_slot=SLOT)


def record(playground: Playground, tmp_path: Path, name: str, slot: int) -> None:
    folder = tmp_path / "playground" / "settings" / name
    folder.mkdir(parents=True)
    (folder / "slot").write_text(str(slot))


def test_ports_of_slots_do_not_overlap() -> None:
    taken = [port for slot in range(60) for port in ports(slot).values()]
    assert len(taken) == len(set(taken)) == 360
    assert ports(0)["kubeApiserverPort"] == 22010
    assert min(ports(1).values()) == 22020


def test_a_new_cluster_takes_the_lowest_free_slot(playground: Playground, tmp_path: Path) -> None:
    record(playground, tmp_path, "a", SLOT)
    record(playground, tmp_path, "c", SLOT + 2)
    assert [playground._take_slot(name) for name in ("b", "d", "a")] == [SLOT + 1, SLOT + 3, SLOT]
    playground.down(["a"], report=lambda _: None)
    assert playground._take_slot("e") == SLOT
    assert playground._take_slot("e") == SLOT


@pytest.mark.parametrize("name", ["", "Prod", "-a", "a-", "a.b", "a/b", "..", "a" * 64, "a\n"])
def test_names_must_be_dns_labels(playground: Playground, name: str) -> None:
    for action in (playground.up, playground.down):
        with pytest.raises(PlaygroundProblem, match="cannot be the name of a cluster"):
            action([name], report=lambda _: None)
    with pytest.raises(PlaygroundProblem, match="cannot be the name of a cluster"):
        playground.kubeconfig(name)


def test_a_taken_port_is_named_with_its_holder(playground: Playground, tmp_path: Path) -> None:
    record(playground, tmp_path, "one", TAKEN_SLOT)
    port = ports(TAKEN_SLOT)["etcdPeerPort"]
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(PlaygroundProblem) as caught,
    ):
        playground.up(["one"], report=lambda _: None)
    assert f"one needs port {port} of 127.0.0.1, which is taken by " in str(caught.value)
    assert f"({os.getpid()})" in str(caught.value)
    assert playground.status() == []


def test_a_failed_start_tells_why_and_leaves_nothing(playground: Playground) -> None:
    with pytest.raises(PlaygroundProblem, match="no cluster today"):
        playground.up(["one", "two"], report=lambda _: None)
    assert playground.status() == []


def test_down_works_for_half_made_clusters(playground: Playground, tmp_path: Path) -> None:
    pids = tmp_path / "playground" / "clusters" / "half" / "pids"
    pids.mkdir(parents=True)
    (pids / "etcd.pid").write_text(str(os.getpid()))  # stale: the number is ours by now
    record(playground, tmp_path, "bare", SLOT)
    states = {status.name: status.state for status in playground.status()}
    assert states == {"bare": "stopped", "half": "stopped"}
    lines: list[str] = []
    assert playground.down(["half", "other"], report=lines.append) == ["half"]
    assert "other: not there" in lines
    assert playground.down(report=lines.append) == ["bare"]
    assert playground.status() == []


def test_an_unknown_cluster_has_no_kubeconfig(playground: Playground) -> None:
    with pytest.raises(PlaygroundProblem, match="no playground cluster one") as caught:
        playground.kubeconfig("one")
    assert caught.value.next_step == "Start it with: velapulumi playground up one"


def test_further_stages_come_after_ours() -> None:
    more = {"kind": "Stage", "metadata": {"name": "mine"}}
    manifests = stage_manifests([more])
    assert manifests[-1] == more
    assert all(SIM_LABEL in str(stage) for stage in manifests[:-1])
