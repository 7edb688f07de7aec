"""Where a workload has its pods, whatever its kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from velapulumi.definitions.base import Manifest, RenderError
from velapulumi.spec import did_you_mean

POD_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")
"""Kinds of workload which make pods; what traits of pods apply to."""


def template_path(workload: Mapping[str, Any]) -> tuple[str, ...]:
    """Path of the pod template in a workload of one of POD_KINDS; a Pod is its own template."""
    return {"CronJob": ("spec", "jobTemplate", "spec", "template"), "Pod": ()}.get(
        workload["kind"], ("spec", "template")
    )


def pod_spec(workload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The pod spec of a workload of one of POD_KINDS; empty when there is none."""
    value: Any = workload
    for part in (*template_path(workload), "spec"):
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def containers(workload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The containers of the pods."""
    found = pod_spec(workload).get("containers")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def container(workload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The container of a name.

    Raises:
        RenderError: There is none.
    """
    names = []
    for item in containers(workload):
        if item.get("name") == name:
            return item
        names.append(str(item.get("name")))
    raise RenderError((), f"container {name} not found{did_you_mean(name, names)}")


def template_patch(workload: Mapping[str, Any], patch: Any) -> Manifest:
    """A patch of the workload from a patch of its pod template."""
    for part in reversed(template_path(workload)):
        patch = {part: patch}
    assert isinstance(patch, dict)
    return patch


def pod_patch(workload: Mapping[str, Any], patch: Any) -> Manifest:
    """A patch of the workload from a patch of its pod spec."""
    return template_patch(workload, {"spec": patch})
