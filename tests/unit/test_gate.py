"""The gate file in daily use; its laws are in tests/laws."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.helpers import V1, V2, deploy, revision, suspend
from velapulumi.errors import InvalidFile, VelapulumiError
from velapulumi.gate.approver import who
from velapulumi.gate.file import Gate, read_gate, update_gate
from velapulumi.gate.ledger import Trust, append
from velapulumi.gate.statement import StatementKind

STEPS = (deploy("staging"), suspend("ask", "look"), deploy("prod"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.gate.yaml"


def begun(*revisions: str) -> Gate:
    gate = Gate(application="shop")
    for text in revisions:
        gate = gate.begin(revision(text), STEPS)
    return gate


def test_without_a_file_the_gate_is_empty(path: Path) -> None:
    assert read_gate(path, "shop") == Gate(application="shop")
    assert not path.exists()


def test_the_file_says_what_it_is_and_leaves_out_what_is_not_set(path: Path) -> None:
    update_gate(path, "shop", lambda gate: begun(V1))
    text = path.read_text()
    assert text.startswith("apiVersion: velapulumi.dev/v1\nkind: Gate\napplication: shop\n")
    assert f"current: {V1}\nrun: 1\n" in text
    assert "parallel" not in text
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_change_that_changes_nothing_writes_nothing(path: Path) -> None:
    held = begun(V1)  # once, as it says when
    update_gate(path, "shop", lambda gate: held)
    before = path.stat()
    assert update_gate(path, "shop", lambda gate: gate.begin(revision(V1), STEPS)) == held
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_run_that_the_ledger_knows_never_comes_back(path: Path) -> None:
    """Neither a file that was set back nor one that was deleted begins an approved run again."""

    def approve(run: int) -> None:
        said = {"kind": StatementKind.APPROVE, "by": "ann", "step": "ask", "revision": V1}
        ledger = path.with_name("shop.ledger.jsonl")
        append(ledger, "shop", {**said, "run": run, "plan": "a" * 64}, None, Trust)

    update_gate(path, "shop", lambda gate: begun(V1))
    set_back = path.read_text()
    approve(1)
    assert read_gate(path, "shop").run == 1, "an approval of the run that is under way"
    update_gate(path, "shop", lambda gate: gate.begin(revision(V2), STEPS))
    approve(2)
    path.write_text(set_back)
    found = read_gate(path, "shop")
    assert (found.current, found.run) == (V1, 3)
    update_gate(path, "shop", lambda gate: gate.begin(revision(V1), STEPS))
    assert "run: 3" in path.read_text()
    approve(3)
    assert read_gate(path, "shop").run == 3
    path.unlink()
    assert read_gate(path, "shop") == Gate(application="shop", run=3)
    assert update_gate(path, "shop", lambda gate: gate.begin(revision(V1), STEPS)).run == 4


def test_going_back_starts_a_run_and_keeps_the_history() -> None:
    gate = begun(V1, V2, V1)
    assert (gate.current, gate.run) == (V1, 3)
    assert [str(entry) for entry in gate.known] == [V1, V2]
    recorded = gate.recorded(V1)
    assert recorded is not None
    assert recorded.steps == STEPS
    assert gate.recorded("shop-v9:0000000000000000") is None


def test_another_run_of_a_revision_is_counted() -> None:
    gate = begun(V1)
    assert (gate.restart().current, gate.restart().run) == (V1, 2)
    assert gate.restart().revisions == gate.revisions


HEAD = "apiVersion: velapulumi.dev/v1\nkind: Gate\napplication: shop\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kind: Gates\napplication: shop\n", ":1: kind: must be 'Gate', is the string \"Gates\""),
        ("apiVersion: v1\napplication: shop\n", ":1: apiVersion: must be 'velapulumi.dev/v1'"),
        ("apiVersion: velapulumi.dev/v1\n", ":1: application: is missing"),
        (f"{HEAD}run: '1'\n", ':4: run: must be an integer, is the string "1": leave out'),
        (f"{HEAD}run: 1.5\n", ":4: run: must be an integer, is the number 1.5"),
        (f"{HEAD}curent: x\n", ':4: curent: is an unknown field, did you mean "current"?'),
        (f"{HEAD}current: [x]\n", ":4: current: must be a string, is a list"),
        (f"{HEAD}revisions: yes\n", ":4: revisions: must be a list, is true"),
        (f"{HEAD}revisions:\n- created: x\n  steps: []\n", ":5: revisions[0].revision: is missing"),
        (f"{HEAD}<<<<<<< HEAD\nrun: 1\n", ":5: is not valid YAML"),
        (f"{HEAD}---\n{HEAD}", ":5: a second document starts here"),
    ],
)
def test_damage_is_named_with_file_line_and_place(path: Path, text: str, expected: str) -> None:
    path.write_text(text)
    with pytest.raises(InvalidFile) as caught:
        update_gate(path, "shop", lambda gate: gate)
    assert f"{path}{expected}" in caught.value.message
    assert path.read_text() == text


def test_every_problem_of_a_file_is_listed(path: Path) -> None:
    path.write_text(f"{HEAD}current: 1\nrun: x\n")
    with pytest.raises(InvalidFile) as caught:
        read_gate(path, "shop")
    lines = caught.value.message.splitlines()
    assert [line.removeprefix(str(path))[:3] for line in lines] == [":4:", ":5:"]


def test_bytes_that_are_no_text_are_refused(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidFile, match=f"^{re.escape(str(path))}: cannot be read: "):
        read_gate(path, "shop")


RESTART = """
import sys
from pathlib import Path
from velapulumi.gate.file import update_gate
for _ in range(10):
    update_gate(Path(sys.argv[1]), "shop", lambda gate: gate.restart())
"""


def test_processes_beside_each_other_lose_nothing(path: Path) -> None:
    update_gate(path, "shop", lambda gate: begun(V1))
    running = [subprocess.Popen([sys.executable, "-c", RESTART, str(path)]) for _ in range(3)]
    assert [process.wait(30) for process in running] == [0, 0, 0]
    assert read_gate(path, "shop").run == 31


@pytest.mark.parametrize("call", ["fsync", "replace", "fchmod"])
def test_no_room_leaves_the_old_file_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    update_gate(path, "shop", lambda gate: begun(V1))
    before = path.read_bytes()
    monkeypatch.setattr(os, call, full)
    with pytest.raises(VelapulumiError) as caught:
        update_gate(path, "shop", Gate.restart)
    monkeypatch.undo()
    assert caught.value.message == f"cannot write {path}: No space left on device"
    assert (caught.value.code, caught.value.exit_code) == ("VP000", 1)
    assert caught.value.next_step
    assert path.read_bytes() == before
    assert {entry.name for entry in path.parent.iterdir()} == {path.name, f".{path.name}.lock"}


def test_who_names_user_and_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "alice")
    monkeypatch.setattr("socket.gethostname", lambda: "laptop")
    assert who() == "alice@laptop"

    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert who() == "unknown@laptop"
