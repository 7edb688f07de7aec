"""Renders environments to Kubernetes objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from velapulumi.definitions import Context, Manifest, PatchConflict, RenderError, unify
from velapulumi.definitions.rules.fieldpath import without_value_at
from velapulumi.render.components import ResolvedComponent, misplaced
from velapulumi.render.environments import Environment
from velapulumi.render.labels import (
    AUXILIARY,
    REPLICA_LABEL,
    Inherited,
    common_labels,
    inherited,
    output_labels,
    workload_labels,
)
from velapulumi.render.placement import ANY, LOCAL, Placement
from velapulumi.render.rules import LAST_APPLIED
from velapulumi.render.surroundings import NOTHING_ELSE, Surroundings
from velapulumi.spec import Application, Component, Path

CLUSTER_SCOPED = frozenset(
    {
        ("", "Namespace"),
        ("", "Node"),
        ("", "PersistentVolume"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "APIService"),
        ("certificates.k8s.io", "CertificateSigningRequest"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        ("networking.k8s.io", "IngressClass"),
        ("node.k8s.io", "RuntimeClass"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "CSIDriver"),
        ("storage.k8s.io", "CSINode"),
        ("storage.k8s.io", "StorageClass"),
        ("storage.k8s.io", "VolumeAttachment"),
    }
)
"""API group and kind of Kubernetes' own objects which have no namespace."""


@dataclass(frozen=True)
class RevisionNames:
    """Names of the revisions written on the objects.

    Attributes:
        application: Such as ``example-app-v1``.
        components: Component name to revision name; ``<component>-v1`` for one not named here.
    """

    application: str
    components: Mapping[str, str] = field(default_factory=dict)

    def of(self, component: Component) -> str:
        """Revision name of a component; its own externalRevision goes first."""
        if component.external_revision:
            return component.external_revision
        return self.components.get(component.name) or f"{component.name}-v1"


@dataclass(frozen=True)
class RenderedObject:
    """One Kubernetes object and where it belongs.

    Attributes:
        cluster: Name of its cluster.
        namespace: Its namespace; empty for a cluster-scoped kind.
        component: Name of its component.
        component_type: Type of its component.
        manifest: The object as plain values.
        role: WORKLOAD for the component's main object, TRAIT for all others.
        trait: For role TRAIT the trait type, ``AuxiliaryWorkload`` for the component's own.
        key: For role TRAIT the key of the output; empty for the workload.
        target: Namespace of the place it is rendered for.
        after_workload: Whether it waits until the component's workload is healthy.
    """

    cluster: str
    namespace: str
    component: str
    component_type: str
    manifest: Manifest
    role: Literal["WORKLOAD", "TRAIT"]
    trait: str | None
    key: str
    target: str = ""
    after_workload: bool = False

    @property
    def replica_key(self) -> str:
        """Which replica of its component it belongs to; empty without a replication policy."""
        key: str = self.manifest["metadata"]["labels"].get(REPLICA_LABEL, "")
        return key

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """API group, kind, namespace and name: what no two objects of a cluster share."""
        group = self.manifest["apiVersion"].rpartition("/")[0]
        return group, self.manifest["kind"], self.namespace, self.manifest["metadata"]["name"]

    @property
    def content(self) -> Mapping[str, Any]:
        """The object without its labels, which tell where it comes from."""
        metadata = {k: v for k, v in self.manifest["metadata"].items() if k != "labels"}
        return {**self.manifest, "metadata": metadata}

    @property
    def title(self) -> str:
        """Kind and name, for messages."""
        return f"{self.manifest['kind']} {self.manifest['metadata']['name']}"


def recorded_object(cluster: str, manifest: Manifest) -> RenderedObject:
    """An object as it was rendered before, told from its labels.

    Args:
        cluster: Name of its cluster.
        manifest: The manifest that ``render_environment`` once made.
    """
    metadata = manifest["metadata"]
    labels = metadata.get("labels") or {}
    workload = labels.get("app.oam.dev/resourceType") == "WORKLOAD"
    return RenderedObject(
        cluster=cluster,
        namespace=metadata.get("namespace") or "",
        component=labels.get("app.oam.dev/component", ""),
        component_type=labels.get("workload.oam.dev/type", ""),
        manifest=manifest,
        role="WORKLOAD" if workload else "TRAIT",
        trait=None if workload else labels.get("trait.oam.dev/type", ""),
        key="" if workload else labels.get("trait.oam.dev/resource", ""),
    )


class ComponentError(Exception):
    """A component whose valid parameters do not go together.

    Args:
        path: Place below the component.
        message: What is wrong.
    """

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


def render_environment(
    application: Application,
    environment: Environment,
    revision: RevisionNames,
    surroundings: Surroundings = NOTHING_ELSE,
) -> tuple[RenderedObject, ...]:
    """Render all objects of an environment.

    The same input gives the same objects, whatever the order of keys in the file. Follows the
    objects and labels of KubeVela v1.10 (without the hash and last-applied bookkeeping).

    Args:
        application: The application of the environment.
        environment: An environment made by ``load`` or ``parse``.
        revision: Names written on the objects.
        surroundings: What is known beside the file.

    Returns:
        The objects in component order, for one placement after the other; of a component the
        workload first, then its own further objects, then those of its traits.
    """
    copied = inherited(application)
    return tuple(
        rendered
        for placement in environment.placements
        for component in environment.resolved
        for rendered in render_component(
            application, component, placement, revision, copied, surroundings
        )
    )


def render_placed(
    application: Application,
    resolved: ResolvedComponent,
    placement: Placement,
    revision: RevisionNames,
    surroundings: Surroundings = NOTHING_ELSE,
) -> tuple[RenderedObject, ...]:
    """Render one component of an environment in one of its places."""
    copied = inherited(application)
    return tuple(render_component(application, resolved, placement, revision, copied, surroundings))


def render_component(
    application: Application,
    resolved: ResolvedComponent,
    placement: Placement,
    revision: RevisionNames,
    copied: Inherited,
    surroundings: Surroundings = NOTHING_ELSE,
) -> Iterator[RenderedObject]:
    """Render one component in one place.

    Raises:
        ComponentError: The parameters contradict each other, a trait contradicts the workload,
            or two traits of one type make the same object.
    """
    component = resolved.component
    made: dict[str, Manifest] = {}
    context = Context(
        app_name=application.name,
        app_namespace=application.namespace,
        app_revision=revision.application,
        app_labels=application.labels,
        app_annotations=application.annotations,
        name=component.name,
        revision=revision.of(component),
        cluster=placement.rendered_name,
        namespace=placement.namespace,
        cluster_version=placement.version,
        workflow_name=application.annotations.get("app.oam.dev/workflowName", ""),
        publish_version=application.annotations.get("app.oam.dev/publishVersion", ""),
        replica_key=resolved.replica_key,
        outputs=made,
        referred=surroundings.referred,
    )
    workload, outputs = _objects(resolved, context, made)
    common = {**copied.labels, **common_labels(context, (LOCAL, ANY))}
    labels = {**common, **workload_labels(component.type)}
    manifest = _finished(workload, context, labels, copied.annotations)
    yield _rendered(placement, component, manifest, "WORKLOAD", None, "", False)
    late = {t.definition.type for t in resolved.traits if t.definition.after_workload}
    makers: dict[tuple[str, ...], str] = {}
    for output in outputs:
        trait, key = output.trait, output.key
        labels = {**common, **output_labels(trait, key)}
        manifest = _finished(output.manifest, context, labels, copied.annotations)
        further = _rendered(placement, component, manifest, "TRAIT", trait, key, trait in late)
        if output.index is not None and makers.get(further.identity) == trait:
            message = f"{further.title} is made by an earlier trait of type {trait} already"
            raise ComponentError(("traits", output.index), message)
        makers[further.identity] = trait
        yield further


@dataclass
class _Output:
    """An object beside the workload: its key, the trait it is from, and that trait's place."""

    key: str
    trait: str
    manifest: Manifest
    index: int | None = None


def _objects(
    resolved: ResolvedComponent, context: Context, made: dict[str, Manifest]
) -> tuple[Manifest, list[_Output]]:
    """The workload after all traits, and the other objects.

    Args:
        resolved: The component.
        context: Its context.
        made: Where the context has the other objects made so far; is kept up with them.
    """
    try:
        base = resolved.definition.render(resolved.parameters, context)
    except RenderError as error:
        raise ComponentError(("properties", *error.path), error.message) from None
    workload = base.workload
    for path, message in misplaced(resolved, workload["kind"]):
        raise ComponentError(path, message)
    outputs = [_Output(key, AUXILIARY, manifest) for key, manifest in base.outputs.items()]
    made.update(base.outputs)
    for index, trait in enumerate(resolved.traits):
        kind = trait.definition.type
        try:
            result = trait.definition.apply(trait.parameters, context, workload)
            workload = unify(workload, result.patch)
            for output in outputs if result.patch_outputs else ():
                if output.key in result.patch_outputs:
                    output.manifest = unify(output.manifest, result.patch_outputs[output.key])
                    made[output.key] = output.manifest
        except RenderError as error:
            place: Path = ("traits", index, "properties", *error.path)
            raise ComponentError(place, error.message) from None
        except PatchConflict as conflict:
            message = f"invalid patch trait {kind} into workload: {conflict}"
            raise ComponentError(("traits", index), message) from None
        outputs += (_Output(key, kind, output, index) for key, output in result.outputs.items())
        made.update(result.outputs)
    _check_name(workload, None)
    for output in outputs:
        _check_name(output.manifest, output.index)
    return workload, outputs


def _check_name(manifest: Manifest, trait: int | None) -> None:
    """Refuse an object whose name the server would draw: nothing could find it again.

    Raises:
        ComponentError: It has ``generateName`` and no name.
    """
    metadata = manifest.get("metadata") or {}
    if metadata.get("generateName") and not metadata.get("name"):
        place: Path = ("properties",) if trait is None else ("traits", trait, "properties")
        raise ComponentError(
            place,
            f"{manifest['kind']} with generateName {metadata['generateName']}: each delivery would "
            "make another object, so give it a name",
        )


def _finished(
    manifest: Manifest, context: Context, labels: Mapping[str, str], annotations: Mapping[str, str]
) -> Manifest:
    """The object with name, namespace, labels and annotations.

    Without what ``kubectl apply`` has noted: it repeats the object, the values of a Secret, too.
    """
    metadata = {
        "name": context.name,
        "namespace": context.namespace,
        **manifest.get("metadata", {}),
    }
    metadata["labels"] = {**metadata.get("labels", {}), **labels}
    if annotations:
        metadata["annotations"] = {**metadata.get("annotations", {}), **annotations}
    group = manifest["apiVersion"].rpartition("/")[0]
    if (group, manifest["kind"]) in CLUSTER_SCOPED:
        del metadata["namespace"]
    found: Manifest = without_value_at(LAST_APPLIED, {**manifest, "metadata": metadata})
    return found


def _rendered(
    placement: Placement,
    component: Component,
    manifest: Manifest,
    role: Literal["WORKLOAD", "TRAIT"],
    trait: str | None,
    key: str,
    late: bool,
) -> RenderedObject:
    return RenderedObject(
        cluster=placement.cluster,
        namespace=manifest["metadata"].get("namespace", ""),
        component=component.name,
        component_type=component.type,
        manifest=manifest,
        role=role,
        trait=trait,
        key=key,
        target=placement.namespace,
        after_workload=late,
    )
