"""How each object of a stage is registered: written, left as it is, or only read.

What the resource-rule policies ask for becomes options of the engine's resource and, where the
engine has none, a look at the live object before. Finding out writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from velapulumi.clusters.identity import Reached
from velapulumi.clusters.ownership import Leftover, claim, title
from velapulumi.definitions.rules.fieldpath import with_value_at
from velapulumi.errors import NotSupported, ObjectMissing, ObjectNotOurs
from velapulumi.plan.changes import ObjectKey
from velapulumi.program.desired import Desired
from velapulumi.program.prepare import Prepared
from velapulumi.program.record import RecordedObject, StageRecord
from velapulumi.program.release import LEFT_BEHIND, full_name
from velapulumi.render import RenderedObject
from velapulumi.render.rules import NO_WAIT, Treatment, owner_of, registered, sharers_of


class Mode(Enum):
    """What the engine does with an object."""

    WRITE = "brings it to its manifest"
    LEAVE = "leaves it as the stack has it"
    UNWATCH = "leaves it and does not wait again until it is ready"
    READ = "reads it"


@dataclass(frozen=True)
class Registration:
    """An object of a stage and how it is registered.

    Attributes:
        desired: The object.
        treatment: What the policies say about it.
        manifest: What is registered: for one that is only read, what is there.
        mode: What the engine does with it.
        retained: Whether the engine forgets it instead of deleting it. What only stays goes on as
            the last update that had it said.
        left_behind: Whether it stays in its cluster for good; likewise.
    """

    desired: Desired
    treatment: Treatment
    manifest: Mapping[str, Any]
    mode: Mode = Mode.WRITE
    retained: bool = False
    left_behind: bool = False

    @property
    def entry(self) -> RenderedObject:
        return self.desired.entry

    @property
    def joins(self) -> bool:
        """Whether it is somebody else's object that the application shares from now on."""
        return self.mode is Mode.READ and self.treatment.shared and not self.treatment.read_only


@dataclass(frozen=True)
class Registrations:
    """The objects of a stage, and those that exist already and have to be taken over first."""

    objects: tuple[Registration, ...]
    leftovers: tuple[Leftover, ...]


def find_registrations(prepared: Prepared, clusters: Mapping[str, Reached]) -> Registrations:
    """Find out how the objects of a stage are registered, looking at those that exist.

    Args:
        prepared: The stage.
        clusters: The clusters of its objects by name.

    Raises:
        ObjectNotOurs: An object exists that belongs to nobody or to another application.
        ObjectMissing: An object that is only read does not exist.
        NotSupported: Two policies contradict each other on an object.
        ClusterUnreachable: A cluster stopped answering.
    """
    rules = prepared.application.loaded.rules
    record = prepared.application.records[prepared.stage.name]
    finder = _Finder(record)
    for desired in prepared.desired:
        entry = desired.entry
        treatment = rules.treatment_of(entry.manifest)
        finder.find(desired, treatment, clusters.get(entry.cluster))
    return Registrations(tuple(finder.objects), tuple(finder.leftovers))


class _Finder:
    def __init__(self, record: StageRecord | None) -> None:
        self.objects: list[Registration] = []
        self.leftovers: list[Leftover] = []
        self._held = keys_of(record.objects) if record else frozenset()
        self._read = keys_of(record.read) if record else frozenset()
        self._retained = keys_of(e for e in record.objects if e.retained) if record else ()
        self._left_behind = record.outputs.get(LEFT_BEHIND) or () if record else ()
        broken = [entry for entry in record.objects if not entry.ready] if record else []
        self._broken = keys_of(broken)

    def find(self, desired: Desired, treatment: Treatment, cluster: Reached | None) -> None:
        """Find out how one object is registered; one of a silent cluster stays as it is."""
        entry = desired.entry
        key = ObjectKey.of(entry.cluster, entry.manifest)
        held = key in self._held
        if cluster is None:
            self._find_silent(desired, treatment, key)
        elif key in self._read and not is_rendered(entry):
            if (live := cluster.client.read(entry.manifest)) is not None:
                self.objects.append(Registration(desired, treatment, live, Mode.READ))
        elif not is_rendered(entry):
            self.objects.append(self._left(desired, treatment, key))
        elif treatment.read_only:
            self._find_read_only(desired, treatment, cluster)
        elif treatment.frozen and held:
            self.objects.append(_registration(desired, treatment, entry.manifest, Mode.LEAVE))
        else:
            looks = not held or treatment.shared or treatment.kept
            live = cluster.client.read(entry.manifest) if looks else None
            self._find_written(desired, treatment, cluster, live, held)

    def _find_silent(self, desired: Desired, treatment: Treatment, key: ObjectKey) -> None:
        """What the stack has of a cluster that does not answer; what is only read is left out."""
        if key not in self._read:
            self.objects.append(self._left(desired, treatment, key))

    def _left(self, desired: Desired, treatment: Treatment, key: ObjectKey) -> Registration:
        """An object that stays as it is; one that did not get ready is not waited for again."""
        manifest, mode = desired.entry.manifest, Mode.LEAVE
        if key in self._broken:
            manifest, mode = with_value_at(NO_WAIT, manifest, "true"), Mode.UNWATCH
        return Registration(
            desired,
            treatment,
            manifest,
            mode,
            retained=key in self._retained,
            left_behind=full_name(key) in self._left_behind,
        )

    def _find_read_only(self, desired: Desired, treatment: Treatment, cluster: Reached) -> None:
        manifest = desired.entry.manifest
        live = cluster.client.read(manifest)
        if live is None:
            name = manifest["metadata"]["name"]
            raise ObjectMissing(
                f"{manifest['kind']} ({name}) is marked as read-only but does not exist on "
                f"{cluster.joined.name}. You should check the existence of the resource or remove "
                "the read-only policy"
            )
        self.objects.append(Registration(desired, treatment, live, Mode.READ))

    def _find_written(
        self,
        desired: Desired,
        treatment: Treatment,
        cluster: Reached,
        live: Mapping[str, Any] | None,
        held: bool,
    ) -> None:
        manifest = desired.entry.manifest
        if live is not None and treatment.shared and owner_of(live) not in ("", owner_of(manifest)):
            if not sharers_of(live):
                raise ObjectNotOurs(
                    f"{title(manifest)} on {cluster.joined.name}: application is controlled by "
                    f"{owner_of(live)} but is not sharable",
                    next_step="Give the other application a shared-resource policy for the object, "
                    "too, or rename it.",
                )
            self.objects.append(Registration(desired, treatment, live, Mode.READ))
            return
        if treatment.recreated and (treatment.never_deleted or treatment.shared):
            raise NotSupported(
                f"{title(manifest)}: resource-update wants to make it anew, and another policy "
                "that it is never deleted",
                next_step="Take it out of the recreateFields, or out of the shared-resource or "
                "garbage-collect rule.",
            )
        manifest = registered(manifest, live, treatment)
        if live is not None and not held:
            self.leftovers.append(claim(cluster, live, manifest, adopt=treatment.take_over))
        self.objects.append(_registration(desired, treatment, manifest, Mode.WRITE))


def _registration(
    desired: Desired, treatment: Treatment, manifest: Mapping[str, Any], mode: Mode
) -> Registration:
    """A rendered object: what becomes of it one day is as its policies say now."""
    return Registration(
        desired,
        treatment,
        manifest,
        mode,
        retained=treatment.never_deleted or treatment.shared,
        left_behind=treatment.never_deleted,
    )


def is_rendered(entry: RenderedObject) -> bool:
    """Whether an object was rendered now; else it only stays as the stack has recorded it."""
    return bool(entry.target)


def keys_of(objects: Iterable[RecordedObject]) -> frozenset[ObjectKey]:
    """The keys of what a stack has recorded."""
    return frozenset(ObjectKey.of(entry.cluster, entry.manifest) for entry in objects)
