"""Projects with definitions of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from velapulumi.definitions import Catalog
from velapulumi.extensions import catalog_of

Project = Callable[[Mapping[str, str]], Catalog]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Makes a project with files below ``definitions``; gives its definitions."""

    def make(files: Mapping[str, str]) -> Catalog:
        for name, text in files.items():
            path = tmp_path / "definitions" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return catalog_of(tmp_path)

    return make


def manifest(kind: str, name: str, template: str, **spec: Any) -> str:
    """A definition of KubeVela as YAML."""
    document = {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {**spec, "schematic": {"cue": {"template": template}}},
    }
    return yaml.safe_dump(document)
