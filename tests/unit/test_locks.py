"""A lock of a dead run is cleared; any other is waited for and then named."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from velapulumi.engine import locks
from velapulumi.engine.environment import engine_environment
from velapulumi.errors import StackLocked
from velapulumi.project import Project, StackName

STACK = StackName("shop", "prod")
NOW = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "123Z")
"""The time as the engine, written in Go, puts it."""


@pytest.fixture(scope="module")
def dead() -> int:
    """PID of a process that was."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def folder(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(locks, "PATIENCE", 0.05)
    found = project.state / "backend/.pulumi/locks/organization/test/shop.prod"
    found.mkdir(parents=True)
    return found


def lock(folder: Path, pid: Any, **changes: Any) -> Path:
    owner = {"username": "ghost", "hostname": socket.gethostname(), "pid": pid}
    path = folder / f"{len(list(folder.iterdir()))}.json"
    path.write_text(json.dumps(owner | {"timestamp": NOW} | changes))
    return path


def clear(project: Project) -> None:
    locks.clear_stale_lock(project, STACK, engine_environment(project))


def test_without_a_lock_there_is_nothing_to_do(project: Project, folder: Path) -> None:
    clear(project)
    folder.rmdir()
    clear(project)


def test_locks_of_the_dead_are_removed(project: Project, folder: Path, dead: int) -> None:
    lock(folder, dead)
    lock(folder, str(dead))
    clear(project)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("changes", [{}, {"hostname": "elsewhere"}])
def test_the_owner_of_a_held_lock_is_named(
    project: Project, folder: Path, changes: dict[str, str], dead: int
) -> None:
    pid = dead if changes else os.getpid()
    path = lock(folder, pid, **changes)
    with pytest.raises(StackLocked) as caught:
        clear(project)
    host = changes.get("hostname", socket.gethostname())
    assert caught.value.message == (
        f"stack shop.prod is in use by ghost@{host} (process {pid}) since {NOW}"
    )
    assert path.exists()


def test_a_number_that_another_process_has_now_is_that_of_a_dead_owner(
    project: Project, folder: Path
) -> None:
    lock(folder, os.getpid(), timestamp="2020-01-01T00:00:00Z")
    clear(project)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("time", ["", "yesterday", None, 5])
def test_an_owner_whose_time_cannot_be_told_is_not_dead(
    project: Project, folder: Path, time: Any
) -> None:
    path = lock(folder, os.getpid(), timestamp=time)
    with pytest.raises(StackLocked):
        clear(project)
    assert path.exists()


def test_a_dead_lock_goes_while_a_living_one_stays(
    project: Project, folder: Path, dead: int
) -> None:
    living, stale = lock(folder, os.getpid()), lock(folder, dead)
    with pytest.raises(StackLocked):
        clear(project)
    assert (living.exists(), stale.exists()) == (True, False)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "1", "{}", '{"hostname": null}', '{"pid": 1}', "HOST", "PID"]
)
def test_a_lock_that_cannot_be_read_is_kept(project: Project, folder: Path, text: str) -> None:
    here = socket.gethostname()
    text = {
        "HOST": json.dumps({"hostname": here}),
        "PID": json.dumps({"hostname": here, "pid": "x"}),
    }.get(text, text)
    path = folder / "0.json"
    path.write_text(text)
    with pytest.raises(StackLocked, match=r"^stack shop\.prod is in use by the owner of 0\.json$"):
        clear(project)
    assert path.read_text() == text


def test_a_lock_that_is_released_meanwhile_is_waited_for(
    project: Project, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "PATIENCE", 20)
    path = lock(folder, os.getpid())
    timer = threading.Timer(0.15, path.unlink)
    timer.start()
    start = time.monotonic()
    clear(project)
    timer.join()
    assert time.monotonic() - start < 5


def test_locks_of_another_stack_do_not_matter(project: Project, folder: Path) -> None:
    other = folder.with_name("shop.staging")
    other.mkdir()
    path = lock(other, os.getpid())
    clear(project)
    assert path.exists()


def test_another_backend_is_not_touched(project: Project) -> None:
    with pytest.raises(StackLocked, match=r"^stack shop\.prod is in use by another run$") as caught:
        locks.clear_stale_lock(project, STACK, {"PULUMI_BACKEND_URL": "s3://bucket"})
    assert "pulumi cancel --stack shop.prod" in caught.value.next_step


def test_only_descriptions_that_are_torn_are_taken_away(project: Project) -> None:
    stacks = project.state / "backend/.pulumi/stacks/test"
    stacks.mkdir(parents=True)
    contents = {
        "shop.prod.json": "",
        "shop.prod.json.attrs": "",
        "shop.prod.json.bak.attrs": '{"user.content',
        "shop.prod2.json.attrs": "",
        "shop.staging.json.attrs": "",
    }
    for name, text in contents.items():
        (stacks / name).write_text(text)
    environment = engine_environment(project)
    locks.drop_torn_attributes(project, STACK, environment)
    left = {path.name for path in stacks.iterdir()}
    assert left == {"shop.prod.json", "shop.prod2.json.attrs", "shop.staging.json.attrs"}
    (stacks / "shop.prod.json.attrs").write_text("{}")
    locks.drop_torn_attributes(project, STACK, environment)
    locks.drop_torn_attributes(project, STACK, {"PULUMI_BACKEND_URL": "s3://bucket"})
    assert (stacks / "shop.prod.json.attrs").exists()
