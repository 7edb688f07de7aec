"""Watching over the engine while it works, since its provider would wait for ever.

The provider's watches and its retries have no end of their own: when an API server dies, hangs or
answers with errors in the middle of an update, they go on until somebody stops them. So clusters
are asked beside it whether they are there.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Event, Lock, Thread
from typing import Any

from velapulumi.clusters.identity import Reached
from velapulumi.engine.interrupts import signal_group
from velapulumi.errors import ClusterUnreachable, EngineFailed, VelapulumiError
from velapulumi.project import StackName

INTERVAL = 2.0
"""Seconds between two looks."""

MOST_A_SECOND = 8
"""How many clusters are asked in a second."""

GRACE = (5.0, 30.0)
"""Least and most seconds for which a cluster may give no answer: between, half of what an object
may take.

Restarting an API server takes less.
"""

MARGIN = 30.0
"""Seconds for which the engine may tell nothing, beyond what an object may take."""

WINDING_UP = 10.0
"""Seconds an engine that is told to stop gets for it."""


class Watchdog:
    """Stops an engine when a cluster it works on has gone, or when it tells nothing any more.

    Args:
        stack: The stack it works on.
        clusters: The clusters.
        patience: Seconds an object may take.
        heard: Tells when the engine was last heard of, on the monotonic clock.
    """

    def __init__(
        self,
        stack: StackName,
        clusters: Sequence[Reached],
        patience: float,
        heard: Callable[[], float],
    ) -> None:
        self._stack = stack
        self._clusters = clusters
        self._grace = min(max(patience / 2, GRACE[0]), GRACE[1])
        self._silence = patience + MARGIN
        self._heard = heard
        self._lock = Lock()
        self.reason: VelapulumiError | None = None

    @contextmanager
    def over(self, process: subprocess.Popen[Any]) -> Iterator[None]:
        """Watch while something runs; ``reason`` tells then why it was stopped.

        Args:
            process: Leads a group of its own.
        """
        ended = Event()
        tasks = [partial(self._ask, process, ended, cluster) for cluster in self._clusters]
        for task in (partial(self._listen, process, ended), *tasks):
            # A thread that does not end with its work would keep a process that is to stop now.
            Thread(target=task, daemon=True).start()
        try:
            yield
        finally:
            ended.set()

    def gone(self, concerns: Callable[[str], object]) -> ClusterUnreachable | None:
        """Why a cluster does not answer now; None when all do.

        Args:
            concerns: Whether a cluster of that canonical name is asked at all.
        """
        for cluster in self._clusters:
            if concerns(cluster.joined.name):
                try:
                    cluster.client.identity()
                except ClusterUnreachable as error:
                    return error
        return None

    def _ask(self, process: subprocess.Popen[Any], ended: Event, cluster: Reached) -> None:
        """Ask a cluster again and again whether it is there."""
        answered = time.monotonic()
        while not ended.wait(max(INTERVAL, len(self._clusters) / MOST_A_SECOND)):
            try:
                cluster.client.identity()
                answered = time.monotonic()
            except ClusterUnreachable as error:
                silent = time.monotonic() - answered
                if silent > self._grace:
                    text = f"{error.message} (for {silent:.0f}s)"
                    self._stop(process, ended, ClusterUnreachable(text))

    def _listen(self, process: subprocess.Popen[Any], ended: Event) -> None:
        """Look again and again whether the engine has told anything."""
        began = time.monotonic()
        while not ended.wait(INTERVAL):
            quiet = time.monotonic() - max(self._heard(), began)
            if quiet > self._silence:
                text = f"the engine has told nothing for {quiet:.0f}s and was stopped"
                self._stop(process, ended, EngineFailed(f"stack {self._stack}: {text}"))

    def _stop(self, process: subprocess.Popen[Any], ended: Event, reason: VelapulumiError) -> None:
        """Have the engine stop, and kill it with its providers when it does not; once only."""
        with self._lock:
            if self.reason is not None or ended.is_set():
                return
            self.reason = reason
        for number in (signal.SIGINT, signal.SIGKILL):
            signal_group(process, number)
            if ended.wait(WINDING_UP):
                return
