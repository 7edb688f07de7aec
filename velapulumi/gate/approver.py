"""Who sits at this machine, as an unsigned approval can tell it."""

from __future__ import annotations

import getpass
import socket


def who() -> str:
    """User and host, such as ``alice@laptop``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
