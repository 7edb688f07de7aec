"""Progress lines: what is going on and since when, on stderr."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

Report = Callable[[str], None]
"""Takes one line for a person to read; may be called from several threads."""


def duration(seconds: float) -> str:
    """A time span for people: ``0.4s``, ``12s``, ``3m05s``."""
    if round(seconds, 1) < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


class Progress:
    """Prints lines to stderr, each with the time since this object was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, line: str) -> None:
        elapsed = duration(time.monotonic() - self._start)
        with self._lock:
            print(f"[{elapsed:>6}] {line}", file=sys.stderr, flush=True)
