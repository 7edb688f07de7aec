"""The table of operations has a row for everything, no row in vain, and none that does harm.

A situation has 21 columns. A row that asks for a column can decide only where the columns it names
agree, so for each of what is wanted, recorded and there only the columns count that some row which
agrees names: their product says all that the product of all columns would. The exhaustive tests go
through that, too, three and a half billion situations, a set of which is a number with one bit for
each.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from velapulumi.plan.operation import Operation
from velapulumi.stage.operations_page import page
from velapulumi.stage.operations_table import TABLE, row_for
from velapulumi.stage.row import NoRow, Row
from velapulumi.stage.situation import (
    Back,
    Difference,
    Holder,
    Job,
    Owner,
    Presence,
    Reason,
    Recorded,
    Situation,
    Wanted,
)

DOCS = Path(__file__).parents[2] / "docs" / "operations.md"

COLUMNS: Mapping[str, tuple[Any, ...]] = {
    each.name: tuple(kind) if issubclass(kind, Enum) else (False, True)
    for each in dataclasses.fields(Situation)
    for kind in (get_type_hints(Situation)[each.name],)
}
"""The values that each column can have."""

FIRST = ("wanted", "recorded", "presence")

QUIET = (Operation.NONE, Operation.READ, Operation.LEAVE, Operation.KEEP)
STOPPED = (Operation.REFUSE, Operation.OWED)
LET_GO = (Operation.FORGET, Operation.DISOWN)
OVERWRITES = (Operation.UPDATE, Operation.MEND, Operation.REPLACE)


def accepted(value: Any) -> tuple[Any, ...]:
    """The values of a column that a row which names it fits."""
    return value if isinstance(value, tuple) else (value,)


def everything_but(*operations: Operation) -> frozenset[Operation]:
    return frozenset(Operation) - {*operations}


@dataclass(frozen=True)
class Law:
    """What may happen in some situations: those of the columns' values named.

    Attributes:
        when: Column and value, or a tuple of values.
        may: The operations that are allowed then.
        reasons: The reasons for which it may be refused; None for any.
    """

    when: Mapping[str, Any]
    may: frozenset[Operation]
    reasons: tuple[Reason, ...] | None = None

    def allows(self, row: Row) -> bool:
        refused = self.reasons is None or row.reason in (None, *self.reasons)
        return row.operation in self.may and refused

    def __str__(self) -> str:
        return ",".join(
            f"{name}={'|'.join(str(each) for each in accepted(value))}"
            for name, value in self.when.items()
        ).replace(" ", "-")


def law(*may: Operation, reasons: tuple[Reason, ...] | None = None, **when: Any) -> Law:
    return Law(when, frozenset(may), reasons)


def never(*operations: Operation, **when: Any) -> Law:
    return Law(when, everything_but(*operations))


ELSEWHERE = (Owner.SIBLING, Owner.FOREIGN)
THERE = (Presence.PRESENT, Presence.DELETING)
UNHELD = (Recorded.NO, Recorded.READ)
STAYS = (Wanted.WRITTEN, Wanted.READ_ONLY, Wanted.KEPT)
NOT_REPLACED = tuple(each for each in Difference if each is not Difference.REPLACED)
TAKEN_BACK = tuple(each for each in Back if each is not Back.NO)
UNTOUCHED = (Operation.SHARE, *QUIET, Operation.FORGET, *STOPPED)
GOING = (Operation.KEEP, Operation.READ, Operation.HAND_OVER, *LET_GO, *STOPPED)

LAWS = (
    # Nothing that is not known is acted on.
    law(Operation.OWED, presence=Presence.UNKNOWN, contradicts=False),
    law(*STOPPED, presence=Presence.UNKNOWN, reasons=(Reason.CONTRADICTION,)),
    law(Operation.REFUSE, presence=Presence.FORBIDDEN),
    # What somebody else has is not written, changed or deleted without permission.
    law(*UNTOUCHED, wanted=STAYS, owner=ELSEWHERE, presence=THERE, take_over=False),
    law(*UNTOUCHED, Operation.TAKE_OVER, wanted=STAYS, owner=ELSEWHERE, presence=THERE),
    law(
        *UNTOUCHED, wanted=STAYS, recorded=Recorded.HELD, owner=Owner.NOBODY, presence=THERE,
        same=False, take_over=False,
    ),
    law(
        *UNTOUCHED, wanted=STAYS, recorded=UNHELD, owner=Owner.NOBODY, presence=THERE,
        take_over=False,
    ),
    law(*GOING, wanted=Wanted.NO, owner=ELSEWHERE, presence=THERE),
    law(*GOING, wanted=Wanted.NO, owner=Owner.NOBODY, presence=THERE, same=False),
    never(Operation.SHARE, owner=(Owner.OURS, Owner.NOBODY)),
    never(Operation.SHARE, shared=False),
    # What another stage holds is not written by two, nor deleted by one of them.
    law(
        Operation.REFUSE, wanted=Wanted.WRITTEN, recorded=UNHELD, presence=Presence.PRESENT,
        owner=Owner.OURS, holder=Holder.KEEPS,
    ),
    law(
        Operation.REFUSE, wanted=Wanted.WRITTEN, recorded=UNHELD, presence=Presence.ABSENT,
        holder=Holder.KEEPS,
    ),
    law(
        Operation.HAND_OVER, Operation.REFUSE, wanted=Wanted.WRITTEN, recorded=UNHELD,
        presence=Presence.PRESENT, owner=Owner.OURS, holder=Holder.GIVES,
        reasons=(Reason.CONTRADICTION,),
    ),
    never(Operation.HAND_OVER, wanted=STAYS, owner=(*ELSEWHERE, Owner.NOBODY), presence=THERE),
    never(Operation.HAND_OVER, wanted=STAYS, holder=(Holder.NONE, Holder.KEEPS, Holder.TAKES)),
    never(Operation.HAND_OVER, wanted=Wanted.NO, holder=(Holder.NONE, Holder.KEEPS, Holder.GIVES)),
    never(Operation.DELETE, holder=tuple(each for each in Holder if each is not Holder.NONE)),
    # Nothing is deleted too early, nor what stays for good, nor what is others'.
    law(
        Operation.KEEP, *STOPPED, wanted=Wanted.NO, recorded=Recorded.HELD, pruned=False,
    ),
    law(
        Operation.READ, *STOPPED, wanted=Wanted.NO, recorded=Recorded.READ, presence=THERE,
        pruned=False,
    ),
    never(Operation.READ, presence=Presence.ABSENT),
    never(Operation.DELETE, never_deleted=True),
    never(Operation.DELETE, guests=True),
    never(Operation.REPLACE, wanted=Wanted.WRITTEN, guests=True),
    never(Operation.DELETE, others=True),
    # Nor is what was taken over, by the way back of that: it is restored, or left as it is.
    never(
        Operation.DELETE, Operation.REFUSE, recorded=Recorded.HELD, wanted=Wanted.NO,
        presence=THERE, back=TAKEN_BACK,
    ),
    law(
        *LET_GO, wanted=Wanted.NO, recorded=Recorded.HELD, presence=THERE, back=TAKEN_BACK,
        pruned=True, holder=(Holder.NONE, Holder.GIVES, Holder.KEEPS),
    ),
    # What another stage has is not given up for it.
    law(
        Operation.READ, Operation.FORGET, *STOPPED, wanted=Wanted.NO, recorded=Recorded.READ,
        holder=tuple(each for each in Holder if each is not Holder.NONE),
        presence=Presence.PRESENT,
    ),
    never(Operation.DELETE, wanted=STAYS),
    never(Operation.DELETE, recorded=Recorded.NO, begun=False),
    # What was only read is deleted by the last application that shared it, which has inherited it.
    never(Operation.DELETE, recorded=Recorded.READ, owner=(*ELSEWHERE, Owner.NOBODY)),
    never(Operation.DELETE, recorded=Recorded.READ, shared=False),
    never(Operation.REPLACE, wanted=Wanted.WRITTEN, contradicts=True),
    never(Operation.REPLACE, difference=NOT_REPLACED),
    # What is going is waited for; it may be deleted once more, or be given up.
    law(Operation.OWED, wanted=Wanted.READ_ONLY, presence=Presence.DELETING),
    law(
        *STOPPED, wanted=Wanted.WRITTEN, presence=Presence.DELETING,
        reasons=(Reason.CONTRADICTION,),
    ),
    law(*GOING, Operation.DELETE, presence=Presence.DELETING),
    # What is not there is created, or not missed.
    law(
        Operation.CREATE, Operation.NONE, Operation.LEAVE, *STOPPED,
        wanted=(Wanted.WRITTEN, Wanted.READ_ONLY), presence=Presence.ABSENT,
    ),
    law(*GOING, wanted=(Wanted.KEPT, Wanted.NO), presence=Presence.ABSENT),
    never(Operation.CREATE, presence=THERE),
    # What is only read, or only stays, or goes, is not written.
    law(Operation.READ, *STOPPED, wanted=Wanted.READ_ONLY),
    law(Operation.READ, Operation.KEEP, Operation.FORGET, *STOPPED, wanted=Wanted.KEPT),
    law(*GOING, Operation.DELETE, wanted=Wanted.NO),
    # What the policies leave is left, and what somebody holds is not taken in silence.
    never(*OVERWRITES, once=True),
    never(*OVERWRITES, wanted=Wanted.WRITTEN, difference=Difference.CONFLICT),
    never(*OVERWRITES, wanted=Wanted.WRITTEN, difference=Difference.FIXED),
    # A failed Job is not called done, nor is a completed one run again.
    never(Operation.NONE, job=Job.FAILED, presence=Presence.PRESENT, once=False),
    never(
        Operation.CREATE, recorded=Recorded.HELD, job=Job.COMPLETED, difference=Difference.EQUAL,
    ),
    # The inheritance of an object that was shared, and one that a dead run has made.
    law(
        Operation.TAKE_OVER, Operation.REFUSE, Operation.HAND_OVER, wanted=Wanted.WRITTEN,
        recorded=Recorded.READ, presence=Presence.PRESENT, owner=Owner.OURS,
        reasons=(Reason.TWO_STAGES, Reason.CONTRADICTION),
    ),
)  # fmt: skip


@cache
def compatible(wanted: Wanted, recorded: Recorded, presence: Presence) -> tuple[Row, ...]:
    """The rows that agree with what is wanted, recorded and there."""
    known = dict(zip(FIRST, (wanted, recorded, presence), strict=True))
    return tuple(
        row
        for row in TABLE
        if all(value in accepted(row.when.get(name, value)) for name, value in known.items())
    )


def situations(*further: str, **fixed: Any) -> Iterator[Situation]:
    """All situations, as far as rows that agree, or further columns, tell them apart."""
    for found in itertools.product(*(accepted(fixed.get(n, COLUMNS[n])) for n in FIRST)):
        named = {name for row in compatible(*found) for name in row.when}
        columns = sorted((named | {*further, *fixed}) - {*FIRST})
        choices = [accepted(fixed.get(name, COLUMNS[name])) for name in columns]
        first = dict(zip(FIRST, found, strict=True))
        for values in itertools.product(*choices):
            yield Situation(**first, **dict(zip(columns, values, strict=True)))


def is_told(situation: Situation) -> bool:
    """Whether the object is wanted, held or begun; the table has nothing to say of others."""
    if (situation.wanted, situation.recorded) != (Wanted.NO, Recorded.NO):
        return True
    ours = situation.owner is Owner.OURS and situation.presence is Presence.PRESENT
    told = ours or situation.presence in (Presence.UNKNOWN, Presence.FORBIDDEN)
    return told and situation.begun and situation.holder is Holder.NONE


def is_possible(situation: Situation) -> bool:
    """Whether it can be: what is not wanted stays only where the stack holds it."""
    return situation.wanted is not Wanted.KEPT or situation.recorded is not Recorded.NO


def test_the_columns_are_those_of_a_situation() -> None:
    assert {each.name for each in dataclasses.fields(Situation)} == COLUMNS.keys()
    assert all(name in COLUMNS for row in TABLE for name in row.when)
    assert all(
        value in COLUMNS[name]
        for row in TABLE
        for name, values in row.when.items()
        for value in accepted(values)
    )


def test_a_row_fits_what_it_names_and_nothing_else() -> None:
    row = Row({"wanted": Wanted.NO, "owner": ELSEWHERE, "pruned": True}, Operation.FORGET)
    for wanted, owner, pruned in itertools.product(Wanted, Owner, (False, True)):
        fits = row.fits(Situation(wanted=wanted, owner=owner, pruned=pruned))
        assert fits == (wanted is Wanted.NO and owner in ELSEWHERE and pruned)


def test_some_row_fits_every_situation() -> None:
    count = 0
    for situation in situations():
        count += 1
        if not is_told(situation) or not is_possible(situation):
            continue
        row_for(situation)
    assert count > 10_000


def test_what_is_neither_wanted_nor_held_is_nobodys_business() -> None:
    for presence in (Presence.PRESENT, Presence.ABSENT, Presence.DELETING):
        with pytest.raises(NoRow):
            row_for(Situation(wanted=Wanted.NO, recorded=Recorded.NO, presence=presence))


def test_every_row_is_the_first_that_fits_for_some_situation() -> None:
    reached = {id(row_for(each)) for each in situations() if is_told(each) and is_possible(each)}
    assert [row for row in TABLE if id(row) not in reached] == []


@pytest.mark.parametrize("wanted", LAWS, ids=str)
def test_no_situation_breaks_a_law(wanted: Law) -> None:
    count = 0
    for situation in situations(**wanted.when):
        if is_told(situation) and is_possible(situation):
            count += 1
            row = row_for(situation)
            assert wanted.allows(row), (situation, row)
    assert count


def test_what_is_refused_says_why_and_nothing_else_does() -> None:
    assert all((row.operation is Operation.REFUSE) == (row.reason is not None) for row in TABLE)
    assert {row.reason for row in TABLE if row.reason} == set(Reason)


def test_every_operation_has_a_row() -> None:
    assert {row.operation for row in TABLE} == set(Operation)


def test_the_page_is_the_table() -> None:
    written = DOCS.read_text("utf-8")
    assert written == "\n".join(page()) + "\n", "the page is to be written from page()"


class Space:
    """All situations in which the same is wanted, recorded and there.

    A set of them is a number, whose bit N is the situation number N.
    """

    columns: Mapping[str, tuple[Any, ...]] = {
        name: values for name, values in COLUMNS.items() if name not in FIRST
    }
    size = math.prod(len(values) for values in columns.values())

    def __init__(self, *first: Any) -> None:
        self._first = dict(zip(FIRST, first, strict=True))

    def where(self, when: Mapping[str, Any]) -> int:
        """The situations in which columns have the values named."""
        found = (1 << self.size) - 1
        for name, value in when.items():
            if name in FIRST:
                found *= self._first[name] in accepted(value)
            else:
                found &= self._having(name, accepted(value))
        return found

    def situation(self, number: int) -> Situation:
        """The situation of a number."""
        values: dict[str, Any] = dict(self._first)
        for name in reversed(self.columns):
            number, place = divmod(number, len(self.columns[name]))
            values[name] = self.columns[name][place]
        return Situation(**values)

    @classmethod
    @cache
    def _having(cls, name: str, values: tuple[Any, ...]) -> int:
        """The situations with one of some values in a column."""
        names = list(cls.columns)
        length = math.prod(len(cls.columns[each]) for each in names[names.index(name) + 1 :])
        bits = sum(
            ((1 << length) - 1) << (place * length)
            for place, value in enumerate(cls.columns[name])
            if value in values
        )
        length *= len(cls.columns[name])
        # Once more and once more: doubled as long as it goes.
        found, done, times = 0, 0, cls.size // length
        while times:
            if times & 1:
                found |= bits << done
                done += length
            bits |= bits << length
            length, times = length * 2, times // 2
        return found


def first_of(space: Space, found: int) -> Situation:
    """One situation of a set."""
    return space.situation((found & -found).bit_length() - 1)


def told_of(space: Space, wanted: Wanted, recorded: Recorded, presence: Presence) -> int:
    """The situations that ``is_told`` tells of."""
    if (wanted, recorded) != (Wanted.NO, Recorded.NO):
        return (1 << space.size) - 1
    begun = {"begun": True, "holder": Holder.NONE}
    if presence in (Presence.UNKNOWN, Presence.FORBIDDEN):
        return space.where(begun)
    if presence is not Presence.PRESENT:
        return 0
    return space.where({**begun, "owner": Owner.OURS})


@pytest.mark.exhaustive
def test_all_situations_one_by_one() -> None:
    """Some row for each, no row in vain, and the laws, over the product of all columns."""
    count, reached = 0, set()
    for first in itertools.product(*(COLUMNS[name] for name in FIRST)):
        space = Space(*first)
        if not is_possible(space.situation(0)):
            continue
        left, decided = told_of(space, *first), []
        count += left.bit_count()
        for number, row in enumerate(TABLE):
            mine = left & space.where(row.when)
            left &= ~mine
            if mine:
                assert row_for(first_of(space, mine)) is row
                reached.add(number)
                decided.append((row, mine))
        assert not left, first_of(space, left)
        for each in LAWS:
            where = space.where(each.when)
            for row, mine in decided:
                if not each.allows(row):
                    assert not where & mine, (str(each), first_of(space, where & mine))
    assert count > 3e9
    assert reached == set(range(len(TABLE)))


@pytest.mark.exhaustive
def test_a_bit_of_a_number_says_what_the_row_says() -> None:
    """The test above counts situations as bits: every hundredth is held against the row itself."""
    space = Space(Wanted.NO, Recorded.HELD, Presence.PRESENT)
    sets = [(row, space.where(row.when).to_bytes(space.size // 8 + 1, "little")) for row in TABLE]
    for number in range(0, space.size, 101):
        situation = space.situation(number)
        for row, bits in sets:
            assert bool(bits[number // 8] >> number % 8 & 1) == row.fits(situation)
