"""``velapulumi revision``: the revisions of an application and the file of each."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from tests.unit.helpers import V1, V2, deploy, deployment, give, revision, store, suspend
from velapulumi.cli import cli
from velapulumi.errors import InvalidFile, ToolMissing, UnknownApplication, UsageProblem
from velapulumi.gate.file import update_gate
from velapulumi.gate.journal import Journal
from velapulumi.project import Project, StackName
from velapulumi.workflow.entries import Entry, Kind
from velapulumi.workflow.phases import StepPhase

NOON = 1893499200.0  # 2030-01-01T12:00:00Z
V3 = "shop-v3:00000000000000aa"
HEAD = ["NAME", "PUBLISH_VERSION", "SUCCEEDED", "HASH", "BEGIN_TIME", "STATUS", "SIZE"]
STEPS = (deploy("staging"), suspend("ask"))
KEPT = """\
# as it was delivered
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop, annotations: {app.oam.dev/publishVersion: "2030-01-01"}}
spec: {components: []}
"""
WORKFLOW = """\
---
apiVersion: core.oam.dev/v1alpha1
kind: Workflow
metadata: {name: flow}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with an application in three revisions, the last of which waits."""

    def nothing() -> None:
        raise ToolMissing("no engine in these tests")

    for key in [key for key in os.environ if key.startswith("PULUMI_")]:
        monkeypatch.delenv(key)
    monkeypatch.setattr("velapulumi.engine.environment.find_engine", nothing)
    (tmp_path / "Pulumi.yaml").write_text("name: test\nstackConfigDir: stacks\n")
    monkeypatch.chdir(tmp_path)
    found = Project(tmp_path, "test", tmp_path / "stacks")
    for text in (V1, V2, V3):
        begin(found, text)
    store(found, StackName("shop", "staging"), deployment(revision=V3))
    keep(found, "shop-v2", KEPT)
    return found


def begin(project: Project, text: str) -> None:
    update_gate(project.gate_file("shop"), "shop", lambda gate: gate.begin(revision(text), STEPS))


def keep(project: Project, name: str, text: str) -> Path:
    path = project.revision_file("shop", name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def note(project: Project, *entries: Entry) -> None:
    journal = Journal(project.journal_file("shop"))
    for entry in entries:
        journal.append(entry)


def start(text: str, number: int, at: float) -> Entry:
    return Entry(at=NOON + at, kind=Kind.BEGIN, revision=text, run=number)


def finish(phase: StepPhase) -> Entry:
    return Entry(at=NOON + 90, kind=Kind.FINISH, phase=phase)


def table(*args: str) -> list[list[str]]:
    """The cells of a table, each from where its column begins."""
    result = CliRunner().invoke(cli, ["revision", "list", *args], catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    head, *rows = result.stdout.splitlines()
    starts = [head.index(name) for name in HEAD]
    places = list(zip(starts, [*starts[1:], None], strict=True))
    return [[line[begin:end].strip() for begin, end in places] for line in (head, *rows)]


def test_revisions_are_listed_with_what_came_of_them(project: Project) -> None:
    keep(project, "shop-v3", "x: " + "y" * 1533)
    note(project, start(V2, 2, 1), finish(StepPhase.SUCCEEDED), start(V3, 3, 2))
    assert table("shop") == [
        HEAD,
        ["shop-v1", "", "false", V1[-16:], "", "NotStart", ""],
        [
            "shop-v2",
            "2030-01-01",
            "true",
            V2[-16:],
            "2030-01-01T12:00:01Z",
            "Succeeded",
            "176 B",
        ],
        [
            "shop-v3",
            "",
            "false",
            V3[-16:],
            "2030-01-01T12:00:02Z",
            "Executing or Failed",
            "1.5 KiB",
        ],
    ]


@pytest.mark.parametrize(
    ("entries", "status", "succeeded"),
    [
        ([], "NotStart", "false"),
        ([start(V1, 1, 0)], "Executing or Failed", "false"),
        ([start(V1, 1, 0), finish(StepPhase.FAILED)], "Failed", "false"),
        ([start(V1, 1, 0), Entry(at=NOON, kind=Kind.TERMINATE)], "Failed", "false"),
        (
            [start(V1, 1, 0), finish(StepPhase.SUCCEEDED), start(V1, 4, 1)],
            "Succeeded",
            "true",
        ),
        (
            [start(V1, 1, 0), finish(StepPhase.FAILED), start(V1, 4, 1)],
            "Executing or Failed",
            "false",
        ),
    ],
)
def test_the_last_run_of_a_revision_tells_its_status_unless_one_has_succeeded(
    project: Project, entries: list[Entry], status: str, succeeded: str
) -> None:
    note(project, *entries)
    row = dict(zip(HEAD, table("shop")[1], strict=True))
    assert (row["NAME"], row["STATUS"], row["SUCCEEDED"]) == ("shop-v1", status, succeeded)


def test_what_plain_pulumi_has_delivered_counts_by_its_stacks(project: Project) -> None:
    row = dict(zip(HEAD, table("shop")[3], strict=True))
    assert (row["STATUS"], row["BEGIN_TIME"]) == ("Executing or Failed", "")
    give(project, "ask")
    assert dict(zip(HEAD, table("shop")[3], strict=True))["STATUS"] == "Succeeded"


def test_revisions_as_documents(project: Project) -> None:
    note(project, start(V2, 2, 1), finish(StepPhase.SUCCEEDED))
    as_json, as_yaml = (
        CliRunner().invoke(cli, ["revision", "list", "shop", "-o", form]).stdout
        for form in ("json", "yaml")
    )
    assert json.loads(as_json) == yaml.safe_load(as_yaml)
    assert json.loads(as_json)[1:] == [
        {
            "name": "shop-v2",
            "publishVersion": "2030-01-01",
            "succeeded": True,
            "hash": V2[-16:],
            "beginTime": "2030-01-01T12:00:01Z",
            "status": "Succeeded",
            "size": 176,
            "current": False,
        },
        {
            "name": "shop-v3",
            "publishVersion": "",
            "succeeded": False,
            "hash": V3[-16:],
            "beginTime": None,
            "status": "Executing or Failed",
            "size": None,
            "current": True,
        },
    ]


@pytest.mark.parametrize("name", ["shop-v2", V2])
def test_a_kept_file_is_printed_as_it_was_delivered(project: Project, name: str) -> None:
    result = CliRunner().invoke(cli, ["revision", "get", "shop", name])
    assert (result.exit_code, result.stdout, result.stderr) == (0, KEPT, "")


@pytest.mark.parametrize(
    ("text", "document"),
    [
        (KEPT, yaml.safe_load(KEPT)),
        (KEPT + WORKFLOW, [yaml.safe_load(KEPT), yaml.safe_load(WORKFLOW)]),
        ("day: 2030-01-01\n", {"day": "2030-01-01"}),
    ],
)
def test_a_kept_file_as_json(project: Project, text: str, document: Any) -> None:
    keep(project, "shop-v2", text)
    result = CliRunner().invoke(cli, ["revision", "get", "shop", "shop-v2", "-o", "json"])
    assert json.loads(result.stdout) == document


@pytest.mark.parametrize(
    ("args", "kind", "text", "next_step"),
    [
        (
            ["list", "gone"],
            UnknownApplication,
            "no application gone has been delivered here",
            "Deliver it first with: velapulumi up -f FILE",
        ),
        (
            ["get", "gone", "gone-v1"],
            UnknownApplication,
            "no application gone has been delivered here",
            "Deliver it first with: velapulumi up -f FILE",
        ),
        (
            ["get", "shop", "shop-v9"],
            UsageProblem,
            "failed to find revision shop-v9 matching the application shop",
            "See all with: velapulumi revision list shop",
        ),
        (
            ["get", "shop", "shop-v1"],
            UsageProblem,
            "the Application file of shop-v1 is not kept at {stacks}/shop.revisions/shop-v1.yaml",
            "Restore it from version control.",
        ),
    ],
)
def test_what_is_not_there_is_named(
    project: Project, args: list[str], kind: type[UsageProblem], text: str, next_step: str
) -> None:
    error = CliRunner().invoke(cli, ["revision", *args]).exception
    assert isinstance(error, kind)
    assert (error.message, error.next_step) == (
        text.replace("{stacks}", str(project.stacks)),
        next_step,
    )


def test_a_damaged_kept_file_is_named(project: Project) -> None:
    path = keep(project, "shop-v2", "a: [")
    for args in (["list", "shop"], ["get", "shop", "shop-v2", "-o", "json"]):
        error = CliRunner().invoke(cli, ["revision", *args]).exception
        assert isinstance(error, InvalidFile)
        assert "shop-v2" in error.message
    path.write_bytes(b"\xff")
    for args in (["list", "shop"], ["get", "shop", "shop-v2"]):
        error = CliRunner().invoke(cli, ["revision", *args]).exception
        assert isinstance(error, InvalidFile)
        assert error.message.startswith(f"{path}: ")
