"""What a killed run left in a file backend: locks whose owner is gone, files half written."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from velapulumi.engine.sessions import end_session
from velapulumi.engine.stacks import file_backend
from velapulumi.errors import StackLocked
from velapulumi.project import Project, StackName

PATIENCE = 10.0
_SLACK = 5.0


def clear_stale_lock(project: Project, stack: StackName, environment: Mapping[str, str]) -> None:
    """Wait for a stack's lock to be released, or remove it when the run that held it is dead.

    An engine whose program was killed ends by itself within moments, so it is waited for.

    Args:
        project: The project.
        stack: The locked stack.
        environment: The engine's settings.

    Raises:
        StackLocked: The lock's owner lives, is on another host, or cannot be told.
    """
    folder = file_backend(project, environment)
    if folder is None:
        raise StackLocked(
            f"stack {stack} is in use by another run",
            next_step=f"When that run is dead, release it with: pulumi cancel --stack {stack}",
        )
    locks = folder / ".pulumi" / "locks" / "organization" / project.name / str(stack)
    deadline = time.monotonic() + PATIENCE
    while True:
        held = [path for path in locks.glob("*.json") if not _released(path)]
        if not held:
            return
        if time.monotonic() > deadline:
            raise StackLocked(f"stack {stack} is in use by {_owner(held[0])}")
        time.sleep(0.1)


def drop_torn_attributes(
    project: Project, stack: StackName, environment: Mapping[str, str]
) -> None:
    """Take away what describes a stack's file and is only half written.

    The engine replaces the file itself in one step, but not the description beside it, and reads
    neither when that is torn. Without a description it reads the file.

    Args:
        project: The project.
        stack: The stack.
        environment: The engine's settings.
    """
    folder = file_backend(project, environment)
    if folder is None:
        return
    for path in (folder / ".pulumi" / "stacks" / project.name).glob(f"{stack}.json*.attrs"):
        try:
            json.loads(path.read_bytes())
        except ValueError:
            path.unlink(missing_ok=True)
        except OSError:
            continue


def _released(path: Path) -> bool:
    """Whether a lock is gone, now or because its owner on this host is dead."""
    try:
        owner = json.loads(path.read_bytes())
        if owner["hostname"] != socket.gethostname():
            return False
        pid = int(owner["pid"])
        if not lives(pid):
            end_session(pid)
        elif _began(pid) <= datetime.fromisoformat(owner["timestamp"]).timestamp() + _SLACK:
            return False
    except FileNotFoundError:
        return True
    except (ValueError, KeyError, TypeError, OverflowError, PermissionError):
        return False
    path.unlink(missing_ok=True)
    return True


def lives(pid: int) -> bool:
    """Whether there is a process of that number, perhaps another one by now.

    One that has ended does not live when nobody takes note of it, as in a container without an
    init.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _state(pid)[:1] != ["Z"]


def _state(pid: int) -> list[str]:
    """What the kernel tells of a process after its name; nothing where it does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _began(pid: int) -> float:
    """When a process began, in seconds since 1970; 0 where that cannot be told."""
    try:
        ticks = int(_state(pid)[19])
        booted = time.time() - float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0
    return booted + ticks / os.sysconf("SC_CLK_TCK")


def _owner(path: Path) -> str:
    try:
        owner = json.loads(path.read_bytes())
        return (
            f"{owner['username']}@{owner['hostname']} (process {owner['pid']}) "
            f"since {owner['timestamp']}"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return f"the owner of {path.name}"
