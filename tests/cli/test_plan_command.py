"""``plan`` and ``delete`` show what would happen, and end as they are documented."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from tests.cli.plan_samples import LOST, WEB, a_plan, a_stage, an_object, fleet, texts
from velapulumi.cli import cli
from velapulumi.cli.plans import (
    lines_of,
    markdown,
)
from velapulumi.plan.document import PlanDocument
from velapulumi.plan.operation import Operation


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: test\n")
    (tmp_path / "app.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


NOTHING = a_plan(a_stage(an_object(Operation.NONE)))

CHANGES = a_plan(a_stage(an_object(Operation.CREATE, content=WEB)))


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("found", "code", "error"),
    [
        (NOTHING, 0, ""),
        (CHANGES, 3, ""),
        (
            fleet(),
            1,
            "Error [VP206]: it *never* changes\nNext: Undo it.\n",
        ),
    ],
)
@pytest.mark.parametrize("output", ["table", "json", "markdown"])
def test_the_exit_code_of_plan(
    found: PlanDocument, code: int, error: str, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("velapulumi.delivery.approvals.plan_of", lambda *_, **__: found)
    arguments = ["plan", "-f", "app.yaml", "-o", output]
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert (result.return_value, result.stderr) == (code, error)
    forms = {
        "table": "\n".join(texts(lines_of(found))),
        "json": found.text.decode(),
        "markdown": "\n".join(markdown(found)),
    }
    assert result.stdout == f"{forms[output]}\n"


@pytest.mark.usefixtures("project")
def test_plan_shows_all_content_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("velapulumi.delivery.approvals.plan_of", lambda *_, **__: CHANGES)
    arguments = ["plan", "-f", "app.yaml", "--full"]
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert result.stdout.endswith(" fields shown\n")
    assert "\n            matchLabels:\n" in result.stdout


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1)])
def test_delete_shows_what_goes_and_asks(
    answer: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[Any] = []
    claim = an_object(Operation.DELETE, "data", "PersistentVolumeClaim", irreversible=(LOST,))
    plan = a_stage(an_object(Operation.DELETE), claim, before="shop-v1:0")
    shown = (SimpleNamespace(plan=plan),)
    for name, stand_in in {
        "stages_of": lambda *_: ["prod"],
        "removals": lambda *_: shown,
        "remove": lambda *args: removed.append((args[1], args[2])),
    }.items():
        monkeypatch.setattr(f"velapulumi.delivery.remove.{name}", stand_in, raising=False)
    result = CliRunner().invoke(cli, ["delete", "shop"], standalone_mode=False, input=answer)
    assert result.return_value == code
    assert removed == ([] if code else [("shop", shown)])
    assert result.stderr.splitlines()[:6] == [
        "Stage prod: 2 deleted on 1 cluster; it holds shop-v1",
        "  ! cannot be taken back: PersistentVolumeClaim default/data on east: "
        "the volume's data may go with it",
        "  east",
        "    - PersistentVolumeClaim default/data",
        "    - Deployment default/x",
        f"Delete application shop from prod (2 objects)? [y/N]: {answer.strip()}",
    ]
