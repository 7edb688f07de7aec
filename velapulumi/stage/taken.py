"""What objects were before they were taken over, so that the way back can restore them.

The object itself keeps that in an annotation, which is written with the first change: so it is
there however the delivery ends. Its stack keeps the annotation, too, so that it is known even when
somebody has taken it off. Of a Secret nothing is kept that could hold its values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from velapulumi.clusters.elements import list_keys
from velapulumi.clusters.managed import Manager
from velapulumi.clusters.secrecy import SECRET
from velapulumi.definitions.rules.fieldpath import value_at, with_value_at, without_value_at
from velapulumi.plan.fields import FieldChange, differences
from velapulumi.plan.normal import normal
from velapulumi.plan.objects import ObjectKey
from velapulumi.render.rules import LAST_APPLIED, SHARERS, TAKEN
from velapulumi.stage.others import with_others
from velapulumi.stage.secrets import without_values

_MOST = 262_144 - 65_536
"""Bytes that all annotations of an object may have together, so that what it was is kept.

Kubernetes takes 262,144. The rest is for the name of the revision, and for what others write later.
"""

_UNKEPT = frozenset({str(LAST_APPLIED[-1])})
"""Annotations that are never kept, and stay as they are: this one repeats the values of Secrets."""


_NOTE, _SHARERS = str(TAKEN[-1]), str(SHARERS[-1])


@dataclass(frozen=True)
class Taken:
    """That an object was taken over.

    Attributes:
        revision: Name of the revision that did it, such as ``shop-v3``; empty when not known.
        before: The object as it was, without what belongs to the cluster; of a Secret without its
            values and annotations. None when it is not known.
    """

    revision: str = ""
    before: Mapping[str, Any] | None = None

    @property
    def number(self) -> int:
        """The number of the revision; 0 when it is not known."""
        return _number(self.revision)

    @property
    def text(self) -> str:
        """What the annotation says."""
        said: dict[str, Any] = {"revision": self.revision}
        if self.before is not None:
            said["before"] = self.before
        return json.dumps(said, ensure_ascii=False)


def taken_over(manifest: Mapping[str, Any]) -> Taken | None:
    """What an object says of having been taken over; None when it says nothing.

    One that somebody has edited says that much: it was taken over, and what it was is not known.

    Args:
        manifest: The object, as the cluster or a stack has it.
    """
    text = value_at(TAKEN, manifest)
    if not isinstance(text, str):
        return None
    try:
        value = json.loads(text)
        revision, before = str(value["revision"]), value.get("before")
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return Taken()
    if not _number(revision):
        return Taken()
    return Taken(revision, _kept(before) if _is_before(before, manifest) else None)


def remembered(sides: Iterable[Mapping[str, Any] | None]) -> tuple[Taken, ...]:
    """What several sides of an object say of it, the one that knows most first.

    Args:
        sides: The object as the cluster has it, as the stack has it; None where it has not.
    """
    found = (taken_over(side) for side in sides if side is not None)
    return tuple(
        sorted(
            (taken for taken in found if taken is not None),
            key=lambda taken: (taken.before is None, not taken.number),
        )
    )


def taken_back(number: int, sides: Iterable[Mapping[str, Any] | None]) -> Taken | None:
    """How an object was taken over on the way that a revision goes back; None when it was not.

    Where nobody knows any more which revision has taken it over, it may have been a later one.

    Args:
        number: The number of the revision.
        sides: The object as the cluster has it, as the stack has it; None where it has not.
    """
    found = remembered(sides)
    told = [taken for taken in found if taken.number] or found
    return next((taken for taken in told if not 0 < taken.number <= number), None)


def kept_of(live: Mapping[str, Any], manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What is kept of an object that is taken over; None when that is too large.

    Args:
        live: The object as it is.
        manifest: What it becomes.
    """
    before = _kept(live)
    written: dict[str, Any] = {**_annotations(live), **_annotations(manifest)}
    written[_NOTE] = Taken("", before).text
    texts = (f"{name}{text}" for name, text in written.items())
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    return before if size <= _MOST else None


def restored(
    live: Mapping[str, Any],
    before: Mapping[str, Any],
    recorded: Mapping[str, Any],
    is_ours: Callable[[Manager], bool],
) -> dict[str, Any]:
    """An object with what it was before it was taken over, to be put in its place.

    What others, or the cluster, have set since and the application does not name stays as it is,
    and so does what is never kept.

    Args:
        live: The object as it is.
        before: What it was.
        recorded: What the stack has asked for; an annotation of a Secret in it goes.
        is_ours: Whether a manager is the application's.
    """
    metadata = {key: value for key, value in before["metadata"].items() if key != "annotations"}
    ours = {*_annotations(recorded), _NOTE, _SHARERS}
    is_secret = live["kind"] == SECRET
    staying = {
        name: text
        for name, text in _annotations(live).items()
        if name in _UNKEPT or (is_secret and name not in ours)
    }
    if annotations := {**_annotations(before), **staying}:
        metadata["annotations"] = annotations
    found = live["metadata"]
    metadata |= {key: found[key] for key in _CLUSTER_KEEPS if key in found}
    as_it_is = ("status", *(_VALUES if is_secret else ()))
    whole = {**before, "metadata": metadata, **{key: live[key] for key in as_it_is if key in live}}
    named = with_value_at(TAKEN, with_value_at(SHARERS, recorded, ""), "")
    merged: dict[str, Any] = with_others(live, whole, named, is_ours)
    return merged


def restored_fields(
    live: Mapping[str, Any],
    before: Mapping[str, Any],
    recorded: Mapping[str, Any],
    is_ours: Callable[[Manager], bool],
) -> Iterator[FieldChange]:
    """The fields that change when an object gets back what it was, without secret values.

    Args:
        live: The object as it is.
        before: What it was.
        recorded: What the stack has asked for.
        is_ours: Whether a manager is the application's.
    """
    now = normal(without_values(without_value_at(TAKEN, live)))
    then = restored(live, before, recorded, is_ours)
    yield from differences(now, normal(without_values(then)), keys=list_keys(live))


def _number(revision: str) -> int:
    """The number in the name of a revision; 0 when it has none."""
    try:
        return max(0, int(revision.rpartition("-v")[2]))
    except ValueError:
        return 0


def _is_before(before: Any, manifest: Mapping[str, Any]) -> bool:
    """Whether something can be what an object was: the same object, in the form of one."""
    try:
        same = ObjectKey.of("", before) == ObjectKey.of("", manifest)
        metadata = before["metadata"]
        return same and all(isinstance(metadata.get(name, {}), dict) for name in _MAPS)
    except (AttributeError, KeyError, TypeError):
        return False


def _kept(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """An object without what belongs to the cluster, and without what is never kept."""
    is_secret = manifest["kind"] == SECRET
    metadata = {key: value for key, value in manifest["metadata"].items() if key in _KEPT}
    unkept = {*_UNKEPT, _NOTE}
    annotations = {
        name: text for name, text in _annotations(manifest).items() if name not in unkept
    }
    metadata.pop("annotations", None)
    if annotations and not is_secret:
        metadata["annotations"] = annotations
    body = {
        key: value
        for key, value in manifest.items()
        if (key in _OF_SECRETS if is_secret else key not in _CLUSTERS)
    }
    return {**body, "metadata": metadata}


def _annotations(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = manifest["metadata"].get("annotations") or {}
    return found


_MAPS = ("labels", "annotations")
_KEPT = ("name", "namespace", *_MAPS)
_CLUSTER_KEEPS = ("resourceVersion", "uid", "finalizers", "ownerReferences")
_CLUSTERS = ("status", "metadata")
_OF_SECRETS = ("apiVersion", "kind", "type", "immutable")
_VALUES = ("data",)
