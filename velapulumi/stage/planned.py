"""What was decided about objects, written down for the plan document."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from velapulumi.clusters.elements import list_keys
from velapulumi.clusters.identity import Reached
from velapulumi.clusters.images import pinned
from velapulumi.clusters.managed import described, managers_of
from velapulumi.clusters.registry import Registry
from velapulumi.clusters.secrecy import SECRET, hiding
from velapulumi.definitions.rules.fieldpath import Parts, without_value_at
from velapulumi.engine.record import words
from velapulumi.plan.canonical import digest
from velapulumi.plan.document import Base, ClusterPlan, PlannedField, PlannedObject
from velapulumi.plan.fields import FieldChange, differences, one_by_one, owned, written
from velapulumi.plan.normal import normal
from velapulumi.plan.operation import Cause, Operation
from velapulumi.plan.places import located
from velapulumi.project import Project
from velapulumi.render.rules import MARK, TAKEN, registered, sharers_of
from velapulumi.stage.asking import Answer, Answers
from velapulumi.stage.look import CRD, Look
from velapulumi.stage.masking import Mask
from velapulumi.stage.operations import Decision
from velapulumi.stage.refusals import being_deleted, refusal_of
from velapulumi.stage.secrets import hidden
from velapulumi.stage.sides import DriftedField, Facts, desired, kept_in
from velapulumi.stage.taken import remembered
from velapulumi.stage.way_back import is_too_large, losses_of, way_back

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


_WITH_CONTENT = (Operation.CREATE, Operation.REPLACE, Operation.TAKE_OVER)


class ObjectWriter:
    """Writes down what was decided about objects.

    Args:
        project: The project.
        look: What the clusters have.
        registries: The image registries whose tags are resolved.
    """

    def __init__(self, project: Project, look: Look, registries: Sequence[str] = ()) -> None:
        self.mask = Mask(project)
        self._look = look
        self._registries = registries
        self._registry = Registry(project)
        self._joined = {entry.name: entry for entry in self._registry.all()}
        self._pinned: dict[str, str] = {}
        self._answers: Answers = {}

    def clusters(
        self, places: Sequence[str], decisions: Sequence[Decision], answers: Answers | None = None
    ) -> tuple[ClusterPlan, ...]:
        """What happens on each cluster, by name.

        Args:
            places: The clusters that the stage delivers to.
            decisions: What happens to its objects.
            answers: What the clusters say of that.

        Raises:
            UnknownCluster: No cluster is joined under a name that the stage delivers to.
        """
        for place in places:
            if place not in self._joined:
                self._registry.get(place)
        self._answers = answers or {}
        names = {*places, *(decision.key.cluster for decision in decisions)}
        return tuple(
            self._cluster(
                cluster,
                sorted(
                    (each for each in decisions if each.key.cluster == cluster),
                    key=lambda each: each.key,
                ),
                left=cluster not in places,
            )
            for cluster in sorted(names)
        )

    def _cluster(self, name: str, decisions: Sequence[Decision], *, left: bool) -> ClusterPlan:
        joined = self._joined.get(name)
        objects = [(each, self._object(each)) for each in decisions]
        return ClusterPlan(
            cluster=name,
            uid=joined.uid if joined else "",
            ca=_fingerprint(self._registry.kubeconfig(name)) if joined else "",
            reached=isinstance(self._look.clusters.get(name), Reached),
            left=left,
            objects=tuple(planned for _, planned in objects),
            reverse=tuple(
                step for each, planned in objects if (step := way_back(each, planned)) is not None
            ),
        )

    def _object(self, each: Decision) -> PlannedObject:
        key, facts = each.key, each.facts
        exact, normalised = self._desired(each)
        return PlannedObject(
            api_version=facts.object["apiVersion"],
            kind=key.kind,
            namespace=key.namespace,
            name=key.name,
            component=_component(facts.object),
            operation=each.operation,
            cause=each.cause,
            desired=exact,
            normalised=normalised,
            base=Base(live=self._live(each), recorded=self._recorded(each)),
            fields=tuple(_fields(each)),
            drift=tuple(_drift(each)),
            content=self._content(each),
            other=_other(each),
            images=self._images(each),
            irreversible=tuple(losses_of(each.operation, each)),
            refusal=refusal_of(each),
            notes=tuple(_notes(each)),
            remarks=(*_remarks(each), *self._answers.get(key, Answer()).remarks),
        )

    def _content(self, each: Decision) -> Any:
        """What is created, replaced or taken over, without secrets."""
        if each.operation not in _WITH_CONTENT or each.facts.wanted is None:
            return None
        return self.mask.hide(desired(each.facts))

    def _images(self, each: Decision) -> tuple[str, ...]:
        """The images of an object, with their digests where the policy names the registry."""
        if each.facts.wanted is None or each.operation is Operation.READ:
            return ()
        names = tuple(_images(each.facts.wanted))
        if not self._registries:
            return names
        unknown = [name for name in names if name not in self._pinned]
        self._pinned |= pinned(unknown, self._registries)
        return tuple(self._pinned[name] for name in names)

    def _wanted(self, each: Decision) -> Mapping[str, Any] | None:
        """What an object shall be, as far as the application says it; without secrets."""
        facts = each.facts
        if facts.wanted is None or facts.treatment.read_only or each.operation is Operation.SHARE:
            return None
        manifest = registered(dict(facts.wanted), None, facts.treatment)
        wanted: Mapping[str, Any] = _without(self.mask.hide(manifest), facts.treatment.kept)
        return wanted

    def _desired(self, each: Decision) -> tuple[str, str]:
        """The digest of what an object shall be, and of its normal form where that is another."""
        facts = each.facts
        if facts.treatment.frozen and facts.recorded is not None and facts.wanted is not None:
            return self._recorded(each), ""
        wanted = self._wanted(each)
        if wanted is None:
            return "", ""
        form = normal(wanted)
        return digest(wanted), "" if form == wanted else digest(form)

    def _live(self, each: Decision) -> str:
        """Digest of the fields in the cluster that the application owns or is about to own."""
        facts = each.facts
        if facts.live.manifest is None or _is_only_read(each):
            return ""
        if facts.treatment.frozen and facts.recorded is not None:
            return digest("there")
        live, keys = self.mask.hide(facts.live.manifest), list_keys(facts.live.manifest)
        shapes = [facts.wanted, facts.recorded.manifest if facts.recorded else None]
        found = [owned(live, self._shape(each, live), keys) for each in shapes if each is not None]
        return digest([_without(each, _unbound(facts, each)) for each in found])

    def _shape(self, manifest: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
        """A manifest with its form; a Secret whose values are encrypted with the live ones."""
        shape = self.mask.hide(manifest)
        if shape["kind"] == SECRET and "data" in live and not isinstance(shape.get("data"), dict):
            shape["data"] = live["data"]
        return shape

    def _recorded(self, each: Decision) -> str:
        """Digest of what the stack holds, a Secret's values as they are in the cluster."""
        facts = each.facts
        if facts.recorded is None:
            return ""
        shape = self.mask.hide(facts.recorded.manifest)
        if facts.live.manifest is not None and shape["kind"] == SECRET:
            shape = self._shape(facts.recorded.manifest, self.mask.hide(facts.live.manifest))
        return digest(normal(_without(shape, _unbound(facts, shape))))


def _is_only_read(each: Decision) -> bool:
    facts = each.facts
    return each.operation is Operation.READ or (facts.wanted is None and facts.recorded is None)


def _component(manifest: Mapping[str, Any]) -> str:
    labels = (manifest.get("metadata") or {}).get("labels") or {}
    return str(labels.get("app.oam.dev/component") or "")


def _fields(each: Decision) -> Iterator[PlannedField]:
    """The fields that change; of what is put back, from what is live to what it shall be."""
    for change in each.changes:
        yield PlannedField(path=change.path, before=change.before, after=change.after)
    for conflict in each.conflicts:
        if each.operation is Operation.REFUSE:
            yield _drifted(each.key.kind, conflict)


def _drift(each: Decision) -> Iterator[PlannedField]:
    """The fields that others have changed, or that are taken from them."""
    taken = each.conflicts if each.operation is Operation.UPDATE else ()
    for drifted in (*each.drift, *taken):
        yield _drifted(each.key.kind, drifted)


def _drifted(kind: str, drifted: DriftedField) -> PlannedField:
    """A field without values that nobody may see."""
    (change,) = hidden(kind, [FieldChange(drifted.path, drifted.live, drifted.desired)])
    return PlannedField(
        path=change.path,
        before=change.before,
        after=change.after,
        left=drifted.left,
        managers=described(drifted.managers),
    )


def _other(each: Decision) -> str:
    """The stage or application that an object comes from or goes to."""
    facts = each.facts
    if facts.other is not None and (
        each.operation is Operation.HAND_OVER or each.cause is Cause.TAKEN
    ):
        return f"stage {facts.other.stage}"
    live = facts.live.manifest
    if live is None or each.operation in (Operation.NONE, Operation.UPDATE, Operation.CREATE):
        return ""
    if each.operation is Operation.DISOWN and not each.owner_name:
        return next((name for name in sharers_of(live) if name != facts.application), "")
    return each.owner_name


def _remarks(each: Decision) -> Iterator[str]:
    """What its cluster has said of an object: why it is not ready, or not known."""
    facts = each.facts
    if each.cause is Cause.UNREADY and facts.recorded is not None:
        yield from map(hiding([facts.wanted]), words(facts.recorded))
    if each.operation is Operation.OWED:
        yield facts.live.detail or being_deleted(facts.live.manifest or {})


def _notes(each: Decision) -> Iterator[str]:
    """What is to be known of an object beside what is approved."""
    facts = each.facts
    if each.cause is Cause.RESTORED and each.key.kind == SECRET:
        yield "its values and others' annotations stay as they are: those before were not kept"
    if is_too_large(each):
        yield "its way back cannot restore it: it is too large for what it is now to be kept"
    if each.operation is Operation.DELETE and remembered(facts.sides):
        yield "was taken over; deleting it does not bring back what it was before"
    if done := ", ".join(written(change.path) for change in each.done):
        yield f"is so in the cluster already: {done}"
    if lost := ", ".join(map(written, _lost(each))):
        yield f"the engine replaces it as a whole, so what others have set goes: {lost}"
    if each.replaces_fields:
        yield "fields that others have set go with it, as resource-update replaces the object"
    recorded, live = facts.recorded, facts.live.manifest
    uid = str(live["metadata"].get("uid") or "") if live is not None else ""
    if recorded is not None and recorded.uid and uid not in ("", recorded.uid):
        yield "was deleted and created again by others"


def _lost(each: Decision) -> Iterator[Parts]:
    """What others have set in a definition and the engine takes away with an update.

    Pulumi's provider writes a CustomResourceDefinition as a whole (pulumi-kubernetes 4.25).
    """
    if each.operation is not Operation.UPDATE or each.key.kind != CRD:
        return
    live = each.facts.live.manifest or {}
    found = differences(normal(live), normal(each.manifest))
    for change in one_by_one(found):
        managers = managers_of(live, located(change.place, live) or change.path)
        if change.after is None and any(not manager.is_ours for manager in managers):
            yield change.path


def _images(value: Any) -> Iterator[str]:
    """The images of all containers in a manifest, each once."""
    yield from dict.fromkeys(_found_images(value))


def _found_images(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            if key in _CONTAINERS and isinstance(below, list):
                yield from (
                    str(entry["image"])
                    for entry in below
                    if isinstance(entry, Mapping) and entry.get("image")
                )
            else:
                yield from _found_images(below)
    elif isinstance(value, list):
        for below in value:
            yield from _found_images(below)


def _unbound(facts: Facts, value: Any) -> tuple[Parts, ...]:
    """The fields of a manifest that no approval is about."""
    return (*(there for _, there in kept_in(facts, value)), MARK, TAKEN)


def _without(value: Any, paths: Iterable[Parts]) -> Any:
    for path in paths:
        value = without_value_at(path, value)
    return value


def _fingerprint(kubeconfig: Mapping[str, Any]) -> str:
    """SHA-256 of the certificate authority in a kubeconfig; empty when it has none."""
    text = kubeconfig["clusters"][0]["cluster"].get("certificate-authority-data") or ""
    try:
        return hashlib.sha256(base64.b64decode(text)).hexdigest() if text else ""
    except (binascii.Error, ValueError):
        return hashlib.sha256(str(text).encode()).hexdigest()
