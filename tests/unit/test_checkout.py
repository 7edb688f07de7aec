"""What a checkout of a governed project may not say."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from velapulumi.engine import checkout
from velapulumi.engine.checkout import check_checkout
from velapulumi.engine.environment import engine_environment
from velapulumi.errors import CheckoutRefused
from velapulumi.project import Project, find_project


def project(root: Path, *, governed: bool = True, **more: object) -> Project:
    (root / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "test", "runtime": "python", **more}))
    (root / "gates").mkdir(exist_ok=True)
    if governed:
        (root / "gates" / "allowed_signers").write_text("")
    return find_project(root)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"plugins": {"providers": [{"name": "kubernetes", "path": "bin"}]}}, "plugins: names pro"),
        ({"packages": {"kubernetes": "./mine"}}, "packages: names programs"),
        ({"runtime": "nodejs"}, "runtime: is nodejs, must be python"),
        ({"runtime": {"name": "go"}}, "runtime: is go, must be python"),
        ({"backend": {"url": "https://mine.example.org"}}, "would get the access token"),
    ],
)
def test_a_project_names_no_programs_and_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: dict[str, object], text: str
) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    with pytest.raises(CheckoutRefused, match=text):
        engine_environment(project(tmp_path, **said))
    (tmp_path / "gates" / "allowed_signers").unlink()
    checkout._problems.cache_clear()
    engine_environment(project(tmp_path, governed=False, **said))


def test_the_deliverer_may_name_the_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "https://ours.example.org")
    check_checkout(project(tmp_path, backend={"url": "https://ours.example.org"}))


def test_a_stack_changes_neither_variables_nor_how_clusters_are_reached(tmp_path: Path) -> None:
    found = project(tmp_path)
    document = {"environment": ["mine"], "config": {"kubernetes:kubeconfig": "x", "a:b": "c"}}
    (tmp_path / "Pulumi.shop.prod.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(CheckoutRefused) as caught:
        check_checkout(found)
    assert [line.partition(": ")[2] for line in caught.value.message.splitlines()] == [
        "environment: would set variables of this machine",
        "kubernetes:kubeconfig: would change how clusters are reached",
    ]


@pytest.mark.parametrize("linked", [".velapulumi", ".velapulumi/credentials"])
def test_what_belongs_to_this_machine_is_no_link(tmp_path: Path, linked: str) -> None:
    found = project(tmp_path)
    (tmp_path / "mine").mkdir()
    path = tmp_path / linked
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(tmp_path / "mine")
    with pytest.raises(CheckoutRefused, match="is a link"):
        check_checkout(found)


def test_what_belongs_to_this_machine_is_not_in_version_control(tmp_path: Path) -> None:
    found = project(tmp_path)
    path = tmp_path / ".velapulumi" / "credentials" / "prod.kubeconfig"
    path.parent.mkdir(parents=True)
    path.write_text("users: [{user: {exec: {command: mine}}}]")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    check_checkout(found)
    checkout._problems.cache_clear()
    subprocess.run(["git", "-C", str(tmp_path), "add", "-f", ".velapulumi"], check=True)
    with pytest.raises(CheckoutRefused, match=r"prod\.kubeconfig: is in version control"):
        check_checkout(found)
