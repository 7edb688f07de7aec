"""What cannot be taken back once it is done: data that goes, objects made anew, jobs that run.

Which fields never change follows the validation of the Kubernetes API, 1.27 to 1.32.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from velapulumi.plan.changes import Action, Change

_FIXED: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("apps", "Deployment"): ("spec.selector",),
    ("apps", "DaemonSet"): ("spec.selector",),
    ("apps", "ReplicaSet"): ("spec.selector",),
    ("apps", "StatefulSet"): ("spec",),
    ("batch", "Job"): ("spec.template", "spec.selector", "spec.completionMode"),
    ("", "PersistentVolumeClaim"): ("spec",),
    ("", "PersistentVolume"): ("spec.csi", "spec.nfs", "spec.hostPath", "spec.local"),
    ("", "Pod"): ("spec",),
    ("", "Service"): ("spec.clusterIP", "spec.clusterIPs"),
    ("", "Secret"): ("type",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("storage.k8s.io", "StorageClass"): (
        "provisioner", "parameters", "reclaimPolicy", "volumeBindingMode",
    ),
    ("networking.k8s.io", "IngressClass"): ("spec.controller",),
    ("scheduling.k8s.io", "PriorityClass"): ("value", "preemptionPolicy"),
}  # fmt: skip

_FREE: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("apps", "StatefulSet"): (
        "spec.replicas", "spec.ordinals", "spec.template", "spec.updateStrategy",
        "spec.persistentVolumeClaimRetentionPolicy", "spec.minReadySeconds",
        "spec.revisionHistoryLimit",
    ),
    ("", "PersistentVolumeClaim"): (
        "spec.resources.requests", "spec.volumeAttributesClassName", "spec.volumeName",
    ),
    ("", "Pod"): (
        "spec.activeDeadlineSeconds", "spec.terminationGracePeriodSeconds", "spec.tolerations",
        "spec.containers", "spec.initContainers",
    ),
}  # fmt: skip

_GOES_WITH = {
    ("", "PersistentVolumeClaim"): "the volume's data may go with it",
    ("", "PersistentVolume"): "the volume's data may go with it",
    ("", "Namespace"): "everything in it goes with it",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "all objects of its kind go with it",
}


def replaced_fields(change: Change, recreated: Iterable[str] = ()) -> tuple[str, ...]:
    """The fields of an update that make the object be deleted and made anew.

    Args:
        change: The change.
        recreated: Paths whose change a policy wants to make it anew.
    """
    if change.action is not Action.UPDATE:
        return ()
    kind = _kind(change)
    fixed, free = (*_FIXED.get(kind, ()), *recreated), _FREE.get(kind, ())
    return tuple(
        field.path
        for field in change.fields
        if _is_below(field.path, fixed) and not _is_below(field.path, free)
    )


def irreversible(change: Change, replaced: Iterable[str] = ()) -> Iterator[str]:
    """What of a change cannot be taken back, a phrase each.

    Args:
        change: The change.
        replaced: The fields for which it is made anew.
    """
    kind, fields = _kind(change), tuple(replaced)
    going = change.action is Action.DELETE or bool(fields)
    if fields:
        yield f"is deleted and made anew for {', '.join(fields)}"
    if going and kind in _GOES_WITH:
        yield _GOES_WITH[kind]
    if kind == ("batch", "Job") and (fields or change.action is Action.CREATE):
        yield "runs its job again" if fields else "runs its job"


def _kind(change: Change) -> tuple[str, str]:
    group = change.key.api_version.rpartition("/")[0]
    return group, change.key.kind


def _is_below(path: str, tops: Iterable[str]) -> bool:
    """Whether a field's path is one of some, or lies below one, or above one that goes with it."""
    return any(
        path == top or path.startswith((f"{top}.", f"{top}[")) or top.startswith(f"{path}.")
        for top in tops
    )
