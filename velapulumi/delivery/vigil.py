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
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from velapulumi.clusters.identity import Reached
from velapulumi.delivery.interrupts import signal_group
from velapulumi.errors import ClusterUnreachable, EngineFailed, VelapulumiError
from velapulumi.project import StackName

INTERVAL = 2.0
"""Seconds between two looks."""

GRACE = (5.0, 30.0)
"""Least and most seconds for which a cluster may give no answer; between, what an object may take.

Restarting an API server takes less.
"""

MARGIN = 30.0
"""Seconds for which the engine may tell nothing, beyond what an object may take."""

WINDING_UP = 10.0
"""Seconds an engine that is told to stop gets for it."""


class Vigil:
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
        self._grace = min(max(patience, GRACE[0]), GRACE[1])
        self._silence = patience + MARGIN
        self._heard = heard
        self._answered: dict[str, float] = {}
        self.reason: VelapulumiError | None = None

    @contextmanager
    def over(self, process: subprocess.Popen[Any]) -> Iterator[None]:
        """Watch while something runs; ``reason`` tells then why it was stopped.

        Args:
            process: Leads a group of its own.
        """
        ended = Event()
        began = time.monotonic()
        self._answered = {each.joined.name: began for each in self._clusters}
        watcher = Thread(target=self._watch, args=(process, ended, began), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()

    def _watch(self, process: subprocess.Popen[Any], ended: Event, began: float) -> None:
        with ThreadPoolExecutor(min(len(self._clusters), 16) or 1) as pool:
            while not ended.wait(INTERVAL):
                reasons = [text for text in pool.map(self._gone, self._clusters) if text]
                quiet = time.monotonic() - max(self._heard(), began)
                if quiet > self._silence:
                    text = f"the engine has told nothing for {quiet:.0f}s and was stopped"
                    reasons.append(EngineFailed(f"stack {self._stack}: {text}"))
                if reasons and not ended.is_set():
                    self.reason = reasons[0]
                    _end(process, ended)
                    return

    def _gone(self, cluster: Reached) -> VelapulumiError | None:
        """Why a cluster has given no answer for too long; None while it has not."""
        name = cluster.joined.name
        try:
            cluster.client.identity()
        except ClusterUnreachable as error:
            silent = time.monotonic() - self._answered[name]
            if silent > self._grace:
                return ClusterUnreachable(f"{error.message} (for {silent:.0f}s)")
        else:
            self._answered[name] = time.monotonic()
        return None


def _end(process: subprocess.Popen[Any], ended: Event) -> None:
    """Have an engine stop, and kill it with its providers when it does not."""
    for number in (signal.SIGINT, signal.SIGKILL):
        signal_group(process, number)
        if ended.wait(WINDING_UP):
            return
