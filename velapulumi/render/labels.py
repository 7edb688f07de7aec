"""Labels and annotations which every rendered object carries (follows KubeVela v1.10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from velapulumi.definitions import Context
from velapulumi.spec import Application

FILTER_LABELS = "filter.oam.dev/label-keys"
FILTER_ANNOTATIONS = "filter.oam.dev/annotation-keys"

REPLICA_LABEL = "app.oam.dev/replicaKey"

NOT_COPIED = frozenset(
    {
        FILTER_LABELS,
        FILTER_ANNOTATIONS,
        "kubectl.kubernetes.io/last-applied-configuration",
        "app.oam.dev/last-applied-configuration",
        "app.oam.dev/last-applied-time",
        "oam.dev/kubevela-version",
    }
)
"""Annotations about the Application object itself, of no meaning on what it renders."""

AUXILIARY = "AuxiliaryWorkload"
"""Stands for the trait type on further objects of the component itself."""


@dataclass(frozen=True)
class Inherited:
    """Labels and annotations of the Application which are copied to its objects."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def inherited(application: Application) -> Inherited:
    """The Application's labels and annotations, without the keys its filter annotations list."""
    annotations = application.annotations
    hidden_labels = _listed(annotations.get(FILTER_LABELS, ""))
    hidden = _listed(annotations.get(FILTER_ANNOTATIONS, "")) | NOT_COPIED
    return Inherited(
        {k: v for k, v in application.labels.items() if k not in hidden_labels},
        {k: v for k, v in annotations.items() if k not in hidden},
    )


def common_labels(context: Context, unnamed: Sequence[str]) -> dict[str, str]:
    """Labels of all objects of a component in one place.

    Args:
        context: The component and the place.
        unnamed: Names of the clusters whose objects carry no cluster label.
    """
    labels = {
        "app.oam.dev/name": context.app_name,
        "app.oam.dev/namespace": context.app_namespace,
        "app.oam.dev/component": context.name,
        "app.oam.dev/appRevision": context.app_revision,
        "app.oam.dev/revision": context.revision,
    }
    if context.replica_key:
        labels[REPLICA_LABEL] = context.replica_key
    if context.cluster not in unnamed:
        labels["app.oam.dev/cluster"] = context.cluster
    return labels


def workload_labels(component_type: str) -> dict[str, str]:
    """Labels of a component's main object."""
    return {"app.oam.dev/resourceType": "WORKLOAD", "workload.oam.dev/type": component_type}


def output_labels(trait: str, key: str) -> dict[str, str]:
    """Labels of a further object.

    Args:
        trait: Type of the trait it comes from; AUXILIARY when from the component itself.
        key: Its key among the outputs.
    """
    return {
        "app.oam.dev/resourceType": "TRAIT",
        "trait.oam.dev/type": trait,
        "trait.oam.dev/resource": key,
    }


def _listed(keys: str) -> frozenset[str]:
    return frozenset(key.strip() for key in keys.split(","))
