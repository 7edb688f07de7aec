"""The joined clusters: who they are in the project, how to sign in apart from it.

``clusters.yaml`` in the stack folder holds what a team shares: name, endpoint, identity, labels
and Kubernetes version. The credentials lie in the machine's own state folder, one file per cluster,
readable by its owner only.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field

from velapulumi import files
from velapulumi.clusters.kubeconfig import Kubeconfig, parse_kubeconfig
from velapulumi.clusters.labels import label_problem
from velapulumi.definitions import ClusterVersion
from velapulumi.documents import read_file
from velapulumi.errors import UnknownCluster, UsageProblem
from velapulumi.project import Project
from velapulumi.render import ClusterFacts
from velapulumi.spec.model import Labels, Many, StrictModel

LOCAL = "local"
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_ANOTHER_NAME = "Choose another name; `velapulumi cluster join` takes it with --name."


def _named(name: str) -> str:
    if not _is_name(name):
        raise ValueError(f"must be a DNS name, is {name!r}")
    return name


def _valid(labels: dict[str, str]) -> dict[str, str]:
    if problem := label_problem(labels):
        raise ValueError(problem)
    return labels


class RecordedVersion(StrictModel):
    """A Kubernetes version, spelled as an API server does and its numbers as numbers."""

    major: int
    minor: int
    git_version: str = Field(alias="gitVersion")
    platform: str = ""

    @classmethod
    def of(cls, version: ClusterVersion) -> RecordedVersion:
        """The form the registry keeps a version in."""
        return cls(
            major=version.major,
            minor=version.minor,
            gitVersion=version.git_version,
            platform=version.platform,
        )

    @property
    def value(self) -> ClusterVersion:
        return ClusterVersion(self.major, self.minor, self.git_version, self.platform)


class JoinedCluster(StrictModel):
    """A cluster as it was when it was joined or, its version, when it was probed last.

    Attributes:
        name: Its name in placements.
        type: How one signs in, such as ``tls``.
        endpoint: URL of its API server.
        uid: UID of its ``kube-system`` namespace: what tells it from any other cluster.
        joined: When, in RFC 3339.
        labels: What topology policies choose it by.
        version: Its Kubernetes version; None when it was joined before versions were recorded.
    """

    name: Annotated[str, AfterValidator(_named)]
    type: str
    endpoint: str
    uid: str
    joined: str
    labels: Annotated[Labels, AfterValidator(_valid)] = Field(default_factory=dict)
    version: RecordedVersion | None = None


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

    def facts(self) -> dict[str, ClusterFacts]:
        """What rendering needs to know of every joined cluster, by name.

        Raises:
            InvalidFile: The registry is damaged.
        """
        return {
            entry.name: ClusterFacts(
                entry.labels, entry.version.value if entry.version else ClusterVersion()
            )
            for entry in self.all()
        }

    def add(self, cluster: JoinedCluster, kubeconfig: Kubeconfig) -> None:
        """Store a cluster and its credentials; one of the same name is replaced."""
        files.write(
            self._credential_file(cluster.name),
            yaml.safe_dump(dict(kubeconfig.document), sort_keys=False),
            mode=0o600,
        )
        with self._changing() as clusters:
            clusters[cluster.name] = cluster

    def update(self, name: str, change: Callable[[JoinedCluster], JoinedCluster]) -> JoinedCluster:
        """Change what is recorded of a cluster.

        Args:
            name: Its name.
            change: Makes the new entry of the old one; the name stays.

        Raises:
            UnknownCluster: None is joined under that name.
            InvalidFile: The registry is damaged.
        """
        with self._changing() as clusters:
            clusters[name] = changed = change(self.get(name))
        return changed

    def rename(self, old: str, new: str) -> None:
        """Give a cluster another name, which its credentials on this machine follow.

        Raises:
            UnknownCluster: None is joined under the old name.
            UsageProblem: One is joined under the new name.
            InvalidFile: The registry is damaged.
        """
        with self._changing() as clusters:
            entry = self.get(old)
            if new in clusters:
                raise UsageProblem(
                    f"cannot set cluster name to {new}: cluster {new} is already joined",
                    next_step="Choose another name.",
                )
            del clusters[old]
            clusters[new] = entry.model_copy(update={"name": new})
        with contextlib.suppress(FileNotFoundError):
            self._credential_file(old).replace(self._credential_file(new))

    def remove(self, name: str) -> None:
        """Forget a cluster and its credentials."""
        with self._changing() as clusters:
            clusters.pop(name, None)
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

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, JoinedCluster]]:
        """The clusters by name, to be changed by nobody else and stored when all went well."""
        files.make_private_folder(self._project.state)
        with files.locked(self._project.state / "clusters.lock"):
            clusters = {entry.name: entry for entry in self.all()}
            yield clusters
            ordered = tuple(clusters[name] for name in sorted(clusters))
            document = _ClusterList(clusters=ordered).model_dump(
                mode="json", by_alias=True, exclude_none=True
            )
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
            next_step=_ANOTHER_NAME,
        )
    if not _is_name(name):
        raise UsageProblem(
            f"cluster name {name!r} is not a DNS name (lower-case letters, digits, '-' and '.')",
            next_step=_ANOTHER_NAME,
        )


def _is_name(name: str) -> bool:
    return len(name) <= 63 and _NAME.fullmatch(name) is not None


def _join_hint(name: str) -> str:
    return f"Join it with: velapulumi cluster join KUBECONFIG --name {name}"
