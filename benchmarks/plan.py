"""Plans of a fleet, beside merely reading the same objects; and what a long ledger costs.

    python benchmarks/plan.py [-c CLUSTERS] [-n OBJECTS] [-e ENTRIES] [-r ROUNDS]

The fleet is CLUSTERS API servers in this process that answer at once, each with OBJECTS objects of
one application. A plan reads all of them, compares them with file and stack and is put into its
canonical form. The ledger has ENTRIES approvals, each signed with a key of one of three people; it
is read as every command does, which judges the signatures of one run, and as `audit verify` does,
which judges all. Prints the median seconds of each.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from velapulumi import signatures
from velapulumi.clusters.client import Identity
from velapulumi.clusters.identity import Reached
from velapulumi.clusters.kubeconfig import parse_kubeconfig
from velapulumi.clusters.registry import JoinedCluster, Registry
from velapulumi.definitions import ClusterVersion
from velapulumi.gate.ledger import Trust, append, read_ledger
from velapulumi.gate.statement import StatementKind
from velapulumi.gate.verification import verify
from velapulumi.program.application import read_application
from velapulumi.program.authority import check_line, read_authority
from velapulumi.project import Project
from velapulumi.stage.look import Look
from velapulumi.stage.plan import plan_document

PEOPLE = ("alice", "bob", "carol")


class Server:
    """An API server that has what was applied to it."""

    def __init__(self) -> None:
        self.live: dict[tuple[str, str], Mapping[str, Any]] = {}

    def read(self, wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if wanted["kind"] == "Namespace":
            return wanted
        return self.live.get((wanted["kind"], wanted["metadata"]["name"]))

    def serves(self, wanted: Mapping[str, Any]) -> bool:
        return True

    def kinds(self, api_version: str) -> Mapping[str, tuple[str, bool]]:
        return {"Deployment": ("deployments", True), "Namespace": ("namespaces", False)}


def median(rounds: int, work: Callable[[], object]) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def fleet(folder: Path, clusters: int, objects: int) -> tuple[Project, dict[str, Reached], Path]:
    project = Project(folder, "bench", folder / "stacks")
    registry, version = Registry(project), ClusterVersion(1, 36, "v1.36.3")
    kubeconfig = yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
    )
    reached = {}
    for number in range(clusters):
        entry = JoinedCluster(
            name=f"c{number}",
            type="token",
            endpoint="https://127.0.0.1:1",
            uid=f"uid-{number}",
            joined="2026-01-01T00:00:00Z",
        )
        registry.add(entry, parse_kubeconfig(kubeconfig, "bench", folder))
        reached[entry.name] = Reached(entry, Identity(entry.uid, version), Server())  # type: ignore[arg-type]
    document = {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": "shop"},
        "spec": {
            "components": [
                {"name": f"web-{number}", "type": "webservice", "properties": {"image": "web:1"}}
                for number in range(objects)
            ],
            "policies": [
                {"name": "all", "type": "topology", "properties": {"clusters": [*reached]}}
            ],
            "workflow": {
                "steps": [{"name": "all", "type": "deploy", "properties": {"policies": ["all"]}}]
            },
        },
    }
    file = folder / "app.yaml"
    file.write_text(yaml.safe_dump(document))
    return project, reached, file


def signed(folder: Path, entries: int) -> Project:
    project = Project(folder, "bench", folder / "stacks")
    lines = []
    for name in PEOPLE:
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
        lines.append(f"{name} {(folder / name).with_suffix('.pub').read_text()}")
    trust = Trust(signers="".join(lines))
    project.gates.mkdir()
    (project.gates / "allowed_signers").write_text(trust.signers)
    for number in range(entries):
        by = PEOPLE[number % len(PEOPLE)]
        fields = {"kind": StatementKind.APPROVE, "by": by, "run": number, "plan": "0" * 64}
        sign = partial(signatures.sign, folder / by)
        append(project.ledger_file("shop"), "shop", fields, sign, lambda: trust)
    return project


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", "--clusters", type=int, default=50)
    parser.add_argument("-n", "--objects", type=int, default=20)
    parser.add_argument("-e", "--entries", type=int, default=200)
    parser.add_argument("-r", "--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        project, reached, file = fleet(Path(name), options.clusters, options.objects)
        application = read_application(project, file)
        stages = {stage.name: stage.steps for stage in application.workflow.stages.values()}
        load = median(options.rounds, lambda: read_application(project, file))
        plan = median(
            options.rounds,
            lambda: plan_document(application, stages, Look(project, reached)).digest,
        )
        size = len(plan_document(application, stages, Look(project, reached)).text)
    print(f"{options.clusters} clusters x {options.objects} objects, plan of {size / 1e6:.2f} MB")
    print(f"  load and render          {load:.3f} s")
    print(f"  plan and its digest      {plan:.3f} s")
    with tempfile.TemporaryDirectory() as name:
        project = signed(Path(name), options.entries)

        def one_run() -> None:
            signatures.check.cache_clear()
            read_authority(project, "shop", options.entries)

        def all_runs() -> None:
            signatures.check.cache_clear()
            ledger = read_ledger(project.ledger_file("shop"), "shop")
            assert verify(ledger, check_line) == ()

        print(f"ledger of {options.entries} signed entries")
        print(f"  read for one run         {median(options.rounds, one_run):.3f} s")
        print(f"  audit verify             {median(options.rounds, all_runs):.3f} s")


if __name__ == "__main__":
    main()
