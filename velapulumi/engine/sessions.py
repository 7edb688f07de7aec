"""The engine's providers: they lead groups of their own, but stay in the engine's session.

An engine that is killed leaves them behind, and they go on with what they were at, perhaps much
later, when a cluster answers again.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path


def end_session(leader: int) -> None:
    """Kill what is left of the session that a process led; where there is no ``/proc``, nothing.

    The number of a process is not given to another one as long as its session has members.

    Args:
        leader: Number of the process; nothing happens to the session of this process.
    """
    if leader == os.getsid(0):
        return
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(int(folder.name)) == leader:
                os.kill(int(folder.name), signal.SIGKILL)
