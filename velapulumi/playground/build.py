"""Builds tools from the Go modules in ``toolchain/`` into the cache, each module once.

A result appears under its final name all at once, by a rename: a build that is killed leaves only a
scratch folder, which the next build of that module removes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from velapulumi.errors import Interrupted, ToolMissing
from velapulumi.playground.golang import Go, ensure_go
from velapulumi.playground.locks import exclusive
from velapulumi.playground.places import cache_dir, system, toolchain_dir
from velapulumi.playground.progress import Report, duration
from velapulumi.playground.tools import GO_SERIES, RECIPES, Recipe

AT_ONCE = 2
HEARTBEAT_SECONDS = 30.0
_MADE_AT_BUILD = "schema.json"
_FLAGS = ("-trimpath", "-buildvcs=false")


def build_key(recipe: Recipe, sources: Path) -> str:
    """Name of one exact build: its sources, lock files, flags, stamps, Go series and system.

    Patch releases of Go share a key, since every one of the series fits.

    Args:
        recipe: What to build.
        sources: The folder that holds the module folders.

    Raises:
        ToolMissing: The module's folder is not there.
    """
    folder = sources / recipe.name
    digest = hashlib.sha256(repr((recipe, _FLAGS, GO_SERIES, system())).encode())
    try:
        for file in sorted(folder.iterdir()):
            if file.name != _MADE_AT_BUILD:
                content = file.read_bytes()
                digest.update(f"\0{file.name}\0{len(content)}\0".encode())
                digest.update(content)
    except FileNotFoundError:
        raise ToolMissing(f"the toolchain folder lacks {recipe.name}") from None
    return digest.hexdigest()[:16]


def built_dir(recipe: Recipe, sources: Path | None = None) -> Path:
    """Folder that the build of a module is found in, whether it has been made or not.

    Args:
        recipe: What to build.
        sources: The folder that holds the module folders; ours when not given.

    Raises:
        ToolMissing: The module's folder is not there.
    """
    key = build_key(recipe, sources or toolchain_dir())
    return cache_dir() / "toolchain" / f"{recipe.name}-{key}"


def build_all(
    recipes: Sequence[Recipe], report: Report, sources: Path | None = None
) -> dict[str, Path]:
    """Build what has not been built yet, at most two modules at a time.

    Args:
        recipes: What to build, in this order.
        report: Is told of every start and end, and every half minute between.
        sources: The folder that holds the module folders; ours when not given.

    Returns:
        The folder of binaries of each module.

    Raises:
        ToolMissing: Go is missing or a build failed; the other builds are stopped.
    """
    sources = sources or toolchain_dir()
    results = {recipe.name: built_dir(recipe, sources) for recipe in recipes}
    missing = [recipe for recipe in recipes if not results[recipe.name].is_dir()]
    if not missing:
        return results
    go = ensure_go(report)
    names = ", ".join(recipe.name for recipe in missing)
    report(f"building with Go {go.version}: {names}")
    stop = threading.Event()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running: dict[str, float] = {}
        futures = {
            pool.submit(_build_one, recipe, go, sources, report, stop, running)
            for recipe in missing
        }
        try:
            _watch(futures, running, report)
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return results


def recipes_for(names: Sequence[str]) -> list[Recipe]:
    """The recipes of some modules, longest build first."""
    return [recipe for name, recipe in RECIPES.items() if name in names]


def _watch(futures: set[Future[None]], running: dict[str, float], report: Report) -> None:
    pending = futures
    while pending:
        done, pending = wait(pending, timeout=HEARTBEAT_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
        if not done:
            now = time.monotonic()
            states = [f"{name} {duration(now - start)}" for name, start in list(running.items())]
            report(f"still building: {', '.join(states)}")


def _build_one(
    recipe: Recipe,
    go: Go,
    sources: Path,
    report: Report,
    stop: threading.Event,
    running: dict[str, float],
) -> None:
    result = built_dir(recipe, sources)
    with exclusive(result.parent / f".{recipe.name}.lock", report, recipe.name):
        if result.is_dir():
            report(f"{recipe.name}: there already")
            return
        for leftover in result.parent.glob(f".{recipe.name}.build-*"):
            shutil.rmtree(leftover)
        start = running[recipe.name] = time.monotonic()
        report(f"{recipe.name}: building {recipe.version}")
        scratch = Path(tempfile.mkdtemp(prefix=f".{recipe.name}.build-", dir=result.parent))
        try:
            _compile(recipe, go, sources, scratch, stop)
            (scratch / "out").rename(result)
        finally:
            running.pop(recipe.name)
            shutil.rmtree(scratch, ignore_errors=True)
        report(f"{recipe.name}: built in {duration(time.monotonic() - start)}")


def _compile(recipe: Recipe, go: Go, sources: Path, scratch: Path, stop: threading.Event) -> None:
    source, out, log = scratch / "src", scratch / "out", scratch / "log"
    # Go may want to touch lock files, and the schema is made here: never in the checkout.
    shutil.copytree(sources / recipe.name, source, ignore=shutil.ignore_patterns(_MADE_AT_BUILD))
    out.mkdir()
    needed: Path | None = None
    if recipe.needs:
        _go(recipe, go, ["mod", "download", "-json", recipe.source], source, log, stop)
        needed = Path(json.loads(log.read_text())["Dir"]) / recipe.needs
    if needed and needed.name == _MADE_AT_BUILD:
        schema = json.loads(needed.read_bytes()) | {"version": recipe.version}
        (source / _MADE_AT_BUILD).write_text(json.dumps(schema))
    flags = " ".join(["-s", "-w", *(f"-X {stamp}" for stamp in recipe.stamps)])
    target = f"{out}/" if recipe.package == "tool" else str(out / recipe.outputs[0])
    command = ["build", *_FLAGS, "-ldflags", flags, "-o", target, recipe.package]
    _go(recipe, go, command, source, log, stop)
    if needed and needed.name in recipe.outputs:
        shutil.copyfile(needed, out / needed.name)
        (out / needed.name).chmod(0o755)
    absent = [name for name in recipe.outputs if not (out / name).is_file()]
    if absent:
        raise ToolMissing(f"the build of {recipe.name} made no {', '.join(absent)}")


def _go(
    recipe: Recipe, go: Go, arguments: list[str], source: Path, log: Path, stop: threading.Event
) -> None:
    errors = log.with_suffix(".err")
    with log.open("wb") as stdout, errors.open("wb") as stderr:
        process = subprocess.Popen(
            [go.path, *arguments],
            cwd=source,
            env=go.environment(),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        while process.poll() is None:
            if stop.wait(0.05):
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise Interrupted(f"the build of {recipe.name} was stopped")
    if process.returncode != 0:
        last = "\n".join(errors.read_text(errors="replace").splitlines()[-15:])
        raise ToolMissing(
            f"the build of {recipe.name} failed (go exited with {process.returncode}):\n{last}",
            next_step=(
                "Look at the lines above: most often the Go module proxy is out of reach, or the "
                "disk or the memory is full. Then run velapulumi doctor --fix again; what was "
                "compiled is kept."
            ),
        )
