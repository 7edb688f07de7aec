"""The journal of an application's runs: ``<application>.journal.jsonl``, one entry a line.

It lies beside the gate file and is meant to be committed with it, so that a run begun on one
machine goes on on another. Lines are only ever added; a line that a killed process left half
written counts for nothing and is taken away with the next one.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock

from pydantic import ValidationError

from velapulumi import files
from velapulumi.errors import InvalidFile
from velapulumi.spec.model import explain
from velapulumi.workflow.entries import Entry, Kind

_TIMES = {"at", "healthy"}

KEPT_RUNS = 20
"""How many runs before a new one stay in the file."""


class Journal:
    """The journal of one application, as one process reads and writes it, from all its threads.

    Args:
        path: The file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = RLock()
        self._read_to = 0
        self._lines = 0
        self._unseen: list[Entry] = []

    def read(self) -> tuple[Entry, ...]:
        """All entries, oldest first.

        Raises:
            InvalidFile: A line is no entry.
        """
        try:
            with self._lock, self._path.open("rb") as file:
                self._read_to, self._lines, self._unseen = 0, 0, []
                return tuple(self._further(file.read()))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise InvalidFile(f"{self._path}: {error.strerror}") from error

    def follow(self) -> tuple[Entry, ...]:
        """What others have added since this process read or added the last time.

        Raises:
            InvalidFile: A line is no entry.
        """
        with self._lock:
            try:
                if self._path.stat().st_size > self._read_to:
                    with self._path.open("rb") as file:
                        file.seek(self._read_to)
                        self._unseen += self._further(file.read())
            except FileNotFoundError:
                pass
            found, self._unseen = tuple(self._unseen), []
            return found

    def append(self, entry: Entry) -> None:
        """Add an entry; it is on the disk when this returns.

        Raises:
            VelapulumiError: It cannot be written; the file is as it was.
            InvalidFile: A line that others have added meanwhile is no entry.
        """
        line = _line(entry)
        try:
            with self._lock:
                if entry.kind is Kind.BEGIN:
                    self._forget_old_runs()
                self._add(line)
        except OSError as error:
            raise files.refused(self._path, error) from error

    def _add(self, line: bytes) -> None:
        with self._opened() as handle:
            size = os.fstat(handle).st_size
            self._unseen += self._further(os.pread(handle, size - self._read_to, self._read_to))
            os.ftruncate(handle, self._read_to)
            try:
                _write(handle, line, self._read_to)
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, self._read_to)
                raise
            self._read_to += len(line)
            self._lines += 1

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The file, locked against other processes that write into it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                if self._is(handle):
                    yield handle
                    return
            finally:
                os.close(handle)

    def _is(self, handle: int) -> bool:
        """Whether an open file is still the journal, and has not been replaced meanwhile."""
        try:
            return os.path.samestat(os.fstat(handle), self._path.stat())
        except FileNotFoundError:
            return False

    def _further(self, content: bytes) -> Iterator[Entry]:
        """The entries of what follows in the file; an unfinished last line is left for later."""
        for line in content.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                return
            self._read_to += len(line)
            self._lines += 1
            yield self._entry(line)

    def _entry(self, line: bytes) -> Entry:
        place = f"{self._path}:{self._lines}"
        try:
            document = json.loads(line)
            for field in _TIMES & document.keys():
                document[field] = datetime.fromisoformat(document[field]).timestamp()
            return Entry.model_validate_json(json.dumps(document))
        except ValidationError as error:
            path, message = explain(Entry, error)[0]
            where = ".".join(str(part) for part in path)
            raise InvalidFile(f"{place}: {where}: {message}") from error
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise InvalidFile(f"{place}: is no entry of a journal") from error

    def _forget_old_runs(self) -> None:
        with self._opened():
            entries = self.read()
            begins = [index for index, entry in enumerate(entries) if entry.kind is Kind.BEGIN]
            if len(begins) > KEPT_RUNS:
                kept = entries[begins[-KEPT_RUNS] :]
                files.write(self._path, "".join(_line(entry).decode() for entry in kept))
                self.read()


def _line(entry: Entry) -> bytes:
    document = entry.model_dump(mode="json", exclude_defaults=True)
    for field in _TIMES & document.keys():
        moment = datetime.fromtimestamp(document[field], UTC)
        document[field] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _write(handle: int, content: bytes, offset: int) -> None:
    while content:
        written = os.pwrite(handle, content, offset)
        content, offset = content[written:], offset + written


def told(path: Path) -> tuple[Entry, ...]:
    """All entries of a journal file, oldest first; none without the file.

    Raises:
        InvalidFile: A line is no entry.
    """
    return Journal(path).read()
