"""Writing a ledger: from several processes, with no room, and after a process was killed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from velapulumi.errors import InvalidFile, VelapulumiError
from velapulumi.gate.ledger import Ledger, Trust, append, parse_ledger, read_ledger
from velapulumi.gate.statement import NO_HASH, StatementKind

APPROVE = {"kind": StatementKind.APPROVE, "by": "alice", "step": "ask"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stacks" / "shop.ledger.jsonl"


def say(path: Path, head: str | None = None, **fields: object) -> Ledger:
    return append(path, "shop", APPROVE | fields, None, Trust, head)


def test_without_a_file_it_is_empty(path: Path) -> None:
    ledger = read_ledger(path, "shop")
    assert (ledger.lines, ledger.id, ledger.head, ledger.trust.empty) == ((), "", NO_HASH, True)
    assert not path.exists()


def test_the_first_entry_begins_it_and_each_names_the_one_before(path: Path) -> None:
    say(path)
    ledger = say(path, comment="ä\tb")
    kinds = [str(line.entry.kind) for line in ledger.lines]
    assert kinds == ["trust", "approve", "approve"]
    assert [line.entry.previous for line in ledger.lines[1:]] == [
        line.hash for line in ledger.lines[:-1]
    ]
    assert len({line.entry.ledger for line in ledger.lines}) == 1
    assert read_ledger(path, "shop") == ledger
    assert path.stat().st_mode & 0o777 == 0o644
    other = append(path.with_name("x"), "shop", APPROVE, None, Trust)
    assert other.id != ledger.id


def test_policy_and_keys_may_be_all_it_begins_with(path: Path) -> None:
    trust = Trust("{}", "a ssh-ed25519 x", "")
    fields = {"policy": trust.policy, "signers": trust.signers}
    begun = append(
        path, "shop", {"kind": StatementKind.TRUST, "by": "a"} | fields, None, lambda: trust
    )
    assert len(begun.lines) == 1
    assert begun.trust == trust
    assert begun.trust.digest != Trust().digest


def test_whoever_has_looked_at_something_else_decides_nothing(path: Path) -> None:
    ledger = say(path)
    say(path, ledger.head)
    before = path.read_bytes()
    with pytest.raises(VelapulumiError, match="somebody else has decided about shop meanwhile"):
        say(path, ledger.head)
    assert path.read_bytes() == before


def test_time_never_goes_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("velapulumi.files.now", lambda: "2030-01-01T00:00:00Z")
    say(path)
    monkeypatch.setattr("velapulumi.files.now", lambda: "2020-01-01T00:00:00Z")
    assert say(path).lines[-1].entry.at == "2030-01-01T00:00:00Z"


def test_what_a_killed_process_left_counts_for_nothing_and_goes(path: Path) -> None:
    say(path)
    whole = path.read_bytes()
    for torn in (b"{", whole.splitlines()[-1], b'{"body":"'):
        path.write_bytes(whole + torn)
        assert len(read_ledger(path, "shop").lines) == 2
        assert len(say(path).lines) == 3
        assert read_ledger(path, "shop").lines[-1].entry.kind is StatementKind.APPROVE
        path.write_bytes(whole)
    path.write_bytes(b'{"bo')
    assert len(say(path).lines) == 2


@pytest.mark.parametrize("call", ["fsync", "pwrite"])
def test_no_room_leaves_it_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    say(path)
    before = path.read_bytes()
    monkeypatch.setattr(os, call, full)
    with pytest.raises(VelapulumiError) as caught:
        say(path)
    monkeypatch.undo()
    assert caught.value.message == f"cannot write {path}: No space left on device"
    assert path.read_bytes() == before


WRITE = """
import sys
from pathlib import Path
from velapulumi.gate.ledger import Trust, append
from velapulumi.gate.statement import StatementKind
for number in range(10):
    said = {"kind": StatementKind.APPROVE, "by": sys.argv[2], "comment": str(number)}
    append(Path(sys.argv[1]), "shop", said, None, Trust)
"""


def test_processes_beside_each_other_lose_nothing(path: Path) -> None:
    running = [subprocess.Popen([sys.executable, "-c", WRITE, str(path), by]) for by in "abc"]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    lines = read_ledger(path, "shop").lines
    found = sorted((line.entry.by, int(line.entry.comment)) for line in lines[1:])
    assert found == [(by, number) for by in "abc" for number in range(10)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}\n", ":1: must be a map of body and signature"),
        ("\n", ":1: is no entry of a ledger"),
        ('{"body":"{}","body":"{}"}\n', ":1: has a key twice"),
        ('{"body":"{}"}\n', ":1: application: is missing"),
        ("[" * 100000 + "\n", ":1: is no entry of a ledger"),
        ("\x00\n", ":1: is no entry of a ledger"),
        ("\udcff\n", ":1: is no entry of a ledger"),
    ],
)
def test_damage_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        parse_ledger(text.encode("utf-8", "surrogateescape"), "shop", "ledger")
    assert caught.value.message.startswith(f"ledger{message}")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"application":"shop"', '"application":"site"', ":1: application: is 'site'"),
        ('"number":1', '"number":2', ":2: number: is 2, must be 1"),
        ('"at":"2', '"at":"x', ":1: at: "),
        ('"kind":"trust"', '"kind":"use"', ":1: kind: the first entry must be trust"),
        ('"by":"alice"', '"by": "alice"', ":1: is not written in the form of a ledger"),
    ],
)
def test_what_does_not_fit_is_named(path: Path, before: str, after: str, message: str) -> None:
    say(path)
    text = path.read_text()
    before, after = (part.replace('"', '\\"') for part in (before, after))
    assert before in text
    path.write_text(text.replace(before, after, 1))
    with pytest.raises(InvalidFile) as caught:
        read_ledger(path, "shop")
    assert caught.value.message.startswith(f"{path}{message}")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="Is a directory"):
        read_ledger(tmp_path, "shop")
