"""The end of ``up``: what it prints where, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.cli.test_progress import FLEET, SEED, STUCK, Script, ScriptedEdge, application, play
from velapulumi.cli.progress import Display
from velapulumi.cli.up import up
from velapulumi.delivery.deliver import Outcome
from velapulumi.errors import PartlyDelivered, Unhealthy, VelapulumiError
from velapulumi.program.application import Application
from velapulumi.workflow.entries import Entry, Kind

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``up`` with a delivery that a script answers."""
    (tmp_path / "Pulumi.yaml").write_text("name: test\nstackConfigDir: stacks\n")
    (tmp_path / "my app.yaml").write_text(SEED)
    monkeypatch.chdir(tmp_path)

    def invoke(
        made: Application, script: Script, *options: str, error: VelapulumiError | None = None
    ) -> Result:
        def deliver(
            project: object, file: Path, display: Display, timeout: float | None, **more: Any
        ) -> Outcome:
            edge = ScriptedEdge(script)
            conclusion = play(made, script, display, edge)
            if error:
                raise error
            return Outcome(made, conclusion)

        monkeypatch.setattr("velapulumi.delivery.deliver.deliver", deliver)
        arguments = ["-f", "my app.yaml", *options]
        return CliRunner().invoke(up, arguments, standalone_mode=False)

    return invoke


def test_a_gate_ends_with_the_next_commands(run: Run) -> None:
    result = run(application(SEED), Script())
    assert result.return_value == 4
    assert result.stdout == (
        "Application default/example-app waits at manual-approval to promote "
        "example-app-v1:0123456789abcdef.\n"
    )
    assert result.stderr.endswith(
        "manual-approval: waits for approval\n"
        "Next: velapulumi workflow resume example-app\n"
        "then: velapulumi up -f 'my app.yaml'\n"
    )


def test_an_end_has_no_next_command(run: Run) -> None:
    approved = Script(approvals={"manual-approval": "ann"})
    result = run(application(SEED), approved)
    assert (result.return_value, result.stdout) == (
        0,
        "Application default/example-app runs example-app-v1:0123456789abcdef in all stages.\n",
    )
    assert "Next:" not in result.stderr


def test_a_suspended_workflow_is_to_be_resumed(run: Run) -> None:
    script = Script(orders=[Entry(at=0, kind=Kind.SUSPEND, by="ann")])
    result = run(application(SEED), script)
    assert (result.return_value, result.stdout) == (
        4,
        "Application default/example-app is suspended by an operator on the way to "
        "example-app-v1:0123456789abcdef.\n",
    )
    assert "Next: velapulumi workflow resume example-app\n" in result.stderr


def test_clusters_that_are_left_out_before_a_gate_are_warned_of(run: Run) -> None:
    asking = FLEET.replace(
        "    - {name: mourn,", "    - {name: ask, type: suspend}\n    - {name: mourn,"
    )
    result = run(application(asking), Script(looks={("roll", "east"): [STUCK]}))
    assert result.return_value == 4
    assert "Warning: step roll is not delivered on east, within what may fail\n" in result.stderr


def test_json_has_nothing_but_events_on_stdout(run: Run) -> None:
    result = run(application(SEED), Script(), "-o", "json")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.return_value == 4
    assert events[-1] | {"time": ""} == {
        "type": "summary",
        "time": "",
        "phase": "suspending",
        "revision": "example-app-v1:0123456789abcdef",
        "changed": ["staging"],
        "waiting": [{"step": "manual-approval"}],
        "lost": {},
        "exit": 4,
    }
    assert [event["type"] for event in events].count("summary") == 1
    assert result.stderr == (
        "Next: velapulumi workflow resume example-app\nthen: velapulumi up -f 'my app.yaml'\n"
    )


def test_an_error_is_summed_up_in_json_and_goes_on(run: Run) -> None:
    error = PartlyDelivered("shop-v1 is delivered but for roll on east")
    result = run(
        application(FLEET), Script(looks={("roll", "east"): [STUCK]}), "-o", "json", error=error
    )
    summary = json.loads(result.stdout.splitlines()[-1])
    assert result.exception is error
    assert (summary["phase"], summary["lost"], summary["exit"]) == (
        "succeeded",
        {"roll": ["east"]},
        7,
    )
    assert summary["error"]["message"] == error.message


def test_an_error_is_left_to_the_command_line_in_lines(run: Run) -> None:
    error = Unhealthy("stage staging is not healthy")
    result = run(application(SEED), Script(), error=error)
    assert (result.exception, result.stdout) == (error, "")
    assert error.message not in result.stderr
