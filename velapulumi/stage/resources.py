"""How the objects of a stage are registered with the engine: a view of what was decided.

The engine writes what the plan names and nothing else: whatever is not written is registered so
that the engine leaves it as its stack has it, whatever else differs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Any

import pulumi

from velapulumi.clusters.client import Cluster
from velapulumi.clusters.identity import Reached
from velapulumi.clusters.ownership import Leftover, mend, prepare_update, take_over
from velapulumi.clusters.ownership import replace as put
from velapulumi.clusters.sharing import change_live
from velapulumi.definitions.rules.fieldpath import Parts, with_value_at
from velapulumi.engine.record import BEGUN, THEIRS
from velapulumi.plan.operation import Cause, Operation
from velapulumi.plan.places import FieldPlace, all_located
from velapulumi.render.rules import FORCED, MARK, TAKEN
from velapulumi.stage.desired import Desired
from velapulumi.stage.manifest import Manifest, resource_type
from velapulumi.stage.operations import Decision
from velapulumi.stage.release import is_taken_out
from velapulumi.stage.sides import manager_of
from velapulumi.stage.situation import Owner
from velapulumi.stage.taken import Taken, kept_of, remembered, taken_over
from velapulumi.stage.taking import is_taken, take


class Mode(Enum):
    """What the engine does with an object."""

    WRITE = "brings it to its manifest"
    LEAVE = "leaves it as the stack has it"
    READ = "reads it"


_MODES: Mapping[Operation, Mode | None] = {
    Operation.CREATE: Mode.WRITE,
    Operation.UPDATE: Mode.WRITE,
    Operation.REPLACE: Mode.WRITE,
    Operation.TAKE_OVER: Mode.WRITE,
    Operation.HAND_OVER: Mode.WRITE,
    Operation.NONE: Mode.LEAVE,
    Operation.MEND: Mode.LEAVE,
    Operation.LEAVE: Mode.LEAVE,
    Operation.KEEP: Mode.LEAVE,
    Operation.OWED: Mode.LEAVE,
    Operation.READ: Mode.READ,
    Operation.SHARE: Mode.READ,
    Operation.DELETE: None,
    Operation.DISOWN: None,
    Operation.FORGET: None,
}
"""How each operation is registered; None for what the stage no longer holds."""


@dataclass(frozen=True)
class Registration:
    """An object of a stage and how it is registered.

    Attributes:
        desired: The object, and what it waits for.
        decision: What was decided about it.
        manifest: What is registered: for one that is only read, what is there.
        mode: What the engine does with it.
        handle: What the stack calls its cluster.
        retained: Whether the engine forgets it instead of deleting it.
        left_behind: Whether it stays in its cluster for good.
    """

    desired: Desired
    decision: Decision
    manifest: Mapping[str, Any]
    mode: Mode
    handle: str
    retained: bool = False
    left_behind: bool = False

    @property
    def name(self) -> str:
        """The name of its resource, unique among those of its kind in the stack."""
        metadata = self.manifest["metadata"]
        namespace = metadata.get("namespace")
        place = f"{namespace}/" if namespace else ""
        return f"{self.handle}/{place}{metadata['name']}"

    @property
    def joins(self) -> bool:
        """Whether the application shares somebody else's object from now on."""
        return self.decision.operation is Operation.SHARE


def registrations(
    decided: Sequence[tuple[Desired | None, Decision]],
    handles: Mapping[str, str],
    project_id: str,
    revision: str,
) -> tuple[Registration, ...]:
    """How the objects of a stage are registered, in the order in which they are applied.

    Args:
        decided: What was decided about each object; none is refused.
        handles: What the stack calls each cluster it holds objects on, by canonical name.
        project_id: The identity of the project.
        revision: Name of the revision that is delivered.
    """
    found = []
    for desired, decision in decided:
        mode = _MODES[decision.operation]
        facts = decision.facts
        if is_taken_out(decision) and facts.recorded and facts.live.manifest:
            mode = Mode.LEAVE  # the engine would delete it
        if decision.operation is Operation.HAND_OVER and decision.facts.wanted is None:
            mode = Mode.LEAVE  # until the other stage has taken it
        if mode is None:
            continue
        if decision.operation is Operation.NONE and decision.cause is Cause.UNREADY:
            mode = Mode.WRITE  # so that the engine looks once more whether it is ready
        held = decision.facts.recorded or decision.facts.read
        if desired is None:
            if held is None:
                continue
            desired = Desired.of_recorded(held)
        if decision.operation is Operation.OWED and facts.recorded is None:
            continue  # nobody can tell what is there, and the stack manages nothing of it
        found.append(_registration(desired, decision, mode, handles, project_id, revision))
    return tuple(found)


def _registration(
    desired: Desired,
    decision: Decision,
    mode: Mode,
    handles: Mapping[str, str],
    project_id: str,
    revision: str,
) -> Registration:
    facts = decision.facts
    recorded, treatment = facts.recorded, facts.treatment
    held = recorded or facts.read
    manifest = _manifest(decision, mode, project_id, revision)
    rendered = facts.wanted is not None
    return Registration(
        desired,
        decision,
        manifest,
        mode,
        held.handle if held and held.handle else handles[decision.key.cluster],
        # What only stays goes on as the last update that wrote it said, and is never deleted where
        # a policy says so now.
        retained=treatment.never_deleted
        or decision.operation is Operation.DISOWN
        or (treatment.shared if rendered else recorded is not None and recorded.retained),
        left_behind=treatment.never_deleted if rendered else facts.left_behind,
    )


def _manifest(decision: Decision, mode: Mode, project_id: str, revision: str) -> Mapping[str, Any]:
    facts = decision.facts
    if mode is Mode.READ:
        return facts.live.manifest or facts.object
    if mode is Mode.WRITE:
        return _kept(decision, marked(decision.manifest, project_id), revision)
    return facts.recorded.manifest if facts.recorded is not None else facts.object


def marked(manifest: Mapping[str, Any], project_id: str) -> Mapping[str, Any]:
    """An object with the mark of the project.

    Args:
        manifest: The object.
        project_id: The identity of the project.
    """
    found: Mapping[str, Any] = with_value_at(MARK, manifest, project_id)
    return found


def _kept(decision: Decision, manifest: Mapping[str, Any], revision: str) -> Mapping[str, Any]:
    """An object with what it was before it was taken over, now or once."""
    if decision.operation is Operation.TAKE_OVER and decision.cause is None:
        live = decision.facts.live.manifest
        assert live is not None
        # What is ours and says what it was has been taken over half way: it is not that any more.
        said = taken_over(live) if decision.owner is Owner.OURS else None
        found = [said or Taken(revision, kept_of(live, decision.manifest))]
    else:
        found = [*remembered(decision.facts.sides)]
    kept: Mapping[str, Any] = with_value_at(TAKEN, manifest, found[0].text) if found else manifest
    return kept


def previewed(registration: Registration) -> Registration:
    """How an object is registered in a preview, in which no field is taken from others before.

    The provider would give up at the first field that others hold.

    Args:
        registration: How it is registered otherwise.
    """
    if registration.mode is not Mode.WRITE or not registration.decision.taken:
        return registration
    return replace(registration, manifest=with_value_at(FORCED, registration.manifest, "true"))


def resource_options(
    registration: Registration, cluster: Reached | None, patience: float
) -> pulumi.ResourceOptions:
    """What is asked of the engine for one object, beside its provider and what it waits for.

    Args:
        registration: The object.
        cluster: Its cluster; None when that does not answer and the object stays as it is.
        patience: Seconds what is made anew may take to go.
    """
    decision, mode = registration.decision, registration.mode
    facts = decision.facts
    if mode is Mode.READ:
        return read_options(registration)
    trigger = facts.recorded.trigger if facts.recorded else 0
    options = pulumi.ResourceOptions(aliases=_aliases(registration), replacement_trigger=trigger)
    if registration.retained:
        options.retain_on_delete = True
    if mode is Mode.LEAVE:
        options.ignore_changes = ["*"]
        return options
    if facts.begun:
        # The stack may have it as deleted already, to be made anew. The engine would take what it
        # finds for the new one, and delete that as the old one.
        options.delete_before_replace = True
    if decision.operation is Operation.CREATE and decision.cause is Cause.LOST:
        # The stack still has it. Deleting what is not there is no write; then it is created.
        options.replace_on_changes = ["*"]
        options.replacement_trigger = trigger + 1
        options.delete_before_replace = True
    if decision.operation is Operation.REPLACE:
        options.replace_on_changes = [_property_path(path) for path in decision.fixed]
        options.delete_before_replace = True
    if cluster is not None:
        options.hooks = _hooks(registration, cluster.client, patience)
    return options


def read_options(registration: Registration) -> pulumi.ResourceOptions:
    """What is asked of the engine for one object that it only reads.

    Args:
        registration: The object.
    """
    metadata = registration.manifest["metadata"]
    place = [metadata["namespace"]] if metadata.get("namespace") else []
    return pulumi.ResourceOptions(id="/".join([*place, metadata["name"]]))


def known_before(each: Registration, provider: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """An object that is there and to be taken over, so that the stack knows it before it is.

    Args:
        each: How it is registered otherwise.
        provider: What the engine reads it with.
    """
    decision = each.decision
    has_giver = decision.operation is Operation.HAND_OVER  # whose stack knows it
    if pulumi.runtime.is_dry_run() or has_giver or not is_taken(decision):
        return []
    options = pulumi.ResourceOptions.merge(provider, read_options(each))
    name = f"{each.name}{THEIRS if decision.cause is None else BEGUN}"
    return [Manifest(name, each.manifest, options)]


def _hooks(
    registration: Registration, client: Cluster, patience: float
) -> pulumi.ResourceHookBinding | None:
    """What is done right before the engine writes an object, in its order."""
    decision, manifest = registration.decision, registration.manifest
    # Objects of two kinds may have one name, and hooks may not.
    name = f"{resource_type(manifest['apiVersion'], manifest['kind'])} {registration.name}"
    if is_taken(decision):
        taking = pulumi.ResourceHook(
            f"take {name}", lambda _: take(decision, manifest, client, patience)
        )
        return pulumi.ResourceHookBinding(before_create=[taking])
    if decision.replaces_fields:
        putting = pulumi.ResourceHook(f"replace {name}", lambda _: put(client, manifest))
        return pulumi.ResourceHookBinding(before_update=[putting])
    return None


def _aliases(registration: Registration) -> list[pulumi.Alias] | None:
    """The resource under the version of the API that the stack has it in: it is the same object."""
    recorded = registration.decision.facts.recorded
    if recorded is None:
        return None
    before, now = recorded.manifest["apiVersion"], registration.manifest["apiVersion"]
    kind = registration.manifest["kind"]
    return [pulumi.Alias(type_=resource_type(before, kind))] if before != now else None


def write_beside(
    found: Sequence[Registration], clusters: Mapping[str, Reached], project_id: str
) -> None:
    """Do what the engine cannot with objects of the stack, right before it runs.

    All of it is named by the plan. Objects are freed from the managers that hold their fields,
    exactly the named fields are taken from others, and what others have changed is put back.

    Args:
        found: The objects.
        clusters: Their clusters by name.
        project_id: The identity of the project.

    Raises:
        ClusterUnreachable: A cluster stopped answering or refused access.
        ObjectRefused: An object cannot become what is wanted, or has changed meanwhile.
    """
    for each in found:
        decision = each.decision
        operation, live = decision.operation, decision.facts.live.manifest
        recorded = decision.facts.recorded
        if live is None or decision.facts.wanted is None or recorded is None:
            continue
        client = clusters[decision.key.cluster].client
        manifest = each.manifest
        if operation is Operation.TAKE_OVER:
            paths = tuple(all_located(decision.taken, live))
            take_over(Leftover(client, live, manifest, True, paths))
            continue
        manager = manager_of(recorded)
        if operation is Operation.MEND:
            manifest = _kept(decision, marked(decision.manifest, project_id), "")
            act = partial(_change, mend, client, manifest, decision.taken, manager)
        elif each.mode is Mode.WRITE and operation is not Operation.REPLACE:
            act = partial(_change, prepare_update, client, manifest, decision.taken, manager)
        else:
            continue
        change_live(client, manifest, act)


def _change(
    write: Callable[[Cluster, Mapping[str, Any], Mapping[str, Any], Iterable[Parts], str], object],
    client: Cluster,
    manifest: Mapping[str, Any],
    taken: tuple[FieldPlace, ...],
    manager: str,
    live: Mapping[str, Any],
) -> None:
    write(client, manifest, live, all_located(taken, live), manager)


def _property_path(path: Parts) -> str:
    """A field's path as the engine writes it."""
    keys = (f"[{part}]" if isinstance(part, int) else f"[{json.dumps(part)}]" for part in path)
    return "".join(keys)
