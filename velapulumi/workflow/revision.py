"""Application revisions: ``<application>-v<N>:<hash>``, as KubeVela 1.1 writes them.

The hash covers the spec and what it renders to, so a changed definition is a changed revision and a
changed comment or key order is none. A joined cluster counts by its identity: another name of the
same cluster makes no revision, another cluster of the same name does. Numbers count up; content
that was there before gets its number back.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from velapulumi.render import ClusterFacts, Loaded, RevisionNames, render_environment
from velapulumi.spec.model import StrictModel

_FORM = re.compile(r"(?P<name>.+-v(?P<number>\d+)):(?P<hash>[0-9a-f]{16})")


class ComponentRevision(StrictModel):
    """A component's revision name and the hash of what it stands for."""

    name: str
    hash: str


class Revision(StrictModel):
    """One revision of an application.

    Attributes:
        name: ``<application>-v<N>``.
        hash: 16 hexadecimal digits.
        components: The revision of each component.
    """

    name: str
    hash: str
    components: dict[str, ComponentRevision] = {}  # noqa: RUF012

    def __str__(self) -> str:
        return f"{self.name}:{self.hash}"

    @property
    def number(self) -> int:
        """Its place among the revisions of its application, counted from 1."""
        return _number(str(self))

    @property
    def names(self) -> RevisionNames:
        """The names that rendered objects carry."""
        return RevisionNames(
            self.name, {name: component.name for name, component in self.components.items()}
        )


def revision_of(
    loaded: Loaded, known: Sequence[Revision], recorded: Iterable[str] = ()
) -> Revision:
    """The revision an application is at.

    Args:
        loaded: The application.
        known: The revisions of it so far, oldest first.
        recorded: Revisions that stacks hold (``<name>:<hash>``), which count as known too.

    Returns:
        The known revision with the same content, or the next one.
    """
    name = loaded.application.name
    content = _hash_application(loaded)
    components = _component_revisions(loaded, known)
    for revision in reversed(known):
        if revision.hash == content:
            return revision
    numbers = [_number(str(revision)) for revision in known]
    for text in recorded:
        match = _FORM.fullmatch(text)
        if match and match["hash"] == content:
            return Revision(name=match["name"], hash=content, components=components)
        numbers.append(_number(text))
    number = max(numbers, default=0) + 1
    return Revision(name=f"{name}-v{number}", hash=content, components=components)


def step_id(revision: str, run: int, step: str) -> str:
    """Ten characters that name a step of one run, the same whenever asked."""
    digest = hashlib.sha256(f"{revision}/{run}/{step}".encode()).digest()
    alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
    return "".join(alphabet[byte % len(alphabet)] for byte in digest[:10])


def _number(text: str) -> int:
    match = _FORM.fullmatch(text)
    return int(match["number"]) if match else 0


def _hash_application(loaded: Loaded) -> str:
    names, clusters = RevisionNames("", {}), loaded.surroundings.clusters or {}
    rendered = []
    for environment in loaded.environments.values():
        objects = render_environment(loaded.application, environment, names, loaded.surroundings)
        # Labels choose clusters in the order of their names, and names must not matter. The order
        # in which clusters are written counts as a part of the spec.
        rendered += [
            [_identity(entry.cluster, clusters), entry.namespace, entry.manifest]
            for entry in sorted(
                objects, key=lambda each: (_identity(each.cluster, clusters), each.target)
            )
        ]
    return _hash([_by_identity(loaded.application.spec, clusters), rendered])


def _component_revisions(loaded: Loaded, known: Sequence[Revision]) -> dict[str, ComponentRevision]:
    """Number each component by how often what it is, over all environments, has changed."""
    clusters = loaded.surroundings.clusters or {}
    shapes: dict[str, list[Any]] = {}
    for environment in loaded.environments.values():
        for component in environment.components:
            shapes.setdefault(component.name, []).append(
                [
                    environment.name,
                    component.type,
                    component.properties,
                    [[trait.type, trait.properties] for trait in component.traits],
                ]
            )
    result = {}
    for name, shape in shapes.items():
        content = _hash(_by_identity(shape, clusters))
        past = [revision.components[name] for revision in known if name in revision.components]
        same = next((component for component in reversed(past) if component.hash == content), None)
        number = len({component.name for component in past}) + 1
        result[name] = same or ComponentRevision(name=f"{name}-v{number}", hash=content)
    return result


def _by_identity(value: Any, clusters: Mapping[str, ClusterFacts]) -> Any:
    """A part of the spec with identities instead of names where it names clusters.

    A field that only looks like it names a cluster does no harm: what it changes of the objects
    counts as well, and there it is as written.
    """
    if isinstance(value, list):
        return [_by_identity(entry, clusters) for entry in value]
    if not isinstance(value, Mapping):
        return value
    found = {key: _by_identity(entry, clusters) for key, entry in value.items()}
    if isinstance(name := value.get("cluster"), str):
        found["cluster"] = _identity(name, clusters)
    names = value.get("clusters")
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        found["clusters"] = list(dict.fromkeys(_identity(name, clusters) for name in names))
    selector = value.get("clusterSelector")
    if isinstance(selector, Mapping) and isinstance(name := selector.get("name"), str):
        found["clusterSelector"] = {**selector, "name": _identity(name, clusters)}
    return found


def _identity(cluster: str, clusters: Mapping[str, ClusterFacts]) -> str:
    """The identity of a cluster; its name where it is not joined."""
    facts = clusters.get(cluster)
    return (facts.uid if facts else "") or cluster


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
