"""Loading and rendering of many Applications, beside merely parsing the same YAML.

    python benchmarks/render.py [-n APPLICATIONS] [-r ROUNDS] [-o json]

Writes the files of the Applications, each with 2 components of 5 traits, all of them different and
the same in every run. Then each way goes through all files in a process of its own, the ways in
turn, ROUNDS times. Counts the CPU time of that one process, files read from disk included, and how
far its peak memory (RSS) grows above what it was after the first Application. The garbage
collector runs as ever, and nothing rendered is kept.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml

from velapulumi.render import RevisionNames, base_environment, load, render_environment

TRAITS_OF_A_COMPONENT = 5
WORDS = (
    "cart",
    "catalog",
    "billing",
    "search",
    "mail",
    "stock",
    "login",
    "report",
    "price",
    "feed",
)
REGISTRY = "registry.example.com/shop"

Properties = dict[str, Any]
Choice = random.Random


def scaler(choice: Choice, name: str) -> Properties:
    return {"replicas": choice.randint(1, 9)}


def labels(choice: Choice, name: str) -> Properties:
    return {"team": choice.choice(WORDS), "tier": choice.choice(("front", "back"))}


def annotations(choice: Choice, name: str) -> Properties:
    return {"example.com/owner": f"{choice.choice(WORDS)}@example.com", "example.com/note": name}


def env(choice: Choice, name: str) -> Properties:
    return {
        "env": {
            "LOG_LEVEL": choice.choice(("debug", "info", "warning")),
            "REGION": choice.choice(("north", "south")),
        },
        "unset": ["PROXY"],
    }


def resource(choice: Choice, name: str) -> Properties:
    return {
        "requests": {"cpu": choice.choice((0.1, 0.5)), "memory": "256Mi"},
        "limits": {"cpu": choice.randint(1, 4), "memory": f"{choice.randint(1, 8)}Gi"},
    }


def sidecar(choice: Choice, name: str) -> Properties:
    return {
        "name": f"{name}-log",
        "image": f"{REGISTRY}/log-reader:1.{choice.randint(0, 99)}",
        "cmd": ["sh", "-c", "tail -F /var/log/app.log"],
        "volumes": [{"name": "logs", "path": "/var/log"}],
    }


def storage(choice: Choice, name: str) -> Properties:
    size = f"{choice.randint(1, 64)}Gi"
    return {
        "pvc": [
            {
                "name": f"{name}-data",
                "mountPath": "/data",
                "resources": {"requests": {"storage": size}},
            }
        ],
        "configMap": [
            {
                "name": f"{name}-settings",
                "mountPath": "/etc/settings",
                "data": {"mode": choice.choice(WORDS), "size": size},
            }
        ],
        "emptyDir": [{"name": "cache", "mountPath": "/cache"}],
    }


def gateway(choice: Choice, name: str) -> Properties:
    return {
        "name": "public",
        "domain": f"{name}.example.com",
        "http": {"/": 8000, f"/{choice.choice(WORDS)}": 9000},
    }


def expose(choice: Choice, name: str) -> Properties:
    return {"ports": [{"port": 8000, "name": "http"}, {"port": choice.randint(9000, 9999)}]}


def hostalias(choice: Choice, name: str) -> Properties:
    ip = f"10.0.0.{choice.randint(1, 250)}"
    return {"hostAliases": [{"ip": ip, "hostnames": [f"{name}.local", f"{name}.lan"]}]}


TRAITS: tuple[Callable[[Choice, str], Properties], ...] = (
    scaler,
    labels,
    annotations,
    env,
    resource,
    sidecar,
    storage,
    gateway,
    expose,
    hostalias,
)


def webservice(choice: Choice, name: str) -> Properties:
    return {
        "image": f"{REGISTRY}/{name}:1.{choice.randint(0, 99)}",
        "ports": [{"port": 8000}, {"port": 9000, "protocol": "UDP"}],
        "env": [
            {"name": "MODE", "value": choice.choice(("fast", "safe"))},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": name, "key": "token"}}},
        ],
        "livenessProbe": {"httpGet": {"path": "/health", "port": 8000}},
    }


def worker(choice: Choice, name: str) -> Properties:
    return {
        "image": f"{REGISTRY}/{name}:2.{choice.randint(0, 99)}",
        "cmd": ["work", "--queue", choice.choice(WORDS)],
    }


def component(
    kind: Callable[[Choice, str], Properties], choice: Choice, name: str
) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind.__name__,
        "properties": kind(choice, name),
        "traits": [
            {"type": trait.__name__, "properties": trait(choice, name)}
            for trait in choice.sample(TRAITS, TRAITS_OF_A_COMPONENT)
        ],
    }


def application(number: int) -> str:
    """The text of the Application of a number."""
    choice = random.Random(number)
    word = choice.choice(WORDS)
    value = {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": f"{word}-{number}", "namespace": choice.choice(WORDS)},
        "spec": {
            "components": [
                component(webservice, choice, f"{word}-{number}"),
                component(worker, choice, f"{word}-worker-{number}"),
            ]
        },
    }
    return yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False)


def parse_only(path: Path) -> int:
    yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    return 0


def load_only(path: Path) -> int:
    load(path)
    return 0


def load_and_render(path: Path) -> int:
    loaded = load(path)
    application, environment = loaded.application, base_environment(loaded)
    names = RevisionNames(f"{application.name}-v1")
    return len(render_environment(application, environment, names))


WAYS: dict[str, Callable[[Path], int]] = {
    "yaml.CSafeLoader": parse_only,
    "load": load_only,
    "load and render": load_and_render,
}


@dataclass(frozen=True)
class Measured:
    """CPU seconds, growth of the peak memory and number of objects of one way, once."""

    seconds: float
    megabytes: float
    objects: int


def measure(way: str, paths: list[Path]) -> Measured:
    """Go one way through all files in this process."""
    run = WAYS[way]
    for path in paths[:1]:
        run(path)
    before, started = peak_megabytes(), time.process_time()
    objects = sum(map(run, paths))
    return Measured(time.process_time() - started, peak_megabytes() - before, objects)


def peak_megabytes() -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def measure_all(count: int, rounds: int) -> dict[str, list[Measured]]:
    """Measure all ways, in turn."""
    results: dict[str, list[Measured]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.yaml") for number in range(count)]
        for number, path in enumerate(paths):
            path.write_text(application(number))
        for _ in range(rounds):
            for way, measured in results.items():
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
                    measured.append(fresh.submit(measure, way, paths).result())
    return results


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=3000, help="number of Applications")
    parser.add_argument("-r", type=int, default=3, help="number of rounds")
    parser.add_argument("-o", choices=("table", "json"), default="table", help="how to print")
    options = parser.parse_args()
    report = {
        way: {
            "applications_per_second": round(options.n / min(m.seconds for m in measured)),
            "median_per_second": round(options.n / statistics.median(m.seconds for m in measured)),
            "peak_growth_megabytes": round(max(m.megabytes for m in measured), 1),
            "objects": measured[0].objects,
        }
        for way, measured in measure_all(options.n, options.r).items()
    }
    if options.o == "json":
        print(
            json.dumps({"applications": options.n, "rounds": options.r, "ways": report}, indent=2)
        )
        return
    print(f"{options.n} Applications, 2 components with 5 traits each, {options.r} rounds")
    print(f"{'':<18}{'apps/s best':>12}{'median':>8}{'peak growth MB':>16}{'objects':>9}")
    for way, row in report.items():
        best, median, megabytes, objects = row.values()
        print(f"{way:<18}{best:>12}{median:>8}{megabytes:>16}{objects:>9}")


if __name__ == "__main__":
    main()
