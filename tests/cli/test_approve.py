"""``approve``, ``reject``, ``request``, ``trust`` and ``audit`` as people call them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from tests.unit.helpers import (
    V1,
    approvals,
    deploy,
    deployment,
    empty_plan,
    give,
    propose,
    revision,
    store,
    suspend,
)
from velapulumi.cli import cli
from velapulumi.errors import ToolMissing, VelapulumiError
from velapulumi.gate.file import update_gate
from velapulumi.gate.ledger import read_ledger
from velapulumi.project import Project, StackName

STEPS = (deploy("staging"), suspend("ask"), deploy("prod"))
PLAN = empty_plan(V1).digest


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with an application that waits for approval."""

    def nothing() -> None:
        raise ToolMissing("no engine in these tests")

    (tmp_path / "Pulumi.yaml").write_text("name: test\nstackConfigDir: stacks\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("velapulumi.engine.environment.find_engine", nothing)
    for module in ("approvals", "trust"):
        monkeypatch.setattr(f"velapulumi.delivery.{module}.who", lambda: "alice@laptop")
    monkeypatch.setattr(
        "velapulumi.delivery.approvals.propose",
        lambda project, name, stage=None, step=None, *, approved=False, takes_fields=False: tuple(
            each for each in propose(project, name) if step in (None, each.gate.name)
        ),
    )
    monkeypatch.setattr("velapulumi.program.evidence.evidence_before", lambda *_: ())
    found = Project(tmp_path, "test", tmp_path / "stacks")
    update_gate(found.gate_file("shop"), "shop", lambda gate: gate.begin(revision(V1), STEPS))
    store(found, StackName("shop", "staging"), deployment())
    return found


def run(*args: str, answer: str = "") -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, args, standalone_mode=False, input=answer)
    if result.exception is None:
        code = result.return_value if isinstance(result.return_value, int) else 0
        return code, result.stdout, result.stderr
    assert isinstance(result.exception, VelapulumiError), result.exc_info
    return result.exception.exit_code, result.stdout, result.stderr + result.exception.message


def kinds(project: Project) -> list[str]:
    return [str(line.entry.kind) for line in read_ledger(project.ledger_file("shop"), "shop").lines]


def test_approve_shows_asks_and_tells(project: Project) -> None:
    code, out, err = run("approve", "shop", "-m", "fine", answer="y\n")
    assert (code, out) == (
        0, f"Approved ask for shop-v1, plan {PLAN[:12]}, by alice@laptop (unsigned, local)\n",
    )  # fmt: skip
    assert err.startswith(
        f"Plan {PLAN[:12]}: {V1}\nsha256:{PLAN}\nIt delivers nothing.\nApprove this plan? [y/N]: "
    )
    assert "It counts until " in err
    assert err.endswith("Next: velapulumi up -f FILE\n")
    assert approvals(project) == [("ask", V1, 1, "alice@laptop", "fine")]
    assert project.plan_file("shop", PLAN).is_file()


@pytest.mark.parametrize(
    ("args", "terminal", "rows", "paged"),
    [
        ((), True, 3, True),
        ((), True, 4, False),
        ((), False, 3, False),
        (("-y",), True, 3, False),
    ],
)
def test_a_plan_that_is_longer_than_the_screen_is_paged(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    args: tuple[str, ...],
    terminal: bool,
    rows: int,
    paged: bool,
) -> None:
    pages: list[str] = []
    monkeypatch.setattr("click.echo_via_pager", pages.append)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: (80, rows))
    screen = SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: terminal))
    monkeypatch.setattr("velapulumi.cli.approve.sys", screen)
    monkeypatch.setenv("NO_COLOR", "1")
    text = f"Plan {PLAN[:12]}: {V1}\nsha256:{PLAN}\nIt delivers nothing.\n"
    err = run("approve", "shop", *args, answer="y\n")[2]
    assert pages == ([text] if paged else [])
    assert err.startswith(text.replace("It delivers nothing.\n", "") if paged else text)
    assert approvals(project)


@pytest.mark.parametrize(("answer", "code"), [("n\n", 0), ("", 2)])
def test_without_a_yes_nothing_is_written(project: Project, answer: str, code: int) -> None:
    assert run("approve", "shop", answer=answer)[0] == code
    assert not project.ledger_file("shop").exists()
    assert not project.plan_file("shop", PLAN).exists()


@pytest.mark.parametrize(
    ("digest", "code", "text"),
    [
        (PLAN, 0, ""),
        (f"sha256:{PLAN[:12]}", 0, ""),
        (PLAN[:8].upper(), 0, ""),
        (PLAN[:7], 2, "is too short to name a plan"),
        ("0" * 64, 2, f"the plan is {PLAN[:12]} now, not 000000000000"),
    ],
)
def test_a_script_approves_only_the_plan_it_names(
    project: Project, digest: str, code: int, text: str
) -> None:
    found = run("approve", "shop", "-y", "--plan", digest)
    assert found[0] == code
    assert text in found[2]
    assert bool(approvals(project)) == (code == 0)


def test_reject_takes_back_what_was_approved(project: Project) -> None:
    give(project, "ask")
    monkey = run("reject", "shop", "-y", "-m", "no")
    assert monkey[0] == 2  # what is approved does not wait here, as the stub has it
    assert "waits for a decision" in monkey[2]
    project.ledger_file("shop").unlink()
    code, out, _ = run("reject", "shop", "-y", "-m", "no")
    assert (code, out) == (
        0, f"Rejected ask for shop-v1, plan {PLAN[:12]}, by alice@laptop (unsigned, local)\n",
    )  # fmt: skip
    assert kinds(project) == ["trust", "reject"]


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("--break-glass",), "going past the policy needs a reason"),
        (("--break-glass", "-m", "x"), "there is no gate policy to go past"),
        (("--step", "gone"), "nothing of shop for gone waits for a decision"),
        (("--stage", "prod", "--step", "gone"), "nothing of shop for prod waits for a decision"),
    ],
)
def test_what_cannot_be_approved_is_refused(
    project: Project, args: tuple[str, ...], text: str
) -> None:
    code, out, err = run("approve", "shop", "-y", *args)
    assert (code, out) == (2, "")
    assert text in err
    assert not project.ledger_file("shop").exists()


def test_the_ledger_as_table_document_and_verdict(project: Project) -> None:
    assert run("audit", "log", "shop")[0] == 2
    run("approve", "shop", "-y", "-m", "fine", "--with-rollback")
    run("request", "shop", "--for", "bob", "-m", "please")
    head = read_ledger(project.ledger_file("shop"), "shop").head
    code, out, err = run("audit", "log", "shop")
    assert (code, err) == (0, f"head {head}\n")
    rows = [line.split(maxsplit=2) for line in out.splitlines()]
    assert rows[0] == ["ENTRY", "TIME", "KIND      BY                        WHAT"]
    assert rows[2][2] == (
        "approve   alice@laptop (unsigned)   "
        f'ask, shop-v1 run 1, plan {PLAN[:12]}, the way back, "fine"'
    )
    assert rows[3][2].endswith('shop-v1 run 1, for bob, "please"')
    documents: list[dict[str, Any]] = json.loads(run("audit", "log", "shop", "-o", "json")[1])
    assert [each["kind"] for each in documents] == ["trust", "approve", "request"]
    assert documents[1]["plan"] == PLAN
    assert run("audit", "verify", "shop") == (0, f"ok: 3 entries, head {head}\n", "")
    code, out, err = run("audit", "verify", "shop", "--head", "0" * 64)
    assert (code, out) == (5, "")
    assert "it was cut or rewritten" in err
    path = project.ledger_file("shop")
    path.write_text(path.read_text().replace("fine", "fiNe"))
    code, out, err = run("audit", "verify", "shop")
    assert (code, out) == (2, "")
    assert f"{path}:3: previous: " in err


def test_what_is_in_force_is_shown_and_adopted(project: Project) -> None:
    assert run("trust", "show", "shop")[1].startswith("Nothing is in force: one approval is enough")
    run("approve", "shop", "-y")
    project.gates.mkdir()
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDk9mG4oS2dJbBqD2M0G5XcF1Lq8m1v5y2V0Jx7n3TnA"
    (project.gates / "allowed_signers").write_text(f"alice {key}\n")
    assert "are others. Next: velapulumi trust adopt shop" in run("trust", "show", "shop")[2]
    assert run("trust", "adopt", "shop")[1] == (
        "Policy and signers of shop are in force, by alice@laptop (unsigned)\n"
    )
    assert key in run("trust", "show", "shop")[1]
    assert run("trust", "adopt", "shop")[0] == 2
