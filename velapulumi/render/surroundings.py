"""What is known beside the Application file when it is loaded and rendered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from velapulumi.definitions import BUILTIN, Catalog, ClusterVersion, Manifest, Reference


@dataclass(frozen=True)
class ClusterFacts:
    """What a project knows of a joined cluster.

    Attributes:
        labels: Its labels, which topology policies choose by.
        version: Its Kubernetes version.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    version: ClusterVersion = field(default_factory=ClusterVersion)


@dataclass(frozen=True)
class Surroundings:
    """What is known beside the file.

    Attributes:
        clusters: The joined clusters by name; None when they are not known, as offline.
        catalog: The definitions there are.
        referred: Objects of joined clusters which the Application refers to.
        allow_unknown: Whether unknown parameters are ignored with a warning, as KubeVela does.
        values: What the steps of the workflow have published so far, by name.
    """

    clusters: Mapping[str, ClusterFacts] | None = None
    catalog: Catalog = BUILTIN
    referred: Mapping[Reference, Sequence[Manifest]] = field(default_factory=dict)
    allow_unknown: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)


NOTHING_ELSE = Surroundings()
"""No more than the file itself and the built-in definitions."""
