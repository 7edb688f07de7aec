"""The state of every tool, for `velapulumi doctor`."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass

from velapulumi.playground.golang import find_go, find_uv
from velapulumi.playground.resolve import Found, find_tool, survey
from velapulumi.playground.tools import CUE, GO_SERIES, PROVIDER, Tool

_FIX = "velapulumi doctor --fix"


@dataclass(frozen=True)
class Check:
    """One tool.

    Attributes:
        name: What it is.
        fits: Whether velapulumi can use what is there, or does not need it.
        version: The version found; empty when none.
        wants: The versions that fit, in words.
        origin: ``PATH``, ``plugins``, ``downloaded`` or ``built``; empty when it is not there.
        path: Where it is; empty when it is not there.
        advice: What to do; empty when nothing.
    """

    name: str
    fits: bool
    version: str
    wants: str
    origin: str
    path: str
    advice: str


def checkup() -> list[Check]:
    """Look for every tool; starts nothing that takes long and changes nothing."""
    tools = [_check(tool, found) for tool, found in survey()]
    go = _go(needed=not all(check.fits for check in tools))
    return [_python(), _uv(), go, *tools, _cue()]


def _check(tool: Tool, found: Found | None) -> Check:
    if not found:
        return Check(tool.name, False, "", tool.wants, "", "", _FIX)
    # A provider elsewhere fits, but the engine looks only into its own plugin folder.
    fits = found.fits and (tool.name != PROVIDER or found.origin == "plugins")
    advice = "" if fits else _FIX if found.fits else f"{_FIX} (wants {tool.wants})"
    return Check(tool.name, fits, found.version, tool.wants, found.origin, str(found.path), advice)


def _python() -> Check:
    version = platform.python_version()
    return Check("python", True, version, ">=3.11", "running", sys.executable, "")


def _uv() -> Check:
    uv = find_uv()
    if uv:
        return Check("uv", True, "", "any", "PATH", str(uv), "")
    return Check("uv", True, "", "any", "", "", "not needed")


def _go(needed: bool) -> Check:
    go = find_go()
    wants = f"{GO_SERIES}.x, to build what is missing"
    if go:
        return Check("go", True, go.version, wants, "PATH", str(go.path), "")
    advice = f"{_FIX} installs it" if needed else "not needed"
    return Check("go", True, "", wants, "", "", advice)


def _cue() -> Check:
    found = find_tool(CUE)
    if found and found.fits:
        return _check(CUE, found)
    advice = "not needed; built once a definition has a CUE template"
    return Check(CUE.name, True, "", CUE.wants, "", "", advice)
