"""What objects were before they were taken over, so that the way back can restore them.

The object itself keeps that in an annotation, which is written with the first change: so it is
there however the delivery ends. The values of Secrets are not kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from velapulumi.clusters.client import Cluster
from velapulumi.clusters.managed import OWN
from velapulumi.clusters.sharing import change_live
from velapulumi.definitions.rules.fieldpath import value_at
from velapulumi.plan.normal import normal
from velapulumi.render.rules import TAKEN
from velapulumi.stage.operations import Decision
from velapulumi.stage.secrets import SECRET

_LONGEST = 200_000
"""Letters that an annotation may have here; Kubernetes takes 262,144 for all of an object."""


@dataclass(frozen=True)
class Taken:
    """An object that was taken over.

    Attributes:
        revision: Name of the revision that did it, such as ``shop-v3``.
        before: The object as it was, without what belongs to the cluster; of a Secret without its
            values.
    """

    revision: str
    before: Mapping[str, Any]

    @property
    def number(self) -> int:
        """The number of the revision."""
        return int(self.revision.rpartition("-v")[2])


def taken_over(manifest: Mapping[str, Any]) -> Taken | None:
    """What an object was before it was taken over; None when it was not, or does not say.

    Args:
        manifest: The object, as the cluster or a stack has it.
    """
    text = value_at(TAKEN, manifest)
    if not isinstance(text, str):
        return None
    try:
        value = json.loads(text)
        found = Taken(str(value["revision"]), value["before"])
        return found if found.number and found.before["metadata"] else None
    except (ValueError, KeyError, TypeError):
        return None  # somebody has edited it


def taken_text(decision: Decision, revision: str) -> str:
    """What an object says of what it was; empty when that is too long to be kept.

    Args:
        decision: What was decided about it.
        revision: Name of the revision that takes it over.
    """
    live = decision.facts.live.manifest or {}
    metadata = {key: value for key, value in live["metadata"].items() if key in _KEPT}
    before = {key: value for key, value in live.items() if key not in _CLUSTERS}
    if decision.key.kind == SECRET:
        before = {key: value for key, value in before.items() if key not in _VALUES}
    before["metadata"] = metadata
    text = json.dumps({"revision": revision, "before": before}, ensure_ascii=False)
    return text if len(text) <= _LONGEST else ""


def restore(client: Cluster, decision: Decision) -> None:
    """Give an object back the values it had before it was taken over.

    Args:
        client: Its cluster.
        decision: What was decided about it.

    Raises:
        ClusterUnreachable: The cluster stopped answering or refused access.
        ObjectRefused: The object cannot become what it was.
    """
    before = decision.facts.restores or {}

    def act(live: Mapping[str, Any]) -> None:
        found = live["metadata"]
        kept = {key: found[key] for key in _CLUSTER_KEEPS if key in found}
        body = {**before, "metadata": {**before["metadata"], **kept}}
        if "status" in live:
            body["status"] = live["status"]
        if decision.key.kind == SECRET and "data" in live:
            body["data"] = live["data"]
        if normal(body) != normal(live):
            client.replace(body, OWN)

    change_live(client, decision.facts.object, act)


_KEPT = ("name", "namespace", "labels", "annotations")
_CLUSTER_KEEPS = ("resourceVersion", "uid", "finalizers", "ownerReferences")
_CLUSTERS = ("status", "metadata")
_VALUES = ("data", "stringData")
