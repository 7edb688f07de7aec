"""Odd input that once got through: each is refused or mended, with no traceback and no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from velapulumi import files
from velapulumi.cli.init import init
from velapulumi.clusters.health import _why
from velapulumi.clusters.kubeconfig import parse_kubeconfig
from velapulumi.clusters.registry import check_name
from velapulumi.engine import locks
from velapulumi.engine.deployment import record_of
from velapulumi.errors import InvalidFile, InvalidKubeconfig, UsageProblem, VelapulumiError
from velapulumi.gate.file import read_gate, update_gate
from velapulumi.gate.ledger import Trust, append, read_ledger
from velapulumi.gate.statement import StatementKind
from velapulumi.plan.normal import changed_fields
from velapulumi.project import Project, StackName, find_project
from velapulumi.spec import Component
from velapulumi.workflow.revision import Revision
from velapulumi.workflow.stages import in_delivery_order


def kubeconfig(server: str = "https://c", **user: Any) -> str:
    return yaml.safe_dump(
        {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": user}],
        }
    )


def test_a_token_ends_at_its_line_end_and_is_never_shown(tmp_path: Path) -> None:
    found = parse_kubeconfig(kubeconfig(token="very-secret\n"), "k", tmp_path)
    assert found.document["users"][0]["user"]["token"] == "very-secret"
    for token in ("very\nsecret", "very secret", "vérysecret"):
        with pytest.raises(InvalidKubeconfig) as caught:
            parse_kubeconfig(kubeconfig(token=token), "k", tmp_path)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        kubeconfig("https://me:pw@c", token="t"),
        kubeconfig(tokenFile="a\0b"),
        "a: 2001-99-99",
    ],
)
def test_odd_kubeconfigs_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidKubeconfig) as caught:
        parse_kubeconfig(text, "k", tmp_path)
    assert "pw" not in str(caught.value)


def test_a_comment_that_is_no_unicode_does_not_spoil_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "shop.ledger.jsonl"
    said = {"kind": StatementKind.APPROVE, "by": "a\udcff", "comment": "b\udcff"}
    append(path, "shop", said, None, Trust)
    entry = read_ledger(path, "shop").lines[-1].entry
    assert (entry.by, entry.comment) == ("a?", "b?")


@pytest.mark.parametrize("created", ["yesterday", "2026-01-01T00:00:00", "2026-99-01T00:00:00Z"])
def test_a_time_that_is_none_is_named(tmp_path: Path, created: str) -> None:
    path = tmp_path / "shop.gate.yaml"
    revision = Revision(name="shop-v1", hash="0" * 16)
    gate = update_gate(path, "shop", lambda gate: gate.begin(revision, ()))
    path.write_text(path.read_text().replace(gate.revisions[0].created, created))
    with pytest.raises(InvalidFile, match=r"revisions\[0\].created: must be a time such as"):
        read_gate(path, "shop")


def test_init_keeps_credentials_out_of_a_repository_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".gitignore").write_text("node_modules/")
    assert CliRunner().invoke(init, []).exit_code == 0
    assert (tmp_path / ".gitignore").read_text() == "node_modules/\n.velapulumi/\n"


@pytest.mark.parametrize("folder", ["2024", "true", "a: b", "Lieferung für alle"])
def test_init_makes_a_project_that_can_be_read_in_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / folder)
    assert CliRunner().invoke(init, []).exit_code == 0
    assert find_project().name


def test_init_refuses_what_cannot_become_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(CliRunner().invoke(init, ["--name", "a: b"]).exception, UsageProblem)
    Path("stacks").write_text("")
    assert isinstance(CliRunner().invoke(init, []).exception, UsageProblem)
    assert [path.name for path in tmp_path.iterdir()] == ["stacks"]


def test_a_lock_that_cannot_be_made_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VelapulumiError, match="cannot write"), files.locked(tmp_path / "file/x"):
        pass


@pytest.mark.parametrize(
    "deployment",
    [
        {"resources": "x"},
        {"resources": ["x"]},
        {"resources": [{"type": None}]},
        {"resources": [{"type": "pulumi:pulumi:Stack", "outputs": [1]}]},
        {"resources": [{"type": "kubernetes:core/v1:Pod", "provider": "", "inputs": {}}]},
        {
            "resources": [
                {"type": "kubernetes:core/v1:Pod", "provider": "", "inputs": {"metadata": None}}
            ]
        },
    ],
)
def test_a_deployment_of_another_form_is_refused(deployment: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a deployment"):
        record_of(deployment)


def test_a_lock_with_an_impossible_owner_is_not_taken_for_a_dead_one(tmp_path: Path) -> None:
    import socket

    path = tmp_path / "lock.json"
    path.write_text(json.dumps({"pid": 2**70, "hostname": socket.gethostname()}))
    assert not locks._released(path)
    assert path.exists()


def test_a_long_chain_of_dependencies() -> None:
    names = [f"c{number}" for number in range(1500)]
    chain = [
        Component(name=name, type="worker", dependsOn=names[index + 1 : index + 2])
        for index, name in enumerate(names)
    ]
    assert [component.name for component in in_delivery_order(chain)] == names[::-1]


class Pods:
    def __init__(self, *pods: dict[str, Any]) -> None:
        self._pods = list(pods)

    def pods(self, namespace: str, labels: dict[str, str]) -> list[dict[str, Any]]:
        return self._pods


def pod(name: str, reason: str, kind: str = "containerStatuses") -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "status": {kind: [{"state": {"waiting": {"reason": reason}}}]},
    }


def test_the_cause_that_needs_a_person_is_told_first() -> None:
    workload = {"metadata": {"namespace": "n"}, "spec": {"selector": {"matchLabels": {"a": "b"}}}}
    starting, stuck = pod("one", "ContainerCreating"), pod("two", "ImagePullBackOff")
    client: Any = Pods(starting, stuck)
    assert _why(client, workload) == "pod two: ImagePullBackOff"
    client = Pods(starting)
    assert _why(client, workload) == "pod one: ContainerCreating"
    initial = pod("one", "ImagePullBackOff", "initContainerStatuses")
    initial["status"]["containerStatuses"] = pod("one", "PodInitializing")["status"][
        "containerStatuses"
    ]
    client = Pods(initial)
    assert _why(client, workload) == "pod one: ImagePullBackOff"


def test_a_configuration_without_content_is_filled(tmp_path: Path) -> None:
    project = Project(tmp_path, "p", tmp_path)
    stack = StackName("shop", "prod")
    project.config_file(stack).write_text("config:\nencryptionsalt: s\n")
    project.configure(stack, tmp_path / "app.yaml")
    config = project.stack_config(stack)
    assert config is not None
    assert config.application == "app.yaml"
    assert "encryptionsalt: s" in project.config_file(stack).read_text()


@pytest.mark.parametrize("name", ["a..b", "a.-b", "a-.b"])
def test_a_name_with_an_empty_label_is_refused(name: str) -> None:
    with pytest.raises(UsageProblem):
        check_name(name)


def test_one_and_true_are_not_the_same() -> None:
    def manifest(value: Any) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "spec": {"a": value}}

    assert changed_fields(manifest(True), manifest(1), manifest(1))
    assert not changed_fields(manifest(1), manifest(1.0), manifest(1))
