"""An engine is stopped when a cluster it works on has gone, or when it tells nothing any more."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any, cast

import pytest

from tests.unit.test_interrupts import ENDING, STUBBORN, process
from velapulumi.clusters.identity import Reached
from velapulumi.engine import watchdog as watchdog
from velapulumi.engine.watchdog import Watchdog
from velapulumi.errors import ClusterUnreachable, EngineFailed
from velapulumi.project import StackName

STACK = StackName("shop", "prod")


class Cluster:
    """A cluster that answers as often as it is told, and then no more."""

    def __init__(self, name: str, answers: int) -> None:
        self.name = name
        self.joined = self.client = self
        self.answers = answers
        self.asked = 0

    def identity(self) -> None:
        self.asked += 1
        if self.asked > self.answers:
            raise ClusterUnreachable(f"cluster {self.name} cannot be reached: gone")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "INTERVAL": 0.02,
        "MOST_A_SECOND": 10**6,
        "GRACE": (0.2, 0.2),
        "MARGIN": 0.3,
        "WINDING_UP": 0.3,
    }.items():
        monkeypatch.setattr(watchdog, name, value)


def watched(
    script: str, *clusters: Cluster, heard: Callable[[], float] = time.monotonic
) -> tuple[Watchdog, subprocess.Popen[str]]:
    """A watchdog over a process that went on until it was stopped, and the process."""
    made = Watchdog(STACK, cast(Any, clusters), 0.0, heard)
    with process(script) as engine, made.over(engine):
        engine.wait(20)
    return made, engine


def test_an_engine_is_interrupted_when_a_cluster_has_gone() -> None:
    there, gone = Cluster("east", 10**6), Cluster("west", 3)
    made, engine = watched(ENDING, there, gone)
    assert isinstance(made.reason, ClusterUnreachable)
    assert made.reason.message == "cluster west cannot be reached: gone (for 0s)"
    assert engine.returncode == 3
    assert there.asked > 3
    assert gone.asked > 4


def test_one_that_does_not_wind_up_is_killed() -> None:
    made, engine = watched(STUBBORN, Cluster("west", 0))
    assert isinstance(made.reason, ClusterUnreachable)
    assert engine.returncode == -signal.SIGKILL


def test_an_engine_that_tells_nothing_is_stopped() -> None:
    made, engine = watched(ENDING, Cluster("east", 10**6), heard=lambda: 0.0)
    assert isinstance(made.reason, EngineFailed)
    assert made.reason.message == (
        "stack shop.prod: the engine has told nothing for 0s and was stopped"
    )
    assert engine.returncode == 3


def test_a_cluster_that_comes_back_in_time_is_forgiven() -> None:
    class Restarted(Cluster):
        def identity(self) -> None:
            self.asked += 1
            if 2 < self.asked < 5:
                raise ClusterUnreachable("gone")

    cluster = Restarted("east", 0)
    made = Watchdog(STACK, cast("list[Reached]", [cluster]), 0.0, time.monotonic)
    with process(ENDING) as engine, made.over(engine):
        while cluster.asked < 20:
            assert engine.poll() is None
            time.sleep(0.005)
    assert made.reason is None


def test_only_clusters_that_are_concerned_are_asked_in_the_end() -> None:
    clusters = [Cluster("east", 10**6), Cluster("west", 0)]
    made = Watchdog(STACK, cast("list[Reached]", clusters), 0.0, time.monotonic)
    assert made.gone(lambda name: name == "east") is None
    assert clusters[1].asked == 0
    error = made.gone(lambda name: True)
    assert error is not None
    assert error.message == "cluster west cannot be reached: gone"


def test_an_engine_that_ends_by_itself_is_not_spoken_of() -> None:
    made, engine = watched("print('ready', flush=True)", Cluster("east", 0))
    assert made.reason is None
    assert engine.returncode == 0
