"""The normal form: which spellings are one, and which changes must never be taken for a spelling.

The tables follow what the conversion of pulumi-kubernetes 4.25 really does with these manifests:
into the Go types of k8s.io/api 0.33 and back.
"""

from __future__ import annotations

import copy
from base64 import b64encode
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from velapulumi.plan.fields import differences
from velapulumi.plan.normal import changed_fields, normal
from velapulumi.plan.quantities import canonical_quantity, quantity

few = settings(max_examples=60, deadline=None)


def an_object(kind: str = "Deployment", api_version: str = "apps/v1", **fields: Any) -> Any:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, **fields}


def a_pod(**fields: Any) -> Any:
    return an_object(spec={"template": {"spec": {"containers": [{"name": "a"}], **fields}}})


def a_container(**fields: Any) -> Any:
    return a_pod(containers=[{"name": "a", **fields}])


def a_volume(**fields: Any) -> Any:
    return a_pod(volumes=[{"name": "v", **fields}])


def a_policy(**fields: Any) -> Any:
    return an_object("NetworkPolicy", "networking.k8s.io/v1", spec=fields)


def a_secret(**fields: Any) -> Any:
    return an_object("Secret", "v1", **fields)


def a_config_map(**fields: Any) -> Any:
    return an_object("ConfigMap", "v1", **fields)


def a_custom(**fields: Any) -> Any:
    return an_object("Issuer", "cert-manager.io/v1", spec=fields)


def limits(**amounts: Any) -> Any:
    return a_container(resources={"limits": amounts})


def an_autoscaler(**target: Any) -> Any:
    spec = {"metrics": [{"type": "Pods", "pods": {"target": target}}]}
    return an_object("HorizontalPodAutoscaler", "autoscaling/v2", spec=spec)


SAME = [
    (limits(cpu="0.5"), limits(cpu="500m")),
    (limits(cpu="1"), limits(cpu=1)),
    (limits(cpu=0.1), limits(cpu="100m")),
    (limits(cpu="1000m"), limits(cpu="1")),
    (limits(memory="1024Mi"), limits(memory="1Gi")),
    (limits(memory="1.5Gi"), limits(memory="1536Mi")),
    (limits(memory="100e3"), limits(memory="100k")),
    (limits(memory="100E3"), limits(memory="100000")),
    (limits(memory="1Gi"), limits(memory=1073741824)),
    (
        an_object("StatefulSet", spec={"volumeClaimTemplates": [
            {"spec": {"resources": {"requests": {"storage": "1024Mi"}}}}]}),
        an_object("StatefulSet", spec={"volumeClaimTemplates": [
            {"spec": {"resources": {"requests": {"storage": "1Gi"}}}}]}),
    ),
    (
        an_object("ResourceQuota", "v1", spec={"hard": {"requests.cpu": "1000m", "pods": "4"}}),
        an_object("ResourceQuota", "v1", spec={"hard": {"requests.cpu": "1", "pods": 4}}),
    ),
    (
        an_object("LimitRange", "v1", spec={"limits": [{"max": {"cpu": "2.0"}}]}),
        an_object("LimitRange", "v1", spec={"limits": [{"max": {"cpu": "2"}}]}),
    ),
    (
        an_object("PersistentVolume", "v1", spec={"capacity": {"storage": "1024Gi"}}),
        an_object("PersistentVolume", "v1", spec={"capacity": {"storage": "1Ti"}}),
    ),
    (a_volume(emptyDir={"sizeLimit": "1024Ki"}), a_volume(emptyDir={"sizeLimit": "1Mi"})),
    (a_pod(overhead={"cpu": "0.25"}), a_pod(overhead={"cpu": "250m"})),
    (an_autoscaler(averageValue="0.5"), an_autoscaler(averageValue="500m")),
    (
        a_container(env=[{"name": "A", "valueFrom": {"resourceFieldRef": {"divisor": "1000m"}}}]),
        a_container(env=[{"name": "A", "valueFrom": {"resourceFieldRef": {"divisor": 1}}}]),
    ),
    (a_secret(stringData={"a": "x"}), a_secret(data={"a": "eA=="})),
    (a_secret(stringData={"a": "x"}, data={"a": "eQ=="}), a_secret(data={"a": "eA=="})),
    (a_secret(data={"a": "YWJj\nZGVm\n"}), a_secret(data={"a": "YWJjZGVm"})),
    (a_config_map(binaryData={"a": "YWJj\r\nZGVm"}), a_config_map(binaryData={"a": "YWJjZGVm"})),
    (an_object(metadata={"name": "x", "labels": {}}), an_object()),
    (an_object(status={"replicas": 1}), an_object()),
    (an_object(metadata={"name": "x", "uid": "1", "managedFields": [{}]}), an_object()),
    (an_object(spec={"replicas": None}), an_object(spec={})),
    (an_object(spec={"replicas": 2.0}), an_object(spec={"replicas": 2})),
    (a_container(command=[]), a_container()),
    (a_container(resources={"limits": {}}), a_container(resources={})),
    (a_pod(nodeSelector={}), a_pod()),
    (an_object("Service", "v1", spec={"selector": {}}), an_object("Service", "v1", spec={})),
    (a_policy(ingress=[]), a_policy()),
    (a_pod(hostNetwork=False, dnsPolicy=""), a_pod()),
    (a_container(env=[{"name": "A", "value": ""}]), a_container(env=[{"name": "A"}])),
    (
        an_object("Service", "v1", spec={"clusterIP": "", "ports": [{"port": 1, "nodePort": 0}]}),
        an_object("Service", "v1", spec={"ports": [{"port": 1}]}),
    ),
    (a_volume(emptyDir={"medium": ""}), a_volume(emptyDir={})),
    (a_custom(replicas=2.0, size=None), a_custom(replicas=2)),
]  # fmt: skip

DIFFERENT = [
    (limits(cpu="0.5"), limits(cpu="501m")),
    (limits(memory="1G"), limits(memory="1Gi")),
    (limits(memory="1m"), limits(memory="1M")),
    (limits(cpu="0"), limits()),
    (limits(cpu="1x"), limits(cpu="1")),
    (a_config_map(data={"cpu": "0.5"}), a_config_map(data={"cpu": "500m"})),
    (a_config_map(data={"a": "YWJj\n"}), a_config_map(data={"a": "YWJj"})),
    (a_config_map(data={"a": ""}), a_config_map(data={})),
    (a_container(args=["1000m"]), a_container(args=["1"])),
    (a_container(args=[""]), a_container(args=[])),
    (
        a_container(env=[{"name": "cpu", "value": "1000m"}]),
        a_container(env=[{"name": "cpu", "value": "1"}]),
    ),
    (
        an_object(metadata={"name": "x", "labels": {"cpu": "1000m"}}),
        an_object(metadata={"name": "x", "labels": {"cpu": "1"}}),
    ),
    (an_object(metadata={"name": "x", "labels": {"host": ""}}), an_object()),
    (a_secret(data={"a": "eA"}), a_secret(data={"a": "eA=="})),
    (a_secret(data={"a": "eA=="}), a_secret(stringData={"a": "y"})),
    (an_object(spec={"replicas": 0}), an_object(spec={})),
    (an_object(spec={"suspend": True}), an_object(spec={"suspend": 1})),
    (a_container(securityContext={"runAsUser": 0}), a_container(securityContext={})),
    (a_container(securityContext={}), a_container()),
    (
        a_container(securityContext={"allowPrivilegeEscalation": False}),
        a_container(securityContext={}),
    ),
    (a_pod(automountServiceAccountToken=False), a_pod()),
    (a_policy(ingress=[{}]), a_policy(ingress=[])),
    (
        a_policy(ingress=[{"from": [{"namespaceSelector": {}}]}]),
        a_policy(ingress=[{"from": [{}]}]),
    ),
    (an_object("PodDisruptionBudget", "policy/v1", spec={"selector": {}}),
     an_object("PodDisruptionBudget", "policy/v1", spec={})),
    (
        an_object("PersistentVolumeClaim", "v1", spec={"storageClassName": ""}),
        an_object("PersistentVolumeClaim", "v1", spec={}),
    ),
    (a_custom(selfSigned={}), a_custom()),
    (a_custom(hosts=[]), a_custom()),
    (a_custom(hostNetwork=False), a_custom()),
    (
        a_custom(resources={"limits": {"cpu": "0.5"}}),
        a_custom(resources={"limits": {"cpu": "500m"}}),
    ),
    (
        an_object("CustomResourceDefinition", "apiextensions.k8s.io/v1",
                  spec={"versions": [{"subresources": {"status": {}}}]}),
        an_object("CustomResourceDefinition", "apiextensions.k8s.io/v1",
                  spec={"versions": [{"subresources": {}}]}),
    ),
    (
        an_object("ControllerRevision", data={"resources": {"limits": {"cpu": "1000m"}}}),
        an_object("ControllerRevision", data={"resources": {"limits": {"cpu": "1"}}}),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_object_are_no_change(one: Any, other: Any) -> None:
    assert normal(one) == normal(other)
    assert not changed_fields(one, other, {})
    assert not changed_fields(other, one, {})


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_objects_are_a_change_both_ways(one: Any, other: Any) -> None:
    assert changed_fields(one, other, {})
    assert changed_fields(other, one, {})
    assert changed_fields(one, other, other)


@pytest.mark.parametrize("manifest", [each for pair in (*SAME, *DIFFERENT) for each in pair])
def test_a_normal_form_is_its_own(manifest: Any) -> None:
    before = copy.deepcopy(manifest)
    assert normal(normal(manifest)) == normal(manifest)
    assert manifest == before


def test_a_part_of_a_manifest_is_taken_for_a_built_in_one() -> None:
    template = {"spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": "1000m"}}}]}}
    assert normal({"spec": {"template": template}}) == {
        "spec": {
            "template": {
                "spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": "1"}}}]}
            }
        }
    }


def test_changes_are_told_from_recorded_to_desired() -> None:
    desired = an_object(spec={"replicas": 3, "template": {"spec": {"hostPID": True}}})
    recorded = an_object(spec={"replicas": 1, "paused": True, "template": {"spec": {}}})
    found = [(c.path, c.before, c.after) for c in changed_fields(desired, recorded, {})]
    assert found == [
        (("spec", "paused"), True, None),
        (("spec", "replicas"), 1, 3),
        (("spec", "template", "spec", "hostPID"), None, True),
    ]


def test_a_zero_that_says_something_is_a_change_whatever_the_server_answered() -> None:
    desired, recorded = an_object(spec={"replicas": 0}), an_object(spec={})
    for outputs in ({}, recorded, an_object(spec={"replicas": 1})):
        (change,) = changed_fields(desired, recorded, outputs)
        assert (change.path, change.before, change.after) == (("spec", "replicas"), None, 0)


def test_a_zero_that_asks_for_the_default_is_no_change_when_the_server_has_filled_it_in() -> None:
    ports = [{"port": 80, "nodePort": 0}]
    desired = an_object("Service", "v1", spec={"clusterIP": "", "ports": ports})
    recorded = an_object("Service", "v1", spec={"ports": [{"port": 80}]})
    answered = [{"port": 80, "nodePort": 30123}]
    outputs = an_object("Service", "v1", spec={"clusterIP": "10.0.0.1", "ports": answered})
    assert not changed_fields(desired, recorded, outputs)


def test_an_explicit_no_is_a_change_when_the_server_says_yes() -> None:
    mounts = [{"name": "v", "mountPath": "/v"}]
    desired = a_container(volumeMounts=[{**mounts[0], "readOnly": False}])
    recorded = a_container(volumeMounts=mounts)
    answered = [{"name": "token", "mountPath": "/t", "readOnly": True}, *mounts]
    assert not changed_fields(desired, recorded, a_container(volumeMounts=answered))
    answered = [answered[0], {**mounts[0], "readOnly": True}]
    (change,) = changed_fields(desired, recorded, a_container(volumeMounts=answered))
    assert change.path[-3:] == ("volumeMounts", 0, "readOnly")
    assert (change.before, change.after) == (None, False)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1", 1), ("+1", 1), ("-1", -1), (".5", Fraction(1, 2)), ("1.", 1),
        ("1n", Fraction(1, 10**9)),
        ("1u", Fraction(1, 10**6)), ("1m", Fraction(1, 1000)), ("1k", 1000), ("1M", 10**6),
        ("1G", 10**9), ("1T", 10**12), ("1P", 10**15), ("1E", 10**18), ("1Ki", 1024),
        ("1Ei", 2**60), ("9Ei", 2**63 - 1), ("1e3", 1000), ("1E3", 1000),
        ("1E-3", Fraction(1, 1000)),
        ("1e+2", 100), ("0.1n", Fraction(1, 10**9)), (" 1 ", 1), (2, 2), (0.1, Fraction(1, 10)),
        (1e21, 10**21), ("", None), ("1K", None), ("1ki", None), ("1e", None), ("0x1", None),
        ("1 k", None), ("1.2.3", None), ("1e1000000000", None), (True, None), (None, None),
        (float("nan"), None), (float("inf"), None), ("\u0661", None), ({}, None),
    ],
)  # fmt: skip
def test_quantities_are_read_as_kubernetes_reads_them(text: Any, amount: Any) -> None:
    assert quantity(text) == amount


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0.5", "500m"), ("1024Mi", "1Gi"), ("512M", "512M"), ("1.5Gi", "1536Mi"), ("0", "0"),
        ("0Gi", "0"), ("-1000m", "-1"), ("1000k", "1M"), ("128k", "128k"), ("x", "x"),
        ("1000E", "1000E"),
    ],
)  # fmt: skip
def test_quantities_are_written_in_their_shortest_form(text: str, canonical: str) -> None:
    assert canonical_quantity(text) == canonical


suffixes = st.sampled_from(
    ["", "n", "u", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "e3", "E-3"]
)
numbers = st.decimals(-9999, 9999, places=3).map(lambda number: f"{number:f}")


@few
@given(numbers, suffixes)
def test_a_quantity_has_one_form_for_all_its_spellings(number: str, suffix: str) -> None:
    amount = quantity(number + suffix)
    canonical = canonical_quantity(number + suffix)
    assert quantity(canonical) == amount
    assert canonical_quantity(canonical) == canonical
    assert canonical_quantity(f" {number}000{suffix}") == canonical


@few
@given(st.integers(-(2**53), 2**53), st.integers(-(2**53), 2**53))
def test_two_amounts_have_one_form_only_if_they_are_equal(one: int, other: int) -> None:
    pair = [canonical_quantity(f"{amount}m") for amount in (one, other)]
    assert (pair[0] == pair[1]) == (one == other)


keys = st.sampled_from([
    "a", "data", "emptyDir", "env", "labels", "limits", "metadata", "name", "resources",
    "selector", "spec", "status", "stringData", "hostNetwork", "value",
])  # fmt: skip
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2000)
    | st.floats(-2, 2, width=16)
    | st.sampled_from(["", "a", "0.5", "1024Mi", "eA==", "YWJj\n"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
kinds = st.sampled_from([
    ("v1", "Secret"), ("v1", "ConfigMap"), ("v1", "Service"), ("apps/v1", "Deployment"),
    ("example.org/v1", "Thing"), ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
])  # fmt: skip
manifests = st.builds(
    lambda names, fields: {**fields, "apiVersion": names[0], "kind": names[1]},
    kinds,
    st.dictionaries(keys, values, max_size=4),
)


@settings(max_examples=150, deadline=None)
@given(manifests)
def test_normal_forms_are_stable(manifest: dict[str, Any]) -> None:
    before = copy.deepcopy(manifest)
    form = normal(manifest)
    assert normal(form) == form
    assert not list(differences(form, normal(copy.deepcopy(manifest))))
    assert not changed_fields(manifest, form, {})
    assert manifest == before


@few
@given(st.binary(max_size=8), st.integers(1, 4))
def test_bytes_of_a_secret_are_the_same_with_line_breaks(content: bytes, width: int) -> None:
    text = b64encode(content).decode()
    broken = "\n".join(text[i : i + width] for i in range(0, len(text), width))
    assert normal(a_secret(data={"a": broken})) == normal(a_secret(data={"a": text}))
    assert normal(a_secret(data={"a": text}))["data"] == {"a": text}
