"""How the live object differs from what was delivered: what others have changed in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from velapulumi.clusters.beyond import fields_beyond
from velapulumi.clusters.elements import counterpart, element_of
from velapulumi.clusters.secrecy import SECRET, is_secret_value
from velapulumi.definitions.rules.fieldpath import MISSING, Parts, value_at
from velapulumi.plan.fields import FieldChange, differences, is_order, is_revision_label, owned
from velapulumi.plan.normal import normal
from velapulumi.plan.places import FieldPlace, Named, as_far_as, is_below, located, place_of
from velapulumi.render.rules import MARK, SHARERS, TAKEN
from velapulumi.stage.losses import Losses
from velapulumi.stage.secret_changes import secret_drift
from velapulumi.stage.secrets import without_values
from velapulumi.stage.sides import DriftedField, kept_in, managers_at
from velapulumi.stage.three_way import ThreeWay

_MARKS = (MARK, TAKEN, SHARERS)


def drift(sides: ThreeWay) -> Iterator[DriftedField]:
    """The fields that were delivered and are not as they were.

    Args:
        sides: The object.
    """
    live, recorded, wanted = sides.live, sides.recorded, sides.wanted
    if live is None or recorded is None or wanted is None or not sides.is_ready:
        return
    if recorded.manifest["apiVersion"] != wanted["apiVersion"]:
        return  # what was recorded is of another form, so nothing can be told
    before, now = (
        without_values(normal(owned(side, wanted, sides.keys))) for side in (recorded.outputs, live)
    )
    found = differences(before, now, keys=sides.keys)
    # Who holds some of a map or a list need not hold all of it.
    for change in sides.one_by_one(found, both=True):
        place = change.place
        if is_order(change.before, change.after):
            yield from _reordered(sides, change, place)
        elif sides.is_named(place):
            yield from _drifted(sides, change, place)
    for change in secret_drift(sides.facts, wanted):
        yield from _drifted(sides, change, change.path)


def _drifted(sides: ThreeWay, change: FieldChange, place: FieldPlace) -> Iterator[DriftedField]:
    """A field that is not as it was delivered: before is what was, after what is."""
    facts, live, path = sides.facts, sides.live, change.path
    if path in _MARKS or is_revision_label(path) or sides.keeps(place):
        return
    is_secret = is_secret_value(facts.key.kind, path)
    here, there = located(place, sides.wanted), located(place, live)
    managers = managers_at(facts, there) if live is not None and there is not None else ()
    wanted = MISSING if here is None else value_at(here, sides.wanted)
    if wanted is not MISSING and wanted == change.after and not is_secret:
        return  # others have set what is wanted by now
    controlled = any(manager.is_controller for manager in managers)
    yield DriftedField(
        path if here is None else here,
        change.after,
        change.before if wanted is MISSING or is_secret else wanted,
        managers,
        facts.treatment.frozen or not facts.mends or controlled,
        place,
    )


def _reordered(sides: ThreeWay, change: FieldChange, place: FieldPlace) -> Iterator[DriftedField]:
    """A list that others have put in another order: whose that is, no managed field tells."""
    here = located(place, sides.wanted)
    if here is None or sides.keeps(place):
        return
    wanted = value_at(here, sides.wanted)
    order = sorted(change.after, key=lambda each: Named.by_key(each).position(wanted) or 0)
    if order != change.after:
        left = sides.facts.treatment.frozen or not sides.facts.mends
        yield DriftedField(here, change.after, order, (), left, place)


def left_to_others(sides: ThreeWay, changes: Iterable[FieldChange]) -> Iterator[DriftedField]:
    """The changes of fields that a controller keeps as it wants them.

    The stack names them already. A field that is named for the first time is a conflict.

    Args:
        sides: The object.
        changes: What the application changes.
    """
    live = sides.live
    if live is None or (sides.recorded is None and not sides.is_made):
        return
    for change in changes:
        if is_order(change.before, change.after):
            continue  # nobody holds an order
        place = change.place
        path = located(place, live)
        if path is None or is_revision_label(change.path) or not sides.is_named(place):
            continue
        managers = managers_at(sides.facts, path)
        value = value_at(path, live)
        if value is MISSING or value == change.after or sides.facts.key.kind == SECRET:
            continue
        # What the application gives up stays with whoever else holds it, unless the server
        # removes the whole element that it is in.
        if is_below(path, sides.given_up):
            continue
        others = any(not manager.is_engine for manager in managers)
        # What was left to others once is recorded as they have it.
        stays = others and (change.after is None or _was_left(sides, change, value))
        if stays or any(manager.is_controller for manager in managers):
            yield DriftedField(change.path, value, change.after, managers, True, place)


def _was_left(sides: ThreeWay, change: FieldChange, live: Any) -> bool:
    """Whether a policy leaves a field to those who have changed it, and the stack has their value.

    Args:
        sides: The object.
        change: What the application changes.
        live: The field's value in the cluster.
    """
    is_left = sides.facts.treatment.frozen or not sides.facts.mends
    return is_left and sides.is_ready and change.before == live


def kept_by_policy(sides: ThreeWay) -> Iterator[DriftedField]:
    """The fields whose live values a policy keeps, where the file says something else.

    Args:
        sides: The object.
    """
    rendered, live = sides.facts.wanted, sides.live
    if rendered is None or live is None or sides.recorded is None:
        return
    for path, there in kept_in(sides.facts, live):
        value, said = value_at(there, live), value_at(path, rendered)
        if MISSING not in (value, said) and normal({"x": value}) != normal({"x": said}):
            managers, place = managers_at(sides.facts, there), place_of(path, rendered, sides.keys)
            yield DriftedField(path, value, said, managers, True, place)


def unrecorded(
    sides: ThreeWay, changes: Iterable[FieldChange], *, written: bool
) -> Iterator[DriftedField]:
    """The fields that only the engine holds, and that the application does not name.

    A run that did not end has set them, and the next write takes them away.

    Args:
        sides: The object.
        changes: What the application changes.
        written: Whether something changes that is not left to others, so that there is a write.
    """
    facts, live, wanted = sides.facts, sides.live, sides.wanted
    if live is None or wanted is None or not sides.is_applied:
        return
    told = [*_told(sides, changes, live)]
    for path in fields_beyond(live, wanted, sides.is_ours):
        place = place_of(path, live, sides.keys)
        if path in _MARKS or sides.keeps(place) or is_secret_value(facts.key.kind, path):
            continue
        if not _is_asked_before(sides, path) and not is_below(path, told):
            left = facts.treatment.frozen or not (facts.mends or written)
            managers, value = managers_at(facts, path), value_at(path, live)
            yield DriftedField(as_far_as(wanted, place, path), value, None, managers, left, place)


def _is_asked_before(sides: ThreeWay, path: Parts) -> bool:
    """Whether the last whole run asked for a live field: then a change tells of it."""
    recorded, live = sides.recorded, sides.live
    if recorded is None or live is None or not recorded.ready:
        return False
    return counterpart(live, recorded.manifest, path, sides.keys) is not MISSING


def _told(
    sides: ThreeWay, changes: Iterable[FieldChange], live: Mapping[str, Any]
) -> Iterator[Parts]:
    """Where the live object has the fields that change, whatever their elements are told by.

    With a key field, the whole element changes: the server takes it for another one. Of what the
    last run has asked for, its fields tell that.
    """
    for change in changes:
        path = located(change.place, live)
        if path is not None and not is_order(change.before, change.after):
            element = None if sides.is_ready else element_of(sides.keys, path)
            yield element or path


def lost_with_elements(
    sides: ThreeWay, changes: Collection[FieldChange], drifted: Collection[DriftedField]
) -> Iterator[DriftedField]:
    """What others have set in list elements that the next write removes.

    Args:
        sides: The object.
        changes: What the application changes.
        drifted: What others have changed.
    """
    live, wanted = sides.live, sides.wanted
    is_written = bool(changes) or any(not each.left for each in drifted)
    if live is None or wanted is None or not is_written or sides.facts.treatment.frozen:
        return
    losses = Losses(sides.facts, live, wanted, changes, drifted, sides.given_up, sides.keys)
    yield from losses.fields()
