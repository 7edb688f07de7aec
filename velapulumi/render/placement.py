"""Where objects go: a cluster and a namespace, as topology policies choose them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from velapulumi.definitions import ClusterVersion
from velapulumi.definitions.policies.topology import Parameters as Topology
from velapulumi.render.surroundings import ClusterFacts

LOCAL = "local"
"""Name of the cluster where nothing else is said."""

ANY = ""
"""Stands for the clusters that labels choose where no cluster is known."""


@dataclass(frozen=True)
class Placement:
    """One place of an environment.

    Attributes:
        cluster: Canonical name of the cluster.
        namespace: The namespace there.
        version: Kubernetes version of the cluster; a current one when it is not known.
        first_name: The name its objects carry; empty for the canonical one.
    """

    cluster: str
    namespace: str
    version: ClusterVersion = field(default=ClusterVersion(), compare=False)
    first_name: str = field(default="", compare=False)

    @property
    def rendered_name(self) -> str:
        """The name by which objects call the cluster.

        This stays when the cluster is renamed, so that renaming changes no object.
        """
        return self.first_name or self.cluster


class NoCluster(Exception):
    """A topology's labels match no cluster, which it does not allow."""


def canonical(cluster: str, clusters: Mapping[str, ClusterFacts] | None) -> str:
    """The canonical name of a cluster; a name that is not known stays as it is.

    Args:
        cluster: One of its names.
        clusters: The joined clusters; None when they are not known.
    """
    facts = (clusters or {}).get(cluster)
    return (facts.name if facts else "") or cluster


def placement(
    cluster: str, namespace: str, clusters: Mapping[str, ClusterFacts] | None
) -> Placement:
    """A place on a cluster, which may be given by any of its names.

    Args:
        cluster: One of its names.
        namespace: The namespace there.
        clusters: The joined clusters; None when they are not known.
    """
    name = canonical(cluster, clusters)
    facts = (clusters or {}).get(name)
    if facts is None:
        return Placement(name, namespace)
    return Placement(name, namespace, facts.version, facts.first_name)


def topology_placements(
    topology: Topology, namespace: str, clusters: Mapping[str, ClusterFacts] | None
) -> tuple[Placement, ...]:
    """The places a topology policy chooses, in its order, each once.

    Names go before labels; without either it is the cluster ``local``. Follows KubeVela v1.10. Two
    names of one cluster are one place.

    Args:
        topology: The policy's parameters.
        namespace: Namespace of the Application.
        clusters: The joined clusters; None when they are not known, and what labels choose is
            one place whose cluster is ``ANY``.

    Raises:
        NoCluster: Labels match nothing; the text is KubeVela's.
    """
    labels = topology.labels
    if topology.clusters is not None:
        names: Iterable[str] = topology.clusters
    elif labels is None:
        names = (LOCAL,)
    elif clusters is None:
        names = (ANY,)
    else:
        names = [name for name, facts in clusters.items() if labels.items() <= facts.labels.items()]
        if not names and not topology.allowEmpty:
            raise NoCluster("failed to find any cluster matches given labels")
    target = topology.namespace or namespace
    return tuple(dict.fromkeys(placement(name, target, clusters) for name in names))
