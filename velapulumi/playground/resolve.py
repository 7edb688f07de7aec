"""Finds every tool: on PATH when its version fits, else in the cache; gets what is missing.

Looking is cheap, since every `velapulumi up` does it: no process is started for what the cache
holds, and what a program on PATH said about its version is remembered as long as its file does not
change.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from velapulumi.errors import ToolMissing, ToolProblem
from velapulumi.playground.places import cache_dir
from velapulumi.playground.progress import Progress, Report
from velapulumi.playground.tools import (
    CLUSTER_TOOLS,
    CUE,
    ENGINE_TOOLS,
    LANGUAGE_EXECUTOR,
    LANGUAGE_HOST,
    PROVIDER,
    PROVIDER_VERSION,
    PULUMI,
    PULUMI_VERSION,
    RECIPES,
    Tool,
    parse_version,
)

_BESIDE_PULUMI = (LANGUAGE_HOST, LANGUAGE_EXECUTOR)


@dataclass(frozen=True)
class Engine:
    """The Pulumi engine and where it keeps its plugins.

    Attributes:
        root: Folder with ``bin/pulumi``, its Python host beside it: for ``PulumiCommand(root=…)``.
        home: The PULUMI_HOME that the Kubernetes provider is installed in.
    """

    root: Path
    home: Path


@dataclass(frozen=True)
class ClusterTools:
    """The programs that a local cluster is made of, and kubectl."""

    kube_apiserver: Path
    kube_controller_manager: Path
    kube_scheduler: Path
    kubectl: Path
    etcd: Path
    kwok: Path
    kwokctl: Path


@dataclass(frozen=True)
class Found:
    """A tool that is there.

    Attributes:
        path: Its file.
        version: Its version; empty when it does not tell.
        origin: ``PATH``, ``plugins``, ``downloaded`` or ``built``.
        fits: Whether velapulumi uses it.
    """

    path: Path
    version: str
    origin: str
    fits: bool


def find_engine() -> Engine:
    """The Pulumi engine with its language host and the Kubernetes provider; only looks.

    Raises:
        ToolMissing: One of them is not there.
    """
    pulumi, provider = find_pulumi(), find_provider()
    if not pulumi or not pulumi.fits:
        raise ToolMissing(f"the Pulumi engine ({ENGINE_TOOLS[0].wants}) is not on this machine")
    if not provider or provider.origin != "plugins":
        raise ToolMissing(
            f"Pulumi's Kubernetes provider {PROVIDER_VERSION} is not installed in {pulumi_home()}"
        )
    return Engine(pulumi.path.parent.parent, pulumi_home())


def find_cluster_tools() -> ClusterTools:
    """The programs of a local cluster; only looks.

    Raises:
        ToolMissing: Some of them are not there.
    """
    found = {tool.name: find_tool(tool) for tool in CLUSTER_TOOLS}
    missing = [name for name, one in found.items() if not one or not one.fits]
    if missing:
        raise ToolMissing(f"not on this machine in a version that fits: {', '.join(missing)}")
    paths = {name.replace("-", "_"): one.path for name, one in found.items() if one}
    return ClusterTools(**{field.name: paths[field.name] for field in fields(ClusterTools)})


def ensure_engine(report: Report | None = None) -> Engine:
    """The Pulumi engine, fetched or built when it is missing: minutes the first time.

    Args:
        report: Is told what happens; writes to stderr when not given.

    Raises:
        ToolMissing: It cannot be had.
    """
    _ensure(True, False, report or Progress())
    return find_engine()


def ensure_cluster_tools(report: Report | None = None) -> ClusterTools:
    """The programs of a local cluster, fetched or built when missing: minutes the first time.

    Args:
        report: Is told what happens; writes to stderr when not given.

    Raises:
        ToolMissing: They cannot be had.
    """
    _ensure(False, True, report or Progress())
    return find_cluster_tools()


def ensure_cue(report: Report | None = None) -> Path:
    """The ``cue`` command, built when it is missing: a minute or two the first time.

    Args:
        report: Is told what happens; writes to stderr when not given.

    Raises:
        ToolMissing: It cannot be had.
    """
    from velapulumi.playground.build import build_all, recipes_for

    found = find_tool(CUE)
    if not found or not found.fits:
        build_all(recipes_for([CUE.module]), report or Progress())
        found = find_tool(CUE)
    assert found is not None
    return found.path


def ensure_everything(report: Report) -> None:
    """Fetch or build whatever is missing of the engine and the cluster tools.

    Args:
        report: Is told what happens.

    Raises:
        ToolMissing: Something cannot be had.
    """
    _ensure(True, True, report)


def pulumi_home() -> Path:
    """The PULUMI_HOME in use: the one of the environment, else our own."""
    chosen = os.environ.get("PULUMI_HOME")
    return Path(chosen).expanduser().absolute() if chosen else cache_dir() / "pulumi-home"


def find_tool(tool: Tool) -> Found | None:
    """The fitting tool, else the one on PATH that does not fit.

    Args:
        tool: One of `CLUSTER_TOOLS`, or `CUE`.
    """
    on_path = _on_path(tool)
    if on_path and on_path.fits:
        return on_path
    return _in_cache(tool.module, tool.name) or on_path


def find_pulumi() -> Found | None:
    """The Pulumi engine; one without its Python language host beside it does not fit."""
    on_path = _on_path(ENGINE_TOOLS[0])
    if on_path:
        # Pulumi itself follows links to find what is beside it.
        real = on_path.path.resolve()
        complete = real.parent.name == "bin" and all(
            os.access(real.with_name(name), os.X_OK) for name in _BESIDE_PULUMI
        )
        on_path = Found(real, on_path.version, "PATH", on_path.fits and complete)
        if on_path.fits:
            return on_path
    from velapulumi.playground.download import downloaded_dir

    for folder, origin in ((downloaded_dir("pulumi"), "downloaded"), (_assembly(), "built")):
        pulumi = folder / "bin" / PULUMI
        if pulumi.is_file():
            return Found(pulumi, PULUMI_VERSION, origin, True)
    return on_path


def find_provider() -> Found | None:
    """The Kubernetes provider: installed in PULUMI_HOME, or somewhere it can be installed from."""
    folder = pulumi_home() / "plugins" / f"resource-kubernetes-v{PROVIDER_VERSION}"
    # Pulumi leaves such a mark while it installs.
    if (folder / PROVIDER).is_file() and not folder.with_name(f"{folder.name}.partial").exists():
        return Found(folder / PROVIDER, PROVIDER_VERSION, "plugins", True)
    on_path = _on_path(ENGINE_TOOLS[1])
    if on_path and on_path.fits:
        return on_path
    return _in_cache("provider", PROVIDER) or on_path


def _in_cache(module: str, name: str) -> Found | None:
    from velapulumi.playground.build import built_dir
    from velapulumi.playground.download import downloaded_dir

    recipe = RECIPES[module]
    for folder, origin in ((downloaded_dir(module), "downloaded"), (built_dir(recipe), "built")):
        if (folder / name).is_file():
            return Found(folder / name, recipe.version, origin, True)
    return None


def _on_path(tool: Tool) -> Found | None:
    place = shutil.which(tool.name)
    if not place:
        return None
    path = Path(place).absolute()
    version = _said_version(path, tool.asks)
    numbers = parse_version(version)
    return Found(path, version, "PATH", numbers is not None and tool.fits(numbers))


def _said_version(path: Path, asks: tuple[str, ...]) -> str:
    """What a program says its version is, remembered by its file's size and time of change."""
    memory = cache_dir() / "versions.json"
    stat = path.stat()
    mark = [stat.st_mtime_ns, stat.st_size]
    try:
        known = json.loads(memory.read_bytes())
        if known[str(path)][:2] == mark:
            return str(known[str(path)][2])
    except (OSError, ValueError, KeyError, TypeError):
        known = {}
    try:
        done = subprocess.run(
            [path, *asks],
            capture_output=True,
            text=True,
            timeout=20,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true"},
        )
        match = re.search(r"\d+\.\d+\.\d+", done.stdout or done.stderr)
        version = match[0] if match else ""
    except (OSError, subprocess.SubprocessError):
        version = ""
    memory.parent.mkdir(parents=True, exist_ok=True)
    known[str(path)] = [*mark, version]
    with tempfile.NamedTemporaryFile("w", dir=memory.parent, delete=False) as fresh:
        json.dump(known, fresh)
    os.replace(fresh.name, memory)
    return version


def _assembly() -> Path:
    """Folder that joins our builds of Pulumi and of its language host."""
    from velapulumi.playground.build import built_dir

    parts = [
        built_dir(RECIPES[name]).name.rsplit("-", 1)[1] for name in ("pulumi", "language-python")
    ]
    return cache_dir() / "engine" / "-".join(parts)


def _ensure(engine: bool, cluster: bool, report: Report) -> None:
    from velapulumi.playground.build import build_all, recipes_for

    wanted: set[str] = set()
    if cluster:
        wanted |= {tool.module for tool in CLUSTER_TOOLS if not _fits(find_tool(tool))}
    if engine and not _fits(find_pulumi()):
        wanted |= {"pulumi", "language-python"}
    if engine and not _fits(find_provider()):
        wanted |= {"provider"}
    build_all(recipes_for(sorted(wanted - _download(wanted, report))), report)
    if not engine:
        return
    if not _fits(find_pulumi()):
        _assemble()
    provider = find_provider()
    if provider and provider.origin != "plugins":
        _install_provider(provider.path, report)


def _fits(found: Found | None) -> bool:
    return found is not None and found.fits


def _download(wanted: Iterable[str], report: Report) -> set[str]:
    """Fetch what can be fetched; a download that is refused is built instead."""
    from velapulumi.playground import download

    got: set[str] = set()
    for module in sorted(wanted, key=list(RECIPES).index):
        try:
            if module in download.RELEASES and download.download(module, report):
                got.add(module)
            elif module == "pulumi" and download.download_pulumi(report):
                got |= {"pulumi", "language-python"}
        except ToolProblem as problem:
            report(f"{module}: {problem}; building it from source instead")
    pulumi = find_pulumi()
    if (
        "provider" in wanted
        and pulumi
        and pulumi.fits
        and download.download_provider(pulumi.path, pulumi_home(), report)
    ):
        got.add("provider")
    return got


def _assemble() -> None:
    """Put our builds of Pulumi and its language host into one folder, as Pulumi wants them.

    Hard links: Pulumi would follow symbolic ones, away from its host.
    """
    from velapulumi.playground.build import built_dir

    target = _assembly()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".engine-", dir=target.parent) as scratch:
        bin_dir = Path(scratch) / "root" / "bin"
        bin_dir.mkdir(parents=True)
        for name in ("pulumi", "language-python"):
            for output in RECIPES[name].outputs:
                os.link(built_dir(RECIPES[name]) / output, bin_dir / output)
        try:
            bin_dir.parent.rename(target)
        except OSError:
            if not target.is_dir():  # else another run was first, with the same files
                raise


def _install_provider(binary: Path, report: Report) -> None:
    pulumi = find_pulumi()
    assert pulumi is not None
    report(f"provider: installing {PROVIDER_VERSION} in {pulumi_home()}")
    done = subprocess.run(
        [
            *(pulumi.path, "plugin", "install", "resource", "kubernetes", PROVIDER_VERSION),
            *("--file", binary, "--reinstall"),
        ],
        env=os.environ | {"PULUMI_HOME": str(pulumi_home()), "PULUMI_SKIP_UPDATE_CHECK": "true"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        raise ToolMissing(f"the Kubernetes provider cannot be installed:\n{done.stdout.strip()}")


def survey() -> Sequence[tuple[Tool, Found | None]]:
    """Every tool and what was found of it, for people to look at."""
    rows: list[tuple[Tool, Found | None]] = [
        (ENGINE_TOOLS[0], find_pulumi()),
        (ENGINE_TOOLS[1], find_provider()),
    ]
    return [*rows, *((tool, find_tool(tool)) for tool in CLUSTER_TOOLS)]
