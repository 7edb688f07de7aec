"""`velapulumi cluster` as a person sees it: what is printed, and what is left as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from tests.unit.helpers import joined, kubeconfig, parsed
from velapulumi.cli.cluster import cluster
from velapulumi.clusters.client import Identity
from velapulumi.clusters.registry import JoinedCluster, RecordedVersion, Registry
from velapulumi.definitions import ClusterVersion
from velapulumi.delivery.runlock import running
from velapulumi.engine.record import RecordedObject, StageRecord
from velapulumi.errors import RunInProgress, UnknownCluster, UsageProblem
from velapulumi.project import Project, StackName

VERSION = RecordedVersion(major=1, minor=30, gitVersion="v1.30.0", platform="linux/amd64")


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    (tmp_path / "Pulumi.yaml").write_text("name: test\nstackConfigDir: stacks\n")
    (tmp_path / "stacks").mkdir()
    monkeypatch.chdir(tmp_path)
    found = Registry(Project(tmp_path, "test", tmp_path / "stacks"))
    for name in ("east", "west"):
        found.add(joined(name), parsed(kubeconfig(), tmp_path))
    return found


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cluster, arguments)


def lines(*arguments: str) -> list[str]:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return [line.rstrip() for line in result.stdout.splitlines()]


def test_a_column_of_labels_is_there_when_there_are_labels(registry: Registry) -> None:
    assert lines("list") == [
        "CLUSTER TYPE    ENDPOINT",
        "east    token   https://127.0.0.1:1",
        "west    token   https://127.0.0.1:1",
    ]
    assert lines("labels", "add", "east", "tier=gold,region=eu") == [
        "Successfully update labels for cluster east, type: token.",
        "region=eu",
        "tier=gold",
    ]
    assert lines("list") == [
        "CLUSTER TYPE    ENDPOINT                LABELS",
        "east    token   https://127.0.0.1:1     region=eu",
        "                                        tier=gold",
        "west    token   https://127.0.0.1:1",
    ]


def test_documents_always_have_labels_and_version(registry: Registry) -> None:
    registry.update(
        "east", lambda e: e.model_copy(update={"labels": {"a": "b"}, "version": VERSION})
    )
    east, west = json.loads(run("list", "-o", "json").stdout)
    assert (east["labels"], west["labels"]) == ({"a": "b"}, {})
    assert east["version"] == {
        "major": 1, "minor": 30, "gitVersion": "v1.30.0", "platform": "linux/amd64",
    }  # fmt: skip
    assert west["version"] is None
    assert yaml.safe_load(run("list", "-o", "yaml").stdout) == [east, west]


def test_labels_are_changed_and_removed(registry: Registry) -> None:
    run("labels", "add", "east", "a=1,b=2")
    assert lines("labels", "add", "east", "b=3,c=4")[1:] == ["a=1", "b=3", "c=4"]
    assert lines("labels", "del", "east", "a, c") == [
        "Successfully update labels for cluster east, type: token.",
        "b=3",
    ]
    assert registry.get("east").labels == {"b": "3"}
    assert registry.get("west").labels == {}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("add", "east", "a"), UsageProblem, "invalid label key-value pair a, should use"),
        (("add", "east", "a=b c"), UsageProblem, "label value 'b c' is not"),
        (("add", "gone", "a=b"), UnknownCluster, "no such cluster: gone"),
        (("del", "east", "region,tier"), UsageProblem, "no such label tier"),
    ],
)
def test_labels_that_cannot_be_changed(
    registry: Registry, arguments: tuple[str, ...], error: type[Exception], message: str
) -> None:
    run("labels", "add", "east", "region=eu")
    result = run("labels", *arguments)
    assert isinstance(result.exception, error)
    assert str(result.exception).startswith(message)
    assert registry.get("east").labels == {"region": "eu"}


def test_renaming_tells(registry: Registry) -> None:
    result = run("rename", "east", "north")
    assert (result.stdout, result.stderr) == ("Rename cluster east to north successfully.\n", "")
    assert [entry.name for entry in registry.all()] == ["north", "west"]


@pytest.fixture
def used(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with two stages on east."""
    project = Project(tmp_path, "test", tmp_path / "stacks")

    def read(_: Project, stack: StackName) -> StageRecord:
        cluster = "west" if stack.stage == "test" else "east"
        return StageRecord({}, (RecordedObject(cluster, {"metadata": {}}, ready=True),), False)

    for stage in ("staging", "prod", "test"):
        project.config_file(StackName("shop", stage)).touch()
    monkeypatch.setattr("velapulumi.status.usage.read_record", read)
    return project


def test_renaming_a_cluster_in_use_tells_who_uses_it_and_what_to_change(used: Project) -> None:
    result = run("rename", "east", "north")
    assert result.exit_code == 0, result.output
    assert result.stdout == "Rename cluster east to north successfully.\n"
    assert result.stderr == (
        "In use by shop.prod, shop.staging, which keep what they hold there. Write north instead "
        "of east in every file that names it: policies and steps of Applications, "
        "gates/policy.yaml.\n"
    )


@pytest.mark.parametrize("arguments", [("rename", "east", "north"), ("detach", "a-east")])
def test_names_do_not_change_under_a_running_delivery(
    used: Project, registry: Registry, arguments: tuple[str, ...]
) -> None:
    registry.add(alias("a-east", "east"), parsed(kubeconfig(), used.root))
    before = registry.all()
    with running(used, "shop", "up"):
        result = run(*arguments)
    assert isinstance(result.exception, RunInProgress)
    assert registry.all() == before
    assert run(*arguments).exit_code == 0


def alias(name: str, of: str) -> JoinedCluster:
    return joined(name, f"uid-{of}").model_copy(update={"joined": "2026-01-02T03:04:06Z"})


def test_an_alias_is_listed_as_one(registry: Registry, tmp_path: Path) -> None:
    registry.add(alias("a-east", "east"), parsed(kubeconfig(), tmp_path))
    assert lines("list") == [
        "CLUSTER TYPE    ENDPOINT                ALIAS OF",
        "a-east  token   https://127.0.0.1:1     east",
        "east    token   https://127.0.0.1:1",
        "west    token   https://127.0.0.1:1",
    ]
    run("labels", "add", "east", "a=1,b=2")
    assert lines("list") == [
        "CLUSTER TYPE    ENDPOINT                ALIAS OF        LABELS",
        "a-east  token   https://127.0.0.1:1     east",
        "east    token   https://127.0.0.1:1                     a=1",
        "                                                        b=2",
        "west    token   https://127.0.0.1:1",
    ]
    found = json.loads(run("list", "-o", "json").stdout)
    assert [each["aliasOf"] for each in found] == ["east", None, None]
    assert yaml.safe_load(run("list", "-o", "yaml").stdout) == found


def test_joining_says_that_a_name_is_an_alias(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Answering:
        def __init__(self, *given: object, **options: object) -> None:
            pass

        def identity(self) -> Identity:
            return Identity("uid-east", ClusterVersion())

    monkeypatch.setattr("velapulumi.clusters.membership.Cluster", Answering)
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(kubeconfig()))
    for name, said in (
        ("a-east", "cluster a-east is another name of east: both mean the same cluster\n"),
        ("east", ""),
    ):
        result = run("join", str(path), "--name", name)
        assert (result.exit_code, result.stderr) == (0, said)
        assert result.stdout == (
            f"Successfully add cluster {name}, endpoint: https://127.0.0.1:1.\n"
        )


def test_odd_labels_are_refused_before_the_cluster_is_asked(
    registry: Registry, tmp_path: Path
) -> None:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(kubeconfig()))
    result = run("join", str(path), "--name", "north", "--labels", "region")
    assert isinstance(result.exception, UsageProblem)
    assert str(result.exception).startswith("invalid label key-value pair region")
