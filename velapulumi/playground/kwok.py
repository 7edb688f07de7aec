"""What kwokctl is told about one cluster: ports, programs and how its pods behave.

Pods have no containers here: kwok writes their status, and everything above it (Deployments,
rollouts, deadlines, RBAC, admission) is real. A pod is Ready about a second after it was made, with
one exception, to rehearse failures: a pod with the label ``velapulumi.dev/sim: pending`` stays
Pending with its containers waiting in ImagePullBackOff, until the label is taken away.

kwokctl puts kwok's default stages into the cluster's configuration only if it is given none, so
ours go into a second file that kwok is started with as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from velapulumi.playground.resolve import ClusterTools
from velapulumi.playground.tools import ETCD_VERSION, KUBERNETES_VERSION

Stage = Mapping[str, Any]
"""A manifest of kwok's kind Stage (kwok.x-k8s.io/v1alpha1)."""

SIM_LABEL = "velapulumi.dev/sim"
FIRST_PORT = 22010
PORTS_PER_SLOT = 10
# All of them are set: clusters created at once get the same ports if kwokctl chooses any itself.
_PORT_OPTIONS = (
    "kubeApiserverPort",
    "etcdPort",
    "etcdPeerPort",
    "kubeControllerManagerPort",
    "kubeSchedulerPort",
    "kwokControllerPort",
)

_WAITING = ".status.containerStatuses.[].state.waiting.reason"
_A_DAY = 24 * 60 * 60 * 1000
_PENDING_STATUS = """\
phase: Pending
conditions:
- type: Initialized
  status: "True"
  lastTransitionTime: {{ Now | Quote }}
{{ range list "Ready" "ContainersReady" }}
- type: {{ . }}
  status: "False"
  reason: ContainersNotReady
  lastTransitionTime: {{ Now | Quote }}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: false
  started: false
  restartCount: 0
  state:
    waiting:
      reason: ImagePullBackOff
      message: {{ printf "simulated: back-off pulling image %s" .image | Quote }}
{{ end }}
"""


def ports(slot: int) -> dict[str, int]:
    """The six ports of a slot, by kwokctl's name for each; the API server's comes first.

    Args:
        slot: From 0.
    """
    base = FIRST_PORT + PORTS_PER_SLOT * slot
    return {option: base + offset for offset, option in enumerate(_PORT_OPTIONS)}


def audit_policy() -> dict[str, Any]:
    """What an API server writes into its audit log: who has changed which object.

    The heartbeats of a cluster, its events and what it writes into states itself are left out.
    """
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "verbs": ["get", "list", "watch"]},
            {
                "level": "None",
                "resources": [
                    {"group": "", "resources": ["events", "*/status", "pods/binding"]},
                    {"group": "events.k8s.io"},
                    {"group": "coordination.k8s.io"},
                    {"group": "*", "resources": ["*/status"]},
                ],
            },
            {"level": "Metadata"},
        ],
    }


def cluster_config(slot: int, tools: ClusterTools, stages: Path, audit: Path) -> dict[str, Any]:
    """The KwokctlConfiguration of a cluster.

    Args:
        slot: Which ports it takes.
        tools: The programs it is made of.
        stages: File of additional stages, see `stage_manifests`.
        audit: File of the audit policy, see `audit_policy`.
    """
    return {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokctlConfiguration",
        "options": {
            "runtime": "binary",
            "bindAddress": "127.0.0.1",
            "kubeVersion": f"v{KUBERNETES_VERSION}",
            "etcdVersion": ETCD_VERSION,
            "etcdBinary": str(tools.etcd),
            "kubeApiserverBinary": str(tools.kube_apiserver),
            "kubeControllerManagerBinary": str(tools.kube_controller_manager),
            "kubeSchedulerBinary": str(tools.kube_scheduler),
            "kwokControllerBinary": str(tools.kwok),
            "kubectlBinary": str(tools.kubectl),
            "kubeAuditPolicy": str(audit),
            **ports(slot),
        },
        "componentsPatches": [
            _extra("kube-apiserver", "service-cluster-ip-range", "10.96.0.0/16"),
            _extra("etcd", "unsafe-no-fsync", "true"),
            _extra("kwok-controller", "config", str(stages)),
        ],
    }


def _extra(component: str, key: str, value: str) -> dict[str, Any]:
    return {"name": component, "extraArgs": [{"key": key, "value": value}]}


def stage_manifests(more: Sequence[Stage] = ()) -> list[Stage]:
    """The stages of every playground cluster beside kwok's own, and `more`.

    Args:
        more: Further stages.
    """
    # The first stage writes the state, the second one, weighted too, keeps kwok's own pod-ready
    # from leaving it.
    return [
        _pending_stage("pod-image-pull-fails", "NotIn", {"statusTemplate": _PENDING_STATUS}, 0),
        _pending_stage("pod-image-pull-backs-off", "In", {}, _A_DAY),
        *more,
    ]


def _pending_stage(name: str, waits: str, then: dict[str, Any], delay: int) -> Stage:
    def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
        return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})

    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
            "selector": {
                "matchExpressions": [
                    expression(f'.metadata.labels["{SIM_LABEL}"]', "In", "pending"),
                    expression(".metadata.deletionTimestamp", "DoesNotExist"),
                    expression(".status.phase", "In", "Pending"),
                    expression(_WAITING, waits, "ImagePullBackOff"),
                ]
            },
            "weight": 1000,
            "delay": {"durationMilliseconds": delay},
            "next": then,
        },
    }
