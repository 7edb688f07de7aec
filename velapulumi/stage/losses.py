"""What others lose when an object is written.

Others keep a field that the application no longer names. List elements are different. If only we
hold an element, the server removes it with everything in it, and an element whose key changes is
another element to the server.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from velapulumi.clusters.elements import element_of, list_keys, others_elements
from velapulumi.clusters.managed import OWN
from velapulumi.definitions.rules.fieldpath import MISSING, Parts, value_at
from velapulumi.definitions.rules.listkeys import Keys, key_fields
from velapulumi.plan.fields import FieldChange, is_order
from velapulumi.plan.places import FieldPlace, all_located, as_far_as, is_below, located, place_of
from velapulumi.stage.sides import DriftedField, Facts, manager_of, managers_at


def fields_taken(
    live: Mapping[str, Any] | None, changes: Iterable[FieldChange], drift: Iterable[DriftedField]
) -> tuple[FieldPlace, ...]:
    """The fields that are taken from whoever holds them before an object is written.

    Args:
        live: The object as it is.
        changes: What the application changes.
        drift: What others have changed or hold.
    """
    drifted = ((e.place, e.live, e.desired) for e in drift if not e.left)
    changed = ((change.place, change.before, change.after) for change in changes)
    places = (
        place
        for place, before, after in (*drifted, *changed)
        if after is not None and not _is_free(live, place, before, after)  # else it goes
    )
    return tuple(dict.fromkeys(places))


def _is_free(live: Mapping[str, Any] | None, place: FieldPlace, before: Any, after: Any) -> bool:
    """Whether it is the order of elements that the server knows by a key: nobody holds that."""
    path = located(place, live) if is_order(before, after) else None
    return live is not None and path is not None and bool(key_fields(list_keys(live), path))


def elements_removed(
    facts: Facts, live: Mapping[str, Any], manifest: Mapping[str, Any], taken: Iterable[FieldPlace]
) -> tuple[Parts, ...]:
    """The elements that others hold and that a write removes, as their key changes.

    Args:
        facts: What is known of the object.
        live: The object as it is.
        manifest: What is written.
        taken: The fields that are taken from others, as ``fields_taken`` gives them.
    """
    manager = manager_of(facts.recorded) if facts.recorded else OWN
    return others_elements(live, manifest, all_located(taken, live), manager)


@dataclass(frozen=True)
class Losses:
    """List elements that a write of an object removes, and what others lose with them.

    Attributes:
        facts: What is known of the object.
        live: The object as it is.
        wanted: The object as it is going to be.
        changes: What the application changes.
        drift: What others have changed.
        given_up: Paths of the elements that only the application holds and no longer wants.
        keys: The key fields of the live object's lists.
    """

    facts: Facts
    live: Mapping[str, Any]
    wanted: Mapping[str, Any]
    changes: Collection[FieldChange]
    drift: Collection[DriftedField]
    given_up: Collection[Parts]
    keys: Keys

    def fields(self) -> Iterator[DriftedField]:
        """The values that others have set in these elements and that nothing else reports."""
        for element, place in self._elements().items():
            here = located(place, self.wanted)
            after = MISSING if here is None else value_at(here, self.wanted)
            for rest in _leaves(value_at(element, self.live)):
                path, where = (*element, *rest), (*place, *rest)
                managers = managers_at(self.facts, path)
                is_theirs = any(not manager.is_engine for manager in managers)
                goes_on = value_at(rest, after) is not MISSING
                value = value_at(path, self.live)
                if is_theirs and not goes_on and not self._is_reported(where, value):
                    shown = as_far_as(self.wanted, where, path)
                    yield DriftedField(shown, value, None, managers, place=where)

    def _elements(self) -> dict[Parts, FieldPlace]:
        """The elements that are removed, with the places that changes have for them."""
        taken = fields_taken(self.live, self.changes, self.drift)
        removed = elements_removed(self.facts, self.live, self.wanted, taken)
        changed = ((self._element(place), place) for place in taken)
        known = {element: place[: len(element)] for element, place in changed if element}
        found = dict.fromkeys((*self.given_up, *removed))
        return {e: known.get(e) or place_of(e, self.live, self.keys) for e in found}

    def _element(self, place: FieldPlace) -> Parts | None:
        path = located(place, self.live)
        return element_of(self.keys, path) if path is not None else None

    def _is_reported(self, place: FieldPlace, value: Any) -> bool:
        """Whether a change or a drifted field already shows that a value is removed."""
        changed = ((each.place, each.before) for each in self.changes)
        drifted = ((each.place, each.live) for each in self.drift)
        for top, before in (*changed, *drifted):
            if is_below(place, [top]):
                rest = located(place[len(top) :], before)
                if rest is not None and value_at(rest, before) == value:
                    return True
        return False


def _leaves(value: Any) -> Iterator[Parts]:
    """The paths of an element's fields that contain no further fields."""
    below: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, Mapping):
        below = value.items()
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        below = enumerate(value)
    found = [(part, *rest) for part, each in below for rest in _leaves(each)]
    yield from found or [()]
