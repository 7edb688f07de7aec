"""Deleting an application: nothing is given up while another run uses its stack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.helpers import deployment, manifest, resource, store
from velapulumi.delivery import engine, locks, remove
from velapulumi.errors import StackLocked
from velapulumi.project import Project, StackName

STACK = StackName("shop", "prod")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done to clusters and stack, in order."""
    found: list[str] = []

    class Engine:
        def __init__(self, *_: object) -> None:
            pass

        def destroy(self, stack: StackName) -> None:
            found.append(f"destroy {stack}")

    def release(application: str, record: Any, objects: Any, clusters: Mapping[str, Any]) -> None:
        found.extend(f"release {entry.manifest['metadata']['name']}" for entry in objects)

    monkeypatch.setattr(engine, "Engine", Engine)
    monkeypatch.setattr(remove, "release", release)
    monkeypatch.setattr(remove, "reach", lambda project, names: {})
    return found


def delete(project: Project) -> None:
    remove.remove(project, "shop", ["prod"], lambda text: None)


def test_objects_are_given_up_before_the_stack_is_gone(project: Project, done: list[str]) -> None:
    store(project, STACK, deployment(resource("east", manifest("web"), retainOnDelete=True)))
    delete(project)
    assert done == ["release web", "destroy shop.prod"]
    assert not project.config_file(STACK).exists()


def test_nothing_is_given_up_while_another_run_holds_the_stack(
    project: Project, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "PATIENCE", 0.05)
    store(project, STACK, deployment(resource("east", manifest("web"), retainOnDelete=True)))
    folder = project.state / "backend/.pulumi/locks/organization/test/shop.prod"
    folder.mkdir(parents=True)
    owner = {"username": "ann", "hostname": "elsewhere", "pid": 1, "timestamp": "2026-01-01"}
    (folder / "1.json").write_text(json.dumps(owner))
    with pytest.raises(StackLocked, match="is in use by ann@elsewhere"):
        delete(project)
    assert done == []
    assert project.config_file(STACK).exists()
