"""Fields that cannot be changed in place: the object is deleted and created again for them.

They are those whose change an API server refuses, by the validation of Kubernetes 1.27 to 1.36
(``pkg/apis/*/validation``), together with those for which pulumi-kubernetes 4.25 replaces an
object (``forceNew`` in its ``diff.go``). Where the two disagree, either is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from velapulumi.definitions.rules.fieldpath import Parts, value_at
from velapulumi.plan.fields import FieldChange, written
from velapulumi.plan.places import is_below
from velapulumi.plan.quantities import quantity

Kind: TypeAlias = tuple[str, str]
"""API group, empty for the core one, and kind."""

_IDENTITY: tuple[Parts, ...] = (("metadata", "name"), ("metadata", "namespace"))

_FIXED: Mapping[Kind, tuple[Parts, ...]] = {
    ("", "PersistentVolume"): (
        *(
            ("spec", source)
            for source in (
                "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "fc",
                "flexVolume", "flocker", "gcePersistentDisk", "glusterfs", "hostPath", "iscsi",
                "local", "nfs", "photonPersistentDisk", "portworxVolume", "quobyte", "rbd",
                "scaleIO", "storageos", "vsphereVolume",
            )
        ),
        ("spec", "volumeMode"), ("spec", "nodeAffinity"),
    ),
    ("", "PersistentVolumeClaim"): (
        ("spec",), ("metadata", "annotations", "volume.beta.kubernetes.io/storage-class"),
    ),
    ("", "Pod"): (("spec",),),
    ("", "ResourceQuota"): (("spec", "scopes"),),
    ("", "Secret"): (("type",),),
    ("", "Service"): (
        ("spec", "clusterIP"), ("spec", "clusterIPs", 0), ("spec", "ipFamilies", 0),
        ("spec", "loadBalancerClass"),
    ),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (
        ("spec", "group"), ("spec", "names", "kind"), ("spec", "names", "plural"),
        ("spec", "scope"),
    ),
    ("apps", "ControllerRevision"): (("data",),),
    ("apps", "DaemonSet"): (("spec", "selector"),),
    ("apps", "Deployment"): (("spec", "selector"),),
    ("apps", "ReplicaSet"): (("spec", "selector"),),
    ("apps", "StatefulSet"): (("spec",),),
    ("batch", "Job"): (
        ("spec", "backoffLimitPerIndex"), ("spec", "completionMode"), ("spec", "completions"),
        ("spec", "managedBy"), ("spec", "parallelism"), ("spec", "podFailurePolicy"),
        ("spec", "selector"), ("spec", "successPolicy"), ("spec", "template"),
    ),
    ("certificates.k8s.io", "CertificateSigningRequest"): (("spec",),),
    ("certificates.k8s.io", "ClusterTrustBundle"): (("spec", "signerName"),),
    ("discovery.k8s.io", "EndpointSlice"): (("addressType",),),
    ("networking.k8s.io", "IPAddress"): (("spec", "parentRef"),),
    ("networking.k8s.io", "IngressClass"): (("spec", "controller"),),
    ("networking.k8s.io", "ServiceCIDR"): (("spec", "cidrs"),),
    ("node.k8s.io", "RuntimeClass"): (("handler",),),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): (("roleRef",),),
    ("rbac.authorization.k8s.io", "RoleBinding"): (("roleRef",),),
    ("resource.k8s.io", "ResourceClaim"): (("spec",),),
    ("resource.k8s.io", "ResourceClaimTemplate"): (("spec",),),
    ("scheduling.k8s.io", "PriorityClass"): (("preemptionPolicy",), ("value",)),
    ("storage.k8s.io", "CSIDriver"): (
        ("spec", "attachRequired"), ("spec", "volumeLifecycleModes"),
    ),
    ("storage.k8s.io", "CSIStorageCapacity"): (("nodeTopology",), ("storageClassName",)),
    ("storage.k8s.io", "StorageClass"): (
        ("parameters",), ("provisioner",), ("reclaimPolicy",), ("volumeBindingMode",),
    ),
    ("storage.k8s.io", "VolumeAttachment"): (("spec",),),
    ("storage.k8s.io", "VolumeAttributesClass"): (("driverName",), ("parameters",)),
}  # fmt: skip

_IMMUTABLE: Mapping[Kind, tuple[Parts, ...]] = {
    ("", kind): (("data",), ("binaryData",), ("stringData",)) for kind in ("ConfigMap", "Secret")
}
"""What cannot be changed while an object says ``immutable: true``."""


def _always(before: Any, after: Any) -> bool:
    return True


def _was_not_set(before: Any, after: Any) -> bool:
    return before is None


def _is_set(before: Any, after: Any) -> bool:
    return bool(after)


def _one_side_only(before: Any, after: Any) -> bool:
    """The server has chosen the value that a manifest does not name, and keeps it."""
    return before is None or after is None


def _grows(before: Any, after: Any) -> bool:
    old, new = quantity(before), quantity(after)
    return old is not None and new is not None and new >= old


def _shrinks(before: Any, after: Any) -> bool:
    return before is None or (after is not None and _grows(after, before))


def _only_adds(before: Any, after: Any) -> bool:
    return isinstance(after, list) and all(each in after for each in before or ())


def _only_removes(before: Any, after: Any) -> bool:
    return after is None or (isinstance(before, list) and _only_adds(after, before))


def _second_added(before: Any, after: Any) -> bool:
    return isinstance(before, list) and isinstance(after, list) and after[:-1] == before[:1]


_FREE: Mapping[Kind, tuple[tuple[Parts, Callable[[Any, Any], bool]], ...]] = {
    ("", "PersistentVolume"): ((("spec", "nodeAffinity"), _was_not_set),),
    ("", "PersistentVolumeClaim"): (
        (("spec", "resources", "requests", "storage"), _grows),
        (("spec", "volumeAttributesClassName"), _is_set),
    ),
    ("", "Pod"): (
        (("spec", "activeDeadlineSeconds"), _shrinks),
        (("spec", "schedulingGates"), _only_removes),
        (("spec", "tolerations"), _only_adds),
    ),
    ("", "Service"): (
        (("spec", "clusterIPs"), _one_side_only),
        (("spec", "ipFamilies"), _one_side_only),
    ),
    ("apps", "StatefulSet"): tuple(
        (("spec", name), _always)
        for name in (
            "minReadySeconds", "ordinals", "persistentVolumeClaimRetentionPolicy", "replicas",
            "template", "updateStrategy",
        )
    ),
    ("networking.k8s.io", "ServiceCIDR"): ((("spec", "cidrs"), _second_added),),
}  # fmt: skip
"""What may be changed of the fixed fields, and in which way."""

_FREE_WITH_TYPE: tuple[Parts, ...] = (
    ("spec", "clusterIPs"), ("spec", "ipFamilies"), ("spec", "loadBalancerClass"),
)  # fmt: skip
"""What may be changed of a Service together with its type."""

_PRECIOUS: frozenset[Kind] = frozenset({
    ("", "Namespace"), ("", "PersistentVolume"), ("", "PersistentVolumeClaim"), ("", "Service"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"), ("apps", "StatefulSet"),
})  # fmt: skip

_LOST: Mapping[Kind, str] = {
    ("", "Namespace"): "everything in it is deleted with it",
    ("", "PersistentVolume"): "the data of its volume may be lost",
    ("", "PersistentVolumeClaim"): "the data of its volume may be lost",
    ("", "Service"): "its address may be lost",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (
        "all objects of its kind are deleted with it"
    ),
}


def fixed_fields(
    manifest_kind: Kind,
    changes: Iterable[FieldChange],
    *,
    immutable: bool,
    recreated: Iterable[Parts] = (),
) -> tuple[Parts, ...]:
    """Find the changes for which an object is deleted and created again.

    Args:
        manifest_kind: API group and kind of the object.
        changes: Its changes.
        immutable: Whether the object says ``immutable: true``, before or afterwards.
        recreated: Further fields for which a policy wants it created again.

    Returns:
        The paths of these changes.
    """
    changes, recreated = tuple(changes), tuple(recreated)
    tops = (*_IDENTITY, *_FIXED.get(manifest_kind, ()))
    if immutable:
        tops += _IMMUTABLE.get(manifest_kind, ())
    free = _FREE.get(manifest_kind, ())
    if manifest_kind == ("", "Service") and any(c.path == ("spec", "type") for c in changes):
        free = tuple((path, _always) for path in _FREE_WITH_TYPE)
    return tuple(
        dict.fromkeys(
            change.path
            for change in changes
            if any(
                _reaches(field, recreated)
                or (manifest_kind in _IMMUTABLE and _thaws(field))
                or (_reaches(field, tops) and not _is_free(field, free))
                for field in _fields_of(change)
            )
        )
    )


def _fields_of(change: FieldChange) -> Iterator[FieldChange]:
    """A map that is added or taken away as the changes of its fields."""
    present = change.after if change.before is None else change.before
    if isinstance(present, Mapping) and present and None in (change.before, change.after):
        for key, value in present.items():
            pair = (None, value) if change.before is None else (value, None)
            yield from _fields_of(FieldChange((*change.path, key), *pair))
    else:
        yield change


def _reaches(change: FieldChange, tops: Iterable[Parts]) -> bool:
    """Tell whether a change is one of some fields, part of one, or a whole list that has one."""
    for top in tops:
        if is_below(change.path, [top]):
            return True
        if is_below(top, [change.path]):
            rest = top[len(change.path) :]
            if value_at(rest, change.before) != value_at(rest, change.after):
                return True
    return False


def _is_free(change: FieldChange, free: Iterable[tuple[Parts, Callable[[Any, Any], bool]]]) -> bool:
    return any(
        is_below(change.path, [path]) and is_allowed(change.before, change.after)
        for path, is_allowed in free
    )


def _thaws(change: FieldChange) -> bool:
    return change.path == ("immutable",) and change.before is True


def is_precious(group: str, kind: str, manifest: Mapping[str, Any] | None = None) -> bool:
    """Tell whether an object holds data, the objects of others, or an address they use.

    Args:
        group: Its API group; empty for the core one.
        kind: Its kind.
        manifest: The object, which tells the type of a Secret.
    """
    if (group, kind) == ("", "Secret"):
        return (manifest or {}).get("type") == "kubernetes.io/service-account-token"
    return (group, kind) in _PRECIOUS


def losses(operation: str, group: str, kind: str, fields: Iterable[Parts] = ()) -> Iterator[str]:
    """Name what of an operation cannot be taken back.

    Args:
        operation: ``create``, ``replace`` or ``delete``; anything else loses nothing.
        group: API group of the object; empty for the core one.
        kind: Its kind.
        fields: The fields for which it is replaced.

    Returns:
        Short phrases to be read after the name of the object.
    """
    if operation == "replace":
        reasons = ", ".join(map(written, fields))
        yield "is deleted and created again" + (f" because of {reasons}" if reasons else "")
    if operation in ("delete", "replace") and (group, kind) in _LOST:
        yield _LOST[group, kind]
    if (group, kind) == ("batch", "Job") and operation in ("create", "replace"):
        yield "runs its job again" if operation == "replace" else "runs its job"
