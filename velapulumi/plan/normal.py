"""The normal form of manifests, so that two spellings of one object are no difference.

pulumi-kubernetes 4.25 converts an object of a built-in kind to its Go type and back before it
compares and records it (``normalizeInputs``), and an API server does the same. What that leaves
out or writes in another way is the same in the normal form. Other kinds are kept as written:
neither the provider nor the server knows which of their fields mean nothing.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from velapulumi.definitions.rules.listkeys import Keys
from velapulumi.plan.fields import FieldChange, differences
from velapulumi.plan.places import by_name
from velapulumi.plan.quantities import canonical_quantity

_BUILT_IN = frozenset({
    "", "admissionregistration.k8s.io", "apps", "authentication.k8s.io", "authorization.k8s.io",
    "autoscaling", "batch", "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io",
    "events.k8s.io", "extensions", "flowcontrol.apiserver.k8s.io", "networking.k8s.io",
    "node.k8s.io", "policy", "rbac.authorization.k8s.io", "scheduling.k8s.io", "storage.k8s.io",
    "storagemigration.k8s.io",
})  # fmt: skip
"""The API groups whose kinds have a Go type in client-go 0.33, which the provider uses, but
``resource.k8s.io``, whose kinds hold parameters of drivers."""

_RAW = frozenset({"ControllerRevision"})
"""Kinds of these groups that hold other objects as they are."""

_TEXT = frozenset({"ConfigMap", "Secret"})
"""Kinds of these groups that hold text under any key: nothing in them is a quantity."""

_FROM_SERVER = frozenset({
    "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation",
    "managedFields", "resourceVersion", "selfLink", "uid",
})  # fmt: skip

_MAPS = frozenset({
    "annotations", "binaryData", "data", "labels", "matchLabels", "nodeSelector", "options",
    "stringData", "volumeAttributes",
})  # fmt: skip
"""Maps of text. The conversion leaves out empty ones, and empty lists. It keeps an empty structure,
and that says something: ``namespaceSelector: {}`` selects all namespaces, none selects one, and
adding ``securityContext: {}`` to a container restarts its pods."""

_MAPS_OF_KIND = frozenset({
    ("ReplicationController", "spec", "selector"), ("Service", "spec", "selector"),
    ("StorageClass", "parameters"), ("VolumeAttributesClass", "parameters"),
})  # fmt: skip

_ZERO_FIELDS: Mapping[str, frozenset[str]] = {
    parent: frozenset(names.split())
    for parent, names in {
        "metadata": "namespace generateName",
        "spec": "clusterIP concurrencyPolicy controller dnsPolicy externalName "
        "externalTrafficPolicy healthCheckNodePort hostIPC hostNetwork hostPID hostname "
        "loadBalancerIP minReadySeconds paused podManagementPolicy priorityClassName "
        "publishNotReadyAddresses restartPolicy schedulerName serviceAccount serviceAccountName "
        "sessionAffinity subdomain volumeName",
        "containers": "image imagePullPolicy stdin stdinOnce terminationMessagePath "
        "terminationMessagePolicy tty workingDir",
        "initContainers": "image imagePullPolicy stdin stdinOnce terminationMessagePath "
        "terminationMessagePolicy tty workingDir",
        "env": "value",
        "envFrom": "prefix",
        "fieldRef": "apiVersion",
        "resourceFieldRef": "containerName",
        "ports": "hostIP hostPort name nodePort protocol",
        "volumeMounts": "readOnly subPath subPathExpr",
        "livenessProbe": "failureThreshold initialDelaySeconds periodSeconds successThreshold "
        "timeoutSeconds",
        "readinessProbe": "failureThreshold initialDelaySeconds periodSeconds successThreshold "
        "timeoutSeconds",
        "startupProbe": "failureThreshold initialDelaySeconds periodSeconds successThreshold "
        "timeoutSeconds",
        "httpGet": "host path scheme",
        "tcpSocket": "host",
        "seLinuxOptions": "level role type user",
        "emptyDir": "medium",
        "nfs": "readOnly",
        "persistentVolumeClaim": "readOnly",
        "secret": "secretName",
        "serviceAccountToken": "audience",
        "tolerations": "effect key operator value",
        "strategy": "type",
        "updateStrategy": "type",
        "persistentVolumeClaimRetentionPolicy": "whenDeleted whenScaled",
        "scaleTargetRef": "apiVersion",
        "rules": "host",
        "paths": "path",
        "port": "name number",
        "tls": "secretName",
        "subjects": "apiGroup namespace",
        "PersistentVolume/spec": "persistentVolumeReclaimPolicy storageClassName",
        "PersistentVolume/csi": "fsType readOnly",
        "PriorityClass/": "description globalDefault",
    }.items()
}
"""Fields, by the field they are in, whose zero value the conversion leaves out: in Go they are no
pointers and ``omitempty``, so ``""``, 0 and false ask for the server's default. The zero value of
a pointer, such as ``replicas: 0`` or ``runAsUser: 0``, says something and is no part of this list.
It follows k8s.io/api 0.33; a field that is missing here shows up as a change, never less."""

_QUANTITY_MAPS = frozenset({
    ("resources", "limits"), ("resources", "requests"), ("spec", "overhead"),
    ("overhead", "podFixed"), ("spec", "hard"), ("spec", "capacity"),
    ("limits", "default"), ("limits", "defaultRequest"), ("limits", "max"), ("limits", "min"),
    ("limits", "maxLimitRequestRatio"),
})  # fmt: skip
"""Maps whose values are quantities, by their name and that of the field they are in."""

_QUANTITIES = frozenset({
    ("emptyDir", "sizeLimit"), ("resourceFieldRef", "divisor"),
    ("target", "averageValue"), ("target", "value"),
    ("object", "averageValue"), ("object", "targetValue"), ("pods", "targetAverageValue"),
    ("resource", "targetAverageValue"), ("containerResource", "targetAverageValue"),
    ("external", "targetAverageValue"), ("external", "targetValue"),
    ("scaleUp", "tolerance"), ("scaleDown", "tolerance"),
})  # fmt: skip

_BYTES: Mapping[str, tuple[str, str]] = {
    "CertificateSigningRequest": ("spec", "request"),
    "MutatingWebhookConfiguration": ("clientConfig", "caBundle"),
    "ValidatingWebhookConfiguration": ("clientConfig", "caBundle"),
}
_BYTE_MAPS = {"ConfigMap": "binaryData", "Secret": "data"}


def normal(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The normal form of a manifest, of a recorded or of a live object.

    It has no null, no status and nothing that only a server sets. For built-in kinds it has no
    empty list, no empty map of text or quantities and no zero value that the conversion leaves
    out, it has quantities and bytes in their canonical form, and the ``stringData`` of a Secret in
    its ``data``. Elements of lists stay, empty ones too: a rule ``{}`` of a NetworkPolicy lets
    everything through. Whole numbers are integers. The normal form of a normal form is itself.

    Args:
        manifest: The object. One without apiVersion and kind is taken for a built-in one.
    """
    return _normal(manifest, None)


def changed_fields(
    desired: Mapping[str, Any],
    recorded: Mapping[str, Any],
    outputs: Mapping[str, Any],
    keys: Keys | None = None,
    *,
    by_position: bool = False,
) -> tuple[FieldChange, ...]:
    """The fields that differ between what a stage shall hold and what its stack recorded.

    An explicit ``false`` that the conversion leaves out counts when the server answered ``true``:
    others have set the field, and the manifest says otherwise.

    Args:
        desired: The manifest.
        recorded: What the stack recorded of the last one.
        outputs: The object that the server answered the last write with; empty for none.
        keys: The key fields of lists, where they are known.
        by_position: As for ``differences``.
    """
    before, after = _normal(recorded, None), _normal(desired, outputs)
    return tuple(differences(before, after, keys=keys or {}, by_position=by_position))


def says(value: Any, wanted: Any) -> bool:
    """Whether a value has all that another one names of it.

    Lists have to be equally long: what a server adds to their elements are defaults.

    Args:
        value: What a server has, in its normal form.
        wanted: What a manifest names there, in its normal form.
    """
    if isinstance(value, Mapping) and isinstance(wanted, Mapping):
        return all(key in value and says(value[key], wanted[key]) for key in wanted)
    if isinstance(value, list) and isinstance(wanted, list):
        return len(value) == len(wanted) and all(map(says, value, wanted))
    return bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)


def _normal(manifest: Mapping[str, Any], answer: Mapping[str, Any] | None) -> dict[str, Any]:
    group = str(manifest.get("apiVersion") or "").rpartition("/")[0]
    kind = str(manifest.get("kind") or "")
    form = _Form(kind, group in _BUILT_IN and kind not in _RAW)
    plain = {key: value for key, value in manifest.items() if key != "status"}
    if isinstance(metadata := plain.get("metadata"), Mapping):
        plain["metadata"] = {k: v for k, v in metadata.items() if k not in _FROM_SERVER}
    if kind == "Secret" and not group:
        plain = _with_one_data(plain)
    return dict(form.of(plain, (), answer))


def _with_one_data(secret: dict[str, Any]) -> dict[str, Any]:
    """A Secret with all its values in ``data``, where ``stringData`` wins as on the server."""
    texts, data = secret.get("stringData") or {}, secret.get("data") or {}
    if not isinstance(texts, Mapping) or not isinstance(data, Mapping):
        return secret
    encoded = {
        key: b64encode(str(text).encode("utf-8", "backslashreplace")).decode()
        for key, text in texts.items()
        if text is not None
    }
    rest = {key: value for key, value in secret.items() if key != "stringData"}
    return {**rest, "data": {**data, **encoded}}


@dataclass(frozen=True)
class _Form:
    """How values of one object are brought to their normal form.

    Attributes:
        kind: The kind of the object.
        typed: Whether the provider converts it.
    """

    kind: str
    typed: bool

    def of(self, value: Any, names: tuple[str, ...], answer: Any) -> Any:
        """The normal form of a value.

        Args:
            value: The value.
            names: The keys that lead to it, without positions in lists.
            answer: What the server answered at the same place; None for nothing.
        """
        if isinstance(value, Mapping):
            there = answer if isinstance(answer, Mapping) else {}
            below = {
                key: self.of(entry, (*names, key), there.get(key)) for key, entry in value.items()
            }
            return {
                key: entry
                for key, entry in below.items()
                if not self._says_nothing(entry, (*names, key), there.get(key))
            }
        if isinstance(value, list | tuple):
            answers = _beside(list(value), answer)
            return [
                self.of(entry, names, there) for entry, there in zip(value, answers, strict=True)
            ]
        if self.typed:
            return self._scalar(value, names)
        return _whole(value)

    def _says_nothing(self, value: Any, names: tuple[str, ...], answer: Any) -> bool:
        if value is None:
            return True
        if value or not (self.typed or names[0] == "metadata"):
            return False
        if isinstance(value, Mapping):
            return self._is_plain_map(names)
        if isinstance(value, list):
            return True
        parent = names[-2] if len(names) > 1 else ""
        places = (parent, f"{self.kind}/{parent}")
        is_default = any(names[-1] in _ZERO_FIELDS.get(place, ()) for place in places)
        return is_default and not (value is False and answer is True)

    def _is_plain_map(self, names: tuple[str, ...]) -> bool:
        return (
            names[-1] in _MAPS
            or names[-2:] in _QUANTITY_MAPS
            or (self.kind, *names) in _MAPS_OF_KIND
        )

    def _scalar(self, value: Any, names: tuple[str, ...]) -> Any:
        if names[-2:] == _BYTES.get(self.kind) or names[:-1] == (_BYTE_MAPS.get(self.kind),):
            return _canonical_bytes(value)
        is_quantity = names[-3:-1] in _QUANTITY_MAPS or names[-2:] in _QUANTITIES
        if is_quantity and self.kind not in _TEXT:
            return canonical_quantity(value)
        return _whole(value)


def _beside(elements: list[Any], answer: Any) -> list[Any]:
    """What the server answered for each element of a list: by name, else by position."""
    if not isinstance(answer, list):
        return [None] * len(elements)
    named, found = by_name(elements), by_name(answer)
    if named is not None and found is not None:
        return [found.get(name) for name in named]
    return answer if len(answer) == len(elements) else [None] * len(elements)


def _whole(value: Any) -> Any:
    """A number that the engine carried as a JSON float as the integer it was."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _canonical_bytes(value: Any) -> Any:
    """Base64 as Go writes it; it reads over line breaks. Anything else stays."""
    if not isinstance(value, str):
        return value
    try:
        content = b64decode(value.replace("\r", "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        return value
    return b64encode(content).decode()
