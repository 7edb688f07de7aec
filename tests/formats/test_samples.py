"""Samples of every version of every format are read, or refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.helpers import store
from velapulumi.clusters.registry import Registry
from velapulumi.engine.deployment import record_of
from velapulumi.engine.record import FORMAT_VERSION
from velapulumi.engine.stacks import read_record
from velapulumi.errors import InvalidFile
from velapulumi.gate.file import read_gate
from velapulumi.gate.ledger import read_ledger
from velapulumi.plan.document import read_plan
from velapulumi.plan.objects import ObjectKey
from velapulumi.plan.operation import Operation
from velapulumi.program.identity import project_id
from velapulumi.project import Project, StackName
from velapulumi.stage.taken import taken_over

SAMPLES = Path(__file__).with_name("samples")


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def stack(version: int) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(sample(f"stack-v{version}.json"))
    latest: dict[str, Any] = document["checkpoint"]["latest"]
    return latest


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "stacks").mkdir()
    return Project(tmp_path, "tryold", tmp_path / "stacks")


def test_a_stack_of_format_1_is_read() -> None:
    record = record_of(stack(1))
    assert record.outputs.get("format") is None
    assert record.revision == "old-app-v1:6c42021e4ac3fac9"
    (entry,) = record.objects
    assert entry.key == ObjectKey("field-a", "old", "Deployment", "hello-world-server", "apps")
    assert entry.ready
    assert entry.uid
    assert entry.manager.startswith("pulumi-kubernetes-")


def test_a_stack_of_format_2_is_read() -> None:
    record = record_of(stack(2))
    assert record.outputs["format"] == FORMAT_VERSION
    assert record.outputs["project"] == "36c8611a5ca0a6df"
    assert "takenOver" not in record.outputs
    (entry,) = record.objects
    for manifest in (entry.manifest, entry.outputs):
        taken = taken_over(manifest)
        assert taken is not None
        assert (taken.revision, taken.number) == ("tk-v1", 1)
        assert taken.before["data"] == {"a": "theirs"}
        assert "labels" not in taken.before["metadata"]


def test_a_stack_of_another_format_is_refused_by_name(project: Project) -> None:
    latest = stack(2)
    latest["resources"][0]["outputs"]["format"] = 3
    store(project, StackName("tk", "deploy-t"), latest)
    with pytest.raises(InvalidFile, match="in format 3; this one reads 1 and 2"):
        read_record(project, StackName("tk", "deploy-t"))


def test_a_stack_finds_its_cluster_by_identity(project: Project) -> None:
    shutil.copy(SAMPLES / "clusters-v1.yaml", project.registry_file)
    text = project.registry_file.read_text().replace("name: field-a", "name: renamed")
    project.registry_file.write_text(text)
    store(project, StackName("old-app", "staging"), stack(1))
    record = read_record(project, StackName("old-app", "staging"))
    assert record is not None
    (entry,) = record.objects
    assert (entry.cluster, entry.handle) == ("renamed", "field-a")


def test_a_plan_of_version_2_is_read_and_keeps_its_bytes() -> None:
    plan = read_plan(sample("plan-v2.json"), "plan")
    assert plan.text + b"\n" == sample("plan-v2.json")
    assert [stage.stage for stage in plan.stages] == ["staging", "prod"]
    operations = {each.operation for s in plan.stages for c in s.clusters for each in c.objects}
    assert operations == {Operation.NONE}


def test_a_plan_of_version_1_is_refused_by_name() -> None:
    with pytest.raises(InvalidFile, match="is a plan of an earlier version") as refused:
        read_plan(sample("plan-v1.json"), "plan")
    assert refused.value.next_step == "Look at the change as it is now and approve that."


def changed(change: Callable[[dict[str, Any]], None]) -> bytes:
    value = json.loads(sample("plan-v2.json"))
    change(value)
    return json.dumps(value).encode()


def another_content(value: dict[str, Any]) -> None:
    content = next(iter(value["contents"].values()))
    content["objects"][0]["name"] = "another"


def another_version(value: dict[str, Any]) -> None:
    value["apiVersion"] = "velapulumi.dev/v3"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (another_content, "is not what its digest says"),
        (another_version, "apiVersion: must be 'velapulumi.dev/v2'"),
        (lambda value: value.pop("contents"), "not a plan"),
        (lambda value: value["contents"].clear(), "not a plan"),
    ],
)
def test_a_plan_that_is_none_is_refused(
    change: Callable[[dict[str, Any]], None], message: str
) -> None:
    with pytest.raises(InvalidFile, match=message):
        read_plan(changed(change), "plan")


def test_clusters_project_gate_and_ledger_of_version_1_are_read(project: Project) -> None:
    shutil.copy(SAMPLES / "clusters-v1.yaml", project.registry_file)
    assert [entry.name for entry in Registry(project).all()] == ["field-a", "field-b"]
    gate = read_gate(SAMPLES / "gate-v1.yaml", "old-app")
    assert gate.current == "old-app-v1:6c42021e4ac3fac9"
    ledger = read_ledger(SAMPLES / "ledger-v1.jsonl", "old-app")
    assert [str(line.entry.kind) for line in ledger.lines] == ["trust", "approve", "use"]
    shutil.copy(SAMPLES / "project-v1.yaml", project.identity_file)
    store(project, StackName("tk", "deploy-t"), stack(2))
    assert project_id(project, []) == "36c8611a5ca0a6df"


@pytest.mark.parametrize(
    ("name", "file", "read"),
    [
        ("clusters-v1.yaml", "registry_file", lambda project: Registry(project).all()),
        ("project-v1.yaml", "identity_file", lambda project: project_id(project, [])),
    ],
)
def test_files_of_another_version_are_refused(
    project: Project, name: str, file: str, read: Callable[[Project], object]
) -> None:
    path: Path = getattr(project, file)
    path.write_text((SAMPLES / name).read_text().replace("velapulumi.dev/v1", "velapulumi.dev/v9"))
    with pytest.raises(InvalidFile, match=r"apiVersion: must be 'velapulumi.dev/v1'"):
        read(project)


def test_a_statement_of_another_version_is_refused(tmp_path: Path) -> None:
    line = json.loads(sample("ledger-v1.jsonl").split(b"\n")[0])
    body = {**json.loads(line["body"]), "version": 2}
    path = tmp_path / "ledger.jsonl"
    path.write_text(json.dumps({"body": json.dumps(body)}) + "\n")
    with pytest.raises(InvalidFile, match="is of version 2; this velapulumi reads 1"):
        read_ledger(path, "old-app")
