"""What is known of each object of a stage: from the file, the stacks and the clusters."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

from velapulumi.engine.record import RecordedObject, StageRecord
from velapulumi.errors import InvalidFile
from velapulumi.plan.objects import ObjectKey
from velapulumi.program.application import Application
from velapulumi.program.leaving import abandoned
from velapulumi.render.rules import Treatment
from velapulumi.stage.desired import Desired
from velapulumi.stage.guests import deleted, with_contents, with_guests
from velapulumi.stage.look import NAMESPACE, Look
from velapulumi.stage.operations import Decision, decide
from velapulumi.stage.prepare import Prepared, prepared_steps
from velapulumi.stage.release import left_behind
from velapulumi.stage.removal import Removed
from velapulumi.stage.sides import Facts, Other, is_undone
from velapulumi.stage.situation import Place, Presence
from velapulumi.stage.taken import taken_back
from velapulumi.workflow.phases import StepPhase


def decide_stage(
    prepared: Sequence[Prepared], look: Look, *, after_others: bool = False
) -> tuple[tuple[Desired | None, Decision], ...]:
    """Decide what happens to every object of a stage.

    Args:
        prepared: The steps of the stage that are delivered, in order.
        look: What the clusters have; each object is read once.
        after_others: Whether what the other stages delete, when the workflow has succeeded, counts
            as gone, as in a plan of that; else what holds it is kept until then.

    Returns:
        What is wanted of each object and what happens to it: first what is wanted, in the order in
        which it is applied, then what is not.
    """
    gathered = Gathered(prepared, look)
    found = gathered.facts(after_others=after_others)
    return tuple((desired, decide(facts)) for desired, facts in found)


class Gathered:
    """The objects of one stage, as far as some of its steps deliver them.

    Args:
        prepared: The steps, in order; a later one's word goes before an earlier one's.
        look: What the clusters have.
    """

    def __init__(self, prepared: Sequence[Prepared], look: Look) -> None:
        self._prepared = prepared
        self._look = look
        self._application = prepared[-1].application
        self._stage = prepared[-1].stage
        self._record = self._application.records[self._stage.name]

    def facts(self, *, after_others: bool) -> Iterator[tuple[Desired | None, Facts]]:
        """What is known of each object, read side by side.

        Args:
            after_others: Whether what other stages delete counts as gone.

        Raises:
            InvalidFile: The stack holds an object twice, under two names of its cluster.
        """
        _check_doubles(self._record, str(self._prepared[-1].stack))
        self._look.read(self._names)
        for key, entry in self._desired.items():
            yield entry, with_contents(self._facts(key, entry), self._look, self._delivered)
        given_up = self._given_up()
        elsewhere = partial(going_elsewhere, self._application, self._stage.name, self._look)
        for facts in with_guests(given_up, self._look, elsewhere, after_others=after_others):
            yield None, facts

    def _delivered(self) -> Iterator[ObjectKey]:
        """What the application delivers, in whichever of its stages."""
        for name in self._application.workflow.stages:
            yield from self._application.delivered_keys(name)

    def going(self) -> Collection[ObjectKey]:
        """The objects that it deletes, whatever they hold."""
        return deleted(self._given_up())

    def _given_up(self) -> list[Facts]:
        """What is known of what the stack has, or an interrupted run made, and no step wants."""
        # What an interrupted run made for a step that has not its turn yet is left to that.
        begun = self._begun.keys() - self._application.delivered_keys(self._stage.name)
        keys = {*self._held, *self._read, *begun} - self._desired.keys()
        self._look.read({key: self._names[key] for key in keys})
        found = (self._facts(key, None) for key in sorted(keys))
        return [each for each in found if each.key not in self._begun or is_undone(each)]

    @cached_property
    def _held(self) -> dict[ObjectKey, RecordedObject]:
        return _by_key(self._record.objects if self._record else ())

    @cached_property
    def _read(self) -> dict[ObjectKey, RecordedObject]:
        return _by_key(self._record.read if self._record else ())

    @cached_property
    def _begun(self) -> Mapping[ObjectKey, RecordedObject]:
        """What an interrupted engine was about to make, and the stack does not hold."""
        pending = self._record.pending if self._record else {}
        known = self._held.keys() | self._read.keys()
        return {key: entry for key, entry in pending.items() if key not in known}

    @cached_property
    def _names(self) -> Mapping[ObjectKey, Mapping[str, Any]]:
        """The manifest that names each object."""
        return {
            **{
                key: entry.manifest
                for key, entry in {**self._begun, **self._held, **self._read}.items()
            },
            **{key: entry.entry.manifest for key, entry in self._desired.items()},
        }

    @cached_property
    def _desired(self) -> Mapping[ObjectKey, Desired]:
        """What the steps want, what is rendered before what only stays."""
        found: dict[ObjectKey, Desired] = {}
        for prepared in self._prepared:
            for desired in prepared.desired:
                key = desired.key
                if desired.is_rendered:
                    found.pop(key, None)
                    found[key] = desired
                else:
                    found.setdefault(key, desired)
        return found

    def _facts(self, key: ObjectKey, desired: Desired | None) -> Facts:
        application = self._application
        recorded, read = self._held.get(key), self._read.get(key)
        manifest = desired.entry.manifest if desired else self._names[key]
        rendered = desired is not None and desired.is_rendered
        live = self._look.live(key, manifest)
        rules = application.loaded.rules
        treatment = rules.treatment_of(manifest)
        facts = Facts(
            key,
            application.full_name,
            application.project_id,
            live,
            wanted=manifest if rendered else None,
            stays=self._stays(desired, treatment),
            treatment=treatment,
            recorded=recorded,
            read=read,
            other=other_of(application, self._stage.name, key, wanted=desired is not None),
            begun=recorded is None and self._has_begun(key),
            pending=self._begun.get(key),
            mends=rules.mends_drift,
            takes_fields=application.takes_fields,
            left_behind=key in self._left_behind,
            # What no stack came to hold is given back, whichever revision is delivered.
            taken=taken_back(
                0 if key in self._begun else application.revision.number, (live.manifest, manifest)
            )
            if desired is None and read is None
            else None,
            pruned=self._prepared[-1].collecting,
        )
        if rendered and live.presence is Presence.ABSENT:
            return replace(facts, place=self._place(key, manifest))
        return facts

    def _place(self, key: ObjectKey, manifest: Mapping[str, Any]) -> Place:
        """Whether a cluster can take an object, or will when this delivery is done."""
        place = self._look.place(key, manifest)
        brought = self._brought
        if place is Place.NO_NAMESPACE and (key.cluster, NAMESPACE, key.namespace) in brought:
            return Place.READY
        if place is Place.NO_KIND and (key.cluster, key.group, key.kind) in brought:
            return Place.READY
        return place

    @cached_property
    def _brought(self) -> Collection[tuple[str, str, str]]:
        """What the stage itself and the steps before it bring to clusters."""
        workflow = self._application.workflow
        before = workflow.before(self._stage.steps[-1].name)
        stages = {step.stage for step in before if step.stage} | {self._stage.name}
        return self._application.brought(stages)

    def _has_begun(self, key: ObjectKey) -> bool:
        """Whether a run had begun to make an object, and did not finish.

        An interrupted engine says what it was about to make. One that ends by itself may not
        have recorded all that it made, as the answer of the server got lost: then the journal
        tells, or, of a plain ``pulumi up``, that the stack holds no revision completely.
        """
        record = self._record
        if record and key in record.pending:
            return True
        if record and record.objects and not record.interrupted and not record.steps:
            return True
        steps = {step.name for step in self._stage.steps}
        return not steps.isdisjoint(self._application.unfinished)

    def _stays(self, desired: Desired | None, treatment: Treatment) -> bool:
        """Whether an object that is not rendered stays, also once old objects are deleted."""
        if desired is None or desired.is_rendered:
            return False
        return treatment.stays or self._prepared[-1].collecting

    @cached_property
    def _left_behind(self) -> frozenset[ObjectKey]:
        return left_behind(self._record)


def other_of(
    application: Application, stage: str, key: ObjectKey, *, wanted: bool = False
) -> Other | None:
    """Another stage whose stack holds an object, or that wants it, too.

    Of two stages that both want it, and that run under conditions, one may be left out.

    Args:
        application: The application.
        stage: The stage that asks.
        key: What identifies the object.
        wanted: Whether the stage itself wants it.
    """
    for name, record in application.all_records.items():
        if name == stage:
            continue
        holds = record is not None and key in record.keys
        if (holds or not wanted) and key in application.delivered_keys(name):
            return Other(name, keeps=True, takes=not holds)
        if holds:
            return Other(name, keeps=False)
    stages = application.workflow.stages
    if wanted and not stages[stage].is_conditional:
        for name, each in stages.items():
            if (
                name != stage
                and not each.is_conditional
                and key in application.delivered_keys(name)
            ):
                return Other(name, keeps=True)
    return None


def going_elsewhere(
    application: Application, stage: str, look: Look
) -> Mapping[str, Collection[ObjectKey]]:
    """What the other stages of an application delete when its workflow has succeeded, by stage.

    Stages that the run leaves out delete nothing.

    Args:
        application: The application.
        stage: The stage that asks.
        look: What the clusters have.
    """
    found = {}
    for name, each in application.workflow.stages.items():
        phases = {step: application.run.step(step.name).phase for step in each.steps}
        steps = [step for step, phase in phases.items() if phase is not StepPhase.SKIPPED]
        if name != stage and steps and application.records[name]:
            prepared = list(prepared_steps(application, name, steps, look))
            found[name] = Gathered(prepared, look).going()
    for name in (stack.stage for stack in abandoned(application)):
        record = application.abandoned.get(name)
        if name != stage and record:
            found[name] = removed(application, name, record, look).going()
    return found


def removed(application: Application, stage: str, record: StageRecord, look: Look) -> Removed:
    """A stack of an application that no step delivers to any more, and that is to be deleted.

    Args:
        application: The application.
        stage: The stage it was of.
        record: What it holds.
        look: What the clusters have.
    """
    other = partial(other_of, application, stage)
    number = application.revision.number
    return Removed(application.project_id, record, application.full_name, look, other, number)


def _by_key(objects: Iterable[RecordedObject]) -> dict[ObjectKey, RecordedObject]:
    return {entry.key: entry for entry in objects}


def _check_doubles(record: StageRecord | None, stack: str) -> None:
    """Refuse a stack that holds an object twice: taking it out once would delete it for both."""
    for entry in record.doubles if record else ():
        raise InvalidFile(
            f"stack {stack} holds {entry.key} twice, under two names of cluster {entry.cluster}; "
            f"the second is {entry.handle}",
            next_step="Take the second one out of the stack, which leaves it in the cluster: "
            f"pulumi state delete --stack {stack} with the URN that ends in {entry.handle}/…",
        )
