"""One run of an application at a time, with real processes."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from velapulumi.delivery.runlock import holder, running
from velapulumi.errors import RunInProgress, VelapulumiError
from velapulumi.gate.approver import who
from velapulumi.project import Project

HOLD = """
import sys
from pathlib import Path
from velapulumi.delivery.runlock import running
from velapulumi.errors import RunInProgress
from velapulumi.project import Project
root = Path(sys.argv[1])
try:
    with running(Project(root, "test", root / "stacks"), "shop", "up"):
        print("held", flush=True)
        sys.stdin.readline()
except RunInProgress as error:
    print(f"{error}|{error.next_step}", flush=True)
"""


def started(project: Project) -> subprocess.Popen[str]:
    """Another process that tries to hold the application, and has told how that went."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(project.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@contextmanager
def another(project: Project) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the application; ends with the block at the latest."""
    with started(project) as process:
        try:
            assert said(process) == "held"
            yield process
        finally:
            process.kill()


def path_of(project: Project) -> Path:
    return project.state / "backend/.velapulumi/test/shop.lock"


def hold(project: Project, application: str = "shop", command: str = "up") -> None:
    with running(project, application, command):
        pass


def test_a_run_that_ended_is_in_nobodys_way(project: Project) -> None:
    for _ in range(2):
        with running(project, "shop", "up"):
            owner = json.loads(path_of(project).read_text())
            assert (owner["host"], owner["pid"]) == (socket.gethostname(), os.getpid())
            assert (owner["by"], owner["command"]) == (who(), "up")
        assert path_of(project).read_text() == ""
    with pytest.raises(ZeroDivisionError), running(project, "shop", "up"):
        _ = 1 / 0
    hold(project)


def test_a_second_process_is_refused_and_told_who(project: Project) -> None:
    with another(project) as process:
        for command in ("up", "delete"):
            with pytest.raises(RunInProgress) as caught:
                hold(project, command=command)
            assert re.fullmatch(
                rf"application shop is being delivered by {re.escape(who())} "
                rf"\(process {process.pid}, up\) since \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
                caught.value.message,
            )
            assert caught.value.next_step.startswith("Wait for that run to end")
        assert (caught.value.code, caught.value.exit_code) == ("VP304", 1)
        process.communicate("\n", timeout=30)
        assert process.returncode == 0
    hold(project)


def test_this_process_keeps_others_out(project: Project) -> None:
    with running(project, "shop", "delete"), started(project) as process:
        message, _, advice = said(process).partition("|")
        assert f"(process {os.getpid()}, delete) since " in message
        assert advice.startswith("Wait for that run to end")
        process.communicate(timeout=30)
        assert json.loads(path_of(project).read_text())["pid"] == os.getpid()


def test_a_killed_process_leaves_nothing_behind(project: Project) -> None:
    with another(project) as process:
        process.kill()
        process.wait(30)
        assert json.loads(path_of(project).read_text())["pid"] == process.pid
    assert holder(project, "shop") == ""
    with running(project, "shop", "up"):
        assert json.loads(path_of(project).read_text())["pid"] == os.getpid()


def test_applications_are_held_one_by_one(project: Project) -> None:
    with another(project):
        hold(project, "blog")


def test_who_holds_an_application_can_be_asked(project: Project) -> None:
    assert holder(project, "shop") == ""
    assert not path_of(project).exists()
    with another(project) as process:
        found = holder(project, "shop")
        assert found.startswith(f"{who()} (process {process.pid}, up) since ")
        assert holder(project, "blog") == ""
        with pytest.raises(RunInProgress):
            hold(project)  # asking has let go of nothing
    assert holder(project, "shop") == ""
    hold(project)
    assert holder(project, "shop") == ""


ELSEWHERE: dict[str, Any] = {
    "host": "elsewhere",
    "pid": 7,
    "by": "ann@elsewhere",
    "command": "up",
    "since": "2026-01-02T03:04:05Z",
}


def test_a_run_of_another_host_has_to_be_cleared_by_hand(project: Project) -> None:
    path = path_of(project)
    path.parent.mkdir(parents=True)
    text = json.dumps(ELSEWHERE)
    path.write_text(text)
    with pytest.raises(RunInProgress) as caught:
        hold(project)
    words = "ann@elsewhere (process 7, up) since 2026-01-02T03:04:05Z"
    assert caught.value.message == f"application shop is being delivered by {words}"
    assert caught.value.next_step == (
        f"When that run is dead, delete {path} and run the command again."
    )
    assert holder(project, "shop") == words
    assert path.read_text() == text
    path.unlink()
    hold(project)


@pytest.mark.parametrize("text", ["{", "[]", "1", "{}", "\0"])
def test_a_damaged_lock_that_nobody_holds_is_in_nobodys_way(project: Project, text: str) -> None:
    path = path_of(project)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert holder(project, "shop") == ""
    hold(project)
    assert path.read_text() == ""


def test_a_damaged_lock_that_is_held_names_nobody(project: Project) -> None:
    with another(project):
        path_of(project).write_text("damaged")
        with pytest.raises(RunInProgress) as caught:
            hold(project)
    assert caught.value.message == "application shop is being delivered by another run"
    assert caught.value.next_step.startswith("Wait for that run to end")


def test_a_backend_elsewhere_is_locked_on_this_machine(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    with running(project, "shop", "up"):
        assert (project.state / "locks/shop.lock").exists()
        with pytest.raises(RunInProgress):
            hold(project)
    assert not path_of(project).exists()


def test_those_who_share_a_backend_share_its_locks(
    project: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path_factory.mktemp("backend")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{shared}")
    root = tmp_path_factory.mktemp("second")
    with another(project):
        with pytest.raises(RunInProgress):
            hold(Project(root, "test", root / "stacks"))
        hold(Project(root, "other", root / "stacks"))
    assert (shared / ".velapulumi/test/shop.lock").exists()


def test_a_lock_that_cannot_be_made_is_an_error_of_ours(project: Project) -> None:
    path = path_of(project)
    path.mkdir(parents=True)
    with pytest.raises(VelapulumiError, match=f"cannot write {re.escape(str(path))}: "):
        hold(project)
    assert holder(project, "shop") == ""
