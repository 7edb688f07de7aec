"""The example of the documentation, as a whole."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from velapulumi.definitions import Catalog, ComponentDefinition, TraitDefinition, installed
from velapulumi.errors import InvalidApplication
from velapulumi.extensions import catalog_of
from velapulumi.extensions.catalog import _read
from velapulumi.render import (
    RevisionNames,
    Surroundings,
    base_environment,
    load,
    render_environment,
)

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/own-definitions"
EXPECTED = Path(__file__).parent / "own-definitions.yaml"


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the example, its package installed."""
    copy = tmp_path / "example"
    shutil.copytree(EXAMPLE, copy)
    info = tmp_path / "acme_definitions-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-definitions\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[velapulumi.traits]\npriority = acme_definitions:PRIORITY\n"
    )
    shutil.copy(EXAMPLE / "package/acme_definitions.py", tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    installed.announced.cache_clear()
    yield copy
    installed.announced.cache_clear()


def rendered(folder: Path, catalog: Catalog) -> list[Any]:
    surroundings = Surroundings(catalog=catalog)
    loaded = load(folder / "app.yaml", surroundings)
    assert loaded.warnings == ()
    names = RevisionNames("docs-v1")
    environment = base_environment(loaded)
    made = render_environment(loaded.application, environment, names, surroundings)
    return [item.manifest for item in made]


def test_the_example_renders_as_expected(example: Path) -> None:
    expected = list(yaml.safe_load_all(EXPECTED.read_text("utf-8")))
    assert rendered(example, catalog_of(example)) == expected


def test_a_second_run_starts_no_process(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = rendered(example, catalog_of(example))

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "run", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    _read.cache_clear()
    assert rendered(example, catalog_of(example)) == first


def test_mistakes_are_reported_with_line_and_path(example: Path) -> None:
    app = example / "app.yaml"
    text = app.read_text("utf-8")
    text = text.replace("replicas: 3", "replicas: 30").replace("level: debug", "level: loud")
    app.write_text(text.replace("storage: 1Gi", "size: 1Gi"), "utf-8")
    with pytest.raises(InvalidApplication) as caught:
        load(app, Surroundings(catalog=catalog_of(example)))
    found = {(p.line, p.path): p.message for p in caught.value.problems}
    site, cache = "spec.components[0].traits", "spec.components[1].properties"
    assert found[15, f"{site}[0].properties.replicas"].startswith("must be at most 10, is 30")
    assert 'conflicting values "info" and "loud"' in found[18, f"{site}[1].properties.level"]
    assert found[24, f"{cache}.storage"] == "is missing (incomplete value string)"
    assert len(found) == 3


def test_the_health_rules(example: Path) -> None:
    redis = catalog_of(example).find(ComponentDefinition, "redis")
    assert redis is not None
    live: dict[str, Any] = {"metadata": {}, "spec": {"replicas": 1}}
    assert (redis.health(live).healthy, redis.health(live).message) == (False, "wants 1")
    assert redis.health({**live, "status": {"readyReplicas": 1}}).healthy


@pytest.mark.parametrize("name", ["scaler", "log-agent", "priority"])
def test_examples_are_valid(example: Path, name: str) -> None:
    definition = catalog_of(example).find(TraitDefinition, name)
    assert definition is not None
    assert definition.read(definition.example)[1] == []


def test_the_document_quotes_the_example() -> None:
    text = (ROOT / "docs/definitions.md").read_text("utf-8")
    suffixes = {".py", ".yaml", ".cue", ".toml"}
    files = [path.read_text("utf-8") for path in EXAMPLE.rglob("*.*") if path.suffix in suffixes]
    blocks = re.findall(r"^```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 6
    assert [block for block in blocks if not any(block in file for file in files)] == []
