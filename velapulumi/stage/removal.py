"""What is known of the objects of a stack that is to be deleted with all it holds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from velapulumi.engine.record import StageRecord
from velapulumi.plan.objects import ObjectKey
from velapulumi.stage.guests import Elsewhere, deleted, with_guests
from velapulumi.stage.look import Look
from velapulumi.stage.release import left_behind
from velapulumi.stage.sides import Facts, Other, is_undone
from velapulumi.stage.taken import Taken, taken_back


@dataclass(frozen=True)
class Removed:
    """A stack that is to be deleted with all it holds.

    Attributes:
        project_id: The identity of the project.
        record: What the stack holds.
        application: The application, ``<namespace>/<name>``.
        look: What the clusters have.
        other: Gives another stage that holds or takes an object.
        number: The number of the revision that no longer has the stage; None when the application
            is deleted, which is no way back to any.
    """

    project_id: str
    record: StageRecord
    application: str
    look: Look
    other: Callable[[ObjectKey], Other | None]
    number: int | None = None

    def facts(self, elsewhere: Elsewhere, *, after_others: bool) -> Sequence[Facts]:
        """What is known of each of its objects.

        Args:
            elsewhere: Finds out what the other stages of the application delete.
            after_others: Whether that counts as gone.
        """
        return with_guests(self._given_up(), self.look, elsewhere, after_others=after_others)

    def going(self) -> Collection[ObjectKey]:
        """The objects that are deleted with it, whatever they hold."""
        return deleted(self._given_up())

    def _given_up(self) -> Sequence[Facts]:
        record, look = self.record, self.look
        left = left_behind(record)
        held = {entry.key: entry for entry in record.objects}
        read = {entry.key: entry for entry in record.read}
        known = {**held, **read}
        entries = {**record.pending, **known}
        look.read({key: entry.manifest for key, entry in entries.items()})
        found = [
            Facts(
                key,
                self.application,
                self.project_id,
                look.live(key, entry.manifest),
                recorded=held.get(key),
                read=read.get(key),
                other=self.other(key),
                begun=key not in known,
                pending=entry if key not in known else None,
                taken=self._taken_back(key, entry.manifest) if key not in read else None,
                left_behind=key in left,
                pruned=True,
            )
            for key, entry in sorted(entries.items(), key=lambda each: each[0])
        ]
        return [each for each in found if each.key in known or is_undone(each)]

    def _taken_back(self, key: ObjectKey, manifest: Mapping[str, Any]) -> Taken | None:
        """What an object was before it was taken over, where that is taken back.

        What the stack never came to hold always is.
        """
        number = self.number if key in self.record.keys else 0
        if number is None:
            return None
        return taken_back(number, (self.look.live(key, manifest).manifest, manifest))
