"""Deployment documents with something taken out, without touching any cluster."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from velapulumi.engine.deployment import NameOf, Names, handle_itself, is_object
from velapulumi.plan.objects import ObjectKey


def without(
    deployment: Mapping[str, Any], objects: Container[ObjectKey], name_of: NameOf = handle_itself
) -> dict[str, Any]:
    """A deployment without some objects, and without what others say of depending on them."""
    gone, kept = set(), []
    names = Names(deployment, name_of)
    for resource in deployment.get("resources") or ():
        if is_object(resource) and names.key(resource) in objects:
            gone.add(resource["urn"])
        else:
            kept.append(resource)
    return {**deployment, "resources": [_independent(resource, gone) for resource in kept]}


def without_pending(
    deployment: Mapping[str, Any], owed: Container[ObjectKey], name_of: NameOf = handle_itself
) -> dict[str, Any]:
    """A deployment without the operations that a killed run left open, and a later one has ended.

    Args:
        deployment: The deployment.
        owed: The objects that are left to a later run, whose operations stay open.
        name_of: Gives the canonical name of a cluster.
    """
    names = Names(deployment, name_of)
    found = {key: value for key, value in deployment.items() if key != "pending_operations"}
    left = [
        operation
        for operation in deployment.get("pending_operations") or ()
        if is_object(operation.get("resource") or {}) and names.key(operation["resource"]) in owed
    ]
    return {**found, "pending_operations": left} if left else found


def settled(
    deployment: Mapping[str, Any],
    clusters: Container[str],
    objects: Container[ObjectKey],
    name_of: NameOf = handle_itself,
) -> dict[str, Any]:
    """A deployment in which some objects are not to be waited for any more.

    The engine would update what it has not seen get ready, whatever else it is told.

    Args:
        deployment: The deployment.
        clusters: The clusters on which nothing is waited for.
        objects: The other objects that are not waited for.
        name_of: Gives the canonical name of a cluster.
    """
    names = Names(deployment, name_of)

    def is_settled(resource: Mapping[str, Any]) -> bool:
        if not is_object(resource) or "initErrors" not in resource:
            return False
        return names.cluster(resource) in clusters or names.key(resource) in objects

    resources = [
        {key: value for key, value in resource.items() if key != "initErrors"}
        if is_settled(resource)
        else resource
        for resource in deployment.get("resources") or ()
    ]
    return {**deployment, "resources": resources}


def _independent(resource: Mapping[str, Any], gone: Container[str]) -> dict[str, Any]:
    """A resource that depends on nothing that is gone."""
    changed = dict(resource)
    if "dependencies" in changed:
        changed["dependencies"] = [urn for urn in changed["dependencies"] if urn not in gone]
    if changed.get("propertyDependencies"):
        changed["propertyDependencies"] = {
            name: [urn for urn in urns or () if urn not in gone]
            for name, urns in changed["propertyDependencies"].items()
        }
    return changed
