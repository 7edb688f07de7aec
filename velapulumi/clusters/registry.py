"""The joined clusters: who they are in the project, how to sign in apart from it.

``clusters.yaml`` in the stack folder holds what a team shares: name, endpoint, identity, labels
and Kubernetes version. The credentials lie in the machine's own state folder, one file per cluster,
readable by its owner only.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field

from velapulumi import files
from velapulumi.clusters.kubeconfig import Kubeconfig, parse_kubeconfig
from velapulumi.clusters.labels import label_problem
from velapulumi.clusters.names import ClusterNames
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


def _moment(text: str) -> str:
    try:
        if datetime.fromisoformat(text).tzinfo is not None:
            return text
    except ValueError:
        pass
    raise ValueError(f"must be a time with a zone such as 2026-12-20T00:00:00Z, is {text!r}")


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
        uid: UID of its ``kube-system`` namespace: what tells it from any other cluster. Entries
            with the same one are names of the same cluster.
        joined: When it was first joined under that name, in RFC 3339. The earliest name of a
            cluster is its canonical one.
        labels: What topology policies choose it by.
        version: Its Kubernetes version; None when it was joined before versions were recorded.
        formerly: Names that the cluster had before and no other cluster has now, oldest first. The
            first one of the canonical entry is the name that objects carry.
    """

    name: Annotated[str, AfterValidator(_named)]
    type: str
    endpoint: str
    uid: str
    joined: Annotated[str, AfterValidator(_moment)]
    labels: Annotated[Labels, AfterValidator(_valid)] = Field(default_factory=dict)
    version: RecordedVersion | None = None
    formerly: Many[Annotated[str, AfterValidator(_named)]] = ()


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
        """One cluster, by any of its names.

        Raises:
            UnknownCluster: None is joined under that name.
            InvalidFile: The registry is damaged.
        """
        clusters = self.all()
        for entry in clusters:
            if entry.name == name:
                return entry
        current = ClusterNames(clusters).renamed(name)
        raise UnknownCluster(
            f"no such cluster: {name}",
            next_step=f"It is called {current} now: write {current} instead of {name} in the file."
            if current
            else _join_hint(name),
        )

    def names(self) -> ClusterNames:
        """The names of the joined clusters; ask it instead of the registry in a loop.

        Raises:
            InvalidFile: The registry is damaged.
        """
        return ClusterNames(self.all())

    def canonical(self, name: str) -> str:
        """The canonical name of a cluster; a name that is not joined stays as it is.

        Raises:
            InvalidFile: The registry is damaged.
        """
        return self.names().canonical(name)

    def names_of(self, name: str) -> tuple[str, ...]:
        """All names of the cluster of this name, the canonical one first.

        Raises:
            InvalidFile: The registry is damaged.
        """
        return self.names().names_of(name)

    def name_of(self, uid: str) -> str | None:
        """The canonical name of an identity; None when it is not joined.

        Raises:
            InvalidFile: The registry is damaged.
        """
        return self.names().name_of(uid)

    def aliases(self) -> Mapping[str, str]:
        """The canonical name of each alias.

        Raises:
            InvalidFile: The registry is damaged.
        """
        return self.names().aliases()

    def facts(self, *, former: bool = False) -> dict[str, ClusterFacts]:
        """All that rendering needs to know of every joined cluster, by each of its names.

        Args:
            former: Whether names count that a cluster had before and that are not joined now.

        Raises:
            InvalidFile: The registry is damaged.
        """
        clusters = self.all()
        names = ClusterNames(clusters)
        found = {
            entry.name: ClusterFacts(
                labels=entry.labels,
                version=entry.version.value if entry.version else ClusterVersion(),
                name=names.canonical(entry.name),
                uid=entry.uid,
                first_name=names.first_name(entry.uid) or "",
            )
            for entry in clusters
        }
        for entry in clusters if former else ():
            for name in entry.formerly:
                # Labels choose names that are joined, so a former one has none.
                found.setdefault(name, replace(found[entry.name], labels={}))
        return found

    def add(self, cluster: JoinedCluster, kubeconfig: Kubeconfig) -> None:
        """Store a name of a cluster and its credentials; one of the same name is replaced."""
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
            clusters[new] = _remembering(entry.model_copy(update={"name": new}), old)
        with contextlib.suppress(FileNotFoundError):
            self._credential_file(old).replace(self._credential_file(new))

    def remove(self, name: str) -> None:
        """Forget a name of a cluster and the credentials stored under it."""
        with self._changing() as clusters:
            gone = clusters.pop(name, None)
            left = ClusterNames(clusters.values()).name_of(gone.uid) if gone else None
            if gone and left:
                clusters[left] = _remembering(clusters[left], *gone.formerly, name)
        self._credential_file(name).unlink(missing_ok=True)

    def kubeconfig(self, name: str) -> Mapping[str, Any]:
        """The stored kubeconfig of a joined cluster, with nothing but its own context.

        Where none is stored under that name, one stored under another name of the cluster counts:
        a colleague may have joined or renamed it.

        Raises:
            UnknownCluster: This machine has no credentials for it.
            InvalidKubeconfig: The stored file is damaged.
        """
        for path in map(self._credential_file, self.names().every_name([name])):
            with contextlib.suppress(FileNotFoundError):
                text = path.read_text(encoding="utf-8")
                return parse_kubeconfig(text, str(path), path.parent).document
        raise UnknownCluster(
            f"no credentials for cluster {name} on this machine", next_step=_join_hint(name)
        )

    def _credential_file(self, name: str) -> Path:
        return self._project.credentials / f"{name}.kubeconfig"

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, JoinedCluster]]:
        """The clusters by name, to be changed by nobody else and stored when all went well."""
        files.make_private_folder(self._project.state)
        with files.locked(self._project.state / "clusters.lock"):
            clusters = {entry.name: entry for entry in self.all()}
            before = ClusterNames(clusters.values())
            yield clusters
            _keep_first_names(before, clusters)
            ordered = tuple(clusters[name] for name in sorted(clusters))
            document = _ClusterList(clusters=ordered).model_dump(
                mode="json", by_alias=True, exclude_none=True
            )
            for entry in document["clusters"]:
                if not entry["formerly"]:
                    del entry["formerly"]
            files.write(self._file, yaml.safe_dump(document, sort_keys=False))


def _remembering(cluster: JoinedCluster, *names: str) -> JoinedCluster:
    """A cluster that had some names before."""
    formerly = tuple(dict.fromkeys((*cluster.formerly, *names)))
    return cluster.model_copy(update={"formerly": formerly})


def _keep_first_names(before: ClusterNames, clusters: dict[str, JoinedCluster]) -> None:
    """Have each cluster keep the name that its objects carry, whatever its names are now.

    A name that another cluster has now is not kept, or objects of both would carry the same one.
    """
    for name, entry in clusters.items():
        kept = [n for n in entry.formerly if n not in clusters or clusters[n].uid == entry.uid]
        clusters[name] = entry.model_copy(update={"formerly": tuple(kept)})
    after = ClusterNames(clusters.values())
    for name in {after.canonical(name) for name in clusters}:
        entry = clusters[name]
        first = before.first_name(entry.uid)
        if first is None or first == after.first_name(entry.uid):
            continue
        if first not in clusters or clusters[first].uid == entry.uid:
            others = (former for former in entry.formerly if former != first)
            clusters[name] = entry.model_copy(update={"formerly": (first, *others)})


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
