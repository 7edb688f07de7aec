"""One run of an application at a time: who runs it is written beside its state."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from velapulumi import files
from velapulumi.engine.environment import engine_environment
from velapulumi.engine.stacks import file_backend
from velapulumi.errors import RunInProgress
from velapulumi.gate.approver import who
from velapulumi.project import Project


@contextmanager
def running(project: Project, application: str, command: str) -> Iterator[None]:
    """Hold an application for this process.

    The lock lies in the backend where that is a folder, so that all who share it see it; else on
    this machine. The kernel lets go of it when the process dies; only a run of another host that
    was killed has to be cleared by hand.

    Args:
        project: The project.
        application: The application.
        command: What this process does, such as ``up``.

    Raises:
        RunInProgress: Another run holds it; names who.
        VelapulumiError: The lock's file cannot be made.
    """
    path = _path(project, application)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise files.refused(path, error) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise _refusal(application, handle, path) from None
        if _host(handle) not in ("", socket.gethostname()):
            raise _refusal(application, handle, path)
        try:
            _write(handle, command)
        except OSError as error:
            raise files.refused(path, error) from error
        try:
            yield
        finally:
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def holder(project: Project, application: str) -> str:
    """Who holds an application at this moment, in words; empty when nobody does.

    Args:
        project: The project.
        application: The application.
    """
    try:
        handle = os.open(_path(project, application), os.O_RDONLY)
    except OSError:
        return ""
    try:
        owner = _read(handle)
        if not owner:
            return ""
        if owner.get("host") == socket.gethostname() and _is_free(handle):
            return ""  # its process was killed
        return _described(owner)
    finally:
        os.close(handle)


def _is_free(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _path(project: Project, application: str) -> Path:
    backend = file_backend(project, engine_environment(project))
    if backend is not None:
        return backend / ".velapulumi" / project.name / f"{application}.lock"
    return project.state / "locks" / f"{application}.lock"


def _write(handle: int, command: str) -> None:
    owner = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "by": who(),
        "command": command,
        "since": files.now(),
    }
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps(owner).encode(), 0)


def _read(handle: int) -> dict[str, object]:
    try:
        owner = json.loads(os.pread(handle, 4096, 0) or b"{}")
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _host(handle: int) -> str:
    return str(_read(handle).get("host", ""))


def _refusal(application: str, handle: int, path: Path) -> RunInProgress:
    owner = _read(handle)
    if not owner:
        return RunInProgress(f"application {application} is being delivered by another run")
    elsewhere = owner.get("host") != socket.gethostname()
    return RunInProgress(
        f"application {application} is being delivered by {_described(owner)}",
        next_step=f"When that run is dead, delete {path} and run the command again."
        if elsewhere
        else "",
    )


def _described(owner: Mapping[str, object]) -> str:
    return (
        f"{owner.get('by')} (process {owner.get('pid')}, {owner.get('command')}) "
        f"since {owner.get('since')}"
    )
