"""What a killed engine leaves behind is ended with it, or by the next run that clears its lock."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from velapulumi.engine.environment import engine_environment
from velapulumi.engine.interrupts import signal_group
from velapulumi.engine.locks import clear_stale_lock
from velapulumi.engine.sessions import end_session
from velapulumi.project import Project, StackName

PARENT = """
import signal, subprocess, sys
waiting = [sys.executable, "-c", "import signal; signal.pause()"]
provider = subprocess.Popen(waiting, process_group=0)
print(provider.pid, flush=True)
signal.pause()
"""
pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")


@contextmanager
def engine() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process in a session of its own with a provider that leads a group of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as found:
        assert found.stdout is not None
        provider = int(found.stdout.readline())
        try:
            yield found, provider
        finally:
            found.kill()
            if lives(provider):
                os.kill(provider, signal.SIGKILL)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ended(pid: int) -> bool:
    """Whether a process ends; it has been killed, so it does at once."""
    descriptor = os.pidfd_open(pid) if lives(pid) else None
    if descriptor is None:
        return True
    try:
        return bool(select.select([descriptor], [], [], 10)[0])
    finally:
        os.close(descriptor)


def test_an_engine_is_killed_with_its_provider() -> None:
    with engine() as (process, provider):
        signal_group(process, signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL
        assert ended(provider)


def test_the_provider_is_not_interrupted() -> None:
    with engine() as (process, provider):
        signal_group(process, signal.SIGINT)
        process.wait(10)
        assert lives(provider)
        end_session(process.pid)
        assert ended(provider)


def test_ones_own_session_is_left_alone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    try:
        end_session(os.getsid(0))
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("reaped", [True, False])
def test_clearing_the_lock_of_a_dead_engine_ends_its_provider(
    project: Project, reaped: bool
) -> None:
    folder = project.state / "backend/.pulumi/locks/organization/test/shop.prod"
    folder.mkdir(parents=True)
    with engine() as (process, provider):
        process.kill()
        assert ended(process.pid)
        if reaped:
            process.wait()
        path = folder / "0.json"
        owner = {"username": "x", "hostname": socket.gethostname(), "pid": process.pid}
        path.write_text(json.dumps(owner | {"timestamp": datetime.now(UTC).isoformat()}))
        assert lives(provider)
        clear_stale_lock(project, StackName("shop", "prod"), engine_environment(project))
        assert not path.exists()
        assert ended(provider)
