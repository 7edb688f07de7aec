"""No engine, no settings of the person who runs the tests, and a project in a fresh folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from velapulumi.errors import ToolMissing
from velapulumi.project import Project


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing() -> None:
        raise ToolMissing("no engine in unit tests")

    for key in [key for key in os.environ if key.startswith("PULUMI_")]:
        monkeypatch.delenv(key)
    monkeypatch.setattr("velapulumi.engine.environment.find_engine", nothing)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "Pulumi.yaml").write_text("name: test\nstackConfigDir: stacks\n")
    (tmp_path / "stacks").mkdir()
    return Project(tmp_path, "test", tmp_path / "stacks")
