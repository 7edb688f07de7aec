"""Definitions as Python modules of a project."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from velapulumi.definitions import (
    BUILTIN,
    Answer,
    Context,
    Done,
    PolicyDefinition,
    StepDefinition,
    StepError,
    TraitDefinition,
)
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


TICKET = """\
from pydantic import Field

from velapulumi.definitions import Done, Parameters, StepDefinition, StepError


class Ticket(Parameters):
    number: str = Field(description="Number of the ticket.")


def act(parameters, context, tools):
    answer = tools.send("GET", f"https://tickets.example.org/{parameters.number}")
    if answer.status != 200:
        raise StepError(f"ticket {parameters.number} is not approved")
    return Done("approved", {"output": answer.missing if answer.body else answer.status})


DEFINITION = StepDefinition(
    type="ticket", parameters=Ticket, summary="A ticket.", example={"number": "1"},
    ACT
)
"""


def ticket(tmp_path: Path, act: str = "act=act") -> StepDefinition[Any]:
    folder = tmp_path / "definitions" / "steps"
    folder.mkdir(parents=True)
    (folder / "ticket.py").write_text(TICKET.replace("ACT", act))
    found = catalog_of(tmp_path).find(StepDefinition, "ticket")
    assert found is not None
    return found


def answered(definition: StepDefinition[Any], status: int, body: str = "") -> Any:
    tools: Any = SimpleNamespace(send=lambda *_: Answer(status, {}, body))
    context: Any = None
    parameters, _ = definition.read({"number": "CHG-1"})
    assert definition.act is not None
    return definition.act(parameters, context, tools)


def test_a_step_type_of_ones_own(tmp_path: Path) -> None:
    definition = ticket(tmp_path)
    assert definition.render is None
    assert answered(definition, 200) == Done("approved", {"output": 200})
    with pytest.raises(StepError, match="ticket CHG-1 is not approved"):
        answered(definition, 404)
    with pytest.raises(InvalidDefinition, match=r"act failed: AttributeError: .*ticket\.py:14"):
        answered(definition, 200, "body")


def test_a_step_type_that_does_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDefinition, match="must have act or render, one of them"):
        ticket(tmp_path, "")
