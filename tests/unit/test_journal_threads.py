"""The journal of a run that several threads of one process, and other processes, write into."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from velapulumi import files
from velapulumi.gate.journal import KEPT_RUNS, Journal, told
from velapulumi.workflow.entries import Entry, Kind


def entry(step: str, kind: Kind = Kind.START) -> Entry:
    return Entry(at=1.0, kind=kind, step=step)


def test_what_a_thread_adds_is_not_taken_for_what_others_add(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread follows at the very moment when another one has written its line."""
    journal = Journal(tmp_path / "shop.journal.jsonl")
    sync, found = os.fsync, Future[tuple[Entry, ...]]()
    with ThreadPoolExecutor(1) as pool:

        def followed(handle: int) -> None:
            nonlocal found
            found = pool.submit(journal.follow)
            with pytest.raises(TimeoutError):
                found.result(timeout=0.1)  # it has to wait
            sync(handle)

        monkeypatch.setattr(os, "fsync", followed)
        journal.append(entry("first"))
        monkeypatch.undo()
        assert found.result(timeout=5) == ()
    journal.append(entry("second"))
    assert journal.follow() == ()
    assert [each.step for each in told(tmp_path / "shop.journal.jsonl")] == ["first", "second"]


def test_what_others_add_while_old_runs_are_forgotten_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shop.journal.jsonl"
    journal, other = Journal(path), Journal(path)
    for number in range(KEPT_RUNS + 1):
        journal.append(entry(f"run-{number}", Kind.BEGIN))
    other.read()
    write, added = files.write, Future[None]()
    with ThreadPoolExecutor(1) as pool:

        def written(file: Path, text: str) -> None:
            nonlocal added
            added = pool.submit(Journal(path).append, entry("", Kind.SUSPEND))
            with pytest.raises(TimeoutError):
                added.result(timeout=0.1)  # it has to wait
            write(file, text)

        monkeypatch.setattr(files, "write", written)
        journal.append(entry("new", Kind.BEGIN))
        added.result(timeout=5)
    kept = told(path)
    assert [each.kind for each in kept].count(Kind.SUSPEND) == 1
    assert [each.step for each in kept if each.step] == [
        *(f"run-{number}" for number in range(1, KEPT_RUNS + 1)),
        "new",
    ]
