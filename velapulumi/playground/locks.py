"""Locks between processes, released by the system when their holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from velapulumi.playground.progress import Report


@contextmanager
def exclusive(path: Path, report: Report, subject: str) -> Iterator[None]:
    """Hold the lock file `path`; waits for another holder and says so.

    Args:
        path: The lock file; made when absent, left in place.
        report: Is told when there is a wait.
        subject: What the lock is about, for that line.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"{subject}: another velapulumi is at it, waiting")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
