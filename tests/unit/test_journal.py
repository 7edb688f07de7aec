"""The journal file: what is added stays, what is half written counts for nothing."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.helpers import V1
from velapulumi.errors import InvalidFile, VelapulumiError
from velapulumi.gate.journal import KEPT_RUNS, Journal, told
from velapulumi.workflow.entries import ClusterPhase, Entry, Kind
from velapulumi.workflow.phases import Reason, StepPhase


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.journal.jsonl"


def entry(step: str = "a", at: float = 1, kind: Kind = Kind.START, **fields: Any) -> Entry:
    return Entry(at=at, kind=kind, step=step, **fields)


def begin(run: int) -> Entry:
    return Entry(at=run, kind=Kind.BEGIN, revision=V1, run=run)


def steps(entries: tuple[Entry, ...]) -> list[str]:
    return [each.step for each in entries]


def filled(path: Path, *names: str) -> Journal:
    journal = Journal(path)
    for name in names:
        journal.append(entry(name))
    return journal


def test_without_a_file_there_is_nothing(path: Path) -> None:
    journal = Journal(path)
    assert (journal.read(), journal.follow(), told(path)) == ((), (), ())
    assert not path.exists()


def test_an_entry_is_a_line_with_what_is_set(path: Path) -> None:
    Journal(path).append(
        Entry(
            at=1767225600.25,
            kind=Kind.CLUSTER,
            step="go",
            clusters=("east",),
            cluster=ClusterPhase.PROGRESSING,
            healthy=1767225599.5,
            message="schön",
        )
    )
    assert path.read_text("utf-8") == (
        '{"at":"2026-01-01T00:00:00.250Z","kind":"cluster","step":"go","clusters":["east"],'
        '"cluster":"Progressing","healthy":"2025-12-31T23:59:59.500Z","message":"schön"}\n'
    )
    assert path.stat().st_mode & 0o777 == 0o644


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values: Any = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), words),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(words, inner, max_size=2)),
    max_leaves=4,
)
entries = st.builds(
    Entry,
    at=st.integers(0, 4_000_000_000).map(float),
    kind=st.sampled_from(list(Kind)),
    step=words,
    steps=st.lists(words, max_size=2).map(tuple),
    clusters=st.lists(words, max_size=2).map(tuple),
    failed=st.dictionaries(words, words, max_size=2),
    again=st.booleans(),
    cluster=st.sampled_from([None, *ClusterPhase]),
    healthy=st.integers(0, 4_000_000_000).map(float),
    phase=st.sampled_from([None, *StepPhase]),
    reason=st.sampled_from([None, *Reason]),
    message=words,
    values=st.dictionaries(words, values, max_size=2),
    memory=st.dictionaries(words, values, max_size=2),
    revision=words,
    run=st.integers(0, 9),
    by=words,
)


@given(st.lists(entries, max_size=4))
def test_a_journal_reads_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, found: list[Entry]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "shop.journal.jsonl"
    journal = Journal(path)
    for each in found:
        journal.append(each)
    assert told(path) == tuple(found)
    assert path.read_bytes().count(b"\n") == len(found) if found else not path.exists()


def test_two_who_write_see_what_the_other_adds_and_not_their_own(path: Path) -> None:
    ours, theirs = Journal(path), Journal(path)
    ours.append(entry("a"))
    assert ours.follow() == ()
    assert steps(theirs.follow()) == ["a"]
    theirs.append(entry("b"))
    theirs.append(entry("c"))
    ours.append(entry("d"))  # sees b and c on the way
    assert steps(ours.follow()) == ["b", "c"]
    assert ours.follow() == ()
    assert steps(theirs.follow()) == ["d"]
    assert steps(told(path)) == ["a", "b", "c", "d"]


def test_reading_is_seeing(path: Path) -> None:
    filled(path, "a", "b")
    journal = Journal(path)
    assert steps(journal.read()) == ["a", "b"]
    assert journal.follow() == ()
    filled(path, "c")
    assert steps(journal.read()) == ["a", "b", "c"]
    assert journal.follow() == ()


def test_a_half_written_last_line_counts_for_nothing_and_goes_with_the_next(path: Path) -> None:
    journal = filled(path, "a")
    whole = path.read_bytes()
    for half in (b"{", b'{"at":"2026-01-01T00:00:00Z","kind":"st', whole[:-1]):
        path.write_bytes(whole + half)
        assert steps(told(path)) == ["a"]
        assert journal.follow() == ()
        assert path.read_bytes() == whole + half
    journal.append(entry("b"))
    assert steps(told(path)) == ["a", "b"]
    assert path.read_bytes().startswith(whole)
    assert path.read_bytes().count(b"\n") == 2


def test_a_line_that_gets_finished_later_is_seen_then(path: Path) -> None:
    journal = filled(path, "a")
    line = path.read_bytes().replace(b'"a"', b'"b"')
    with path.open("ab") as file:
        file.write(line[:20])
        file.flush()
        assert journal.follow() == ()
        file.write(line[20:])
    assert steps(journal.follow()) == ["b"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "is no entry of a journal"),
        ("[1]", "is no entry of a journal"),
        ("1", "is no entry of a journal"),
        ("{", "is no entry of a journal"),
        ("\0", "is no entry of a journal"),
        ("[" * 100_000, "is no entry of a journal"),
        ('{"at":"yesterday","kind":"start"}', "is no entry of a journal"),
        ('{"at":5,"kind":"start"}', "is no entry of a journal"),
        ('{"kind":"start"}', "at: is missing"),
        ('{"at":"2026-01-01T00:00:00Z","kind":"stort"}', "kind: must be "),
        ('{"at":"2026-01-01T00:00:00Z","kind":"start","stp":"a"}', "stp: is an unknown field"),
        ('{"at":"2026-01-01T00:00:00Z","kind":"start","step":1}', "step: must be a string"),
        ("<<<<<<< HEAD", "is no entry of a journal"),
    ],
)
def test_a_damaged_line_is_named_with_its_number(path: Path, line: str, message: str) -> None:
    filled(path, "a", "b")
    whole = path.read_text()
    path.write_text(f"{whole}{line}\n{whole}")
    before = path.read_bytes()
    journal = Journal(path)
    for read in (journal.read, lambda: told(path), lambda: Journal(path).follow()):
        with pytest.raises(InvalidFile) as caught:
            read()
        assert caught.value.message.startswith(f"{path}:3: {message}")
    with pytest.raises(InvalidFile, match=":3: "):
        Journal(path).append(entry("c"))
    assert path.read_bytes() == before


def test_bytes_that_are_no_text_are_named_with_their_line(path: Path) -> None:
    filled(path, "a")
    path.write_bytes(path.read_bytes() + b"\xff\xfe\n")
    with pytest.raises(InvalidFile) as caught:
        told(path)
    assert caught.value.message == f"{path}:2: is no entry of a journal"


def test_what_is_no_file_is_named(path: Path) -> None:
    path.mkdir()
    with pytest.raises(InvalidFile, match="Is a directory"):
        told(path)
    with pytest.raises(VelapulumiError, match=f"cannot write {path}: Is a directory"):
        Journal(path).append(entry())


@pytest.mark.parametrize("call", ["fsync", "pwrite"])
def test_no_room_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    journal = filled(path, "a")
    before = path.read_bytes()
    write = os.pwrite

    def full(handle: int, content: bytes = b"", offset: int = 0) -> int:
        if call == "pwrite" and offset == len(before):
            return write(handle, content[:10], offset)  # room for a part of it
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(VelapulumiError) as caught:
        journal.append(entry("b"))
    monkeypatch.undo()
    assert caught.value.message == f"cannot write {path}: No space left on device"
    assert caught.value.next_step
    assert path.read_bytes() == before
    journal.append(entry("c"))
    assert steps(told(path)) == ["a", "c"]
    assert journal.follow() == ()


FULL = """
import resource, signal, sys
from pathlib import Path
from velapulumi.errors import VelapulumiError
from velapulumi.gate.journal import Journal
from velapulumi.workflow.entries import Entry, Kind
path = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = path.stat().st_size + 20
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    Journal(path).append(Entry(at=1, kind=Kind.START, step="x" * 99))
except VelapulumiError as error:
    print(error)
"""


def test_a_full_disk_leaves_the_file_as_it_was(path: Path) -> None:
    """The kernel takes only a part of the line."""
    filled(path, "a")
    before = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True)
    assert done.stdout == f"cannot write {path}: File too large\n", done.stderr
    assert path.read_bytes() == before


APPEND = """
import sys
from pathlib import Path
from velapulumi.gate.journal import Journal
from velapulumi.workflow.entries import Entry, Kind
journal = Journal(Path(sys.argv[1]))
for number in range(20):
    journal.append(Entry(at=number, kind=Kind.START, step=f"{sys.argv[2]}-{number}"))
"""


def test_processes_beside_each_other_lose_nothing(path: Path) -> None:
    watching = Journal(path)
    command = [sys.executable, "-c", APPEND, str(path)]
    running = [subprocess.Popen([*command, name]) for name in "abc"]
    assert [process.wait(30) for process in running] == [0, 0, 0]
    found = steps(watching.follow())
    assert sorted(found) == sorted(f"{name}-{number}" for name in "abc" for number in range(20))
    for name in "abc":
        numbers = [step.partition("-")[2] for step in found if step.startswith(name)]
        assert numbers == [str(number) for number in range(20)]


def test_a_file_whose_folder_is_missing_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "shop.journal.jsonl"
    filled(path, "a")
    assert steps(told(path)) == ["a"]


def test_old_runs_are_forgotten_when_a_new_one_begins(path: Path) -> None:
    journal = Journal(path)
    journal.append(entry("before"))
    for run in range(1, KEPT_RUNS + 3):
        journal.append(begin(run))
        journal.append(entry(f"s{run}"))
        assert journal.follow() == ()
    found = told(path)
    runs = [each.run for each in found if each.kind is Kind.BEGIN]
    assert runs == list(range(2, KEPT_RUNS + 3))
    assert found[0] == begin(2)
    assert [step for step in steps(found) if step] == [f"s{run}" for run in runs]
    for line in path.read_text().splitlines():
        assert json.loads(line)["at"].endswith("Z")


def test_a_damaged_journal_does_not_let_a_run_begin(path: Path) -> None:
    filled(path, "a")
    path.write_text(path.read_text() + "damaged\n")
    before = path.read_bytes()
    with pytest.raises(InvalidFile, match=":2: is no entry"):
        Journal(path).append(begin(1))
    assert path.read_bytes() == before
