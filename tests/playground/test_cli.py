"""`velapulumi doctor` and `velapulumi playground`, as they are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from velapulumi.cli.doctor import doctor
from velapulumi.cli.playground import playground
from velapulumi.playground import golang, resolve
from velapulumi.playground.clusters import ClusterStatus
from velapulumi.playground.progress import duration

from .conftest import Script


@pytest.fixture(autouse=True)
def empty(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VELAPULUMI_PLAYGROUND", str(tmp_path / "playground"))
    which = resolve.shutil.which
    for module in (resolve, golang):
        monkeypatch.setattr(
            module.shutil, "which", lambda name, **_: which(name, path=tmp_path / "bin")
        )


def test_doctor_lists_what_is_missing(script: Script) -> None:
    path = script("kubectl", "echo Client Version: v1.32.4")
    result = CliRunner().invoke(doctor, ["-o", "json"])
    assert result.exit_code == 1
    checks = {check["name"]: check for check in json.loads(result.stdout)}
    assert list(checks)[:5] == ["python", "uv", "go", "pulumi", "pulumi-resource-kubernetes"]
    assert checks["kubectl"] == {
        "name": "kubectl",
        "fits": False,
        "version": "1.32.4",
        "wants": "1.36.x",
        "origin": "PATH",
        "path": str(path),
        "advice": "velapulumi doctor --fix (wants 1.36.x)",
    }
    assert checks["etcd"]["advice"] == "velapulumi doctor --fix"
    assert checks["go"]["advice"] == "velapulumi doctor --fix installs it"
    assert checks["python"]["fits"]


def test_doctor_says_the_same_in_every_format() -> None:
    as_json = CliRunner().invoke(doctor, ["-o", "json"])
    as_yaml = CliRunner().invoke(doctor, ["-o", "yaml"])
    assert yaml.safe_load(as_yaml.stdout) == json.loads(as_json.stdout)
    table = CliRunner().invoke(doctor).stdout.splitlines()
    assert table[0].split() == ["TOOL", "FITS", "VERSION", "FROM", "PATH", "TO", "DO"]
    assert len(table) == len(json.loads(as_json.stdout)) + 1


@pytest.mark.e2e
def test_doctor_is_content_on_a_machine_that_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    result = CliRunner().invoke(doctor, ["-o", "json"])
    assert result.exit_code == 0, result.stdout
    assert all(check["fits"] for check in json.loads(result.stdout))


def test_an_empty_playground() -> None:
    result = CliRunner().invoke(playground, ["status"])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "velapulumi playground up" in result.stderr
    assert json.loads(CliRunner().invoke(playground, ["status", "-o", "json"]).stdout) == []
    down = CliRunner().invoke(playground, ["down"])
    assert (down.exit_code, down.stdout) == (0, "")


def test_status_lists_clusters(tmp_path: Path) -> None:
    folder = tmp_path / "playground" / "settings" / "one"
    folder.mkdir(parents=True)
    (folder / "slot").write_text("3")
    result = CliRunner().invoke(playground, ["status"])
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["NAME", "STATE", "SERVER"],
        ["one", "stopped", "https://127.0.0.1:22040"],
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.44, "0.4s"), (9.94, "9.9s"), (9.97, "10s"), (185, "3m05s")]
)
def test_times_of_progress_lines(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_up_says_how_to_join_the_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "velapulumi.playground.clusters.Playground.up",
        lambda *_: [ClusterStatus("one", "running", "https://127.0.0.1:1")],
    )
    result = CliRunner().invoke(playground, ["up", "one"])
    assert result.exit_code == 0, result.output
    assert result.stderr == (
        "Next: velapulumi playground kubeconfig one > one.kubeconfig\n"
        "then: velapulumi cluster join one.kubeconfig --name one\n"
    )
