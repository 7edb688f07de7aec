"""Finding a project, and what its stack configuration says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from velapulumi.errors import InvalidFile, NoProject
from velapulumi.project import Project, StackConfig, StackName, find_project


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("shop.prod", StackName("shop", "prod")),
        ("my.shop.prod", StackName("my.shop", "prod")),
        ("shop", None),
        ("shop.", None),
        (".prod", None),
        ("", None),
    ],
)
def test_a_stack_name_is_application_and_stage(text: str, parsed: StackName | None) -> None:
    assert StackName.parse(text) == parsed
    assert parsed is None or str(parsed) == text


def test_a_project_is_found_from_below(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text(
        "name: shop\nstackConfigDir: stacks\nbackend: {url: 'file://here'}\n"
    )
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    found = find_project(below)
    root = tmp_path.resolve()
    assert found == Project(root, "shop", root / "stacks", "file://here")
    assert found.gate_file("app") == root / "stacks" / "app.gate.yaml"
    assert found.relative(tmp_path / "apps" / "x.yaml") == "apps/x.yaml"


@pytest.mark.parametrize("backend", ["", "backend:\n", "backend: {}\n", "backend: {url: 1}\n"])
def test_stacks_lie_beside_the_file_where_nothing_else_is_said(
    tmp_path: Path, backend: str
) -> None:
    (tmp_path / "Pulumi.yaml").write_text(f"name: shop\n{backend}")
    found = find_project(tmp_path)
    assert (found.stacks, found.backend) == (tmp_path.resolve(), None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": name is missing"),
        ("name: ''\n", ": name is missing"),
        ("runtime: python\n", ": name is missing"),
        ("- name\n", ":1: must be a mapping"),
        ("name: shop\nbackend: [\n", ":3: "),
    ],
)
def test_a_damaged_project_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path.resolve() / "Pulumi.yaml"
    path.write_text(text)
    with pytest.raises(InvalidFile) as caught:
        find_project(tmp_path)
    assert caught.value.message.startswith(f"{path}{message}")


def test_no_project_here_or_above(tmp_path: Path) -> None:
    with pytest.raises(NoProject, match=r"^no Pulumi\.yaml in .* or above it$"):
        find_project(tmp_path)


STACK = StackName("shop", "prod")


def test_a_configuration_is_made_and_read_back(project: Project) -> None:
    assert project.stack_config(STACK) is None
    project.configure(STACK, project.root / "apps" / "shop.yaml")
    assert project.stack_config(STACK) == StackConfig("apps/shop.yaml", "prod")
    assert project.stack_names() == [STACK]


def test_a_configuration_keeps_what_is_there(project: Project) -> None:
    path = project.config_file(STACK)
    path.write_text("encryptionsalt: v1:abc\nconfig:\n  other:key: 1\n")
    project.configure(STACK, project.root / "app.yaml")
    document = yaml.safe_load(path.read_text())
    assert document["encryptionsalt"] == "v1:abc"
    assert document["config"] == {
        "other:key": 1,
        "velapulumi:application": "app.yaml",
        "velapulumi:stage": "prod",
        "pulumi:disable-default-providers": ["*"],
    }
    before = path.stat().st_ino
    project.configure(STACK, project.root / "app.yaml")
    assert path.stat().st_ino == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x: 1\nconfig: a: b\n", ":2: "),
        ("config: [1]\n", ": config must be a mapping"),
        ("x", ":1: "),
    ],
)
def test_a_damaged_configuration_is_named_and_kept(
    project: Project, text: str, message: str
) -> None:
    path = project.config_file(STACK)
    path.write_text(text)
    with pytest.raises(InvalidFile) as caught:
        project.configure(STACK, project.root / "app.yaml")
    assert caught.value.message.startswith(f"{path}{message}")
    with pytest.raises(InvalidFile):
        project.stack_config(STACK)
    assert path.read_text() == text


def test_stacks_are_listed_by_application(project: Project) -> None:
    for name in ("shop.prod", "shop.staging", "my.shop.prod", "nameless"):
        (project.stacks / f"Pulumi.{name}.yaml").touch()
    assert [str(name) for name in project.stack_names("shop")] == ["shop.prod", "shop.staging"]
    assert [str(name) for name in project.stack_names()] == [
        "my.shop.prod",
        "shop.prod",
        "shop.staging",
    ]
