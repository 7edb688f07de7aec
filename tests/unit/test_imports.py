"""What is loaded when: help is quick, and reading a status needs neither engine nor client."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("pulumi", "pulumi_kubernetes", "kubernetes", "pydantic", "rich", "yaml", "hypothesis")


def loaded(script: str) -> set[str]:
    """The heavy packages that a fresh interpreter has loaded after a script."""
    code = (
        f"{script}\nimport sys\nprint(*[m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["init", "--help"], ["up", "--help"]])
def test_help_loads_nothing_heavy(args: list[str]) -> None:
    script = f"from velapulumi.cli import cli\ncli.main({args}, standalone_mode=False)"
    assert loaded(script) == set()


def test_every_command_is_listed_with_its_help() -> None:
    from click.testing import CliRunner

    from velapulumi.cli import COMMANDS, cli

    answer = CliRunner().invoke(cli, ["--help"])
    assert answer.exit_code == 0
    for name, (_, text) in COMMANDS.items():
        assert f"\n  {name} " in answer.stdout
        assert text.split()[0] in answer.stdout
        assert CliRunner().invoke(cli, [name, "--help"]).exit_code == 0


def test_a_status_from_files_needs_neither_engine_nor_client() -> None:
    script = """
import os, tempfile
from pathlib import Path
from velapulumi.gate.file import update_gate
from velapulumi.project import Project, StackName
from velapulumi.status.report import read_status
from velapulumi.status.document import status_document
from velapulumi.engine.stacks import read_record
from velapulumi.workflow.revision import Revision
from velapulumi.workflow.steps import WorkflowStep
with tempfile.TemporaryDirectory() as name:
    root = Path(name)
    project = Project(root, "test", root)
    steps = (WorkflowStep(name="go", type="deploy2env", stage="prod"),)
    revision = Revision(name="shop-v1", hash="0" * 16)
    update_gate(project.gate_file("shop"), "shop", lambda gate: gate.begin(revision, steps))
    folder = project.state / "backend/.pulumi/stacks/test"
    folder.mkdir(parents=True)
    (folder / "shop.prod.json").write_text('{"checkpoint": {"latest": {"resources": []}}}')
    assert read_record(project, StackName("shop", "prod")) is not None
    assert status_document(read_status(project, "shop"))["status"]["status"] == "runningWorkflow"
"""
    assert loaded(script) & {"pulumi", "pulumi_kubernetes", "kubernetes", "rich"} == set()
