"""``ref-objects``: copies of objects which a joined cluster has.

Follows KubeVela v1.10, with these differences: there is no hub, so the cluster must be named; an
object without a name is an error, not the one named as the component; manifests are not fetched
from URLs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from velapulumi.definitions.base import (
    ComponentDefinition,
    Context,
    Health,
    Manifest,
    Reference,
    Rendered,
    RenderError,
)
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.pod.workload import replicas_health
from velapulumi.spec import Many

_SERVER_METADATA = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generation",
        "managedFields",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
_BOOKKEEPING = {
    "labels": ("app.oam.dev/", "oam.dev/", "trait.oam.dev/", "workload.oam.dev/"),
    "annotations": (
        "app.oam.dev/last-applied-",
        "app.oam.dev/shared-by",
        "deployment.kubernetes.io/",
        "deprecated.daemonset.template.generation",
        "kubectl.kubernetes.io/last-applied-configuration",
        "oam.dev/",
        "pulumi.com/",
        "pv.kubernetes.io/",
        "volume.beta.kubernetes.io/storage-provisioner",
        "volume.kubernetes.io/",
    ),
}
"""How labels and annotations begin which tell of the cluster and the application they are from."""

_JOB_LABELS = ("controller-uid", "job-name")
"""Labels which a cluster gives the pods of a Job, with and without a prefix."""

_SERVER_SPEC = {
    ("", "PersistentVolume"): ("claimRef",),
    ("", "PersistentVolumeClaim"): ("volumeName",),
    ("", "Pod"): ("nodeName",),
    ("", "Service"): ("clusterIP", "clusterIPs", "healthCheckNodePort"),
}
"""Fields of ``spec`` which a cluster fills in, by group and kind."""


class ReferredObject(BaseParameters):
    """Names one object of a cluster, or all with some labels."""

    cluster: str = Field("", description="Joined cluster which has it; must be given.")
    apiVersion: str = Field("", description="API version; only its group counts.")
    kind: str = Field("", description="Kind; not used beside resource.")
    group: str = Field("", description="API group; empty for the core one.")
    resource: str = Field("", description='Kind or resource name, such as "deployment".')
    namespace: str = Field("", description="Its namespace; the Application's when absent.")
    name: str = Field("", description="Its name.")
    labelSelector: dict[str, str] = Field({}, description="Labels of the objects, without a name.")

    @model_validator(mode="after")
    def _says_what_it_is(self) -> ReferredObject:
        if not self.cluster:
            message = "cluster is missing: there is no hub, write the name of the joined cluster"
            raise ValueError(f"{message} which has the object")
        if not (self.resource or self.kind):
            raise ValueError("resource is missing: write what it is, such as deployment")
        if self.name and "labelSelector" in self.model_fields_set:
            raise ValueError(
                "invalid object selector for ref-objects, name and labelSelector cannot be both set"
            )
        if not (self.name or self.labelSelector):
            raise ValueError("name is missing: write it, or a labelSelector")
        return self


def _not_empty(objects: tuple[ReferredObject, ...]) -> tuple[ReferredObject, ...]:
    if not objects:
        raise ValueError("must not be empty: the first object is the component's workload")
    return objects


def _no_urls(urls: Any) -> Any:
    raise ValueError("are not fetched: put the manifests into a component of type k8s-objects")


class Parameters(BaseParameters):
    """Parameters of ``ref-objects``."""

    objects: Annotated[Many[ReferredObject], AfterValidator(_not_empty)] = Field(
        description="The objects; the first is the one which traits change."
    )
    urls: Annotated[Any, AfterValidator(_no_urls)] = Field(
        None, description="Not supported: put the manifests into k8s-objects."
    )


def references(parameters: Parameters, application_namespace: str) -> tuple[Reference, ...]:
    """What has to be read from clusters before the component can be rendered.

    Args:
        parameters: The component's parameters.
        application_namespace: Namespace of the Application.

    Returns:
        One reference for each entry of ``objects``, in its order.
    """
    return tuple(
        Reference(
            cluster=item.cluster,
            namespace=item.namespace or application_namespace,
            group=item.group or item.apiVersion.rpartition("/")[0],
            resource=item.resource or item.kind,
            name=item.name,
            labels=tuple(sorted(item.labelSelector.items())),
        )
        for item in parameters.objects
    )


def render(parameters: Parameters, context: Context) -> Rendered:
    """The first object found, and the others as ``objects-<index>``.

    Raises:
        RenderError: An object is not there, or its cluster was not asked.
    """
    found: dict[tuple[Any, ...], Manifest] = {}
    for index, reference in enumerate(references(parameters, context.app_namespace)):
        for live in _read(reference, context, index):
            metadata = live["metadata"]
            place = (metadata.get("namespace"), metadata["name"])
            found.setdefault((live["apiVersion"], live["kind"], *place), portable(live))
    if not found:
        raise RenderError(("objects",), "choose nothing: no object has the labels")
    workload, *others = found.values()
    return Rendered(workload, {f"objects-{i}": other for i, other in enumerate(others, 1)})


def health(live: Mapping[str, Any]) -> Health:
    """A Deployment as ``worker``, everything else always healthy."""
    if live["apiVersion"] == "apps/v1" and live["kind"] == "Deployment":
        return replicas_health(live)
    return Health(True, "")


def portable(live: Manifest) -> Manifest:
    """A live object without what belongs to its own cluster, namespace and application."""
    metadata = {k: v for k, v in live["metadata"].items() if k not in _SERVER_METADATA}
    for field, prefixes in _BOOKKEEPING.items():
        values = metadata.pop(field, None) or {}
        if kept := {k: v for k, v in values.items() if not k.startswith(prefixes)}:
            metadata[field] = kept
    result: Manifest = {k: v for k, v in live.items() if k != "status"}
    result["metadata"] = metadata
    if isinstance(live.get("spec"), dict):
        result["spec"] = _portable_spec(live)
    return result


def _portable_spec(live: Manifest) -> Manifest:
    """The ``spec`` without what a cluster fills in; a Service without an address stays so."""
    spec: Manifest = dict(live["spec"])
    kind = (live["apiVersion"].rpartition("/")[0], live["kind"])
    if spec.get("clusterIP") != "None":
        for field in _SERVER_SPEC.get(kind, ()):
            spec.pop(field, None)
    if kind == ("batch", "Job") and not spec.get("manualSelector"):
        spec.pop("selector", None)
        template = spec["template"]
        metadata = template.get("metadata") or {}
        labels = {
            key: value
            for key, value in (metadata.get("labels") or {}).items()
            if key.removeprefix("batch.kubernetes.io/") not in _JOB_LABELS
        }
        spec["template"] = {**template, "metadata": {**metadata, "labels": labels}}
    return spec


def _read(reference: Reference, context: Context, index: int) -> Iterable[Manifest]:
    objects = context.referred.get(reference)
    if objects is None:
        raise RenderError(
            ("objects", index),
            f"{_title(reference)} was not read from cluster {reference.cluster}: "
            "join the cluster and run the command in its project",
        )
    if not objects and reference.name:
        message = f"cluster {reference.cluster} has no {_title(reference)}"
        raise RenderError(("objects", index), message)
    return objects


def _title(reference: Reference) -> str:
    labels = ",".join(f"{key}={value}" for key, value in reference.labels)
    which = reference.name or f"with labels {labels}"
    return f"{reference.resource} {which} in namespace {reference.namespace}"


DEFINITION = ComponentDefinition(
    type="ref-objects",
    parameters=Parameters,
    summary="Copies of objects which a joined cluster has.",
    example={
        "objects": [
            {"cluster": "staging", "group": "apps", "resource": "deployment", "name": "web"},
            {"cluster": "staging", "resource": "configmap", "labelSelector": {"app": "web"}},
        ]
    },
    workload=None,
    render=render,
    health=health,
)
