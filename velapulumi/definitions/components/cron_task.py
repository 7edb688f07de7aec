"""``cron-task``: a CronJob (follows KubeVela v1.10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from velapulumi.definitions.base import ComponentDefinition, Context, Health, Manifest, Rendered
from velapulumi.definitions.pod.container import HostAlias, pod_metadata
from velapulumi.definitions.pod.job import JobParameters, job_spec
from velapulumi.definitions.pod.volumes import SubPathVolumeMounts, chosen_mounts
from velapulumi.spec import Many

WORKLOAD = ("batch/v1", "CronJob")
OLD_VERSION = "batch/v1beta1"
NEW_SINCE = 25


class Parameters(JobParameters):
    """Parameters of ``cron-task``."""

    schedule: str = Field(description='When to run, in the words of cron, such as "0 3 * * *".')
    startingDeadlineSeconds: int | None = Field(
        None, description="How late a run may start before it counts as missed.", ge=0
    )
    suspend: bool = Field(False, description="Whether no further runs start.")
    concurrencyPolicy: Literal["Allow", "Forbid", "Replace"] = Field(
        "Allow", description="What happens to a run which is due while another one lasts."
    )
    successfulJobsHistoryLimit: int = Field(
        3, description="Number of runs to keep which succeeded.", ge=0
    )
    failedJobsHistoryLimit: int = Field(1, description="Number of runs to keep which failed.", ge=0)
    ttlSecondsAfterFinished: int | None = Field(
        None, description="How long to keep a run after its end.", ge=0
    )
    activeDeadlineSeconds: int | None = Field(
        None, description="How long a run may last before it is ended.", ge=0
    )
    backoffLimit: int = Field(6, description="Failures of a run before it is given up.", ge=0)
    volumeMounts: SubPathVolumeMounts | None = Field(None, description="Volumes and mounts.")
    hostAliases: Many[HostAlias] | None = Field(None, description="Entries of the hosts file.")


def render(parameters: Parameters, context: Context) -> Rendered:
    """The CronJob, of the API version which the cluster has.

    Raises:
        RenderError: A pod label contradicts one which velapulumi sets.
    """
    spec: Manifest = {
        "schedule": parameters.schedule,
        "concurrencyPolicy": parameters.concurrencyPolicy,
        "suspend": parameters.suspend,
        "successfulJobsHistoryLimit": parameters.successfulJobsHistoryLimit,
        "failedJobsHistoryLimit": parameters.failedJobsHistoryLimit,
        "jobTemplate": _job_template(parameters, context),
    }
    if parameters.startingDeadlineSeconds is not None:
        spec["startingDeadlineSeconds"] = parameters.startingDeadlineSeconds
    new = context.cluster_version.minor >= NEW_SINCE
    version = WORKLOAD[0] if new else OLD_VERSION
    return Rendered({"apiVersion": version, "kind": WORKLOAD[1], "spec": spec})


def health(live: Mapping[str, Any]) -> Health:
    """Always healthy: a schedule has no state of its own."""
    return Health(True, "")


def _job_template(parameters: Parameters, context: Context) -> Manifest:
    labels, annotations = parameters.labels, parameters.annotations
    mounts = chosen_mounts(parameters.volumeMounts, parameters.volumes)
    of_pods = pod_metadata(context, labels, annotations)
    spec = job_spec(parameters, context.name, of_pods, mounts, parameters.hostAliases)
    spec["backoffLimit"] = parameters.backoffLimit
    if parameters.ttlSecondsAfterFinished is not None:
        spec["ttlSecondsAfterFinished"] = parameters.ttlSecondsAfterFinished
    if parameters.activeDeadlineSeconds is not None:
        spec["activeDeadlineSeconds"] = parameters.activeDeadlineSeconds
    return {"metadata": pod_metadata(context, labels, annotations), "spec": spec}


DEFINITION = ComponentDefinition(
    type="cron-task",
    parameters=Parameters,
    summary="A program which runs to its end, again and again by a schedule.",
    example={
        "image": "busybox",
        "cmd": ["sh", "-c", "date"],
        "schedule": "0 3 * * *",
        "concurrencyPolicy": "Forbid",
    },
    workload=WORKLOAD,
    render=render,
    health=health,
)
