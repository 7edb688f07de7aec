"""Delivering one step over many clusters: waves, failure budgets and bake times.

The words and rules are those of Open Cluster Management's rollout strategies, with one difference:
the bake time (``minSuccessTime``) is counted from when a cluster was seen healthy, not from when
its wave began.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from velapulumi.errors import VelapulumiError
from velapulumi.workflow.entries import ClusterPhase, Entry, Kind
from velapulumi.workflow.phases import Reason, StepPhase
from velapulumi.workflow.run import ClusterRun, StepRun


@dataclass(frozen=True)
class Wave:
    """Clusters that get a step's objects together.

    Attributes:
        clusters: Their names.
        name: Name of their group; empty without one.
        scope: Waves of one scope share a failure budget.
        budget: How many clusters of the scope may fail.
    """

    clusters: tuple[str, ...]
    name: str = ""
    scope: str = ""
    budget: int = 0


@dataclass(frozen=True)
class Rollout:
    """How a step goes over its clusters.

    Attributes:
        waves: Its waves in order.
        bake: Seconds a cluster must have been healthy before the next wave (``minSuccessTime``).
        deadline: Seconds a cluster may take to get healthy (``progressDeadline``); None for what
            holds elsewhere.
    """

    waves: tuple[Wave, ...]
    bake: float = 0
    deadline: float | None = None

    @property
    def clusters(self) -> tuple[str, ...]:
        """All its clusters in order."""
        return tuple(cluster for wave in self.waves for cluster in wave.clusters)


@dataclass(frozen=True)
class Observation:
    """How one cluster is seen.

    Attributes:
        healthy: Whether everything of the step is seen to be healthy there.
        message: What is said of it, or why it is not healthy.
        unread: Why it could not be looked at; None when it was.
    """

    healthy: bool
    message: str = ""
    unread: VelapulumiError | None = None


@dataclass(frozen=True)
class Apply:
    """Apply the step's objects on these clusters; the earlier waves' clusters keep theirs."""

    clusters: tuple[str, ...]


@dataclass(frozen=True)
class Observe:
    """Look at these clusters, not before a time."""

    clusters: tuple[str, ...]
    due: float


@dataclass(frozen=True)
class Settle:
    """Clusters have come to another phase without being looked at."""

    clusters: tuple[str, ...]
    phase: ClusterPhase
    message: str = ""


@dataclass(frozen=True)
class Conclude:
    """The rollout is over."""

    phase: StepPhase
    reason: Reason | None = None
    message: str = ""


Move = Apply | Observe | Settle | Conclude


def next_move(
    rollout: Rollout, step: StepRun, now: float, seen: float, patience: float, interval: float
) -> Move:
    """What is to be done next to bring a step to its clusters.

    Args:
        rollout: How it goes over them.
        step: Where it stands.
        now: The time.
        seen: When its clusters were last looked at; 0 for never.
        patience: Seconds a cluster may take to get healthy when the rollout does not say.
        interval: Seconds between two looks.
    """
    deadline = patience if rollout.deadline is None else rollout.deadline
    for wave in rollout.waves:
        state = {name: step.clusters.get(name, ClusterRun()) for name in wave.clusters}
        if over := _over_budget(rollout, wave, step):
            return Conclude(StepPhase.FAILED, _reason(step, over), _broken(wave, over, step))
        if fresh := _in(state, ClusterPhase.TO_APPLY):
            return Apply(fresh)
        if open_ := _in(state, ClusterPhase.PROGRESSING):
            late = tuple(n for n in open_ if _is_late(state[n], now, deadline))
            if late:
                text = f"not healthy after {deadline:g}s"
                return Settle(late, ClusterPhase.TIMED_OUT, text)
            if step.again and now >= seen + interval:
                return Apply(open_)
            return Observe(open_, _due(rollout, state, open_, now, seen, deadline, interval))
    return Conclude(StepPhase.SUCCEEDED)


def observed(
    rollout: Rollout, step: StepRun, seen: Mapping[str, Observation], now: float
) -> Iterator[Entry]:
    """The entries, without a step's name, that an observation of clusters gives.

    Args:
        rollout: How the step goes over them.
        step: Where it stands.
        seen: How each of them is seen.
        now: The time.
    """
    groups: dict[tuple[ClusterPhase, float], list[str]] = {}
    for name, observation in seen.items():
        state = step.clusters.get(name, ClusterRun())
        if state.phase is not ClusterPhase.PROGRESSING or step.again:
            continue
        since = (state.healthy or now) if observation.healthy else 0.0
        baked = state.proven or now - since >= rollout.bake
        phase = ClusterPhase.SUCCEEDED if since and baked else ClusterPhase.PROGRESSING
        if (phase, since) != (state.phase, state.healthy):
            groups.setdefault((phase, since), []).append(name)
    for (phase, since), names in groups.items():
        yield Entry(at=now, kind=Kind.CLUSTER, clusters=tuple(names), cluster=phase, healthy=since)


def lost(rollout: Rollout, step: StepRun) -> tuple[str, ...]:
    """The clusters a step has failed on, in the order of the rollout."""
    return tuple(
        name for name in rollout.clusters if step.clusters.get(name, ClusterRun()).phase.lost
    )


def _in(state: Mapping[str, ClusterRun], phase: ClusterPhase) -> tuple[str, ...]:
    return tuple(name for name, each in state.items() if each.phase is phase)


def _is_late(state: ClusterRun, now: float, deadline: float) -> bool:
    return not state.healthy and now - state.applied >= deadline


def _due(
    rollout: Rollout,
    state: Mapping[str, ClusterRun],
    names: Sequence[str],
    now: float,
    seen: float,
    deadline: float,
    interval: float,
) -> float:
    """When to look again: at the next interval, or when something would come to its end before."""
    if not seen:
        return now
    ends = [
        state[name].healthy + rollout.bake
        if state[name].healthy
        else state[name].applied + deadline
        for name in names
    ]
    return max(min(seen + interval, *ends), seen + min(interval, 0.05))


def _over_budget(rollout: Rollout, wave: Wave, step: StepRun) -> tuple[str, ...]:
    """The lost clusters of a wave's scope, when they are more than may be; else nothing."""
    scope = (n for each in rollout.waves if each.scope == wave.scope for n in each.clusters)
    names = tuple(n for n in scope if step.clusters.get(n, ClusterRun()).phase.lost)
    return names if len(names) > wave.budget else ()


def _reason(step: StepRun, names: Iterable[str]) -> Reason:
    phases = {step.clusters[name].phase for name in names}
    return Reason.TIMEOUT if phases == {ClusterPhase.TIMED_OUT} else Reason.EXECUTE


def _broken(wave: Wave, names: Sequence[str], step: StepRun) -> str:
    details = "; ".join(f"{name}: {step.clusters[name].message}" for name in names)
    if not wave.budget:
        return details
    return f"{len(names)} clusters failed, {wave.budget} may: {details}"
