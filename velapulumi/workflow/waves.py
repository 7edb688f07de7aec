"""The waves a delivering step goes over its clusters in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from velapulumi.definitions.steps.deploy import (
    Config,
    DecisionGroup,
    Parameters,
    PerGroup,
    Progressive,
)
from velapulumi.render import ClusterFacts, Environment, Loaded
from velapulumi.render.placement import canonical
from velapulumi.render.steps import parameters_of
from velapulumi.spec import SubStep
from velapulumi.spec.durations import parse_duration
from velapulumi.workflow.rollout import Rollout, Wave


def rollout_of(loaded: Loaded, step: SubStep, environment: Environment) -> Rollout:
    """How a delivering step goes over the clusters of its environment.

    Args:
        loaded: The application, already checked.
        step: The step; only a ``deploy`` step can have waves, all others are one.
        environment: What it delivers, and where.
    """
    clusters = tuple(dict.fromkeys(place.cluster for place in environment.placements))
    parameters = parameters_of(loaded, step)
    if not isinstance(parameters, Parameters):
        return Rollout((Wave(clusters),))
    config = parameters.rolloutStrategy.config
    groups = _groups(parameters.decisionGroups, clusters, loaded.surroundings.clusters)
    bake = parse_duration(config.minSuccessTime) if isinstance(config, PerGroup) else 0
    text = config.progressDeadline
    deadline = None if text is None else math.inf if text == "None" else parse_duration(text)
    return Rollout(tuple(_waves(config, clusters, groups)), bake, deadline)


def _groups(
    groups: Sequence[DecisionGroup],
    clusters: Sequence[str],
    known: Mapping[str, ClusterFacts] | None,
) -> dict[str, tuple[str, ...]]:
    """The clusters of each group in order; those in none come last, under no name."""
    rest = list(clusters)
    found: dict[str, tuple[str, ...]] = {}
    for group in groups:
        wanted = {canonical(name, known) for name in group.clusters}
        if labels := group.clusterLabelSelector:
            wanted |= {
                canonical(name, known)
                for name, facts in (known or {}).items()
                if labels.items() <= facts.labels.items()
            }
        members = tuple(name for name in rest if name in wanted)
        found[group.groupName] = members
        rest = [name for name in rest if name not in members]
    return {**found, "": tuple(rest)}


def _waves(
    config: Config, clusters: tuple[str, ...], groups: Mapping[str, tuple[str, ...]]
) -> list[Wave]:
    if not isinstance(config, PerGroup):
        return [Wave(clusters)]
    names = list(groups)
    first = [each.groupName or names[each.groupIndex] for each in config.mandatoryDecisionGroups]
    waves = [Wave(groups[name], name, f"mandatory {name}") for name in first]
    others = [name for name in names if name not in first]
    if isinstance(config, Progressive):
        rest = tuple(cluster for name in others for cluster in groups[name])
        budget = _share(config.maxFailures, len(clusters))
        limit = config.maxConcurrency
        size = len(rest) if limit is None else _share(limit, len(clusters), up=True)
        size = max(size, 1)
        waves += [
            Wave(rest[start : start + size], scope="rest", budget=budget)
            for start in range(0, len(rest), size)
        ]
    else:
        for name in others:
            budget = _share(config.maxFailures, len(groups[name]))
            waves.append(Wave(groups[name], name, f"group {name}", budget))
    return [wave for wave in waves if wave.clusters]


def _share(amount: int | str, total: int, *, up: bool = False) -> int:
    """A number of clusters, or a part of a total rounded down (or up)."""
    if isinstance(amount, int):
        return amount
    part = total * int(amount.removesuffix("%")) / 100
    return math.ceil(part) if up else math.floor(part)
