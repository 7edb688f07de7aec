"""Folders of their own for every test, and stand-ins for programs on PATH."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from velapulumi.playground.golang import find_go

Script = Callable[[str, str], Path]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; nothing is downloaded."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("VELAPULUMI_CACHE", str(folder))
    monkeypatch.setenv("VELAPULUMI_OFFLINE", "1")
    monkeypatch.delenv("PULUMI_HOME", raising=False)
    return folder


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Makes a shell script in `tmp_path/bin`."""

    def make(name: str, body: str) -> Path:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def real_go() -> Path:
    go = find_go()
    if not go:
        pytest.skip("no Go on this machine: every tool came from elsewhere")
    return go.path
