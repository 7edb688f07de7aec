"""Writing the project's own files so that an interrupted or failed write leaves the old one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from velapulumi.errors import VelapulumiError


def write(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace a file's content in one step.

    Args:
        path: The file; its folder is made when missing.
        text: The whole new content.
        mode: Permission bits of the file; a folder made for a private file is private too.

    Raises:
        VelapulumiError: The content could not be stored; the old file is untouched.
    """
    private = mode & 0o077 == 0
    try:
        if private:
            make_private_folder(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            raise
    except OSError as error:
        raise refused(path, error) from error


def make_private_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner only."""
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            folder.mkdir(exist_ok=True, mode=0o700)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock beside a file while it is read, changed and written.

    Raises:
        VelapulumiError: The lock's own file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise refused(path, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def refused(path: Path, error: OSError) -> VelapulumiError:
    """The error that tells why a file could not be written."""
    return VelapulumiError(
        f"cannot write {path}: {error.strerror or error}",
        next_step="Make room or correct the permissions, then run the command again.",
    )


def now() -> str:
    """The time as the project's files write it: RFC 3339 in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
