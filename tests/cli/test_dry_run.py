from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from velapulumi.cli.dry_run import dry_run
from velapulumi.errors import InvalidApplication, UsageProblem

ROOT = Path(__file__).parents[2]
SEED = ROOT / "examples/01-seed/app.yaml"
PLAIN = ROOT / "tests/definitions/cases/webservice/minimal/app.yaml"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(dry_run, [str(argument) for argument in arguments])


def test_yaml_has_every_object_under_a_comment() -> None:
    result = run("-f", SEED)
    assert result.exit_code == 0
    comments = [line for line in result.stdout.splitlines() if line.startswith("#")]
    assert comments == [
        "# env: staging, cluster: cluster-staging, component: hello-world-server",
        "# env: prod, cluster: cluster-prod, component: hello-world-server",
        "# env: prod, cluster: cluster-prod, component: data-worker",
    ]
    documents = list(yaml.safe_load_all(result.stdout))
    assert [document["spec"].get("replicas") for document in documents] == [1, 3, None]
    assert result.stdout.index("apiVersion") < result.stdout.index("kind:")


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["--env", "prod"], 2),
        (["--env", "staging"], 1),
        (["--cluster", "cluster-prod"], 2),
        (["--env", "prod", "--cluster", "cluster-prod"], 2),
    ],
)
def test_choice_of_env_and_cluster(arguments: list[str], count: int) -> None:
    assert len(list(yaml.safe_load_all(run("-f", SEED, *arguments).stdout))) == count


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--env", "test"], "there is no environment test here; known: staging, prod"),
        (
            ["--env", "prod", "--cluster", "cluster-staging"],
            "there is no cluster cluster-staging here; known: cluster-prod",
        ),
    ],
)
def test_unknown_choice_names_the_known_ones(arguments: list[str], message: str) -> None:
    error = run("-f", SEED, *arguments).exception
    assert isinstance(error, UsageProblem)
    assert (error.exit_code, str(error)) == (2, message)


def test_json_is_one_document() -> None:
    document = json.loads(run("-f", SEED, "-o", "json").stdout)
    environments = document.pop("environments")
    assert document == {
        "apiVersion": "velapulumi.dev/v1",
        "kind": "DryRun",
        "application": "example-app",
    }
    objects = [environment.pop("objects") for environment in environments]
    assert [len(manifests) for manifests in objects] == [1, 2]
    assert environments == [
        {"name": "staging", "cluster": "cluster-staging", "namespace": "default"},
        {"name": "prod", "cluster": "cluster-prod", "namespace": "default"},
    ]


def test_application_without_environments_is_printed_once_for_local() -> None:
    result = run("-f", PLAIN)
    assert result.stdout.startswith("---\n# cluster: local, component: web\n")
    assert len(list(yaml.safe_load_all(result.stdout))) == 1
    assert isinstance(run("-f", PLAIN, "--env", "prod").exception, UsageProblem)


def test_warnings_go_to_stderr(tmp_path: Path) -> None:
    file = tmp_path / "app.yaml"
    file.write_text(PLAIN.read_text("utf-8") + "    scopes: {a: b}\n", "utf-8")
    result = run("-f", file)
    warning = "Warning: spec.components[0].scopes: is deprecated and has no effect\n"
    assert result.stderr == warning
    assert "Warning" not in result.stdout


def test_bad_file_is_refused(tmp_path: Path) -> None:
    assert isinstance(run("-f", tmp_path / "none.yaml").exception, InvalidApplication)


def test_importing_the_command_loads_neither_yaml_nor_the_rest() -> None:
    program = (
        "import sys, velapulumi.cli.dry_run\n"
        "print([name for name in ('yaml', 'pydantic', 'pulumi', 'velapulumi.render') "
        "if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout == "[]\n"


TOPOLOGY = ROOT / "examples/02-topology/app.yaml"


def test_a_policy_chooses_what_it_places() -> None:
    result = run("-f", TOPOLOGY, "--env", "production")
    comments = [line for line in result.stdout.splitlines() if line.startswith("#")]
    assert comments == [
        f"# env: {step}, cluster: any, component: {component}"
        for step in ("canary", "everyone")
        for component in ("api", "api", "web")
    ]


def test_unknown_parameters_are_refused_or_ignored_with_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "app.yaml"
    file.write_text(PLAIN.read_text("utf-8").replace("image:", "imgae: x\n      image:"))
    refused = run("-f", file)
    assert isinstance(refused.exception, InvalidApplication)
    allowed = run("-f", file, "--allow-unknown-parameters")
    assert allowed.exit_code == 0
    assert allowed.stderr == "Warning: component web: properties.imgae is unknown and ignored\n"
    assert allowed.stdout == run("-f", PLAIN).stdout
