"""An up that is interrupted at any point goes on with the next one, as if nothing had been.

A run is a journal: an intent before each action, an outcome after it. So a run is ended right after
each of its entries, in each way a process can end, and right before those that tell of something
done (before any other one there is what there was after the one before). Then it is run again, and
what there is must be what an uninterrupted run leaves, with nothing applied twice and nothing left
over.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

from tests.e2e.conftest import PROD, STAGING, Cluster, Project
from tests.e2e.evidence import Evidence, Key, everything, gather, uids
from tests.e2e.test_failures import wait_for

@pytest.fixture(scope="module")
def ground(
    tmp_path_factory: pytest.TempPathFactory, clusters: dict[str, Cluster]
) -> Iterator[Ground]:
    with prepared(tmp_path_factory.mktemp("interruptions"), clusters) as template:
        yield Ground(template)


WAYS = [("after", "SIGKILL"), ("before", "SIGKILL"), ("after", "signals"), ("after", "full")]
"""Where and how; ``signals`` are SIGINT and SIGTERM by turns, other turns in the edit."""

SIGNALS = ("SIGINT", "SIGTERM")

FIRST_KINDS = (
    *("begin", "start", "apply", "applied", "cluster", "end"),
    *("start", "act", "end"),
    *("start", "apply", "applied", "cluster", "end"),
    "finish",
)
EDIT_KINDS = (*FIRST_KINDS[:-1], "collect", "collected", "collect", "collected", "finish")
TELL_OF_ACTIONS = ("begin", "applied", "collected")
ONLY_IN_EDITS = ("collect", "collected", "finish")


def points(whole: Whole, where: str) -> Iterator[int]:
    """The entries of a run, counted from 1, that are to be interrupted at."""
    for index, kind in enumerate(whole.kinds):
        acted = kind == "end" and whole.kinds[index - 1] == "act"
        if where == "after" or kind in TELL_OF_ACTIONS or acted:
            yield index + 1


def by_turns(how: str, number: int) -> str:
    return SIGNALS[number % 2] if how == "signals" else how


def exit_code(how: str, *, last: bool) -> int:
    """What a run ends with; where nothing is left to be written a full disk is not seen."""
    if how == "full":
        return 0 if last else 1
    return -signal.SIGKILL if how == "SIGKILL" else 130


def interrupt(
    place: Place, side: str, where: str, number: int, how: str, whole: Whole, before: Evidence
) -> str:
    """Interrupt a run and run it again; what is wrong then, empty when nothing is."""
    stopped = place.interrupted(side, where, number, how)
    expected = exit_code(how, last=number == len(whole.kinds))
    if stopped.returncode != expected or "Traceback" in stopped.stderr:
        return f"ended with {stopped.returncode}: {stopped.stderr}"
    if expected == 1 and f"cannot write {place.project.root}/stacks/" not in stopped.stderr:
        return f"does not name the file: {stopped.stderr}"
    if expected == 130 and "[VP900]" not in stopped.stderr:
        return f"does not say that it was interrupted: {stopped.stderr}"
    between = uids(dict(everything(place.project, place.namespace)))
    done = place.up(side)
    if done.returncode != 0:
        return f"does not go on, {done.returncode}: {done.stderr}"
    end = place.evidence()
    problems = end.same_end(whole.end)
    if end.growth(before) != whole.growth:
        problems += f"; changed {end.growth(before)} instead of {whole.growth}"
    if replaced := end.replaced(between):
        problems += f"; replaced {replaced}"
    return problems


def first_case(ground: Ground, where: str, number: int, how: str) -> str:
    place = ground.place(f"first-{where}-{how}-{number}".lower())
    whole, way = ground.first, by_turns(how, number)
    return interrupt(place, LEFT, where, number, way, whole, NOTHING)


def edit_case(ground: Ground, where: str, number: int, how: str) -> str:
    place = ground.edited(f"edit-{where}-{how}-{number}".lower())
    side, way = OTHER[place.side], by_turns(how, number + 1)
    before = place.evidence()
    problems = interrupt(place, side, where, number, way, ground.edits[side], before)
    if not problems:
        ground.delivered.put(place)
    return problems


@pytest.mark.parametrize(("where", "how"), WAYS)
def test_a_first_up_goes_on(ground: Ground, where: str, how: str) -> None:
    assert ground.first.kinds == FIRST_KINDS
    numbers = points(ground.first, where)
    all_well(partial(first_case, ground, where, number, how) for number in numbers)


@pytest.mark.parametrize(("where", "how"), WAYS)
def test_an_edit_goes_on(ground: Ground, where: str, how: str) -> None:
    """Signals and full disks only where an edit does what a first run does not: it collects."""
    whole = ground.edits[RIGHT]
    assert whole.kinds == ground.edits[LEFT].kinds == EDIT_KINDS
    numbers = [
        number
        for number in points(whole, where)
        if how == "SIGKILL" or whole.kinds[number - 1] in ONLY_IN_EDITS
    ]
    all_well(partial(edit_case, ground, where, number, how) for number in numbers)
