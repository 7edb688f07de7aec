"""What is known beside the Application file when it is loaded and rendered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from velapulumi.definitions import BUILTIN, Catalog, ClusterVersion, Manifest, Reference


@dataclass(frozen=True)
class ClusterFacts:
    """What a project knows of a joined cluster under one of its names.

    Attributes:
        labels: The labels of that name, which topology policies choose by.
        version: Its Kubernetes version.
        name: Its canonical name, by which it is placed; empty for the name it is known under.
        uid: Its identity, by which revisions tell it from others; empty for its canonical name.
        first_name: The name its objects carry, which stays when the cluster is renamed; empty for
            its canonical name.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    version: ClusterVersion = field(default_factory=ClusterVersion)
    name: str = ""
    uid: str = ""
    first_name: str = ""


@dataclass(frozen=True)
class Surroundings:
    """What is known beside the file.

    Attributes:
        clusters: The joined clusters by each of their names; None when they are not known, as
            offline.
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
