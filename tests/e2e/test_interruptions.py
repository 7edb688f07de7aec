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

INTERRUPTED = Path(__file__).with_name("interrupted.py")
AT_ONCE = 3
"""How many runs go on side by side: a run waits for clusters half of its time."""

APP = f"""\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {{name: shop, namespace: NAMESPACE}}
spec:
  components:
  - name: web
    type: webservice
    properties: {{image: "web:SIDE", ports: [{{port: 80, expose: true}}]}}
  - {{name: SIDE, type: worker, properties: {{image: side}}}}
  policies:
  - {{name: staging, type: topology, properties: {{clusters: [{STAGING}]}}}}
  - {{name: prod, type: topology, properties: {{clusters: [{PROD}]}}}}
  - {{name: health, type: health, properties: {{probeInterval: 1, probeTimeout: 60}}}}
  workflow:
    steps:
    - {{name: staging, type: deploy, properties: {{policies: [staging]}}}}
    - {{name: tell, type: print-message-in-status, properties: {{message: Staging has it.}}}}
    - {{name: prod, type: deploy, properties: {{policies: [prod]}}}}
"""
LEFT, RIGHT = "left", "right"
"""Two contents: going from one to the other updates, creates and collects in both stages."""

OTHER = {LEFT: RIGHT, RIGHT: LEFT}


@dataclass
class Place:
    """A project and a namespace in both clusters for one application."""

    project: Project
    namespace: str
    side: str = LEFT

    def write(self, side: str) -> str:
        self.side = side
        text = APP.replace("NAMESPACE", self.namespace).replace("SIDE", side)
        return str(self.project.write(text))

    def up(self, side: str) -> subprocess.CompletedProcess[str]:
        return self.project.run("up", "-f", self.write(side))

    def interrupted(
        self, side: str, where: str, number: int, how: str
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(INTERRUPTED), where, str(number), how]
        return subprocess.run(
            [*command, "up", "-f", self.write(side)],
            cwd=self.project.root,
            env=self.project.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @property
    def journal(self) -> Path:
        return self.project.root / "stacks" / "shop.journal.jsonl"

    def kinds(self) -> list[str]:
        """The kinds of the journal's entries."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return [str(json.loads(line)["kind"]) for line in lines]

    def evidence(self) -> Evidence:
        return gather(self.project, self.namespace, "shop")


@dataclass(frozen=True)
class Whole:
    """An uninterrupted run.

    Attributes:
        kinds: The kinds of the entries it wrote.
        end: What it left.
        growth: How often it changed the specification of each object.
    """

    kinds: tuple[str, ...]
    end: Evidence
    growth: dict[Key, int]


NOTHING = Evidence({}, {}, {}, frozenset(), (), {})


@dataclass
class Ground:
    """Where places are made, and what uninterrupted runs leave.

    Attributes:
        template: A project with both clusters joined.
        delivered: Places that have the application and may be edited.
        first: The first run.
        edits: The runs that go over to a content.
    """

    template: Project
    delivered: SimpleQueue[Place] = field(default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        place = self.place("whole")
        self.first = self.whole(place, LEFT, NOTHING)
        there = self.whole(place, RIGHT, self.first.end)
        self.edits = {RIGHT: there, LEFT: self.whole(place, LEFT, there.end)}

    def whole(self, place: Place, side: str, before: Evidence) -> Whole:
        known = len(place.kinds())
        done = place.up(side)
        assert done.returncode == 0, done.stderr
        end = place.evidence()
        return Whole(tuple(place.kinds()[known:]), end, end.growth(before))

    def place(self, namespace: str) -> Place:
        """A fresh place."""
        root = self.template.root.with_name(namespace)
        shutil.copytree(self.template.root, root)
        for cluster in self.template.clusters.values():
            cluster.kubectl("create", "namespace", namespace)
        return Place(Project(root, self.template.clusters, self.template.environment), namespace)

    def edited(self, namespace: str) -> Place:
        """A place that has the application."""
        try:
            return self.delivered.get_nowait()
        except Empty:
            place = self.place(namespace)
            done = place.up(LEFT)
            assert done.returncode == 0, done.stderr
            return place


@pytest.fixture(scope="module")
def ground(
    tmp_path_factory: pytest.TempPathFactory, clusters: dict[str, Cluster]
) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("interruptions")
    (folder / "template").mkdir()
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PULUMI_BACKEND", "PULUMI_CONFIG", "PYTEST_"))
    }
    template = Project(folder / "template", clusters, environment | {"VELAPULUMI_OFFLINE": "1"})
    assert template.run("init", "--name", "delivery").returncode == 0
    template.join()
    yield Ground(template)
    assert left_running(folder) == []


def left_running(folder: Path) -> list[str]:
    """The processes that work for a project under a folder, when they had ten seconds to end."""
    found: list[str] = []

    def gone() -> bool:
        found[:] = list(working_for(folder))
        return not found

    try:
        wait_for(gone, 10)
    except AssertionError:
        return found
    return []


def working_for(folder: Path) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "environ").read_bytes():
                yield (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it has ended


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


def all_well(cases: Iterable[Callable[[], str]]) -> None:
    """Run cases side by side; each must give no problem."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        problems = [text for text in pool.map(lambda case: case(), cases) if text]
    assert not problems, "\n".join(problems)


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
