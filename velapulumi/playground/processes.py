"""Processes and ports of this machine: whose they are, and ending those of a cluster."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from velapulumi.errors import PlaygroundProblem

# The API server goes before etcd, which it would otherwise wait for.
STOP_ORDER = (
    "kwok-controller",
    "kube-scheduler",
    "kube-controller-manager",
    "kube-apiserver",
    "etcd",
)
_GONE_SECONDS = 15.0
_LISTENING = "0A"


@dataclass(frozen=True)
class Process:
    """A running process of a cluster.

    Attributes:
        pid: Its number.
        component: File name of its program.
    """

    pid: int
    component: str


def cluster_processes(folder: Path) -> list[Process]:
    """The processes whose program lies in a cluster's own ``bin``, in the order to stop them.

    They are told by their command lines, not by pid files: those can be stale or, after a start
    that was cut off, not there.

    Args:
        folder: The cluster's folder.
    """
    programs = f"{folder / 'bin'}{os.sep}"
    found = [
        Process(pid, program.removeprefix(programs).split(" ")[0])
        for pid, program in _programs().items()
        if program.startswith(programs)
    ]
    order = {name: place for place, name in enumerate(STOP_ORDER)}
    return sorted(found, key=lambda process: order.get(process.component, -1))


def end_processes(folder: Path) -> None:
    """End every process of a cluster and see that none is left.

    Args:
        folder: The cluster's folder.

    Raises:
        PlaygroundProblem: Some are still there.
    """
    end = time.monotonic() + _GONE_SECONDS
    killed: set[Process] = set()
    # One that is dying has no command line any more, but still its ports.
    while left := [*cluster_processes(folder), *filter(_is_there, killed)]:
        if time.monotonic() > end:
            pids = ", ".join(f"{process.component} ({process.pid})" for process in left)
            raise PlaygroundProblem(
                f"processes of {folder.name} do not end: {pids}",
                next_step="End them by hand, then run the command again.",
            )
        for process in left:
            if process not in killed:
                killed.add(process)
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.02)


def _is_there(process: Process) -> bool:
    try:
        os.kill(process.pid, 0)
        stat = Path(f"/proc/{process.pid}/stat").read_text()
    except (ProcessLookupError, PermissionError):
        return False  # gone, or its number is another's by now
    except FileNotFoundError:
        return sys.platform != "linux"
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def port_is_free(port: int) -> bool:
    """Whether a port of 127.0.0.1 can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def port_holder(port: int) -> str:
    """The process that listens on a port, such as ``python3 (4711)``; empty when not known."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for columns in map(str.split, lines):
            if columns[3] == _LISTENING and int(columns[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(f"socket:[{columns[9]}]")
    if not inodes:
        return ""
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal():
            continue
        try:
            if any(os.readlink(handle) in inodes for handle in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} ({process.name})"
        except OSError:
            continue
    return ""


def _programs() -> dict[int, str]:
    """The program of every process, as its command line has it; zombies have none."""
    if sys.platform != "linux":
        listing = subprocess.run(
            ["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=True
        ).stdout
        rows = (line.strip().partition(" ") for line in listing.splitlines())
        return {int(pid): command.strip() for pid, _, command in rows}
    programs = {}
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            try:
                line = (process / "cmdline").read_bytes()
            except OSError:
                continue
            programs[int(process.name)] = os.fsdecode(line.split(b"\0", 1)[0])
    return programs
