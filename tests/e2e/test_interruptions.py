"""An up that is interrupted at any point goes on with the next one, as if nothing had been.

A run is a journal: an intent before each action, an outcome after it. So a run is ended right after
each of its entries, in each way a process can end, and right before those that tell of something
done (before any other one there is what there was after the one before). Then it is run again, and
what there is must be what an uninterrupted run leaves, with nothing applied twice and nothing left
over.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from threading import Event
from typing import Any

import pytest

from tests.clusters import STAGING, Cluster
from tests.e2e.evidence import NOTHING, Evidence, uids
from tests.e2e.faulty import Fault, FaultyServer
from tests.e2e.places import (
    LEFT,
    OTHER,
    RIGHT,
    Ground,
    Place,
    Whole,
    all_well,
    left_running,
    prepared,
    well,
)


@pytest.fixture(scope="module")
def ground(
    tmp_path_factory: pytest.TempPathFactory, clusters: dict[str, Cluster]
) -> Iterator[Ground]:
    with prepared(tmp_path_factory.mktemp("interruptions"), clusters) as template:
        yield Ground(template, "stop")


RARE = pytest.mark.exhaustive
WAYS = [("after", "SIGKILL"), ("before", "SIGKILL"), ("after", "signals"), ("after", "full")]
"""Where and how; ``signals`` are SIGINT and SIGTERM by turns, other turns in the edit."""


def ways(*often: tuple[str, str]) -> list[Any]:
    """All of them; those that are not named are left to the exhaustive runs."""
    return [pytest.param(*way, marks=() if way in often else RARE) for way in WAYS]


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
    between = uids(place.objects())
    problems = stopped_badly(place, stopped, exit_code(how, last=number == len(whole.kinds)))
    done = place.up(side)
    if done.returncode != 0:
        problems += f"; does not go on: {done.stderr}"
    else:
        end = place.evidence()
        problems += whole.problems(end, before)
        if replaced := end.replaced(between):
            problems += f"; replaced {replaced}"
    return f"{how} {where} entry {number}: {problems}" if problems else ""


def stopped_badly(place: Place, stopped: subprocess.CompletedProcess[str], expected: int) -> str:
    """What is wrong with how an interrupted run ended; empty when nothing is."""
    words = {1: f"cannot write {place.project.root}/stacks/", 130: "Error [VP900]"}
    code, text = stopped.returncode, stopped.stderr
    if code != expected or "Traceback" in text or words.get(expected, "") not in text:
        return f"ended with {code} instead of {expected}: {text}"
    return ""


def first_case(ground: Ground, where: str, number: int, how: str) -> str:
    place = ground.place(f"first-{where}-{how}-{number}")
    return interrupt(place, LEFT, where, number, by_turns(how, number), ground.first, NOTHING)


def edit_case(ground: Ground, where: str, number: int, how: str) -> str:
    place = ground.edited(f"edit-{where}-{how}-{number}")
    side, way = OTHER[place.side], by_turns(how, number + 1)
    before = place.evidence()
    problems = interrupt(place, side, where, number, way, ground.edits[side], before)
    if not problems:
        ground.delivered.put(place)
    return problems


@pytest.mark.parametrize(("where", "how"), ways(("before", "SIGKILL")))
def test_a_first_up_goes_on(ground: Ground, where: str, how: str) -> None:
    assert ground.first.kinds == FIRST_KINDS
    numbers = points(ground.first, where)
    all_well(partial(first_case, ground, where, number, how) for number in numbers)


@pytest.mark.parametrize(("where", "how"), ways(("after", "full")))
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


@contextlib.contextmanager
def held(place: Place) -> Iterator[tuple[subprocess.Popen[str], FaultyServer]]:
    """An up that hangs in the middle of the first stage: some of it is there, nothing is ready."""
    hung = Event()

    def hang() -> None:
        server.fail(Fault.HANG, only=lambda method, path: f"/{place.namespace}/" in path)
        hung.set()

    with place.through(STAGING) as server:
        server.fail_after(1, hang)
        running = place.project.start("up", "-f", place.write(LEFT))
        try:
            assert hung.wait(60)
            yield running, server
        finally:
            running.kill()
            running.communicate()


def engine_of(place: Place) -> int:
    """Process number of the engine that works on the first stage."""
    locks = place.project.root / ".velapulumi/backend/.pulumi/locks/organization/delivery"
    (lock,) = (locks / "shop.staging").glob("*.json")
    return int(json.loads(lock.read_text())["pid"])


def goes_on(ground: Ground, place: Place) -> None:
    """Run an up again; it must end as an uninterrupted one."""
    between = uids(place.objects())
    done = place.up(LEFT)
    assert done.returncode == 0, done.stderr
    end = place.evidence()
    well(ground.first.problems(end))
    assert end.replaced(between) == set()


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=RARE)])
def test_one_interrupt_winds_up_and_a_second_one_stops_now(
    ground: Ground, number: signal.Signals
) -> None:
    place = ground.place(f"second-{number.name}")
    with held(place) as (running, server):
        os.kill(engine_of(place), signal.SIGSTOP)  # it cannot wind up
        os.kill(running.pid, number)
        assert running.stderr is not None
        assert any("once more to stop now" in line for line in running.stderr)
        assert running.poll() is None
        os.kill(running.pid, number)
        _, errors = running.communicate(timeout=10)
        assert running.returncode == 130, errors
        assert "Error [VP900]" in errors
        assert left_running(place.project.root) == []
        server.mend()
        goes_on(ground, place)


@pytest.mark.parametrize(
    "who", [pytest.param("engine", marks=RARE), pytest.param("velapulumi", marks=RARE), "both"]
)
def test_a_killed_process_leaves_nothing_behind(ground: Ground, who: str) -> None:
    place = ground.place(f"killed-{who}")
    with held(place) as (running, server):
        engine = engine_of(place)
        if who != "velapulumi":
            os.kill(engine, signal.SIGKILL)
        if who != "engine":
            os.kill(running.pid, signal.SIGKILL)
        _, errors = running.communicate(timeout=10)
        assert "Traceback" not in errors
        if who == "engine":
            assert running.returncode == 1
            assert "Error [VP301]: stack shop.staging: " in errors
        else:
            assert running.returncode == -signal.SIGKILL
        if who != "both":  # else nobody is left to end the provider but the next run
            assert left_running(place.project.root) == []
        server.mend()
        goes_on(ground, place)
        assert left_running(place.project.root) == []


def test_one_run_at_a_time_of_each_application(ground: Ground) -> None:
    place = ground.place("alone")
    with held(place) as (running, _):
        second = place.project.run("up", "-f", place.write(LEFT))
        assert second.returncode == 1
        (owner,) = (place.project.root / ".velapulumi/backend/.velapulumi").glob("*/shop.lock")
        known = json.loads(owner.read_text())
        assert known["pid"] == running.pid
        assert (
            f"Error [VP304]: application shop is being delivered by {known['by']} "
            f"(process {running.pid}, up) since {known['since']}\n"
        ) in second.stderr
        assert running.poll() is None
        for cluster in place.project.clusters.values():
            cluster.kubectl("create", "namespace", f"{place.namespace}-beside")
        text = place.text.replace("NAMESPACE", f"{place.namespace}-beside").replace("SIDE", "left")
        beside = place.project.root / "beside.yaml"
        beside.write_text(text.replace("name: shop", "name: other"))
        done = place.project.run("up", "-f", str(beside))
        assert done.returncode == 0, done.stderr
        assert running.poll() is None
