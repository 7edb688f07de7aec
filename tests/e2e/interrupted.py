"""Runs the command line in this process and interrupts it at one entry of the run's journal.

    python interrupted.py WHERE N HOW ARGS…

Right ``before`` or ``after`` (WHERE) the N-th entry that this process writes, HOW happens: a signal
by its name, which the process sends to itself, or ``full``, from when on the disk takes nothing
more: neither the journal nor any other file of the project can be written.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from threading import Lock
from types import SimpleNamespace

from velapulumi import files
from velapulumi.cli import main
from velapulumi.gate import journal
from velapulumi.workflow.entries import Entry

FULL = "full"


def interrupt(where: str, number: int, action: Callable[[], None]) -> None:
    """Do something right before or after the N-th entry is appended to a journal."""
    append, lock, count = journal.Journal.append, Lock(), 0

    def counted(self: journal.Journal, entry: Entry) -> None:
        nonlocal count
        with lock:
            count += 1
            due = count == number
            if due and where == "before":
                action()
            append(self, entry)
            if due and where == "after":
                action()

    journal.Journal.append = counted  # type: ignore[method-assign]


def fill_disk() -> None:
    """From now on nothing can be written; of a journal's entry the first half still can."""

    def half(handle: int, content: bytes, offset: int) -> None:
        os.pwrite(handle, content[: len(content) // 2], offset)
        refuse()

    journal._write = half
    vars(files)["tempfile"] = SimpleNamespace(mkstemp=refuse)


def refuse(*args: object, **options: object) -> None:
    """What a full disk answers."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def action_of(how: str) -> Callable[[], None]:
    """What HOW means."""
    if how == FULL:
        return fill_disk
    number = signal.Signals[how]
    return lambda: os.kill(os.getpid(), number)


if __name__ == "__main__":
    where, number, how, *arguments = sys.argv[1:]
    interrupt(where, int(number), action_of(how))
    sys.argv[1:] = arguments
    main()
