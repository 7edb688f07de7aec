from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from velapulumi.cli.schema import schema
from velapulumi.definitions import BUILTIN, Definition
from velapulumi.extensions.schema import (
    DESCRIPTIONS,
    KINDS,
    application_schema,
    definition_schema,
    example_of,
    parameter_rows,
)

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/own-definitions"
ALL = [(word, name) for word, kind in KINDS.items() for name in BUILTIN.types_of(kind)]
APPLICATIONS = [
    *(path for path in sorted(ROOT.glob("examples/*/app.yaml")) if path.parent != EXAMPLE),
    *sorted(ROOT.glob("tests/definitions/cases/*/*/app.yaml")),
]
BETTER_REFUSED = {"k8s-objects/odd-metadata"}
"""Cases with a null which an editor had better point at."""


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    return Draft202012Validator(application_schema(BUILTIN))


def definition(word: str, name: str) -> Definition[Any]:
    found = BUILTIN.find(KINDS[word], name)
    assert found is not None
    return found


def application(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": "shop"},
        "spec": {"components": [], **spec},
    }


def place(word: str, entry: dict[str, Any]) -> dict[str, Any]:
    """An Application with an entry of some kind."""
    if word == "component":
        return application(components=[{"name": "web", **entry}])
    if word == "trait":
        web = {"name": "web", "type": "worker", "properties": {"image": "x"}, "traits": [entry]}
        return application(components=[web])
    if word == "policy":
        return application(policies=[entry])
    return application(workflow={"steps": [entry]})


def errors(validator: Draft202012Validator, document: Any) -> list[str]:
    found = validator.iter_errors(json.loads(json.dumps(document)))
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in found]


def test_the_command_prints_a_valid_schema_always_alike() -> None:
    printed = CliRunner().invoke(schema, []).stdout
    Draft202012Validator.check_schema(json.loads(printed))
    assert printed == CliRunner().invoke(schema, []).stdout


@pytest.mark.parametrize(("word", "name"), ALL)
def test_examples_fit_and_unknown_parameters_do_not(
    validator: Draft202012Validator, word: str, name: str
) -> None:
    found = definition(word, name)
    entry = {"type": name, "properties": copy.deepcopy(dict(found.example))}
    assert errors(validator, place(word, entry)) == []
    if definition_schema(found).get("additionalProperties") is False:
        entry["properties"]["noSuchParameter"] = 1
        assert any(
            "'noSuchParameter' was" in text for text in errors(validator, place(word, entry))
        )


@pytest.mark.parametrize(("word", "name"), ALL)
def test_parameters_are_described(word: str, name: str) -> None:
    made = definition_schema(definition(word, name))
    Draft202012Validator.check_schema(made)
    assert all(row.description for row in parameter_rows(made))


def test_a_type_inside_itself_is_told_once() -> None:
    tree = {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"$ref": "#/$defs/Tree"}}]}
    made = {"properties": {"tree": {"$ref": "#/$defs/Tree"}}, "$defs": {"Tree": tree}}
    (row,) = parameter_rows(made)
    assert (row.name, row.type) == ("tree", "integer or list of any")


@pytest.mark.parametrize(("word", "name"), ALL)
def test_made_up_examples_fit(word: str, name: str) -> None:
    made = definition_schema(definition(word, name))
    assert errors(Draft202012Validator(made), example_of(made)) == []


@pytest.mark.parametrize("path", APPLICATIONS, ids=lambda path: "/".join(path.parts[-3:-1]))
def test_applications_fit(validator: Draft202012Validator, path: Path) -> None:
    found = errors(validator, next(yaml.safe_load_all(path.read_text("utf-8"))))
    assert bool(found) == ("/".join(path.parts[-3:-1]) in BETTER_REFUSED), found


WEB = {"name": "web", "type": "webservice", "properties": {"image": "x"}}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        pytest.param([], ": [] is not of type 'object'", id="list"),
        pytest.param({**application(), "kind": "App"}, "kind: 'Application' was expected", id="k"),
        pytest.param({**application(), "spec": {}}, "spec: 'components' is a required", id="spec"),
        pytest.param({**application(), "extra": 1}, ": Additional properties are not", id="extra"),
        pytest.param(
            application(components=[{**WEB, "type": "webservic"}]),
            "spec.components.0.type: 'webservic' is not one of",
            id="type",
        ),
        pytest.param(
            application(components=[{**WEB, "trait": []}]),
            "spec.components.0: Additional properties are not allowed ('trait' was unexpected)",
            id="field",
        ),
        pytest.param(
            application(components=[{"name": "web", "type": "webservice"}]),
            "spec.components.0: 'properties' is a required property",
            id="no-properties",
        ),
        pytest.param(
            application(components=[{**WEB, "properties": {}}]),
            "spec.components.0.properties: 'image' is a required property",
            id="required",
        ),
        pytest.param(
            application(components=[{**WEB, "properties": {"image": "x", "cpu": 1}}]),
            "spec.components.0.properties.cpu: 1 is not of type 'string'",
            id="parameter",
        ),
        pytest.param(
            application(components=[{**WEB, "properties": {"image": "x", "cpu": None}}]),
            "spec.components.0.properties.cpu: None is not of type 'string'",
            id="null",
        ),
        pytest.param(
            application(policies=[{"type": "topology", "properties": {"cluster": ["a"]}}]),
            "spec.policies.0.properties: Additional properties",
            id="policy",
        ),
        pytest.param(
            application(workflow={"steps": [{"type": "deploy2env", "properties": {"env": 1}}]}),
            "spec.workflow.steps.0.properties.env: 1 is not of type 'string'",
            id="step",
        ),
    ],
)
def test_mistakes_are_found(validator: Draft202012Validator, document: Any, problem: str) -> None:
    assert any(text.startswith(problem) for text in errors(validator, document))


def test_what_inputs_fill_in_may_be_missing(validator: Draft202012Validator) -> None:
    inputs = [{"from": "address", "parameterKey": "image"}]
    document = application(components=[{"name": "web", "type": "webservice", "inputs": inputs}])
    assert errors(validator, document) == []


@pytest.mark.parametrize("field", ["traits", "dependsOn", "inputs"])
def test_an_empty_list_may_be_null(validator: Draft202012Validator, field: str) -> None:
    assert errors(validator, application(components=[{**WEB, field: None}])) == []


def test_every_field_of_the_application_is_described() -> None:
    made = application_schema(BUILTIN)
    parts = {"Manifest": made, **made["$defs"]}
    for name in DESCRIPTIONS:
        for field, value in parts[name]["properties"].items():
            ignored = name == "Metadata" and field not in DESCRIPTIONS[name]
            assert ignored or value.get("description"), (name, field)


def test_types_of_the_project_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "redis.yaml").write_text((EXAMPLE / "definitions/redis.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    made = Draft202012Validator(json.loads(CliRunner().invoke(schema, []).stdout))
    redis = {"name": "cache", "type": "redis", "properties": {"storage": "1Gi"}}
    assert errors(made, application(components=[redis])) == []
    redis["properties"] = {"storage": "1Gi", "eviction": "All"}
    [found] = errors(made, application(components=[redis]))
    assert found.startswith("spec.components.0.properties.eviction: 'All' is not one of")
