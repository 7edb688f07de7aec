"""The seed's delivery beside a hand-written Pulumi program for the same objects, in one run.

    python benchmarks/seed.py [ROUNDS]

Needs the tools (``velapulumi doctor``). Starts two local clusters, delivers the seed's application
ROUNDS times each way, in turn, and prints the median seconds and the peak memory of all processes
of a command together. Both ways start from nothing: making the stacks counts.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from velapulumi.playground import find_cluster_tools, find_engine
from velapulumi.playground.clusters import Playground

SEED = Path(__file__).parents[1] / "examples" / "01-seed" / "app.yaml"
VELAPULUMI = Path(sys.executable).with_name("velapulumi")
STAGES = {"staging": "cluster-staging", "prod": "cluster-prod"}

PROGRAM = """
import pulumi
from pulumi_kubernetes import Provider
from pulumi_kubernetes.apps.v1 import Deployment

stage = pulumi.get_stack()
kubeconfig = open(pulumi.Config("bench").require("kubeconfig")).read()
provider = Provider(stage, kubeconfig=pulumi.Output.secret(kubeconfig))


def deployment(name, container, replicas=None, after=()):
    labels = {"app.oam.dev/name": "example-app", "app.oam.dev/component": name}
    match = {"app.oam.dev/component": name}
    return Deployment(
        name,
        metadata={"name": name, "namespace": "default", "labels": labels},
        spec={
            "replicas": replicas,
            "selector": {"matchLabels": match},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
        opts=pulumi.ResourceOptions(provider=provider, depends_on=list(after)),
    )


server = deployment(
    "hello-world-server",
    {
        "name": "hello-world-server",
        "image": "crccheck/hello-world",
        "ports": [{"containerPort": 8000}],
    },
    replicas=1 if stage == "staging" else 3,
)
if stage == "prod":
    command = ["sleep", "1000000"]
    deployment(
        "data-worker",
        {"name": "data-worker", "image": "busybox", "command": command},
        after=[server],
    )
"""


class Measured:
    """Seconds and peak memory of one command with everything it starts."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        started = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.megabytes = 0.0
        sampler = threading.Thread(target=self._sample, args=(process,), daemon=True)
        sampler.start()
        output, _ = process.communicate()
        self.seconds = time.monotonic() - started
        if process.returncode not in (0, 4):
            raise SystemExit(f"{command} ended with {process.returncode}:\n{output}")

    def _sample(self, process: subprocess.Popen[str]) -> None:
        while process.poll() is None:
            total = sum(_private(pid) for pid in _family(process.pid))
            self.megabytes = max(self.megabytes, total / 1024)
            time.sleep(0.05)


def _family(root: int) -> set[int]:
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
    family = {root}
    while grown := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= grown
    return family


def _private(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def by_hand(folder: Path, kubeconfigs: dict[str, Path]) -> dict[str, Measured]:
    """Deliver with plain Pulumi: make the stack, then up without a preview, stage by stage."""
    engine = find_engine()
    (folder / "Pulumi.yaml").write_text(
        "name: bench\nruntime: {name: python, options: {toolchain: pip}}\n"
    )
    (folder / "__main__.py").write_text(PROGRAM)
    (folder / "backend").mkdir()
    environment = {
        **os.environ,
        "PATH": f"{engine.root / 'bin'}:{os.environ['PATH']}",
        "PULUMI_HOME": str(engine.home),
        "PULUMI_BACKEND_URL": f"file://{folder}/backend",
        "PULUMI_CONFIG_PASSPHRASE": "bench",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_PYTHON_CMD": sys.executable,
    }
    measured = {}
    for stage, cluster in STAGES.items():
        (folder / f"Pulumi.{stage}.yaml").write_text(
            f"config:\n  bench:kubeconfig: {kubeconfigs[cluster]}\n"
        )
        script = f"pulumi stack init {stage} && pulumi up --yes --skip-preview -s {stage}"
        measured[f"{stage} first"] = Measured(["sh", "-c", script], folder, environment)
    for stage in STAGES:
        command = ["pulumi", "up", "--yes", "--skip-preview", "-s", stage]
        measured[f"{stage} again"] = Measured(command, folder, environment)
    return measured


def with_velapulumi(folder: Path, kubeconfigs: dict[str, Path]) -> dict[str, Measured]:
    """Deliver with velapulumi: up to the gate, resume, up."""
    shutil.copy(SEED, folder / "app.yaml")
    environment = {**os.environ, "VELAPULUMI_OFFLINE": "1"}

    def run(*args: str) -> Measured:
        return Measured([str(VELAPULUMI), *args], folder, environment)

    run("init", "--name", "bench")
    for cluster, path in kubeconfigs.items():
        run("cluster", "join", str(path), "--name", cluster)
    measured = {"staging first": run("up", "-f", "app.yaml")}
    measured["resume"] = run("workflow", "resume", "example-app")
    measured["prod first"] = run("up", "-f", "app.yaml")
    measured["both again"] = run("up", "-f", "app.yaml")
    measured["status"] = run("status", "example-app")
    measured["--help"] = run("--help")
    return measured


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    kubectl = str(find_cluster_tools().kubectl)
    results: dict[str, dict[str, list[Measured]]] = {"by hand": {}, "velapulumi": {}}
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        playground = Playground(base / "playground", first_slot=90)
        try:
            playground.up(list(STAGES.values()))
            kubeconfigs = {name: base / f"{name}.kubeconfig" for name in STAGES.values()}
            for name, path in kubeconfigs.items():
                path.write_text(playground.kubeconfig(name))
            for number in range(rounds):
                for way, deliver in (("by hand", by_hand), ("velapulumi", with_velapulumi)):
                    folder = base / f"{number}-{way.replace(' ', '-')}"
                    folder.mkdir()
                    for name, measured in deliver(folder, kubeconfigs).items():
                        results[way].setdefault(name, []).append(measured)
                    for path in kubeconfigs.values():
                        subprocess.run(
                            [kubectl, "--kubeconfig", path, "delete", "deployments", "--all"],
                            check=True,
                            stdout=subprocess.DEVNULL,
                        )
        finally:
            playground.down()
    print(f"{'':<12}{'':<16}{'median s':>10}{'peak MB':>10}")
    for way, rows in results.items():
        for name, measured in rows.items():
            seconds = statistics.median(entry.seconds for entry in measured)
            megabytes = max(entry.megabytes for entry in measured)
            print(f"{way:<12}{name:<16}{seconds:>10.2f}{megabytes:>10.0f}")


if __name__ == "__main__":
    main()
