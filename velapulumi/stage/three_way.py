"""The desired, the recorded and the live object side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from velapulumi.clusters.beyond import elements_beyond
from velapulumi.clusters.elements import list_keys
from velapulumi.clusters.managed import Manager
from velapulumi.definitions.rules.fieldpath import MISSING, Parts, value_at
from velapulumi.plan.fields import FieldChange, one_by_one
from velapulumi.plan.places import FieldPlace, elements_at, is_below, located, place_of
from velapulumi.stage.look import CRD
from velapulumi.stage.sides import Facts, as_known, desired, managers_at, owner
from velapulumi.stage.situation import Owner


class ThreeWay:
    """The desired, the recorded and the live object side by side.

    Attributes:
        facts: What is known of the object.
        wanted: The object as the application wants it in the cluster; None if it does not.
        live: The object as it is in the cluster; None if it is not there.
        recorded: What the stack holds of it; None if it holds nothing.
        keys: The key fields of the live object's lists.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.wanted = desired(facts) if facts.wanted is not None else None
        self.live = facts.live.manifest
        self.recorded = facts.recorded
        self.keys = list_keys(self.live) if self.live is not None else {}
        self._kept_places = tuple(self._places_kept())

    @property
    def is_ready(self) -> bool:
        """Whether the stack holds what the engine has seen come up, so that others change it."""
        return self.recorded is not None and self.recorded.ready

    @property
    def is_made(self) -> bool:
        """Whether the application has made the object, and another stack or none has it."""
        facts = self.facts
        return owner(facts) is Owner.OURS and (facts.begun or facts.other is not None)

    @property
    def is_applied(self) -> bool:
        """Whether the next write is an apply on top of one of ours."""
        is_known = self.recorded is not None or self.is_made
        return is_known and self.facts.key.kind != CRD  # a definition is written as a whole

    @cached_property
    def given_up(self) -> frozenset[Parts]:
        """The list elements that only we hold and no longer want: they are removed whole."""
        live, wanted = self.live, self.wanted
        if live is None or wanted is None or not self.is_applied:
            return frozenset()
        return frozenset(elements_beyond(live, wanted, self.is_ours))

    def is_ours(self, manager: Manager) -> bool:
        """Whether a manager is the one that the engine writes the object as, as far as is known."""
        known = as_known(self.facts, manager)
        recorded = self.recorded
        return known.is_engine if recorded is not None and recorded.manager else known.is_ours

    def is_named(self, place: FieldPlace) -> bool:
        """Whether a field was delivered before, as far as is known."""
        if self.recorded is None:
            return self.is_made
        path = located(place, self.recorded.manifest)
        return path is not None and value_at(path, self.recorded.manifest) is not MISSING

    def keeps(self, place: FieldPlace) -> bool:
        """Whether a policy keeps the live value of a field."""
        return is_below(place, self._kept_places)

    def one_by_one(
        self, changes: Iterable[FieldChange], *, both: bool = False
    ) -> Iterator[FieldChange]:
        """Changes in which what goes is the fields that go: others may hold some of them.

        So is a list in which others hold something: its elements go.

        Args:
            changes: The changes.
            both: Whether a map that comes is the fields that come, too, and a list in which there
                are elements already is the elements that come.
        """
        for change in one_by_one(changes, both=both):
            if elements := tuple(self._elements_that_go(change)):
                yield from self.one_by_one(elements, both=both)
            elif both and (elements := tuple(self._elements_that_come(change))):
                yield from elements
            else:
                yield change

    def _elements_that_go(self, change: FieldChange) -> Iterator[FieldChange]:
        gone = change.before if change.after is None else None
        if isinstance(gone, list) and self._is_held_by_others(change.place):
            told = elements_at(change.path, gone, self.keys)
            for index, (name, element) in enumerate(told.items()):
                yield FieldChange((*change.path, index), element, None, (*change.place, name))

    def _elements_that_come(self, change: FieldChange) -> Iterator[FieldChange]:
        new, there = change.after, located(change.place, self.live)
        if change.before is None and isinstance(new, list) and there is not None:
            if not isinstance(live := value_at(there, self.live), list) or not live:
                return
            told = elements_at(change.path, new, self.keys)
            for index, (name, element) in enumerate(told.items()):
                yield FieldChange((*change.path, index), None, element, (*change.place, name))

    def _is_held_by_others(self, place: FieldPlace) -> bool:
        """Whether somebody else has set something in a field."""
        there = located(place, self.live)
        if self.live is None or there is None:
            return False
        return any(not manager.is_engine for manager in managers_at(self.facts, there))

    def _places_kept(self) -> Iterator[FieldPlace]:
        """The fields that a policy keeps, by all that elements of lists may be told by."""
        for path in self.facts.treatment.kept:
            yield path
            yield place_of(path, self.facts.object)
            yield place_of(path, self.facts.object, self.keys)
