"""The folder for what the engine's processes leave behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from velapulumi.engine.scratch import scratch


def test_nothing_stays_and_nobody_else_may_look(tmp_path: Path) -> None:
    parent = tmp_path / "state" / "tmp"
    with scratch(parent) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert parent.stat().st_mode & 0o777 == 0o700
        (folder / "kubeconfig1").write_text("a key")
    assert list(parent.iterdir()) == []


def test_it_is_deleted_when_something_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with scratch(tmp_path) as folder:
            (folder / "kubeconfig1").write_text("a key")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_killed_processes_have_left_goes_and_that_of_living_ones_stays(tmp_path: Path) -> None:
    for name in ("999999999-x", "nobody", f"{os.getpid()}-other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kubeconfig1").write_text("a key")
    with scratch(tmp_path) as folder:
        assert {each.name for each in tmp_path.iterdir()} == {f"{os.getpid()}-other", folder.name}
