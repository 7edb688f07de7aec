"""Objects of joined clusters which an application refers to."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from velapulumi.clusters.client import Cluster
from velapulumi.clusters.identity import reach
from velapulumi.definitions import Manifest, Reference
from velapulumi.errors import ObjectMissing, VelapulumiError
from velapulumi.project import Project


def read_referred(
    project: Project, references: Iterable[Reference]
) -> Mapping[Reference, tuple[Manifest, ...]]:
    """Read objects as their clusters hold them this moment, clusters side by side.

    Args:
        project: The project the clusters are joined to.
        references: What to read.

    Returns:
        For each reference its objects, by name, with all that the server wrote into them.

    Raises:
        UnknownCluster, ClusterUnreachable, WrongCluster: A cluster cannot be used.
        ObjectMissing: A cluster does not have a kind, or no object that is meant.
    """
    wanted: dict[str, dict[Reference, None]] = {}
    for reference in references:
        wanted.setdefault(reference.cluster, {})[reference] = None
    if not wanted:
        return {}
    clients = {}
    for name, reached in reach(project, wanted).items():
        if isinstance(reached, VelapulumiError):
            raise reached
        clients[name] = reached.client
    with ThreadPoolExecutor(max_workers=min(len(wanted), 16)) as pool:
        found = pool.map(lambda name: _read_all(clients[name], wanted[name]), sorted(wanted))
        return {reference: objects for part in found for reference, objects in part.items()}


def _read_all(
    cluster: Cluster, references: Iterable[Reference]
) -> dict[Reference, tuple[Manifest, ...]]:
    return {reference: _read(cluster, reference) for reference in references}


def _read(cluster: Cluster, reference: Reference) -> tuple[Manifest, ...]:
    api_version, kind = _find_kind(cluster, reference)
    if reference.name:
        metadata = {"name": reference.name, "namespace": reference.namespace}
        one = cluster.read({"apiVersion": api_version, "kind": kind, "metadata": metadata})
        found = [one] if one else []
        meant = reference.name
    else:
        labels = dict(reference.labels)
        found = cluster.objects(api_version, kind, reference.namespace, labels)
        selector = ",".join(f"{key}={value}" for key, value in reference.labels)
        meant = f"with labels {selector}" if selector else "at all"
    if not found:
        namespaced = cluster.kinds(api_version)[kind][1]
        place = f" in namespace {reference.namespace}" if namespaced else ""
        raise ObjectMissing(
            f"cluster {reference.cluster} has no {kind} {meant}{place}, "
            "which the application refers to",
            next_step="Create it there, or correct what the application refers to.",
        )
    return tuple(found)


def _find_kind(cluster: Cluster, reference: Reference) -> tuple[str, str]:
    """API version and kind of what a reference names by kind or resource, in any case."""
    word = reference.resource.lower()
    known = []
    for api_version, kind, plural in _kinds(cluster, reference.group):
        if word in (kind.lower(), plural):
            return api_version, kind
        known.append(plural)
    group = f" in group {reference.group}" if reference.group else ""
    close = difflib.get_close_matches(word, known, n=1)
    hint = f', did you mean "{close[0]}"?' if close else ""
    raise ObjectMissing(
        f'cluster {reference.cluster} has no kind or resource "{reference.resource}"{group}{hint}',
        next_step="Correct the resource and its group, or install its definition in the cluster.",
    )


def _kinds(cluster: Cluster, group: str) -> Iterator[tuple[str, str, str]]:
    """API version, kind and plural of all there is in a group, preferred versions first."""
    for api_version in cluster.api_versions(group):
        for kind, (plural, _) in cluster.kinds(api_version).items():
            yield api_version, kind, plural
