"""What is done next to bring a step to its clusters, and what a look at them tells."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from velapulumi.workflow.entries import ClusterPhase, Entry, Kind
from velapulumi.workflow.phases import Reason, StepPhase
from velapulumi.workflow.rollout import (
    Apply,
    Conclude,
    Move,
    Observation,
    Observe,
    Rollout,
    Settle,
    Wave,
    lost,
    next_move,
    observed,
)
from velapulumi.workflow.run import ClusterRun, Run, StepRun, advance

PATIENCE, INTERVAL = 60.0, 5.0
HEALTHY, SICK = Observation(True), Observation(False, "0/1 ready")

TWO = Rollout((Wave(("a", "b")), Wave(("c",))))
BUDGET = Rollout((Wave(("a", "b"), scope="rest", budget=1), Wave(("c", "d"), "", "rest", 1)))
GUARDED = Rollout((Wave(("a",), "m", "mandatory m"), Wave(("b", "c"), scope="rest", budget=1)))


def on_way(applied: float = 100, healthy: float = 0, **more: Any) -> ClusterRun:
    return ClusterRun(ClusterPhase.PROGRESSING, applied, healthy, **more)


GOOD = ClusterRun(ClusterPhase.SUCCEEDED, 90, 95, proven=True)
FAILED = ClusterRun(ClusterPhase.FAILED, 90, message="no answer")
LATE = ClusterRun(ClusterPhase.TIMED_OUT, 90, message="late")


def step(*, again: bool = False, **clusters: ClusterRun) -> StepRun:
    return StepRun(StepPhase.RUNNING, started=80, again=again, clusters=clusters)


def move(rollout: Rollout, state: StepRun, now: float = 101, seen: float = 0) -> Move:
    return next_move(rollout, state, now, seen, PATIENCE, INTERVAL)


DONE = Conclude(StepPhase.SUCCEEDED)


@pytest.mark.parametrize(
    ("rollout", "state", "expected"),
    [
        (Rollout(()), step(), DONE),
        (TWO, step(), Apply(("a", "b"))),
        (TWO, step(a=GOOD), Apply(("b",))),
        (TWO, step(a=on_way()), Apply(("b",))),
        (TWO, step(a=GOOD, b=GOOD), Apply(("c",))),
        (TWO, step(a=GOOD, b=GOOD, c=GOOD), DONE),
        (TWO, step(a=on_way(), b=GOOD), Observe(("a",), 101)),
        (TWO, step(a=on_way(), b=on_way()), Observe(("a", "b"), 101)),
        (TWO, step(a=GOOD, b=GOOD, c=on_way()), Observe(("c",), 101)),
        (TWO, step(a=ClusterRun(proven=True), b=GOOD), Apply(("a",))),
    ],
)
def test_one_wave_goes_after_the_other(rollout: Rollout, state: StepRun, expected: Move) -> None:
    assert move(rollout, state) == expected


@pytest.mark.parametrize(
    ("rollout", "state", "expected"),
    [
        (TWO, step(a=FAILED, b=GOOD), Conclude(StepPhase.FAILED, Reason.EXECUTE, "a: no answer")),
        (TWO, step(a=LATE, b=GOOD), Conclude(StepPhase.FAILED, Reason.TIMEOUT, "a: late")),
        (TWO, step(a=LATE), Conclude(StepPhase.FAILED, Reason.TIMEOUT, "a: late")),
        (
            TWO,
            step(a=LATE, b=FAILED),
            Conclude(StepPhase.FAILED, Reason.EXECUTE, "a: late; b: no answer"),
        ),
        (BUDGET, step(a=FAILED, b=GOOD), Apply(("c", "d"))),
        (BUDGET, step(a=FAILED, b=on_way()), Observe(("b",), 101)),
        (BUDGET, step(a=GOOD, b=GOOD, c=GOOD, d=LATE), DONE),
        (
            BUDGET,
            step(a=FAILED, b=GOOD, c=LATE, d=GOOD),
            Conclude(
                StepPhase.FAILED,
                Reason.EXECUTE,
                "2 clusters failed, 1 may: a: no answer; c: late",
            ),
        ),
        (
            BUDGET,
            step(a=LATE, b=LATE),
            Conclude(
                StepPhase.FAILED, Reason.TIMEOUT, "2 clusters failed, 1 may: a: late; b: late"
            ),
        ),
        (GUARDED, step(a=FAILED), Conclude(StepPhase.FAILED, Reason.EXECUTE, "a: no answer")),
        (GUARDED, step(a=GOOD, b=FAILED, c=GOOD), DONE),
    ],
)  # fmt: skip
def test_a_step_fails_when_more_clusters_fail_than_may(
    rollout: Rollout, state: StepRun, expected: Move
) -> None:
    assert move(rollout, state) == expected


def test_scopes_do_not_share_their_budgets() -> None:
    waves = (Wave(("a", "b"), "x", "group x", 1), Wave(("c", "d"), "y", "group y", 1))
    state = step(a=FAILED, b=GOOD, c=FAILED, d=GOOD)
    assert move(Rollout(waves), state) == DONE


@pytest.mark.parametrize(
    ("rollout", "applied", "healthy", "now", "late"),
    [
        (TWO, 100, 0, 159.9, False),
        (TWO, 100, 0, 160, True),
        (TWO, 100, 150, 500, False),
        (replace(TWO, deadline=10), 100, 0, 110, True),
        (replace(TWO, deadline=100), 100, 0, 160, False),
        (replace(TWO, deadline=math.inf), 100, 0, 1e9, False),
        (replace(TWO, deadline=0), 100, 0, 100, True),
    ],
)
def test_a_cluster_may_take_only_so_long(
    rollout: Rollout, applied: float, healthy: float, now: float, late: bool
) -> None:
    found = move(rollout, step(a=on_way(applied, healthy), b=GOOD), now, seen=now)
    deadline = PATIENCE if rollout.deadline is None else rollout.deadline
    timed_out = Settle(("a",), ClusterPhase.TIMED_OUT, f"not healthy after {deadline:g}s")
    assert (found == timed_out) is late
    assert isinstance(found, Observe) is not late


def test_only_the_clusters_that_are_late_time_out() -> None:
    found = move(TWO, step(a=on_way(100), b=on_way(130)), now=170, seen=170)
    assert found == Settle(("a",), ClusterPhase.TIMED_OUT, "not healthy after 60s")


BAKING = replace(TWO, bake=30)


@pytest.mark.parametrize(
    ("rollout", "clusters", "seen", "due"),
    [
        (TWO, {"a": on_way()}, 0, 101),
        (TWO, {"a": on_way()}, 101, 106),
        (TWO, {"a": on_way(100)}, 158, 160),
        (BAKING, {"a": on_way(100, 110)}, 136, 140),
        (BAKING, {"a": on_way(100, 110), "b": on_way(100, 108)}, 136, 138),
        (BAKING, {"a": on_way(100, 110)}, 110, 115),
        (BAKING, {"a": on_way(100, 110)}, 140, 140.05),
    ],
)
def test_it_is_looked_again_when_something_may_have_come_to_its_end(
    rollout: Rollout, clusters: dict[str, ClusterRun], seen: float, due: float
) -> None:
    state = StepRun(StepPhase.RUNNING, clusters={"b": GOOD, **clusters})
    found = move(rollout, state, now=max(seen, 101), seen=seen)
    assert found == Observe(tuple(clusters), due)


@pytest.mark.parametrize(
    ("now", "expected"), [(104, Observe(("a",), 105)), (105, Apply(("a",))), (170, None)]
)
def test_what_lacks_values_is_applied_again_until_its_time_is_over(
    now: float, expected: Move | None
) -> None:
    found = move(Rollout((Wave(("a",)),)), step(again=True, a=on_way()), now, seen=100)
    late = Settle(("a",), ClusterPhase.TIMED_OUT, "not healthy after 60s")
    assert found == (expected or late)


def moved(phase: ClusterPhase, healthy: float, *clusters: str, at: float = 120) -> Entry:
    return Entry(at=at, kind=Kind.CLUSTER, clusters=clusters, cluster=phase, healthy=healthy)


PROGRESSING, SUCCEEDED = ClusterPhase.PROGRESSING, ClusterPhase.SUCCEEDED


@pytest.mark.parametrize(
    ("rollout", "state", "seen", "expected"),
    [
        (TWO, step(a=on_way()), {"a": HEALTHY}, [moved(SUCCEEDED, 120, "a")]),
        (TWO, step(a=on_way()), {"a": SICK}, []),
        (
            TWO,
            step(a=on_way(), b=on_way()),
            {"a": HEALTHY, "b": HEALTHY},
            [moved(SUCCEEDED, 120, "a", "b")],
        ),
        (
            TWO,
            step(a=on_way(), b=on_way()),
            {"a": HEALTHY, "b": SICK},
            [moved(SUCCEEDED, 120, "a")],
        ),
        (TWO, step(a=GOOD, b=FAILED, c=ClusterRun()), dict.fromkeys("abc", HEALTHY), []),
        (TWO, step(again=True, a=on_way()), {"a": HEALTHY}, []),
        (TWO, step(), {"z": HEALTHY}, []),
        (BAKING, step(a=on_way()), {"a": HEALTHY}, [moved(PROGRESSING, 120, "a")]),
        (BAKING, step(a=on_way(100, 110)), {"a": HEALTHY}, []),
        (BAKING, step(a=on_way(100, 110)), {"a": SICK}, [moved(PROGRESSING, 0, "a")]),
        (BAKING, step(a=on_way(80, 90)), {"a": HEALTHY}, [moved(SUCCEEDED, 90, "a")]),
        (BAKING, step(a=on_way(80, 91)), {"a": HEALTHY}, []),
        (BAKING, step(a=on_way(proven=True)), {"a": HEALTHY}, [moved(SUCCEEDED, 120, "a")]),
        (BAKING, step(a=on_way(proven=True)), {"a": SICK}, []),
        (
            BAKING,
            step(a=on_way(80, 90), b=on_way()),
            {"a": HEALTHY, "b": HEALTHY},
            [moved(SUCCEEDED, 90, "a"), moved(PROGRESSING, 120, "b")],
        ),
    ],
)
def test_what_a_look_tells(
    rollout: Rollout, state: StepRun, seen: dict[str, Observation], expected: list[Entry]
) -> None:
    assert list(observed(rollout, state, seen, 120)) == expected


def test_lost_clusters_are_in_the_order_of_the_rollout() -> None:
    assert lost(BUDGET, step(d=FAILED, a=LATE, b=GOOD, z=FAILED)) == ("a", "d")
    assert lost(BUDGET, step()) == ()


def play(
    rollout: Rollout, behaviour: dict[str, float], patience: float
) -> tuple[StepRun, Conclude]:
    """Run a rollout in virtual time.

    Args:
        rollout: The rollout.
        behaviour: After how many seconds each cluster is healthy; negative when it fails.
        patience: How long a cluster may take.
    """
    run = Run("shop-v1:0", 1).with_step("s", StepRun(StepPhase.RUNNING, started=1))
    now, seen = 1.0, 0.0
    for _ in range(2000):
        state = run.step("s")
        found = next_move(rollout, state, now, seen, patience, INTERVAL)
        entries: list[Entry] = []
        if isinstance(found, Conclude):
            return state, found
        if isinstance(found, Apply):
            failed = {name: "broken" for name in found.clusters if behaviour[name] < 0}
            entries = [Entry(at=now, kind=Kind.APPLIED, clusters=found.clusters, failed=failed)]
            seen = 0
        elif isinstance(found, Settle):
            entries = [
                Entry(at=now, kind=Kind.CLUSTER, clusters=found.clusters, cluster=found.phase)
            ]
        else:
            assert found.due > now or seen == 0
            now = max(now, found.due)
            looks = {
                name: Observation(now >= state.clusters[name].applied + behaviour[name])
                for name in found.clusters
            }
            entries = list(observed(rollout, state, looks, now))
            seen = now
        for entry in entries:
            run = advance(run, entry.model_copy(update={"step": "s"}))
    raise AssertionError("it does not come to an end")


NAMES = "abcdef"
behaviours = st.fixed_dictionaries(
    dict.fromkeys(NAMES, st.one_of(st.floats(0, 100), st.just(-1.0), st.just(1e9)))
)


@given(behaviours, st.integers(1, 6), st.integers(0, 6), st.sampled_from([0, 7, 40]))
def test_a_rollout_ends_and_fails_exactly_when_too_many_clusters_do(
    behaviour: dict[str, float], size: int, budget: int, bake: float
) -> None:
    waves = tuple(
        Wave(tuple(NAMES[i : i + size]), scope="rest", budget=budget)
        for i in range(0, len(NAMES), size)
    )
    rollout = Rollout(waves, bake)
    state, end = play(rollout, behaviour, PATIENCE)
    well = {name for name, after in behaviour.items() if 0 <= after < PATIENCE}
    gone = lost(rollout, state)
    assert (end.phase is StepPhase.FAILED) == (len(gone) > budget)
    assert not well & {n for n in gone if behaviour[n] + INTERVAL < PATIENCE}
    if end.phase is StepPhase.SUCCEEDED:
        assert well <= {n for n, c in state.clusters.items() if c.phase is SUCCEEDED} | set(gone)
        assert set(state.clusters) == set(NAMES)
    ended = [c for c in state.clusters.values() if c.phase is SUCCEEDED]
    assert all(cluster.proven and cluster.healthy for cluster in ended)
    for first, second in itertools.pairwise(waves):
        baked = [cluster.healthy + bake for cluster in states(state, first, SUCCEEDED)]
        begun = [cluster.applied for cluster in states(state, second, *ClusterPhase)]
        assert not baked or not begun or max(baked) <= min(begun)


def states(step: StepRun, wave: Wave, *phases: ClusterPhase) -> list[ClusterRun]:
    """The clusters of a wave that are in some phases."""
    found = (step.clusters[name] for name in wave.clusters if name in step.clusters)
    return [cluster for cluster in found if cluster.phase in phases]
