"""Fields for which an object is deleted and created again, and what is lost with it."""

from __future__ import annotations

from typing import Any

import pytest

from velapulumi.definitions.rules.fieldpath import Parts
from velapulumi.plan.fields import FieldChange
from velapulumi.plan.fixed import fixed_fields, is_precious, losses

CORE, APPS, BATCH, RBAC, STORAGE = (
    "",
    "apps",
    "batch",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
)
DEPLOYMENT, STATEFUL, JOB = (APPS, "Deployment"), (APPS, "StatefulSet"), (BATCH, "Job")
CLAIM, VOLUME, POD = (CORE, "PersistentVolumeClaim"), (CORE, "PersistentVolume"), (CORE, "Pod")
SERVICE, SECRET, CONFIG_MAP = (CORE, "Service"), (CORE, "Secret"), (CORE, "ConfigMap")


def fixed(
    kind: tuple[str, str], *changes: tuple[Parts, Any, Any], immutable: bool = False
) -> tuple[Parts, ...]:
    return fixed_fields(kind, [FieldChange(*each) for each in changes], immutable=immutable)


def below(*top: str | int, names: str) -> list[Parts]:
    return [(*top, name) for name in names.split()]


SELECTOR: list[Parts] = [
    ("spec", "selector"),
    ("spec", "selector", "matchLabels", "app"),
    ("spec", "selector", "matchExpressions", 0, "key"),
    ("spec", "selector", "matchExpressions", 0, "operator"),
    ("spec", "selector", "matchExpressions", 0, "values", 0),
]
IN_A_CONTAINER = (
    "args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe resources "
    "securityContext stdin stdinOnce terminationMessagePath terminationMessagePolicy tty "
    "volumeDevices volumeMounts workingDir"
)
REPLACED_BY_THE_PROVIDER: dict[tuple[str, str], list[Parts]] = {
    DEPLOYMENT: SELECTOR,
    (APPS, "DaemonSet"): SELECTOR,
    STATEFUL: [
        *SELECTOR,
        *below(
            "spec",
            names="podManagementPolicy revisionHistoryLimit serviceName volumeClaimTemplates",
        ),
        ("spec", "volumeClaimTemplates", 0, "spec", "resources", "requests", "storage"),
    ],
    JOB: [
        *SELECTOR,
        *below("spec", names="completions parallelism template"),
        ("spec", "template", "spec", "containers", 0, "image"),
        ("spec", "template", "metadata", "labels", "app.oam.dev/revision"),
    ],
    VOLUME: below(
        "spec",
        names="awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker "
        "gcePersistentDisk glusterfs hostPath iscsi local nfs photonPersistentDisk portworxVolume "
        "quobyte rbd scaleIO storageos vsphereVolume",
    ),
    CLAIM: [*SELECTOR, *below("spec", names="accessModes storageClassName volumeName")],
    POD: [
        *below(
            "spec",
            names="affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks "
            "hostAliases hostIPC hostNetwork hostPID hostname imagePullSecrets nodeName "
            "nodeSelector overhead preemptionPolicy priority priorityClassName readinessGates "
            "restartPolicy runtimeClassName schedulerName securityContext serviceAccount "
            "serviceAccountName shareProcessNamespace subdomain terminationGracePeriodSeconds "
            "volumes",
        ),
        *below("spec", "containers", 0, names=IN_A_CONTAINER),
        *below("spec", "initContainers", 1, names=IN_A_CONTAINER),
        ("spec", "containers", 0, "env", 0, "value"),
    ],
    (CORE, "ResourceQuota"): [("spec", "scopes"), ("spec", "scopes", 0)],
    SECRET: [("type",)],
    SERVICE: [("spec", "clusterIP")],
    (RBAC, "ClusterRoleBinding"): [("roleRef",), ("roleRef", "name")],
    (RBAC, "RoleBinding"): [("roleRef",), ("roleRef", "name")],
    (STORAGE, "StorageClass"): [("parameters", "type"), ("provisioner",)],
    ("example.org", "Thing"): [("metadata", "name"), ("metadata", "namespace")],
}


@pytest.mark.parametrize(
    ("kind", "path"),
    [(kind, path) for kind, paths in REPLACED_BY_THE_PROVIDER.items() for path in paths],
)
def test_what_the_provider_replaces_an_object_for_is_named(
    kind: tuple[str, str], path: Parts
) -> None:
    for before, after in (("a", "b"), (None, "b"), ("a", None)):
        assert fixed(kind, (path, before, after)) == (path,)


@pytest.mark.parametrize("kind", [SECRET, CONFIG_MAP])
@pytest.mark.parametrize("path", [("data", "a"), ("binaryData", "a"), ("stringData", "a")])
def test_values_are_fixed_while_the_object_is_immutable(kind: tuple[str, str], path: Parts) -> None:
    assert fixed(kind, (path, "a", "b"), immutable=True) == (path,)
    assert fixed(kind, (path, "a", "b")) == ()
    assert fixed(("example.org", kind[1]), (path, "a", "b"), immutable=True) == ()


def test_an_immutable_object_does_not_become_mutable_again() -> None:
    thaw: tuple[Parts, Any, Any] = (("immutable",), True, None)
    freeze: tuple[Parts, Any, Any] = (("immutable",), None, True)
    assert fixed(CONFIG_MAP, thaw, immutable=True) == (("immutable",),)
    assert fixed(CONFIG_MAP, freeze, immutable=True) == ()
    assert fixed(DEPLOYMENT, thaw) == ()


REQUESTS: Parts = ("spec", "resources", "requests", "storage")
TOLERATIONS: Parts = ("spec", "tolerations")
T1, T2 = {"key": "a"}, {"key": "b"}


@pytest.mark.parametrize(
    ("kind", "path", "before", "after", "replaced"),
    [
        (DEPLOYMENT, ("spec", "template", "spec", "hostPID"), None, True, False),
        (DEPLOYMENT, ("spec", "selectors"), 1, 2, False),
        (DEPLOYMENT, ("metadata", "labels", "spec.selector"), "1", "2", False),
        (STATEFUL, ("spec", "replicas"), 1, 2, False),
        (STATEFUL, ("spec", "ordinals", "start"), 1, 2, False),
        (STATEFUL, ("spec", "template", "spec", "x"), 1, 2, False),
        (STATEFUL, ("spec", "updateStrategy", "type"), 1, 2, False),
        (STATEFUL, ("spec", "minReadySeconds"), 1, 2, False),
        (STATEFUL, ("spec", "persistentVolumeClaimRetentionPolicy"), None, {"a": 1}, False),
        (STATEFUL, ("spec",), None, {"replicas": 1}, False),
        (STATEFUL, ("spec",), {"replicas": 1, "serviceName": "x"}, None, True),
        (CLAIM, REQUESTS, "1Gi", "2Gi", False),
        (CLAIM, REQUESTS, "1Gi", "1024Mi", False),
        (CLAIM, REQUESTS, "1Gi", "1G", True),
        (CLAIM, REQUESTS, "1Gi", None, True),
        (CLAIM, REQUESTS, "1Gi", "much", True),
        (CLAIM, ("spec", "resources", "limits", "storage"), "1Gi", "2Gi", True),
        (CLAIM, ("spec", "volumeMode"), "Filesystem", "Block", True),
        (CLAIM, ("spec", "volumeAttributesClassName"), None, "gold", False),
        (CLAIM, ("spec", "volumeAttributesClassName"), "gold", None, True),
        (CLAIM, ("metadata", "annotations", "x"), "1", "2", False),
        (CLAIM, ("metadata", "annotations"), None,
         {"volume.beta.kubernetes.io/storage-class": "x"}, True),
        (VOLUME, ("spec", "volumeMode"), "Filesystem", "Block", True),
        (VOLUME, ("spec", "persistentVolumeReclaimPolicy"), "Retain", "Delete", False),
        (VOLUME, ("spec", "nodeAffinity"), None, {"required": {"nodeSelectorTerms": [1]}}, False),
        (VOLUME, ("spec", "nodeAffinity", "required", "nodeSelectorTerms"), [1], [2, 3], True),
        (POD, ("spec", "activeDeadlineSeconds"), 60, 30, False),
        (POD, ("spec", "activeDeadlineSeconds"), None, 30, False),
        (POD, ("spec", "activeDeadlineSeconds"), 30, 60, True),
        (POD, ("spec", "activeDeadlineSeconds"), 30, None, True),
        (POD, TOLERATIONS, None, [T1], False),
        (POD, TOLERATIONS, [T1], [T2, T1], False),
        (POD, TOLERATIONS, [T1, T2], [T2], True),
        (POD, (*TOLERATIONS, 0, "key"), "a", "b", True),
        (POD, ("spec", "schedulingGates", 0), {"name": "a"}, None, False),
        (POD, ("spec", "schedulingGates", 1), None, {"name": "a"}, True),
        (POD, ("spec", "containers", 1), None, {"name": "b"}, True),
        (POD, ("metadata", "labels", "a"), "1", "2", False),
        (JOB, ("spec", "suspend"), True, False, False),
        (JOB, ("spec", "ttlSecondsAfterFinished"), 1, 2, False),
        (JOB, ("spec", "activeDeadlineSeconds"), 1, 2, False),
        (JOB, ("spec", "backoffLimit"), 1, 2, False),
        (JOB, ("spec", "completionMode"), None, "Indexed", True),
        (JOB, ("spec", "podFailurePolicy", "rules", 0, "action"), "Ignore", "Count", True),
        ((BATCH, "CronJob"), ("spec", "jobTemplate", "spec", "template"), 1, 2, False),
        (SERVICE, ("spec", "clusterIPs"), ["a"], ["a", "b"], False),
        (SERVICE, ("spec", "clusterIPs"), ["a", "b"], ["b"], True),
        (SERVICE, ("spec", "clusterIPs", 0), "a", "b", True),
        (SERVICE, ("spec", "clusterIPs", 1), "a", "b", False),
        (SERVICE, ("spec", "clusterIPs"), ["a"], None, False),
        (SERVICE, ("spec", "ipFamilies"), None, ["IPv4"], False),
        (SERVICE, ("spec", "ipFamilies", 0), "IPv4", "IPv6", True),
        (SERVICE, ("spec", "loadBalancerClass"), None, "x", True),
        (SERVICE, ("spec", "type"), "ClusterIP", "NodePort", False),
        ((STORAGE, "StorageClass"), ("reclaimPolicy",), "Retain", "Delete", True),
        ((STORAGE, "StorageClass"), ("volumeBindingMode",), None, "Immediate", True),
        ((STORAGE, "StorageClass"), ("allowVolumeExpansion",), None, True, False),
        (("networking.k8s.io", "IngressClass"), ("spec", "controller"), "a", "b", True),
        (("networking.k8s.io", "IngressClass"), ("spec",), None, {"controller": "b"}, True),
        (("networking.k8s.io", "ServiceCIDR"), ("spec", "cidrs"), ["a"], ["a", "b"], False),
        (("networking.k8s.io", "ServiceCIDR"), ("spec", "cidrs"), ["a"], ["b", "a"], True),
        (("scheduling.k8s.io", "PriorityClass"), ("value",), 1, 2, True),
        (("apiextensions.k8s.io", "CustomResourceDefinition"), ("spec", "scope"), 1, 2, True),
        (("apiextensions.k8s.io", "CustomResourceDefinition"), ("spec", "versions"), 1, 2, False),
        ((RBAC, "RoleBinding"), ("subjects", 0, "name"), "a", "b", False),
        (("policy", "PodDisruptionBudget"), ("spec", "minAvailable"), 1, 2, False),
        (("example.org", "StatefulSet"), ("spec", "serviceName"), "a", "b", False),
        (SECRET, ("data", "type"), "a", "b", False),
    ],
)  # fmt: skip
def test_how_a_field_may_be_changed(
    kind: tuple[str, str], path: Parts, before: Any, after: Any, replaced: bool
) -> None:
    assert fixed(kind, (path, before, after)) == ((path,) if replaced else ())


def test_addresses_of_a_service_may_change_with_its_type() -> None:
    families: tuple[Parts, Any, Any] = (("spec", "ipFamilies", 0), "IPv4", "IPv6")
    balancer: tuple[Parts, Any, Any] = (("spec", "loadBalancerClass"), None, "x")
    address: tuple[Parts, Any, Any] = (("spec", "clusterIP"), "a", "b")
    kind: tuple[Parts, Any, Any] = (("spec", "type"), "ClusterIP", "LoadBalancer")
    assert fixed(SERVICE, families, balancer, address, kind) == (address[0],)


def test_a_policy_can_want_an_object_created_again() -> None:
    changes = [
        FieldChange(("spec", "replicas"), 1, 2),
        FieldChange(("spec", "template", "spec", "volumes"), [{"a": 1}], [{"a": 2}, {"b": 1}]),
        FieldChange(("spec", "paused"), True, None),
    ]
    recreated = [("spec", "replicas"), ("spec", "template", "spec", "volumes", 0, "a")]
    found = fixed_fields(STATEFUL, changes[:2], immutable=False, recreated=recreated)
    assert found == tuple(change.path for change in changes[:2])
    recreated = [("spec", "template", "spec", "volumes", 0, "b")]
    assert not fixed_fields(DEPLOYMENT, changes, immutable=False, recreated=recreated)


@pytest.mark.parametrize(
    ("group", "kind", "manifest", "precious"),
    [
        ("", "PersistentVolumeClaim", None, True),
        ("", "PersistentVolume", None, True),
        ("", "Namespace", None, True),
        ("", "Service", None, True),
        ("apps", "StatefulSet", None, True),
        ("apiextensions.k8s.io", "CustomResourceDefinition", None, True),
        ("", "Secret", {"type": "kubernetes.io/service-account-token"}, True),
        ("", "Secret", {"type": "Opaque"}, False),
        ("", "Secret", None, False),
        ("apps", "Deployment", None, False),
        ("serving.knative.dev", "Service", None, False),
    ],
)
def test_kinds_that_hold_data_or_what_others_need(
    group: str, kind: str, manifest: dict[str, Any] | None, precious: bool
) -> None:
    assert is_precious(group, kind, manifest) is precious


SPEC: Parts = ("spec", "template")


@pytest.mark.parametrize(
    ("operation", "kind", "fields", "phrases"),
    [
        ("create", DEPLOYMENT, [], []),
        ("create", JOB, [], ["runs its job"]),
        ("delete", JOB, [], []),
        ("update", JOB, [], []),
        ("replace", JOB, [SPEC, ("x/y", 0)], [
            'is deleted and created again because of spec.template, ["x/y"][0]',
            "runs its job again",
        ]),
        ("replace", DEPLOYMENT, [], ["is deleted and created again"]),
        ("delete", CLAIM, [], ["the data of its volume may be lost"]),
        ("delete", VOLUME, [], ["the data of its volume may be lost"]),
        ("replace", CLAIM, [SPEC], [
            "is deleted and created again because of spec.template",
            "the data of its volume may be lost",
        ]),
        ("delete", (CORE, "Namespace"), [], ["everything in it is deleted with it"]),
        ("delete", ("apiextensions.k8s.io", "CustomResourceDefinition"), [],
         ["all objects of its kind are deleted with it"]),
        ("delete", SERVICE, [], ["its address may be lost"]),
        ("keep", CLAIM, [], []),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_back(
    operation: str, kind: tuple[str, str], fields: list[Parts], phrases: list[str]
) -> None:
    assert list(losses(operation, *kind, fields)) == phrases
