"""Where tools and clusters are kept: outside any checkout, so that checkouts share them."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from velapulumi.errors import ToolMissing


def cache_dir() -> Path:
    """Folder of everything that can be fetched or built again."""
    return _place("VELAPULUMI_CACHE", "XDG_CACHE_HOME", ".cache", "velapulumi")


def playground_dir() -> Path:
    """Folder of the local clusters and their data."""
    return _place(
        "VELAPULUMI_PLAYGROUND", "XDG_STATE_HOME", ".local/state", "velapulumi/playground"
    )


def _place(own: str, xdg: str, home: str, name: str) -> Path:
    if chosen := os.environ.get(own):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get(xdg)
    return (Path(base) if base and Path(base).is_absolute() else Path.home() / home) / name


def toolchain_dir() -> Path:
    """Folder of the Go modules that the tools are built from.

    Raises:
        ToolMissing: The installation lacks them.
    """
    package = Path(__file__).resolve().parent.parent
    for place in (package / "toolchain", package.parent / "toolchain"):
        if (place / "pulumi" / "go.mod").is_file():
            return place
    raise ToolMissing(
        "this installation of velapulumi lacks its toolchain folder",
        next_step="Install velapulumi again, from its wheel or as a checkout.",
    )


def system() -> tuple[str, str]:
    """Operating system and processor, in Go's words, such as ``("linux", "amd64")``."""
    machine = platform.machine().lower()
    return sys.platform, {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
