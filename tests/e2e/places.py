"""Places to deliver an application to, again and again, and what an uninterrupted run leaves there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue

from tests.e2e.conftest import PROD, STAGING, Cluster, Project
from tests.e2e.evidence import Evidence, Key, gather
from tests.e2e.faulty import FaultyServer, in_front_of
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


@contextlib.contextmanager
def prepared(folder: Path, clusters: dict[str, Cluster]) -> Iterator[Project]:
    """A project with both clusters joined, to be copied; afterwards no process must be left."""
    template = folder / "template"
    template.mkdir()
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PULUMI_BACKEND", "PULUMI_CONFIG", "PYTEST_"))
    }
    project = Project(template, clusters, environment | {"VELAPULUMI_OFFLINE": "1"})
    assert project.run("init", "--name", "delivery").returncode == 0
    project.join()
    yield project
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


def all_well(cases: Iterable[Callable[[], str]]) -> None:
    """Run cases side by side; each must give no problem."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        problems = [text for text in pool.map(lambda case: case(), cases) if text]
    assert not problems, "\n".join(problems)


