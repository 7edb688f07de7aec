"""Definitions as Python modules of a project."""

from __future__ import annotations

from pathlib import Path

import pytest

from velapulumi.definitions import BUILTIN, Context, PolicyDefinition, TraitDefinition
from velapulumi.errors import InvalidDefinition
from velapulumi.extensions import catalog_of

from .conftest import Project, manifest

TRAIT = """
from velapulumi.definitions import Parameters, TraitDefinition, TraitResult

DEFINITION = TraitDefinition(
    type="zone-of", parameters=Parameters, summary="A zone.", example={},
    apply=lambda parameters, context, workload: TraitResult(),
)
"""


CONTEXT = Context("shop", "default", "shop-v1", "web", "web-v1", "east", "default")


def test_without_a_folder_there_are_the_built_in_ones(tmp_path: Path) -> None:
    assert catalog_of(tmp_path) is BUILTIN


def test_a_module_defines_the_type_of_its_name(project: Project, tmp_path: Path) -> None:
    catalog = project({"traits/zone_of.py": TRAIT, "traits/_helper.py": "raise Exception"})
    definition = catalog.find(TraitDefinition, "zone-of")
    assert definition is not None
    assert definition.summary == "A zone."
    assert set(catalog.types_of(TraitDefinition)) - set(BUILTIN.types_of(TraitDefinition)) == {
        "zone-of"
    }
    assert catalog.find(PolicyDefinition, "zone-of") is None
    assert catalog_of(tmp_path / ".") is catalog


def test_a_built_in_type_may_be_replaced(project: Project) -> None:
    catalog = project({"traits/scaler.py": TRAIT.replace("zone-of", "scaler")})
    definition = catalog.find(TraitDefinition, "scaler")
    assert definition is not None
    assert definition.summary == "A zone."
    assert definition is not BUILTIN.find(TraitDefinition, "scaler")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param("zone_of", "x = = 1", ":1: SyntaxError: invalid syntax", id="syntax"),
        pytest.param("zone_of", "\nimport nowhere", ":2: ModuleNotFoundError: No", id="import"),
        pytest.param("zone_of", "def f():\n  1 / 0\nf()", ":2: ZeroDivisionError", id="raises"),
        pytest.param("zone_of", "import sys\nsys.exit(3)", ":2: SystemExit: 3", id="exits"),
        pytest.param("zone_of", "x = 1", ": holds no DEFINITION", id="nothing"),
        pytest.param("zone_of", "DEFINITION = 7", "must be a TraitDefinition, is a int", id="odd"),
        pytest.param("zone", TRAIT, 'type "zone-of", its own name says "zone"', id="name"),
    ],
)
def test_a_broken_module_is_named_with_the_cause(
    project: Project, tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        project({f"traits/{name}.py": text})
    assert str(caught.value).startswith(str(tmp_path / f"definitions/traits/{name}.py"))
    assert message in str(caught.value)


def test_a_type_is_defined_once(project: Project) -> None:
    twice = manifest("TraitDefinition", "zone-of", "parameter: {}")
    with pytest.raises(InvalidDefinition, match=r"twice.yaml: zone-of is defined in .*zone_of.py"):
        project({"traits/zone_of.py": TRAIT, "twice.yaml": twice})


WRONG = TRAIT.replace("TraitResult()", "parameters.zone")


def test_a_mistake_in_a_function_is_told_with_its_place(project: Project) -> None:
    definition = project({"traits/zone_of.py": WRONG}).find(TraitDefinition, "zone-of")
    assert definition is not None
    parameters, problems = definition.read({})
    assert problems == []
    with pytest.raises(InvalidDefinition) as caught:
        definition.apply(parameters, CONTEXT, {})
    assert "failed: AttributeError: " in str(caught.value)
    assert str(caught.value).endswith("traits/zone_of.py:6)")
