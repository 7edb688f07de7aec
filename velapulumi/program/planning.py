"""The plan document of an application, made of what its file, stacks and clusters say now."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from velapulumi import __version__
from velapulumi.clusters.identity import Reached
from velapulumi.clusters.images import pinned
from velapulumi.clusters.registry import Registry
from velapulumi.definitions.rules.fieldpath import Parts, without_value_at
from velapulumi.errors import VelapulumiError
from velapulumi.plan.canonical import digest
from velapulumi.plan.changes import Action, Change, FieldChange, ObjectKey
from velapulumi.plan.document import (
    Base,
    ClusterPlan,
    Operation,
    PlanDocument,
    PlannedField,
    PlannedObject,
    ReverseStep,
    StagePlan,
    Tools,
)
from velapulumi.plan.irreversible import irreversible, replaced_fields
from velapulumi.playground.tools import PROVIDER_VERSION, PULUMI_VERSION
from velapulumi.program.application import Application
from velapulumi.program.comparison import compare, full
from velapulumi.program.masking import SECRET, Mask
from velapulumi.program.prepare import Prepared, prepare
from velapulumi.program.record import RecordedObject
from velapulumi.program.registration import is_rendered, keys_of
from velapulumi.program.state import Clusters
from velapulumi.render.rules import Treatment, registered
from velapulumi.workflow.gates import guards
from velapulumi.workflow.rules import waits_for
from velapulumi.workflow.steps import WorkflowStep

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_INVERSE = {
    Operation.CREATE: Operation.DELETE,
    Operation.DELETE: Operation.CREATE,
    Operation.UPDATE: Operation.UPDATE,
    Operation.REPLACE: Operation.REPLACE,
    Operation.LEAVE: Operation.UPDATE,
}
_ACTION = {
    Operation.CREATE: Action.CREATE,
    Operation.DELETE: Action.DELETE,
    Operation.UPDATE: Action.UPDATE,
    Operation.REPLACE: Action.UPDATE,
}


def plan_document(
    application: Application,
    stages: Mapping[str, Sequence[WorkflowStep]],
    known: Clusters | None = None,
) -> PlanDocument:
    """Make the plan of some stages; asks their clusters, writes nothing.

    Args:
        application: The application.
        stages: The steps that deliver each stage, in the order of delivery.
        known: Clusters that were reached already.

    Raises:
        InvalidApplication: A published value does not fit the parameter it is for.
        ClusterUnreachable: A cluster stopped answering in the middle.
    """
    planner = _Planner(application, dict(known or {}))
    planned = [planner.stage(name, steps) for name, steps in stages.items()]
    return PlanDocument(
        application=application.name,
        namespace=application.loaded.application.namespace,
        revision=str(application.revision),
        tools=Tools(velapulumi=__version__, engine=PULUMI_VERSION, provider=PROVIDER_VERSION),
        trust=application.authority.digest,
        key=planner.mask.name,
        stages=tuple(planned),
    )


@dataclass
class _Held:
    """All that is known of one object before and after."""

    key: ObjectKey
    wanted: Mapping[str, Any] | None = None
    treatment: Treatment = field(default_factory=Treatment)
    recorded: RecordedObject | None = None
    live: Mapping[str, Any] | None = None
    change: Change | None = None
    read: bool = False

    @property
    def kept(self) -> tuple[Parts, ...]:
        """The fields whose values are not the application's."""
        return self.treatment.kept


class _Planner:
    def __init__(self, application: Application, clusters: dict[str, Reached | VelapulumiError]):
        self.mask = Mask(application.project)
        self._application = application
        self._clusters = clusters
        self._registry = Registry(application.project)
        self._pinned: dict[str, str] = {}

    def stage(self, name: str, steps: Sequence[WorkflowStep]) -> StagePlan:
        """The plan of one stage."""
        application = self._application
        held, pending = self._held(name, steps)
        self._look_at(held.values())
        record = application.records[name]
        revisions = {record.steps.get(step.name, "") for step in steps} if record else {""}
        places = application.workflow.stages[name].clusters
        names = dict.fromkeys((*places, *sorted(key.cluster for key in held)))
        return StagePlan(
            stage=name,
            steps=tuple(step.name for step in steps),
            before=revisions.pop() if len(revisions) == 1 else "",
            requires=application.authority.requirements(name, places),
            pending=pending,
            late=self._late(name, steps),
            clusters=tuple(
                self._cluster(
                    cluster, [held[key] for key in sorted(held) if key.cluster == cluster]
                )
                for cluster in sorted(names)
            ),
        )

    def _late(self, name: str, steps: Sequence[WorkflowStep]) -> tuple[str, ...]:
        """The components of a stage with values that are published after its gates have opened."""
        environments = self._application.workflow.stages[name].environments
        found = {
            component.name
            for step in steps
            for published in (frozenset(self._published(name, step)),)
            for component in environments[step.name].components
            if any(item.from_ in published for item in component.inputs)
        }
        return tuple(sorted(found))

    def _published(self, name: str, step: WorkflowStep) -> Iterator[str]:
        """Names of the values that its own stage and all steps between its gates and it publish."""
        workflow = self._application.workflow
        gates = {gate.name for gate in guards(workflow.steps, step)}
        before = waits_for(workflow.steps, step)
        for each in workflow.steps:
            since = each.name in before and gates & {each.name, *waits_for(workflow.steps, each)}
            if since:
                yield from (output.name for output in each.outputs)
            if each.stage is not None and (since or each.stage == name):
                environment = workflow.stages[each.stage].environments[each.name]
                for component in environment.components:
                    yield from (output.name for output in component.outputs)

    def _held(
        self, name: str, steps: Sequence[WorkflowStep]
    ) -> tuple[dict[ObjectKey, _Held], tuple[str, ...]]:
        """The objects of a stage after some steps, a later one's word before an earlier one's."""
        application = self._application
        record = application.records[name]
        held: dict[ObjectKey, _Held] = {}
        pending: dict[str, None] = {}
        for entry in record.objects if record else ():
            key = ObjectKey.of(entry.cluster, entry.manifest)
            held[key] = _Held(key, recorded=entry)
        for prepared in self._prepared(name, steps):
            pending |= dict.fromkeys(prepared.holding.pending)
            self._take(prepared, held)
        if record:
            for key in keys_of(record.read):
                held.setdefault(key, _Held(key)).read = True
        return held, tuple(pending)

    def _prepared(self, name: str, steps: Sequence[WorkflowStep]) -> Iterator[Prepared]:
        for step in steps:
            prepared = prepare(self._application, name, self._clusters, step, collecting=True)
            self._clusters |= prepared.clusters
            yield prepared

    def _take(self, prepared: Prepared, held: dict[ObjectKey, _Held]) -> None:
        rules = self._application.loaded.rules
        changes = {change.key: change for change in compare(prepared).changes}
        for desired in prepared.desired:
            entry = desired.entry
            key = ObjectKey.of(entry.cluster, entry.manifest)
            each = held.setdefault(key, _Held(key))
            if is_rendered(entry) or each.wanted is None:
                each.treatment = rules.treatment_of(entry.manifest)
                each.wanted = entry.manifest
                each.read = each.treatment.read_only and is_rendered(entry)
                each.change = changes.get(key)
        for key, change in changes.items():
            each = held.setdefault(key, _Held(key))
            if each.wanted is None:
                each.change = change

    def _look_at(self, held: Iterable[_Held]) -> None:
        """Read the objects as their clusters have them."""

        def look(each: _Held) -> None:
            cluster = self._clusters.get(each.key.cluster)
            manifest = each.wanted or (each.recorded.manifest if each.recorded else None)
            if isinstance(cluster, Reached) and manifest is not None and not each.read:
                each.live = cluster.client.read(manifest)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(look, held))

    def _cluster(self, name: str, held: Sequence[_Held]) -> ClusterPlan:
        joined = self._registry.get(name)
        objects = [(each, self._object(each)) for each in held]
        return ClusterPlan(
            cluster=name,
            uid=joined.uid,
            ca=_fingerprint(self._registry.kubeconfig(name)),
            reached=isinstance(self._clusters.get(name), Reached),
            objects=tuple(planned for _, planned in objects),
            reverse=tuple(
                self._reverse(each, planned)
                for each, planned in objects
                if planned.operation in _INVERSE
            ),
        )

    def _object(self, each: _Held) -> PlannedObject:
        key, change = each.key, each.change
        replaced = replaced_fields(change, map(_dotted, each.treatment.recreated)) if change else ()
        return PlannedObject(
            api_version=key.api_version,
            kind=key.kind,
            namespace=key.namespace,
            name=key.name,
            component=_component(each),
            operation=_operation(each, replaced),
            **self._desired(each),
            base=self._base(each),
            fields=tuple(map(_field, _shown(change))) if change else (),
            images=self._images(each),
            irreversible=tuple(irreversible(change, replaced)) if change else (),
        )

    def _images(self, each: _Held) -> tuple[str, ...]:
        """The images of an object, with their digests where the policy names the registry."""
        if each.wanted is None or each.read:
            return ()
        policy = self._application.authority.policy
        names = tuple(_images(each.wanted))
        if policy is None or not policy.registries:
            return names
        unknown = [name for name in names if name not in self._pinned]
        self._pinned |= pinned(unknown, policy.registries)
        return tuple(self._pinned[name] for name in names)

    def _desired(self, each: _Held) -> dict[str, str]:
        """The digests of what an object shall be."""
        if each.wanted is None or each.read:
            return {}
        if each.treatment.frozen and each.recorded is not None:
            return {"desired": self._recorded(each)}
        registration = registered(dict(each.wanted), None, each.treatment)
        wanted = _without(self.mask.hide(registration), each.kept)
        exact, settled = digest(wanted), digest(full(wanted))
        return {"desired": exact} | ({"settled": settled} if settled != exact else {})

    def _base(self, each: _Held) -> Base:
        if each.read:
            return Base()
        return Base(live=self._live(each), recorded=self._recorded(each))

    def _live(self, each: _Held) -> str:
        """Digest of the fields in the cluster that the application owns or is about to own."""
        if each.live is None:
            return ""
        if each.treatment.frozen and each.recorded is not None:
            return digest("there")
        live = self.mask.hide(each.live)
        shapes = [each.wanted, each.recorded.manifest if each.recorded else None]
        owned = [
            _owned(live, _without(self._shape(shape, live), each.kept))
            for shape in shapes
            if shape is not None
        ]
        return digest(owned)

    def _shape(self, manifest: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
        """A manifest with its form; a Secret whose values are encrypted with the live ones."""
        shape = self.mask.hide(manifest)
        if shape["kind"] == SECRET and "data" in live and not isinstance(shape.get("data"), dict):
            shape["data"] = live["data"]
        return shape

    def _recorded(self, each: _Held) -> str:
        """Digest of what the stack holds, a Secret's values as they are in the cluster."""
        if each.recorded is None:
            return ""
        shape = self.mask.hide(each.recorded.manifest)
        if each.live is not None and shape["kind"] == SECRET:
            shape = self._shape(each.recorded.manifest, self.mask.hide(each.live))
        return digest(full(_without(shape, each.kept)))

    def _reverse(self, each: _Held, planned: PlannedObject) -> ReverseStep:
        operation = _INVERSE[planned.operation]
        forward = each.change.fields if each.change else ()
        fields = tuple(FieldChange(field.path, field.after, field.before) for field in forward)
        back = Change(_ACTION[operation], each.key, fields)
        replaced = replaced_fields(back, map(_dotted, each.treatment.recreated))
        return ReverseStep(
            object=f"{each.key.api_version} {each.key}",
            operation=operation,
            desired=planned.base.recorded,
            irreversible=tuple(irreversible(back, replaced)),
        )


def _component(each: _Held) -> str:
    manifest = each.wanted or (each.recorded.manifest if each.recorded else {})
    labels = (manifest.get("metadata") or {}).get("labels") or {}
    return str(labels.get("app.oam.dev/component") or "")


def _operation(each: _Held, replaced: Sequence[str]) -> Operation:
    if each.read:
        return Operation.READ
    if each.change is None:
        return Operation.NONE
    if replaced:
        return Operation.REPLACE
    return Operation(str(each.change.action))


def _shown(change: Change) -> Iterator[FieldChange]:
    """The fields of a change without values that nobody may see."""
    if change.key.kind == SECRET:
        inside = [f for f in change.beyond_revision if f.path.startswith(("data", "stringData"))]
        if inside:
            yield FieldChange("data", "[secret]", "[another secret]")
        yield from (field for field in change.beyond_revision if field not in inside)
    else:
        yield from change.beyond_revision


def _field(change: FieldChange) -> PlannedField:
    return PlannedField(path=change.path, before=change.before, after=change.after)


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


def _owned(live: Any, shape: Any) -> Any:
    """What a live value holds of the fields that a manifest has."""
    if isinstance(live, Mapping) and isinstance(shape, Mapping):
        return {key: _owned(live[key], below) for key, below in shape.items() if key in live}
    if isinstance(live, list) and isinstance(shape, list):
        return _owned_list(live, shape)
    return live


def _owned_list(live: list[Any], shape: list[Any]) -> list[Any]:
    """Elements of a list: by their names where they have some, as others may add theirs."""
    entries = (*live, *shape)
    if not all(isinstance(entry, Mapping) and "name" in entry for entry in entries):
        return live
    by_name = {entry["name"]: entry for entry in live}
    return [_owned(by_name[entry["name"]], entry) for entry in shape if entry["name"] in by_name]


def _without(value: Any, paths: Iterable[Parts]) -> Any:
    for path in paths:
        value = without_value_at(path, value)
    return value


def _dotted(path: Parts) -> str:
    """A path as the plan writes it."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _fingerprint(kubeconfig: Mapping[str, Any]) -> str:
    """SHA-256 of the certificate authority in a kubeconfig; empty when it has none."""
    text = kubeconfig["clusters"][0]["cluster"].get("certificate-authority-data") or ""
    try:
        return hashlib.sha256(base64.b64decode(text)).hexdigest() if text else ""
    except (binascii.Error, ValueError):
        return hashlib.sha256(str(text).encode()).hexdigest()
