"""Places to deliver an application to, and what an uninterrupted run leaves there."""

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
from functools import cached_property
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from tests.clusters import PROD, STAGING, Cluster, Project
from tests.e2e.evidence import NOTHING, Evidence, Key, everything, gather
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
    text: str
    side: str = LEFT

    def write(self, side: str) -> str:
        """Write the application with one of its contents; gives the file."""
        self.side = side
        text = self.text.replace("NAMESPACE", self.namespace).replace("SIDE", side)
        return str(self.project.write(text))

    def up(self, side: str) -> subprocess.CompletedProcess[str]:
        return self.project.run("up", "-f", self.write(side))

    def interrupted(
        self, side: str, where: str, number: int, how: str
    ) -> subprocess.CompletedProcess[str]:
        """Run an up that is interrupted at one of its entries."""
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

    @contextlib.contextmanager
    def through(self, cluster: str) -> Iterator[FaultyServer]:
        """Have a cluster reached through a faulty server."""
        with in_front_of(self.project.clusters[cluster].kubeconfig) as server:
            path = self.project.root / "faulty.kubeconfig"
            path.write_text(server.kubeconfig)
            done = self.project.run("cluster", "join", str(path), "--name", cluster)
            assert done.returncode == 0, done.stderr
            yield server

    @property
    def journal_file(self) -> Path:
        return self.project.root / "stacks" / "shop.journal.jsonl"

    def journal(self) -> list[dict[str, Any]]:
        """The entries of the journal, but one that is just being written."""
        path = self.journal_file
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith(b"\n")]

    def kinds(self) -> list[str]:
        return [entry["kind"] for entry in self.journal()]

    def objects(self) -> dict[Key, dict[str, Any]]:
        return dict(everything(self.project, self.namespace))

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

    @classmethod
    def of(cls, place: Place, side: str, before: Evidence) -> Whole:
        """Run an application, uninterrupted."""
        known = len(place.kinds())
        done = place.up(side)
        assert done.returncode == 0, done.stderr
        end = place.evidence()
        return cls(tuple(place.kinds()[known:]), end, end.growth(before))

    def problems(self, end: Evidence, before: Evidence = NOTHING) -> str:
        """What is wrong with the end of another run; empty when nothing is."""
        problems = end.difference(self.end)
        growth = end.growth(before)
        if growth != self.growth:
            problems += f"; changed {growth} instead of {self.growth}"
        return problems


@dataclass
class Ground:
    """Where places are made, and what uninterrupted runs leave.

    Attributes:
        template: A project with both clusters joined.
        name: What its namespaces begin with.
        text: The application.
        delivered: Places that have the application and may be edited.
    """

    template: Project
    name: str
    text: str = APP
    delivered: SimpleQueue[Place] = field(default_factory=SimpleQueue)

    @cached_property
    def first(self) -> Whole:
        """The first run."""
        self.whole = self.place("whole")
        return Whole.of(self.whole, LEFT, NOTHING)

    @cached_property
    def edits(self) -> dict[str, Whole]:
        """The runs that go over to a content."""
        first = self.first  # makes the place
        there = Whole.of(self.whole, RIGHT, first.end)
        return {RIGHT: there, LEFT: Whole.of(self.whole, LEFT, there.end)}

    def place(self, name: str) -> Place:
        """A fresh place."""
        namespace = f"{self.name}-{name}".lower()
        root = self.template.root.with_name(namespace)
        shutil.copytree(self.template.root, root)
        for cluster in self.template.clusters.values():
            cluster.kubectl("create", "namespace", namespace)
        project = Project(root, self.template.clusters, self.template.environment)
        return Place(project, namespace, self.text)

    def edited(self, name: str) -> Place:
        """A place that has the application."""
        try:
            return self.delivered.get_nowait()
        except Empty:
            place = self.place(name)
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
        well("\n".join(text for text in pool.map(lambda case: case(), cases) if text))


def well(problems: str) -> None:
    """There must be none."""
    assert not problems, problems
