"""The joined clusters: who they are in the project, how to sign in apart from it.

``clusters.yaml`` in the stack folder holds what a team shares: name, endpoint and identity. The
credentials lie in the machine's own state folder, one file per cluster, readable by its owner only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field

from velapulumi import files
from velapulumi.clusters.kubeconfig import Kubeconfig, parse_kubeconfig
from velapulumi.documents import read_file
from velapulumi.errors import UnknownCluster, UsageProblem
from velapulumi.project import Project
from velapulumi.spec.model import Many, StrictModel

LOCAL = "local"
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")


class JoinedCluster(StrictModel):
    """A cluster as it was when it was joined.

    Attributes:
        name: Its name in placements.
        type: How one signs in, such as ``tls``.
        endpoint: URL of its API server.
        uid: UID of its ``kube-system`` namespace: what tells it from any other cluster.
        joined: When, in RFC 3339.
    """

    name: str
    type: str
    endpoint: str
    uid: str
    joined: str


class _ClusterList(StrictModel):
    api_version: Literal["velapulumi.dev/v1"] = Field("velapulumi.dev/v1", alias="apiVersion")
    kind: Literal["ClusterList"] = "ClusterList"
    clusters: Many[JoinedCluster] = ()


class Registry:
    """The clusters of one project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._file = project.registry_file

    def all(self) -> list[JoinedCluster]:
        """Every joined cluster, by name.

        Raises:
            InvalidFile: The registry is damaged.
        """
        document = read_file(self._file, _ClusterList)
        return sorted(document.clusters, key=lambda entry: entry.name) if document else []

    def get(self, name: str) -> JoinedCluster:
        """One cluster.

        Raises:
            UnknownCluster: None is joined under that name.
            InvalidFile: The registry is damaged.
        """
        for entry in self.all():
            if entry.name == name:
                return entry
        raise UnknownCluster(f"no such cluster: {name}", next_step=_join_hint(name))

    def add(self, cluster: JoinedCluster, kubeconfig: Kubeconfig) -> None:
        """Store a cluster and its credentials; one of the same name is replaced."""
        files.write(
            self._credential_file(cluster.name),
            yaml.safe_dump(dict(kubeconfig.document), sort_keys=False),
            mode=0o600,
        )
        with files.locked(self._project.state / "clusters.lock"):
            self._store([entry for entry in self.all() if entry.name != cluster.name] + [cluster])

    def remove(self, name: str) -> None:
        """Forget a cluster and its credentials."""
        files.make_private_folder(self._project.state)
        with files.locked(self._project.state / "clusters.lock"):
            self._store([entry for entry in self.all() if entry.name != name])
        self._credential_file(name).unlink(missing_ok=True)

    def kubeconfig(self, name: str) -> Mapping[str, Any]:
        """The stored kubeconfig of a joined cluster, with nothing but its own context.

        Raises:
            UnknownCluster: This machine has no credentials for it.
            InvalidKubeconfig: The stored file is damaged.
        """
        path = self._credential_file(name)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise UnknownCluster(
                f"no credentials for cluster {name} on this machine", next_step=_join_hint(name)
            ) from None
        return parse_kubeconfig(text, str(path), path.parent).document

    def _credential_file(self, name: str) -> Path:
        return self._project.credentials / f"{name}.kubeconfig"

    def _store(self, clusters: list[JoinedCluster]) -> None:
        ordered = sorted(clusters, key=lambda entry: entry.name)
        document = _ClusterList(clusters=tuple(ordered)).model_dump(mode="json", by_alias=True)
        files.write(self._file, yaml.safe_dump(document, sort_keys=False))


def check_name(name: str) -> None:
    """Refuse a name that no cluster may have.

    Raises:
        UsageProblem: It is empty, reserved or no DNS name; texts follow KubeVela where it has one.
    """
    if not name:
        raise UsageProblem("ClusterName cannot be empty")
    if name == LOCAL:
        raise UsageProblem(
            "ClusterName cannot be `local`, it is reserved as the local cluster",
            next_step="Choose another one with --name.",
        )
    if len(name) > 63 or not _NAME.fullmatch(name):
        raise UsageProblem(
            f"cluster name {name!r} is not a DNS name (lower-case letters, digits, '-' and '.')",
            next_step="Choose another one with --name.",
        )


def _join_hint(name: str) -> str:
    return f"Join it with: velapulumi cluster join KUBECONFIG --name {name}"
