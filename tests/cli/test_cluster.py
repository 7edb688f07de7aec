"""`velapulumi cluster` as a person sees it: what is printed, and what is left as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from tests.unit.helpers import joined, kubeconfig, parsed
from velapulumi.cli.cluster import cluster
from velapulumi.clusters.registry import RecordedVersion, Registry
from velapulumi.errors import UnknownCluster, UsageProblem
from velapulumi.project import Project

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
    assert lines("rename", "east", "north") == ["Rename cluster east to north successfully."]
    assert [entry.name for entry in registry.all()] == ["north", "west"]


def test_odd_labels_are_refused_before_the_cluster_is_asked(
    registry: Registry, tmp_path: Path
) -> None:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(kubeconfig()))
    result = run("join", str(path), "--name", "north", "--labels", "region")
    assert isinstance(result.exception, UsageProblem)
    assert str(result.exception).startswith("invalid label key-value pair region")
