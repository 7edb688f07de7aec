"""``deploy``: deliver to the clusters of topology policies, changed by override policies.

Follows KubeVela v1.10; ``rolloutStrategy`` and ``decisionGroups`` speak the words of Open Cluster
Management (cluster/v1alpha1 RolloutStrategy, and the decision groups of its Placement).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.durations import Duration
from velapulumi.definitions.step import StepDefinition
from velapulumi.spec import Many, Path
from velapulumi.spec.durations import parse_duration
from velapulumi.spec.model import Labels

_PERCENT = re.compile(r"(100|\d{1,2})%")
_NO_DEADLINE = "None"


def _deadline(text: str) -> str:
    if text != _NO_DEADLINE:
        parse_duration(text)
    return text


def _amount(value: int | str) -> int | str:
    if isinstance(value, int) and value >= 0:
        return value
    if isinstance(value, str) and (_PERCENT.fullmatch(value) or value.isdecimal()):
        return int(value) if value.isdecimal() else value
    raise ValueError('must be a number of clusters or a part of them such as "25%"')


Amount = Annotated[int | str, AfterValidator(_amount)]


class MandatoryGroup(BaseParameters):
    """Names a decision group, by name or by its place among them."""

    groupName: str = Field("", description="Name of the group.")
    groupIndex: int = Field(0, description="Place of the group, when no name is given.", ge=0)


class Config(BaseParameters):
    """What all strategies have."""

    minSuccessTime: Duration = Field(
        "0s", description="How long a cluster must have been healthy before the next wave."
    )
    progressDeadline: Annotated[str, AfterValidator(_deadline)] | None = Field(
        None,
        description="How long a cluster may take to get healthy; the health policy's probeTimeout "
        "when absent, without end when None.",
    )
    maxFailures: Amount = Field(
        0, description="How many clusters, or which part of them, may fail."
    )


class PerGroup(Config):
    """Strategy ``ProgressivePerGroup``: group after group."""

    mandatoryDecisionGroups: Many[MandatoryGroup] = Field(
        (), description="Groups that come first and tolerate no failure."
    )


class Progressive(PerGroup):
    """Strategy ``Progressive``: so many clusters at a time."""

    maxConcurrency: Amount | None = Field(
        None, description="How many clusters at once, or which part of them; all when absent."
    )


class RolloutStrategy(BaseParameters):
    """How the step goes over its clusters."""

    type: Literal["All", "Progressive", "ProgressivePerGroup"] = Field(
        "All", description="All clusters at once, so many at a time, or group after group."
    )
    all: Config = Field(Config(), description="Settings of type All.")
    progressive: Progressive = Field(Progressive(), description="Settings of type Progressive.")
    progressivePerGroup: PerGroup = Field(
        PerGroup(), description="Settings of type ProgressivePerGroup."
    )

    @property
    def config(self) -> Config:
        """The settings that count."""
        return {
            "All": self.all,
            "Progressive": self.progressive,
            "ProgressivePerGroup": self.progressivePerGroup,
        }[self.type]


class DecisionGroup(BaseParameters):
    """Some of the clusters, under a name."""

    groupName: str = Field(description="Name of the group.")
    clusters: Many[str] = Field((), description="Names of its clusters.")
    clusterLabelSelector: Labels = Field(
        default_factory=dict, description="Labels its clusters have, beside those named."
    )


class Parameters(BaseParameters):
    """Parameters of ``deploy``."""

    policies: Many[str] = Field(
        (), description="Names of topology, override and replication policies."
    )
    auto: bool = Field(True, description="Whether it goes on without approval.")
    parallelism: int | None = Field(
        None,
        description="How many objects are applied at once; many when absent.",
        ge=1,
    )
    ignoreTerraformComponent: bool = Field(
        True, description="Taken for files of KubeVela, without effect: there is no Terraform here."
    )
    rolloutStrategy: RolloutStrategy = Field(
        RolloutStrategy(), description="How it goes over many clusters."
    )
    decisionGroups: Many[DecisionGroup] = Field(
        (), description="Groups of its clusters; a cluster belongs to the first that takes it."
    )


def check(parameters: Parameters) -> Iterator[tuple[Path, str]]:
    """Groups which are not there, or twice, and settings of a strategy that is not chosen."""
    names = [group.groupName for group in parameters.decisionGroups]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield ("decisionGroups", index, "groupName"), f'"{name}" is an earlier group\'s name'
    strategy = parameters.rolloutStrategy
    for field in ("all", "progressive", "progressivePerGroup"):
        if field in strategy.model_fields_set and getattr(strategy, field) is not strategy.config:
            message = f"has no effect with type {strategy.type}"
            yield ("rolloutStrategy", field), message
    config = strategy.config
    if not isinstance(config, PerGroup):
        return
    field = "progressive" if isinstance(config, Progressive) else "progressivePerGroup"
    for index, group in enumerate(config.mandatoryDecisionGroups):
        place = ("rolloutStrategy", field, "mandatoryDecisionGroups", index)
        if group.groupName and group.groupName not in names:
            yield (*place, "groupName"), f'there is no group "{group.groupName}" in decisionGroups'
        elif not group.groupName and group.groupIndex >= len(names):
            yield (*place, "groupIndex"), f"there are {len(names)} decisionGroups, counted from 0"


DEFINITION = StepDefinition(
    type="deploy",
    parameters=Parameters,
    summary="Deliver to the clusters of topology policies, changed by override policies.",
    example={"policies": ["production", "three-replicas"], "auto": False},
    check=check,
)
