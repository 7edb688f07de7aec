"""``clean-jobs``: delete Jobs and Pods by their labels.

Follows KubeVela v1.10, except that the cluster must be named, and at least one label: without any
it would delete everything of these kinds in the namespace. Its outputs have no values to take.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.step import (
    NO_CLUSTER,
    Done,
    Result,
    StepContext,
    StepDefinition,
    Tools,
)
from velapulumi.spec import Labels, Path

_KINDS = (("batch/v1", "Job"), ("v1", "Pod"))


class Parameters(BaseParameters):
    """Parameters of ``clean-jobs``."""

    labelselector: Labels | None = Field(
        None, description="Labels they have; workflow.oam.dev/name with the app when absent."
    )
    namespace: str = Field("", description="Their namespace; that of the application when empty.")
    cluster: str = Field("", description="Name of the joined cluster that has them.")


def check(parameters: Parameters) -> Iterator[tuple[Path, str]]:
    """A cluster that is not named, and no labels."""
    if not parameters.cluster:
        yield ("cluster",), NO_CLUSTER
    if parameters.labelselector is not None and not parameters.labelselector:
        message = "must name a label: every Job and Pod of the namespace would be deleted"
        yield ("labelselector",), message


def act(parameters: Parameters, context: StepContext, tools: Tools) -> Result:
    """Delete them.

    Raises:
        StepError: The cluster does not answer or refuses it.
    """
    labels = parameters.labelselector or {"workflow.oam.dev/name": context.app_name}
    namespace = parameters.namespace or context.app_namespace
    counts = []
    for api_version, kind in _KINDS:
        found = tools.objects(parameters.cluster, api_version, kind, namespace, labels)
        for item in found:
            tools.delete(parameters.cluster, item)
        counts.append(f"{len(found)} {kind}{'' if len(found) == 1 else 's'}")
    return Done(f"deleted {' and '.join(counts)}")


DEFINITION = StepDefinition(
    type="clean-jobs",
    parameters=Parameters,
    summary="Delete Jobs and Pods by their labels.",
    example={"labelselector": {"job": "migration"}, "cluster": "cluster-prod"},
    check=check,
    act=act,
)
