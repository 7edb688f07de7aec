"""Commands without an engine: exit codes, what is printed where, and what is never overwritten."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.unit.helpers import (
    SECRET,
    SEED,
    V1,
    V2,
    approvals,
    deploy,
    deployment,
    empty_plan,
    joined,
    kubeconfig,
    manifest,
    parsed,
    propose,
    resource,
    revision,
    store,
    suspend,
)
from velapulumi import cli as package
from velapulumi.cli import main
from velapulumi.cli.output import print_tabbed, print_table
from velapulumi.clusters.registry import Registry
from velapulumi.delivery.approvals import Proposal
from velapulumi.errors import Interrupted, PromotionRefused, Unhealthy, VelapulumiError
from velapulumi.gate.file import update_gate
from velapulumi.plan.document import read_plan
from velapulumi.project import Project, StackName, find_project

STEPS = (deploy("staging"), suspend("ask"), deploy("prod"))


class Command:
    """Runs the command line in this process, in one folder."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *args: str) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["velapulumi", *args])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = self._capsys.readouterr()
        code = caught.value.code
        assert isinstance(code, int)
        return code, out, err


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    monkeypatch.chdir(tmp_path)
    return Command(monkeypatch, capsys)


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--version"], 0, ""),
        (["--help"], 0, ""),
        (["fly"], 2, "No such command 'fly'"),
        (["up"], 2, "Missing option '-f'"),
        (["up", "-f", "gone.yaml"], 2, "does not exist"),
        (["up", "-f", ".", "--timeout", "0"], 2, "Error"),
        (["status"], 2, "Missing argument 'APP'"),
        (["status", "shop", "-o", "xml"], 2, "'xml' is not one of"),
        (["cluster", "join", "gone"], 2, "does not exist"),
    ],
)
def test_what_is_asked_for_wrongly_is_exit_code_2(
    command: Command, args: list[str], code: int, words: str
) -> None:
    found, out, err = command(*args)
    assert found == code
    assert words in err
    assert bool(out) == (code == 0)


@pytest.mark.parametrize(
    "args", [["status", "shop"], ["cluster", "list"], ["env"], ["workflow", "resume", "shop"]]
)
def test_outside_a_project_the_next_step_is_init(command: Command, args: list[str]) -> None:
    code, out, err = command(*args)
    assert (code, out) == (2, "")
    assert err.startswith("Error [VP104]: no Pulumi.yaml in ")
    assert err.endswith(
        "Next: Change into a velapulumi project, or make one here with: velapulumi init\n"
    )


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (VelapulumiError("x"), 1),
        (Unhealthy("x"), 6),
        (PromotionRefused("x", next_step="y"), 5),
        (Interrupted("x"), 130),
        (KeyboardInterrupt(), 130),
    ],
)
def test_the_class_of_an_error_is_the_exit_code(
    command: Command,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    raised: BaseException,
    code: int,
) -> None:
    def stop(project: Project) -> None:
        raise raised

    monkeypatch.setattr("velapulumi.clusters.registry.Registry", stop)
    found, out, err = command("cluster", "list")
    assert (found, out) == (code, "")
    assert err.strip().startswith("Error [VP")
    assert "Traceback" not in err


def test_a_new_project_can_be_found_and_used(command: Command, tmp_path: Path) -> None:
    assert command("init", "--name", "shop")[:2] == (0, "Project shop is ready.\n")
    found = find_project(tmp_path)
    assert (found.name, found.stacks) == ("shop", tmp_path.resolve() / "stacks")
    assert ".velapulumi/" in (tmp_path / ".gitignore").read_text().splitlines()
    compile((tmp_path / "__main__.py").read_text(), "__main__.py", "exec")
    assert command("cluster", "list") == (0, "", "No cluster found.\n")


def test_a_project_is_named_after_its_folder(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my shop (new)"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert command("init")[0] == 0
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", find_project(folder).name)


@pytest.mark.parametrize(
    "taken", [["Pulumi.yaml"], ["__main__.py"], ["Pulumi.yaml", "__main__.py"]]
)
def test_init_writes_over_nothing(command: Command, tmp_path: Path, taken: list[str]) -> None:
    for name in taken:
        (tmp_path / name).write_text("mine")
    code, out, err = command("init")
    assert (code, out) == (2, "")
    assert f"{' and '.join(taken)} exist here already; nothing was written" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(taken)
    assert {(tmp_path / name).read_text() for name in taken} == {"mine"}


@pytest.mark.parametrize("folder", ["plain", "with blank", "it's", 'a"b$HOME`id`', "ü;true"])
def test_env_is_for_the_shell_to_eval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: str
) -> None:
    root = tmp_path / folder
    root.mkdir()
    (root / "Pulumi.yaml").write_text("name: test\n")
    monkeypatch.chdir(root)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "it's $HOME\nand more")
    code, out, _ = Command(monkeypatch, capsys)("env")
    assert code == 0
    dump = "import json, os; print(json.dumps(dict(os.environ)))"
    script = f"{out}\nexec {shlex.quote(sys.executable)} -c {shlex.quote(dump)}"
    done = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, check=True, env={})
    settings = json.loads(done.stdout)
    assert settings["PULUMI_BACKEND_URL"] == f"file://{root.resolve()}/.velapulumi/backend"
    assert settings["PULUMI_CONFIG_PASSPHRASE"] == "it's $HOME\nand more"
    assert settings["PULUMI_PYTHON_CMD"] == sys.executable
    assert (root / ".velapulumi" / "backend").is_dir()
    assert done.stderr == ""


def test_joined_clusters_are_listed_without_credentials(command: Command, project: Project) -> None:
    registry = Registry(project)
    for name in ("west", "a-longer-name"):
        registry.add(joined(name), parsed(kubeconfig(), project.root))
    code, out, err = command("cluster", "list")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "CLUSTER         TYPE    ENDPOINT           ",
        "a-longer-name   token   https://127.0.0.1:1",
        "west            token   https://127.0.0.1:1",
    ]
    as_json, as_yaml = (command("cluster", "list", "-o", form)[1] for form in ("json", "yaml"))
    assert json.loads(as_json) == yaml.safe_load(as_yaml)
    assert [entry["uid"] for entry in json.loads(as_json)] == ["uid-a-longer-name", "uid-west"]
    assert SECRET not in out + as_json + as_yaml


def test_detaching_tells_and_refuses(command: Command, project: Project) -> None:
    Registry(project).add(joined("east"), parsed(kubeconfig(), project.root))
    store(project, StackName("shop", "prod"), deployment(resource("east", manifest())))
    code, out, err = command("cluster", "detach", "east")
    assert (code, out) == (1, "")
    assert err.startswith("Error [VP203]: cluster east is in use now: application default/shop")
    store(project, StackName("shop", "prod"), deployment())
    assert command("cluster", "detach", "east") == (0, "Detach cluster east successfully.\n", "")
    assert command("cluster", "detach", "east")[0] == 2


@pytest.fixture
def waiting(project: Project) -> Project:
    """A project with an application that waits for approval."""
    update_gate(project.gate_file("shop"), "shop", lambda g: g.begin(revision(V1), STEPS))
    store(project, StackName("shop", "staging"), deployment(resource("east", manifest())))
    return project


def test_resume_approves_what_waits_once(
    command: Command, waiting: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("velapulumi.delivery.approvals.who", lambda: "alice@laptop")
    monkeypatch.setattr("velapulumi.delivery.commands.propose", propose)
    code, out, err = command("workflow", "resume", "shop", "-m", "looks good")
    assert (code, out) == (0, "Successfully resume workflow: shop\n")
    plan = empty_plan(V1).digest
    assert err == f"Approved ask for {V1}, plan {plan[:12]} (unsigned, local).\n"
    assert read_plan(waiting.plan_file("shop", plan).read_bytes(), "kept") == empty_plan(V1)
    path = waiting.ledger_file("shop")
    assert approvals(waiting) == [("ask", V1, 1, "alice@laptop", "looks good")]
    before = path.read_bytes()
    assert command("workflow", "resume", "shop") == (0, "workflow shop is not suspended.\n", "")
    assert path.read_bytes() == before


def test_resume_does_not_approve_what_came_meanwhile(
    command: Command, waiting: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = waiting.gate_file("shop")

    def slow(project: Project, name: str) -> tuple[Proposal, ...]:
        found = propose(project, name)
        update_gate(path, name, lambda gate: gate.begin(revision(V2), STEPS))
        return found

    monkeypatch.setattr("velapulumi.delivery.commands.propose", slow)
    code, out, err = command("workflow", "resume", "shop")
    assert (code, out) == (1, "")
    assert "application shop has moved on meanwhile" in err
    assert approvals(waiting) == []


def test_status_prints_data_to_stdout_and_hints_to_stderr(
    command: Command, waiting: Project
) -> None:
    code, out, err = command("status", "shop")
    assert code == 0
    head, row = out.splitlines()
    assert head.split() == ["NAME", "COMPONENT", "TYPE", "PHASE", "HEALTHY", "STATUS", "AGE"]
    assert row.split()[:5] == ["shop", "web", "webservice", "workflowSuspending", "false"]
    assert err.splitlines() == [
        "staging: web on east is not healthy: no such cluster: east",
        "Waits at ask. Next: velapulumi workflow resume shop",
    ]
    as_json, as_yaml = (command("status", "shop", "-o", form) for form in ("json", "yaml"))
    assert json.loads(as_json[1]) == yaml.safe_load(as_yaml[1])
    assert (as_json[2], as_yaml[2]) == ("", "")


def test_up_refuses_before_anything_is_touched(command: Command, project: Project) -> None:
    (project.root / "app.yaml").write_text(SEED)
    before = {path for path in project.root.rglob("*") if path.is_file()}
    code, out, err = command("up", "-f", "app.yaml")
    assert (code, out) == (2, "")
    assert err.startswith("Error [VP105]: no such cluster: cluster-staging\n")
    assert {path for path in project.root.rglob("*") if path.is_file()} == before


def test_a_table_is_as_wide_as_its_cells(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "LONG"), [("wide cell", "x"), ("", "")])
    assert capsys.readouterr().out == "A           LONG\nwide cell   x\n\n"
    print_tabbed(("A", "B"), [("12345678", "x")])
    assert capsys.readouterr().out == "A               B\n12345678        x\n"


def test_the_listed_exit_codes_are_those_of_the_errors() -> None:
    text = " ".join((package.cli.help or "").split())
    listed = {int(number) for number in re.findall(r"\b(\d+) [a-z]", text.partition("codes:")[2])}
    assert {0, 1, 2, 4, 5, 6, 130} <= listed


@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [("n\n", 1, "Nothing was deleted."), ("", 2, "nobody answered, so nothing was deleted")],
)
def test_delete_needs_a_yes(project: Project, answer: str, code: int, text: str) -> None:
    path = store(project, StackName("shop", "prod"), deployment())
    done = subprocess.run(
        [Path(sys.executable).with_name("velapulumi"), "delete", "shop"],
        cwd=project.root,
        input=answer,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert text in done.stderr
    assert path.exists()
