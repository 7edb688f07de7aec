"""What a write takes from others: the fields that it claims, and what goes with elements of lists.

Who holds a field keeps it when the application names it no longer. An element of a list is not like
that: the server takes it away with everything in it when only we hold it itself, and with another
key it is another element.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from velapulumi.clusters.elements import element_of, list_keys, others_elements
from velapulumi.clusters.managed import OWN
from velapulumi.definitions.rules.fieldpath import MISSING, Parts, value_at
from velapulumi.definitions.rules.listkeys import Keys, key_fields
from velapulumi.plan.fields import (
    FieldChange,
    FieldPlace,
    all_located,
    as_far_as,
    is_below,
    is_order,
    located,
    place_of,
)
from velapulumi.stage.sides import DriftedField, Facts, managers_at


def claimed(
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


@dataclass(frozen=True)
class Going:
    """The elements of lists that go with a write of an object.

    Attributes:
        facts: What is known of the object.
        live: The object as it is.
        wanted: The object as it is going to be.
        changes: What the application changes.
        drift: What others have changed.
        given_up: Paths of the elements that the application has and wants no more.
    """

    facts: Facts
    live: Mapping[str, Any]
    wanted: Mapping[str, Any]
    changes: Collection[FieldChange]
    drift: Collection[DriftedField]
    given_up: Collection[Parts]

    def lost(self) -> Iterator[DriftedField]:
        """What others have set in these elements, as far as no change tells that it goes."""
        if self.facts.treatment.frozen:
            return  # nothing is written
        for element, place in self._elements().items():
            here = located(place, self.wanted)
            after = MISSING if here is None else value_at(here, self.wanted)
            for rest in _leaves(value_at(element, self.live)):
                path, where = (*element, *rest), (*place, *rest)
                managers = managers_at(self.facts, path)
                is_theirs = any(not manager.is_engine for manager in managers)
                value = value_at(path, self.live)
                if is_theirs and value_at(rest, after) is MISSING and not self._told(where, value):
                    shown = as_far_as(self.wanted, where, path)
                    yield DriftedField(shown, value, None, managers, place=where)

    def _elements(self) -> dict[Parts, FieldPlace]:
        """The elements that go, with the places by which changes know them."""
        places = claimed(self.live, self.changes, self.drift)
        recorded, keys = self.facts.recorded, list_keys(self.live)
        manager = recorded.manager if recorded and recorded.manager else OWN
        other = others_elements(self.live, self.wanted, all_located(places, self.live), manager)
        told = ((self._element(place, keys), place) for place in places)
        known = {element: place[: len(element)] for element, place in told if element}
        found = dict.fromkeys((*self.given_up, *other))
        return {e: known.get(e) or place_of(e, self.live, keys) for e in found}

    def _element(self, place: FieldPlace, keys: Keys) -> Parts | None:
        path = located(place, self.live)
        return element_of(keys, path) if path is not None else None

    def _told(self, place: FieldPlace, value: Any) -> bool:
        """Whether a change, or what others have changed, tells that a value goes."""
        told = ((each.place, each.before) for each in self.changes)
        drifted = ((each.place, each.live) for each in self.drift)
        for top, before in (*told, *drifted):
            if is_below(place, [top]):
                rest = located(place[len(top) :], before)
                if rest is not None and value_at(rest, before) == value:
                    return True
        return False


def _leaves(value: Any) -> Iterator[Parts]:
    """Paths of the fields of an element that have none below."""
    below: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, Mapping):
        below = value.items()
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        below = enumerate(value)
    found = [(part, *rest) for part, each in below for rest in _leaves(each)]
    yield from found or [()]
