"""The Deployment, StatefulSet or DaemonSet which keeps pods running, and when it is healthy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from velapulumi.definitions.base import Context, Health, Manifest
from velapulumi.definitions.pod.container import COMPONENT_LABEL

API_VERSION = "apps/v1"
HEALTH_CHECK_OFF = "app.oam.dev/disable-health-check"


def workload(
    kind: Literal["Deployment", "StatefulSet", "DaemonSet"],
    context: Context,
    pod_metadata: Mapping[str, Any],
    pod_spec: Mapping[str, Any],
) -> Manifest:
    """The workload; without replicas, which the cluster sets to 1 and ``scaler`` to its own."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "spec": {
            "selector": {"matchLabels": {COMPONENT_LABEL: context.name}},
            "template": {"metadata": pod_metadata, "spec": pod_spec},
        },
    }


def replicas_health(live: Mapping[str, Any]) -> Health:
    """Healthy when all replicas wanted run the newest template, and no others.

    Follows the status rules of KubeVela v1.10 for webservice, worker and statefulset.

    Args:
        live: The Deployment or StatefulSet as the cluster holds it.
    """
    status = live.get("status") or {}
    wanted = live["spec"].get("replicas", 1)
    ready = status.get("readyReplicas", 0)
    counts = {ready, status.get("updatedReplicas", 0), status.get("replicas", 0)}
    return Health(observed(live) and counts == {wanted}, f"Ready:{ready}/{wanted}")


def service_health(live: Mapping[str, Any]) -> Health:
    """As ``replicas_health``, or always healthy when its annotation switches the check off."""
    state = replicas_health(live)
    if HEALTH_CHECK_OFF in (live["metadata"].get("annotations") or {}):
        return Health(True, state.message)
    return state


def observed(live: Mapping[str, Any]) -> bool:
    """Whether the status of a live workload is about its newest generation."""
    status, generation = live.get("status") or {}, live["metadata"].get("generation", 0)
    return bool(status.get("observedGeneration", 0) >= generation)
