from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from velapulumi.cli.show import _WORDS, show
from velapulumi.definitions import BUILTIN
from velapulumi.errors import UsageProblem
from velapulumi.extensions.schema import KINDS

EXAMPLE = Path(__file__).parents[2] / "examples/own-definitions"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, columns: int = 100) -> Result:
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(show, arguments)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project here, with a trait of its own named as a policy."""
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    folder = tmp_path / "definitions/traits"
    folder.mkdir(parents=True)
    text = (EXAMPLE / "definitions/traits/scaler.py").read_text()
    (folder / "health.py").write_text(text.replace('type="scaler"', 'type="health"'))
    return tmp_path


def test_a_trait_as_a_table_with_an_example() -> None:
    result = run("scaler")
    assert result.exit_code == 0
    assert result.stdout == (
        "scaler (trait)\n"
        "The number of replicas.\n"
        "\n"
        "NAME       TYPE      REQUIRED   DEFAULT   DESCRIPTION\n"
        "replicas   integer              1         Number of replicas.\n"
        "\n"
        "Example, in spec.components[].traits:\n"
        "\n"
        "  - type: scaler\n"
        "    properties:\n"
        "      replicas: 3\n"
    )


@pytest.mark.parametrize("columns", [20, 80, 100, 120, 300])
@pytest.mark.parametrize("word", _WORDS)
def test_every_type_is_shown_in_the_width_there_is(word: str, columns: int) -> None:
    for type_name in BUILTIN.types_of(KINDS[word]):
        result = run(type_name, "--kind", word, columns=columns)
        assert result.exit_code == 0
        table, _, example = result.stdout.partition("\nExample, in ")
        assert all(len(line) <= max(80, min(columns, 120)) for line in table.split("\n"))
        [entry] = yaml.safe_load(example.partition(":\n")[2])
        definition = BUILTIN.find(KINDS[word], type_name)
        assert definition is not None
        assert entry["type"] == type_name
        assert entry.get("properties", {}) == json.loads(json.dumps(definition.example))


def test_nested_parameters_have_dotted_paths() -> None:
    lines = run("webservice").stdout.splitlines()
    found = {line.split()[0]: line.split()[1:] for line in lines if line[:1].isalpha()}
    assert found["image"] == ["string", "yes"]
    assert found["ports[].port"] == ["integer", "yes"]
    assert found["ports[].protocol"] == ["string", "TCP"]
    assert found["livenessProbe.httpGet.httpHeaders[].name"] == ["string", "yes"]
    assert found["labels"] == ["map", "of", "string"]


def test_a_map_of_ones_own_names() -> None:
    assert "\n*      string or null " in run("labels").stdout


def test_a_deprecated_type_says_what_to_use() -> None:
    assert "Deprecated, use " in run("pure-ingress").stdout


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_the_schema_as_data(output: str) -> None:
    result = run("scaler", "-o", output)
    schema = yaml.safe_load(result.stdout)
    assert schema == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "scaler",
        "description": "The number of replicas.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "replicas": {
                "type": "integer",
                "default": 1,
                "minimum": 0,
                "description": "Number of replicas.",
            }
        },
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["webservic"], 'there is no type "webservic", did you mean "webservice"?'),
        (["scaler", "--kind", "policy"], 'there is no policy type "scaler"; known: apply-once, '),
    ],
)
def test_an_unknown_type(arguments: list[str], message: str) -> None:
    error = run(*arguments).exception
    assert isinstance(error, UsageProblem)
    assert str(error).startswith(message)
    assert error.next_step.endswith("velapulumi show")


def test_all_types_are_listed() -> None:
    lines = run().stdout.splitlines()
    assert lines[0].split() == ["TYPE", "KIND", "SUMMARY"]
    listed = [tuple(line.split()[:2]) for line in lines[1:]]
    assert listed == [(name, word) for word in _WORDS for name in BUILTIN.types_of(KINDS[word])]
    assert any("(deprecated) " in line for line in lines if line.startswith("pure-ingress "))
    entries = json.loads(run("--kind", "step", "-o", "json").stdout)
    assert {entry["kind"] for entry in entries} == {"step"}
    assert {"type": "webhook", "kind": "step", "deprecated": False}.items() <= entries[-1].items()


@pytest.mark.usefixtures("project")
def test_types_of_the_project() -> None:
    assert "health " in run("--kind", "trait").stdout
    both = run("health").stdout
    assert both.index("health (trait)") < both.index("health (policy)")
    assert [s["title"] for s in json.loads(run("health", "-o", "json").stdout)] == ["health"] * 2
    assert "(policy)" not in run("health", "--kind", "trait").stdout


def test_a_type_with_a_cue_template(project: Path) -> None:
    text = (EXAMPLE / "definitions/redis.yaml").read_text()
    (project / "definitions/redis.yaml").write_text(text)
    lines = run("redis").stdout.splitlines()
    assert lines[:2] == ["redis (component)", "A Redis server with a volume of its own."]
    table = {line.split()[0]: line.split(maxsplit=3)[1:] for line in lines if line[:1].isalpha()}
    assert table["storage"] == ["string", "yes", "Size of the volume."]
    assert table["version"] == ["string", "7.4", "Version of Redis."]
    assert table["eviction"][:2] == ["string", "NoEviction"]
    assert "      storage: …" in lines


def test_showing_loads_neither_engine_nor_client() -> None:
    program = (
        "import sys\nfrom click.testing import CliRunner\n"
        "from velapulumi.cli.show import show\nfrom velapulumi.cli.schema import schema\n"
        "before = [m for m in ('pydantic', 'yaml', 'velapulumi.definitions') if m in sys.modules]\n"
        "assert CliRunner().invoke(show, []).exit_code == 0\n"
        "assert CliRunner().invoke(schema, []).exit_code == 0\n"
        "print(before, [m for m in ('pulumi', 'kubernetes') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[] []\n"
