"""One cluster: who it is, which kinds it has, and the objects in it."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

from velapulumi.clusters.answers import read_version
from velapulumi.clusters.connection import NO_KUBERNETES, Connection, Manifest
from velapulumi.clusters.managed import OWN
from velapulumi.definitions import ClusterVersion

_NO_NAMES = (".", "..")
"""Nothing is called so; as parts of a path they would lead to another object."""
_APPLY = "application/apply-patch+yaml"
_PAGE = 500
"""Objects in one answer of a long list; more would not come within the timeout."""
_BOOKKEEPING = (
    ("", "Endpoints"),
    ("", "Event"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("events.k8s.io", "Event"),
)
"""Groups and kinds of what a cluster writes by itself about other objects."""
_IN_EVERY_NAMESPACE = (("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt"))


@dataclass(frozen=True)
class Identity:
    """What a cluster says of itself.

    Attributes:
        uid: UID of its ``kube-system`` namespace.
        version: Version of its API server.
    """

    uid: str
    version: ClusterVersion


@dataclass(frozen=True)
class DryRun:
    """What a cluster would make of a manifest.

    Attributes:
        result: The object as it would be; None when the cluster does not have its kind or its
            namespace.
        warnings: What the cluster remarks, such as fields it does not know.
    """

    result: dict[str, Any] | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Resource:
    plural: str
    namespaced: bool
    verbs: frozenset[str]


class Cluster(Connection):
    """One cluster: its identity, its kinds and its objects.

    Args:
        name: The cluster's name, for messages.
        kubeconfig: A kubeconfig with one context and no file references.
        scratch: Private folder for the key files the client needs while the process lives.
        timeout: Seconds to wait for an answer.

    Raises:
        ClusterUnreachable: The kubeconfig's credentials cannot be used.
    """

    @cached_property
    def _resources(self) -> dict[str, dict[str, _Resource]]:
        """The kinds that the cluster serves, as far as they were asked for, by their version."""
        return {}

    def identity(self) -> Identity:
        """Ask the cluster who it is.

        Raises:
            ClusterUnreachable: No answer, or the credentials are not accepted.
        """
        namespace = self._call("GET", "/api/v1/namespaces/kube-system")
        version = self._call("GET", "/version")
        if namespace is None or version is None:
            raise self._unreachable("it has no kube-system namespace")
        try:
            return Identity(namespace["metadata"]["uid"], read_version(version))
        except (KeyError, TypeError, ValueError) as error:
            raise self._unreachable(NO_KUBERNETES) from error

    def read(self, manifest: Manifest) -> dict[str, Any] | None:
        """Read the object a manifest names; None when it, or its kind, is not there.

        Raises:
            ClusterUnreachable: No answer, or access refused.
        """
        path = self._path(manifest)
        return self._object("GET", path) if path else None

    def merge(self, manifest: Manifest, patch: Manifest) -> None:
        """Merge a patch into the object a manifest names (RFC 7396).

        Raises:
            ClusterUnreachable: No answer, or access refused.
            ObjectRefused: The patch holds the ``resourceVersion`` of a state that is gone, or its
                result is not valid.
        """
        path = self._path(manifest)
        if path:
            query = urlencode({"fieldManager": OWN})
            self._call("PATCH", f"{path}?{query}", patch, "application/merge-patch+json")

    def apply(
        self, manifest: Manifest, manager: str, *, force: bool = True
    ) -> dict[str, Any] | None:
        """Apply a manifest on the server in the name of a field manager.

        Args:
            manifest: The fields the manager wants to own.
            manager: Name of the field manager.
            force: Whether fields that others own with another value are taken from them.

        Returns:
            The object as it then is; None when the cluster does not have its kind or namespace.

        Raises:
            AccessDenied: A right is missing.
            ClusterUnreachable: No answer.
            ObjectRefused: The result is not valid, admission is against it, or others own fields.
        """
        path = self._path(manifest)
        if path is None:
            return None
        query = urlencode({"fieldManager": manager, "force": "true" if force else "false"})
        return self._object("PATCH", f"{path}?{query}", manifest, _APPLY)

    def dry_run(self, manifest: Manifest, manager: str, *, force: bool = False) -> DryRun:
        """Ask the server what an apply would result in; nothing is written.

        Args:
            manifest: The fields the manager would own.
            manager: Name of the field manager.
            force: Whether fields that others own with another value would be taken from them.

        Returns:
            The result and the server's warnings.

        Raises:
            AccessDenied: A right is missing; a dry run needs the rights of the write itself.
            ClusterUnreachable: No answer.
            ObjectRefused: The server would refuse it. For each field that another manager owns
                there is a cause; ``dry_run_unsupported`` when a webhook cannot be asked.
        """
        path = self._path(manifest)
        if path is None:
            return DryRun(None)
        query = urlencode(
            {
                "fieldManager": manager,
                "force": "true" if force else "false",
                "dryRun": "All",
                "fieldValidation": "Warn",
            }
        )
        answer, warnings = self._ask("PATCH", f"{path}?{query}", manifest, _APPLY)
        return DryRun(self._checked(answer), warnings)

    def replace(
        self, manifest: Manifest, manager: str, *, dry_run: bool = False
    ) -> dict[str, Any] | None:
        """Put a manifest in the place of the object it names, or only ask whether that can be done.

        Returns:
            The object as it then is; None when it, or its kind, is not there.

        Raises:
            ClusterUnreachable: No answer, or access refused.
            ObjectRefused: The manifest is not valid, or has the ``resourceVersion`` of a state that
                is gone.
        """
        path = self._path(manifest)
        if path is None:
            return None
        query = urlencode({"fieldManager": manager, **({"dryRun": "All"} if dry_run else {})})
        return self._object("PUT", f"{path}?{query}", manifest, "application/json")

    def delete(self, manifest: Manifest, resource_version: str, *, orphans: bool = False) -> None:
        """Delete the object a manifest names, and what hangs on it.

        Args:
            manifest: Names the object.
            resource_version: The state it must be in.
            orphans: Whether what hangs on it stays.

        Raises:
            ClusterUnreachable: No answer, or access refused.
            ObjectRefused: It is in another state.
        """
        path = self._path(manifest)
        if path:
            options = {
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "propagationPolicy": "Orphan" if orphans else "Background",
                "preconditions": {"resourceVersion": resource_version},
            }
            self._call("DELETE", path, options, "application/json")

    def pods(self, namespace: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """List the pods that carry the labels.

        Raises:
            ClusterUnreachable: No answer, or access refused.
        """
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        query = urlencode({"labelSelector": selector, "limit": 50})
        answer = self._call("GET", f"/api/v1/namespaces/{quote(namespace)}/pods?{query}")
        items = answer.get("items") if answer else None
        return items if isinstance(items, list) else []

    def api_versions(self, group: str) -> list[str]:
        """The versions the cluster serves a group in, the one it prefers first.

        Args:
            group: API group; empty for all of them, first of all the core one.

        Returns:
            API versions such as ``apps/v1``; none when there is no such group.

        Raises:
            ClusterUnreachable: No answer, or access refused.
        """
        answer = self._call("GET", f"/apis/{quote(group, safe='')}" if group else "/apis")
        versions = [] if group else ["v1"]
        try:
            for entry in ([answer] if group else answer["groups"]) if answer else ():
                preferred = entry["preferredVersion"]["groupVersion"]
                others = [version["groupVersion"] for version in entry["versions"]]
                versions += dict.fromkeys([preferred, *others])
        except (KeyError, TypeError) as error:
            raise self._unreachable(NO_KUBERNETES) from error
        return versions

    def kinds(self, api_version: str) -> Mapping[str, tuple[str, bool]]:
        """The kinds of an API version: the plural of each, and whether it is namespaced.

        Raises:
            ClusterUnreachable: No answer, or access refused.
        """
        found = self._discover(api_version)
        return {kind: (each.plural, each.namespaced) for kind, each in found.items()}

    def serves(self, manifest: Manifest) -> bool:
        """Whether the cluster has the kind of a manifest, in its API version.

        Raises:
            ClusterUnreachable: No answer, or access refused.
        """
        return manifest["kind"] in self._discover(manifest["apiVersion"])

    def forget_kinds(self) -> None:
        """Ask again for the kinds from now on; a definition may have brought new ones."""
        self._resources.clear()

    def objects(
        self, api_version: str, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """List the objects of a kind that carry the labels, by name; none without the kind.

        Raises:
            ClusterUnreachable: No answer, or access refused.
        """
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        found = self._list(api_version, kind, namespace, {"labelSelector": selector})
        return sorted(found, key=lambda item: str(item["metadata"]["name"]))

    def list_kind(self, api_version: str, kind: str) -> list[dict[str, Any]]:
        """List all objects of a kind, in all namespaces; none without the kind.

        Raises:
            ClusterUnreachable: No answer, or access refused.
        """
        return list(self._list(api_version, kind, None, {}))

    def list_all(self, namespace: str) -> Iterator[dict[str, Any]]:
        """List what people have put into a namespace, of every kind that can be deleted.

        Left out is what a cluster makes by itself: events, endpoints, what is in each namespace
        from the beginning, and what a controller has made of other objects there.

        Raises:
            ClusterUnreachable: No answer, or access refused; one kind that cannot be listed is
                enough, since nothing else tells that there is none of it.
        """
        items = [*self._all_in(namespace)]
        inside = {item["metadata"].get("uid") for item in items}
        yield from (item for item in items if not _is_made_by_cluster(item, inside))

    def _all_in(self, namespace: str) -> Iterator[dict[str, Any]]:
        """List all that can be deleted in a namespace, but events and endpoints."""
        listed = set(_BOOKKEEPING)
        for api_version in self.api_versions(""):
            group = api_version.rpartition("/")[0]
            for kind, resource in self._discover(api_version).items():
                # Versions show the same objects; the preferred one of a group comes first.
                if (group, kind) in listed or not resource.namespaced:
                    continue
                listed.add((group, kind))
                # What can be listed and not deleted is computed, such as the metrics of pods.
                if {"list", "delete"} <= resource.verbs:
                    yield from self._list(api_version, kind, namespace, {})

    def _list(
        self, api_version: str, kind: str, namespace: str | None, query: Mapping[str, str]
    ) -> Iterator[dict[str, Any]]:
        """The objects of a kind, page by page; all namespaces when None."""
        folder = self._folder(api_version, kind, namespace)
        page: dict[str, Any] = {**query, "limit": _PAGE}
        while folder:
            answer = self._call("GET", f"{folder}?{urlencode(page)}") or {"items": ()}
            try:
                # The items of a list do not say their kind themselves.
                own = {"apiVersion": api_version, "kind": kind}
                items = [{**own, **item} for item in answer["items"] or ()]
                if not all("name" in item["metadata"] for item in items):
                    raise KeyError("name")
                page["continue"] = (answer.get("metadata") or {}).get("continue")
            except (AttributeError, KeyError, TypeError) as error:
                raise self._unreachable(NO_KUBERNETES) from error
            yield from items
            if not page["continue"]:
                break

    def _discover(self, api_version: str) -> Mapping[str, _Resource]:
        if api_version not in self._resources:
            answer = self._call("GET", _root(api_version))
            if answer is None:
                # Not kept: its definition may come while this client lives.
                return {}
            try:
                self._resources[api_version] = {
                    entry["kind"]: _Resource(
                        entry["name"], entry["namespaced"], frozenset(entry.get("verbs") or ())
                    )
                    for entry in answer["resources"]
                    if "/" not in entry["name"]
                }
            except (AttributeError, KeyError, TypeError) as error:
                raise self._unreachable(NO_KUBERNETES) from error
        return self._resources[api_version]

    def _path(self, manifest: Manifest) -> str | None:
        """Path of the object a manifest names; None when the cluster cannot have it."""
        metadata = manifest["metadata"]
        if metadata["name"] in _NO_NAMES:
            return None
        folder = self._folder(manifest["apiVersion"], manifest["kind"], metadata.get("namespace"))
        return f"{folder}/{quote(metadata['name'], safe='')}" if folder else None

    def _folder(self, api_version: str, kind: str, namespace: str | None) -> str | None:
        """Path of the objects of a kind; None when the cluster does not have it."""
        resource = self._discover(api_version).get(kind)
        if resource is None or namespace in _NO_NAMES:
            return None
        inside = resource.namespaced and namespace
        folder = f"/namespaces/{quote(namespace or '', safe='')}" if inside else ""
        return f"{_root(api_version)}{folder}/{resource.plural}"

    def _object(
        self, method: str, path: str, body: Manifest | None = None, content_type: str = ""
    ) -> dict[str, Any] | None:
        return self._checked(self._call(method, path, body, content_type))

    def _checked(self, answer: dict[str, Any] | None) -> dict[str, Any] | None:
        """The object that is answered with; what has no metadata comes from no Kubernetes."""
        if answer is not None and not isinstance(answer.get("metadata"), dict):
            raise self._unreachable(NO_KUBERNETES)
        return answer


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _is_made_by_cluster(item: Mapping[str, Any], inside: Container[Any]) -> bool:
    """Whether it comes and goes with something else; ``inside`` are the UIDs in its namespace."""
    metadata = item["metadata"]
    owners = metadata.get("ownerReferences") or ()
    return (item["kind"], metadata["name"]) in _IN_EVERY_NAMESPACE or any(
        owner.get("controller") and owner.get("uid") in inside for owner in owners
    )
