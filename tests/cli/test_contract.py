"""What scripts and people rely on: codes, exit codes, speed of help, settings for pulumi."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from velapulumi import errors
from velapulumi.cli import COMMANDS
from velapulumi.errors import VelapulumiError

ROOT = Path(__file__).parents[2]
VELAPULUMI = Path(sys.executable).with_name("velapulumi")


def run(*args: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    hidden = ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")
    kept = {key: value for key, value in os.environ.items() if key not in hidden}
    return subprocess.run(
        [str(VELAPULUMI), *args], cwd=cwd, env=kept | environment, capture_output=True, text=True
    )


def classes(base: type[VelapulumiError] = VelapulumiError) -> list[type[VelapulumiError]]:
    return [base, *(found for child in base.__subclasses__() for found in classes(child))]


def test_the_tree_of_errors_is_the_one_that_is_drawn() -> None:
    drawn = re.findall(r"(\w+) +(VP\d+) +exit (\d+)", errors.__doc__ or "")
    real = {(found.__name__, found.code, str(found.exit_code)) for found in classes()}
    assert set(drawn) == real
    assert len({found.code for found in classes()}) == len(real)


def test_every_concrete_error_is_in_the_documentation() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    rows = dict(re.findall(r"^\| (VP\d+) \| (\d+) \|", page, re.MULTILINE))
    leaves = {found.code: str(found.exit_code) for found in classes() if not found.__subclasses__()}
    assert leaves.items() <= rows.items()


def loaded_by(script: str) -> set[str]:
    script += "\nimport sys; print(' '.join({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_help_loads_next_to_nothing() -> None:
    script = (
        "from click.testing import CliRunner\nfrom velapulumi.cli import cli\n"
        "result = CliRunner().invoke(cli, ['--help'])\nassert 'dry-run' in result.output"
    )
    assert not loaded_by(script) & {"pulumi", "kubernetes", "pydantic", "yaml", "rich", "grpc"}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_each_commands_help_is_light(command: str) -> None:
    script = (
        "from click.testing import CliRunner\nfrom velapulumi.cli import cli\n"
        f"assert CliRunner().invoke(cli, [{command!r}, '--help']).exit_code == 0"
    )
    assert not loaded_by(script) & {"pulumi", "kubernetes", "pydantic", "rich", "grpc"}


def test_reading_status_from_files_needs_neither_engine_nor_client(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from velapulumi.errors import UnknownApplication
from velapulumi.project import Project
from velapulumi.status.report import read_status
folder = Path({str(tmp_path)!r})
try:
    read_status(Project(folder, "p", folder), "app", contact=False)
except UnknownApplication:
    pass
"""
    assert not loaded_by(script) & {"pulumi", "kubernetes", "rich", "grpc"}


def test_init_makes_a_project_and_never_overwrites_one(tmp_path: Path) -> None:
    assert run("init", "--name", "shop", cwd=tmp_path).returncode == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert (tmp_path / "Pulumi.yaml").read_text().startswith("name: shop\n")
    again = run("init", cwd=tmp_path)
    assert (again.returncode, "nothing was written" in again.stderr) == (2, True)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_outside_a_project(tmp_path: Path) -> None:
    done = run("status", "shop", cwd=tmp_path)
    assert done.returncode == 2
    assert "[VP104]" in done.stderr
    assert done.stdout == ""


def test_usage_errors_have_exit_code_2(tmp_path: Path) -> None:
    assert run("up", cwd=tmp_path).returncode == 2
    assert run("no-such-command", cwd=tmp_path).returncode == 2


def test_the_settings_can_be_taken_by_a_shell(tmp_path: Path) -> None:
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    assert run("init", "--name", "shop", cwd=folder).returncode == 0
    script = f'eval "$({VELAPULUMI} env)" && echo "$PULUMI_BACKEND_URL" && '
    script += 'stat -c %a "$PULUMI_CONFIG_PASSPHRASE_FILE"'
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
    done = subprocess.run(
        ["sh", "-c", script], cwd=folder, env=clean, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == [f"file://{folder}/.velapulumi/backend", "600"]
    passphrase = (folder / ".velapulumi" / "passphrase").read_text()
    assert len(passphrase.strip()) >= 32
    own = run("env", cwd=folder, PULUMI_BACKEND_URL="s3://bucket", PULUMI_CONFIG_PASSPHRASE="x")
    assert "PULUMI_BACKEND_URL=s3://bucket" in own.stdout
    assert "PASSPHRASE_FILE" not in own.stdout
    assert (folder / ".velapulumi" / "passphrase").read_text() == passphrase
