"""Definitions in installed packages, found by entry points."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from velapulumi.definitions import Catalog, ComponentDefinition, TraitDefinition, installed
from velapulumi.errors import InvalidDefinition

PACKAGE = Path(__file__).parents[2] / "examples/own-definitions/package"

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a package that announces traits, by name and value."""
    installed.announced.cache_clear()
    monkeypatch.syspath_prepend(tmp_path)

    def make(package: str, **traits: str) -> None:
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [f"{name.replace('_', '-')} = {value}" for name, value in traits.items()]
        (info / "entry_points.txt").write_text("[velapulumi.traits]\n" + "\n".join(lines))

    yield make
    installed.announced.cache_clear()


def test_the_example_package_is_found_by_what_it_announces(
    install: Install, tmp_path: Path
) -> None:
    announced = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]["entry-points"]
    assert list(announced) == ["velapulumi.traits"]
    shutil.copy(PACKAGE / "acme_definitions.py", tmp_path)
    install("acme_definitions", **announced["velapulumi.traits"])
    definition = Catalog().find(TraitDefinition, "priority")
    assert definition is not None
    assert definition.read(definition.example)[1] == []
    assert "priority" in Catalog().types_of(TraitDefinition)
    assert Catalog().find(ComponentDefinition, "priority") is None


def test_packages_are_not_asked_for_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> None:
        raise AssertionError("the packages were asked")

    monkeypatch.setattr(installed, "announced", refuse)
    scaler = Catalog().find(TraitDefinition, "scaler")
    assert scaler is not None
    assert Catalog({TraitDefinition: {"own": scaler}}).find(TraitDefinition, "own") is scaler


def test_a_built_in_type_cannot_be_redefined(install: Install) -> None:
    install("bold", scaler="bold:SCALER")
    with pytest.raises(
        InvalidDefinition, match=r"scaler = bold:SCALER .* of package bold redefine"
    ):
        Catalog().find(TraitDefinition, "no-such")


def test_two_packages_cannot_define_one_type(install: Install) -> None:
    install("one", zone="one:ZONE")
    install("two", zone="two:ZONE")
    with pytest.raises(InvalidDefinition, match=r"of package (one|two).* define the same type"):
        Catalog().types_of(TraitDefinition)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_module:X", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("velapulumi.definitions:NOTHING", "AttributeError: .*NOTHING"),
        ("leaving:X", "SystemExit: 3"),
        ("velapulumi.definitions:Context", "must be a TraitDefinition, is a type"),
        (
            "velapulumi.definitions.components.worker:DEFINITION",
            "must be a TraitDefinition, is a ComponentDefinition",
        ),
        (
            "velapulumi.definitions.traits.scaler:DEFINITION",
            'defines the type "scaler", its own name says "zone"',
        ),
    ],
)
def test_what_cannot_be_used_is_named(
    install: Install, tmp_path: Path, value: str, message: str
) -> None:
    (tmp_path / "leaving.py").write_text("raise SystemExit(3)")
    install("odd", zone=value)
    with pytest.raises(InvalidDefinition, match=message) as caught:
        Catalog().find(TraitDefinition, "zone")
    assert str(caught.value).startswith(f"entry point zone = {value} in velapulumi.traits of")
    assert caught.value.code == "VP108"
