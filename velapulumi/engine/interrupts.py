"""Ctrl-C and SIGTERM: the first one lets what is under way finish, the second one stops it now."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

from velapulumi.engine.sessions import end_session
from velapulumi.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Knows whether the process is to end, and the processes that are to end with it.

    Args:
        heard: Is told once that the first interrupt has been heard.
    """

    def __init__(self, heard: Callable[[], None]) -> None:
        self.stopping = False
        self._heard = heard
        self._lock = Lock()
        self._processes: set[subprocess.Popen[Any]] = set()

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle the signals, in the main thread, while something runs.

        Raises:
            Interrupted: At the second interrupt, at once.
        """
        before = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def running(self, process: subprocess.Popen[Any]) -> Iterator[None]:
        """Interrupt a process, which leads a group of its own, together with this one."""
        with self._lock:
            self._processes.add(process)
        if self.stopping:
            signal_group(process, signal.SIGINT)
        try:
            yield
        finally:
            with self._lock:
                self._processes.discard(process)

    def _handle(self, number: int, frame: object) -> None:
        first = not self.stopping
        self.stopping = True
        for process in tuple(self._processes):
            signal_group(process, signal.SIGINT if first else signal.SIGKILL)
        if not first:
            raise Interrupted("stopped at once")
        self._heard()


def signal_group(process: subprocess.Popen[Any], number: int) -> None:
    """Send a signal to the group that a process leads; SIGKILL to its whole session."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
    if number == signal.SIGKILL:
        end_session(process.pid)
