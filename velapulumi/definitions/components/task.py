"""``task``: a Job (follows KubeVela v1.10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from velapulumi.definitions.base import ComponentDefinition, Context, Health, Rendered
from velapulumi.definitions.pod.container import pod_metadata
from velapulumi.definitions.pod.job import JobParameters, job_spec
from velapulumi.definitions.pod.volumes import Volume
from velapulumi.spec import Many

WORKLOAD = ("batch/v1", "Job")


class Parameters(JobParameters):
    """Parameters of ``task``."""

    volumes: Many[Volume] | None = Field(None, description="Volumes and their mounts.")


def render(parameters: Parameters, context: Context) -> Rendered:
    """The Job, named after application and component.

    Raises:
        RenderError: A pod label contradicts one which velapulumi sets.
    """
    metadata = pod_metadata(context, parameters.labels, parameters.annotations)
    job = {
        "apiVersion": WORKLOAD[0],
        "kind": WORKLOAD[1],
        "metadata": {"name": f"{context.app_name}-{context.name}"},
        "spec": job_spec(parameters, context.name, metadata, parameters.volumes or ()),
    }
    return Rendered(job)


def health(live: Mapping[str, Any]) -> Health:
    """Healthy when as many pods succeeded as run side by side."""
    status = live.get("status") or {}
    active, failed, succeeded = (status.get(key, 0) for key in ("active", "failed", "succeeded"))
    message = f"Active/Failed/Succeeded:{active}/{failed}/{succeeded}"
    return Health(succeeded == live["spec"].get("parallelism", 1), message)


DEFINITION = ComponentDefinition(
    type="task",
    parameters=Parameters,
    summary="A program which runs once, to its end.",
    example={"image": "perl:5.40", "cmd": ["perl", "-e", "print 42"], "restart": "OnFailure"},
    workload=WORKLOAD,
    render=render,
    health=health,
)
