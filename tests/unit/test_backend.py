"""Which backend and passphrase are used, and reading stacks from a file backend."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.helpers import V1, deployment, manifest, resource, store
from velapulumi.engine.environment import engine_environment, prepare_backend
from velapulumi.engine.stacks import file_backend, read_record
from velapulumi.errors import EngineFailed, InvalidFile, ToolMissing
from velapulumi.project import Project, StackName

STACK = StackName("shop", "prod")
URL, PHRASE = "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE"
PHRASE_FILE = f"{PHRASE}_FILE"


def test_without_settings_all_lies_in_the_project(project: Project) -> None:
    assert engine_environment(project) == {
        URL: f"file://{project.state / 'backend'}",
        PHRASE_FILE: str(project.state / "passphrase"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }


@pytest.mark.parametrize(
    ("own", "written", "expected"),
    [
        ("s3://mine", None, "s3://mine"),
        ("s3://mine", "s3://ours", "s3://mine"),
        (None, "s3://ours", None),
        ("", "s3://ours", ""),
    ],
)
def test_a_backend_of_ones_own_goes_first(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    own: str | None,
    written: str | None,
    expected: str | None,
) -> None:
    if own is not None:
        monkeypatch.setenv(URL, own)
    assert engine_environment(replace(project, backend=written)).get(URL) == expected


def test_an_empty_backend_setting_is_none(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL, "")
    assert engine_environment(project)[URL] == f"file://{project.state / 'backend'}"


@pytest.mark.parametrize(
    "own",
    [{PHRASE: "words"}, {PHRASE: ""}, {PHRASE_FILE: "/elsewhere"}, {PHRASE: "a", URL: "s3://b"}],
)
def test_a_passphrase_of_ones_own_is_kept(
    project: Project, monkeypatch: pytest.MonkeyPatch, own: dict[str, str]
) -> None:
    for key, value in own.items():
        monkeypatch.setenv(key, value)
    settings = engine_environment(project)
    assert {key: settings[key] for key in own} == own
    assert (PHRASE_FILE in settings) == (PHRASE_FILE in own)
    prepare_backend(project, settings)
    assert not (project.state / "passphrase").exists()


@pytest.mark.parametrize("url", ["https://api.example.org", "http://127.0.0.1:1"])
def test_a_service_backend_keeps_the_tools_on_path(
    project: Project, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv(URL, url)
    assert set(engine_environment(project)) == {URL, PHRASE_FILE}


def test_the_engine_that_was_found_goes_first_on_path(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from velapulumi.playground import Engine

    engine = Engine(project.root / "engine", project.root / "home")
    monkeypatch.setattr("velapulumi.engine.environment.find_engine", lambda: engine)
    monkeypatch.setenv("PATH", "/usr/bin")
    settings = engine_environment(project)
    assert settings["PATH"] == f"{engine.root / 'bin'}{os.pathsep}/usr/bin"
    assert settings["PULUMI_HOME"] == str(engine.home)
    assert settings["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"


def test_the_passphrase_is_made_once_for_its_owner_only(project: Project) -> None:
    settings = engine_environment(project)
    prepare_backend(project, settings)
    path = project.state / "passphrase"
    first = path.read_text()
    assert len(first.strip()) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert project.state.stat().st_mode & 0o777 == 0o700
    assert (project.state / "backend").is_dir()
    prepare_backend(project, settings)
    assert path.read_text() == first
    other = replace(project, root=project.root / "other")
    prepare_backend(other, engine_environment(other))
    assert (other.state / "passphrase").read_text() != first


def test_a_backend_elsewhere_is_not_made(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL, "file:///elsewhere")
    prepare_backend(project, engine_environment(project))
    assert not (project.state / "backend").exists()
    assert (project.state / "passphrase").exists()


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("file:///srv/state", Path("/srv/state")),
        ("file:///srv/state?no_tmp_dir=true", Path("/srv/state")),
        ("file://~", Path("HOME")),
        ("file://~/state", Path("HOME/state")),
        ("file://state", Path("ROOT/state")),
        ("file://./state", Path("ROOT/state")),
        ("s3://bucket", None),
        ("https://api.example.org", None),
        ("", None),
    ],
)
def test_the_folder_of_a_file_backend(
    project: Project, monkeypatch: pytest.MonkeyPatch, url: str, folder: Path | None
) -> None:
    home = project.root / "home"
    monkeypatch.setenv("HOME", str(home))
    expected = folder and Path(
        str(folder).replace("HOME", str(home)).replace("ROOT", str(project.root))
    )
    assert file_backend(project, {URL: url}) == expected
    assert file_backend(replace(project, backend=url), {}) == expected
    assert file_backend(replace(project, backend="s3://other"), {URL: "file:///a"}) == Path("/a")


def test_a_stack_is_read_from_its_file(project: Project) -> None:
    store(project, STACK, deployment(resource("east", manifest())))
    record = read_record(project, STACK)
    assert record is not None
    assert record.revision == V1
    assert [entry.cluster for entry in record.objects] == ["east"]


def test_a_stack_that_is_not_there_is_none(project: Project) -> None:
    assert read_record(project, STACK) is None
    store(project, StackName("shop", "staging"), deployment())
    assert read_record(project, STACK) is None


def test_a_stack_that_is_made_and_empty_holds_nothing(project: Project) -> None:
    store(project, STACK, '{"version": 3, "checkpoint": {"latest": null}}')
    record = read_record(project, STACK)
    assert record is not None
    assert (record.objects, record.revision) == ((), None)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "1", '"x"', "{}", '{"checkpoint": null}', '{"checkpoint": {}}',
     '{"checkpoint": {"latest": [1]}}', '{"checkpoint": {"latest": "x"}}', "\x00\x01"],
)  # fmt: skip
def test_a_damaged_checkpoint_is_named(project: Project, text: str) -> None:
    path = store(project, STACK, text)
    with pytest.raises(InvalidFile) as caught:
        read_record(project, STACK)
    assert caught.value.message.startswith(f"{path}: not a Pulumi checkpoint: ")
    assert path.read_text() == text


def fake_pulumi(folder: Path, script: str) -> str:
    path = folder / "bin" / "pulumi"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path.parent)


def test_another_backend_is_asked_through_pulumi(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = 'echo "$*" > args; echo "{\\"deployment\\": {\\"pending_operations\\": [{}]}}"'
    monkeypatch.setenv("PATH", f"{fake_pulumi(project.root, script)}:{os.environ['PATH']}")
    monkeypatch.setenv(URL, "s3://bucket")
    record = read_record(project, STACK)
    assert record is not None
    assert record.interrupted
    args = (project.root / "args").read_text().split()
    assert args == ["stack", "export", "--non-interactive", "--stack", "shop.prod"]


def test_what_pulumi_says_against_it_is_passed_on(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = 'echo "error: $WORDS" >&2; exit 1'
    monkeypatch.setenv("PATH", f"{fake_pulumi(project.root, script)}:{os.environ['PATH']}")
    monkeypatch.setenv(URL, "s3://bucket")
    monkeypatch.setenv("WORDS", "no stack named 'shop.prod' found")
    assert read_record(project, STACK) is None
    monkeypatch.setenv("WORDS", "the bucket is gone")
    with pytest.raises(EngineFailed, match=r"stack shop\.prod: error: the bucket is gone$"):
        read_record(project, STACK)


def test_without_pulumi_another_backend_cannot_be_read(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(project.root))
    monkeypatch.setenv(URL, "s3://bucket")
    with pytest.raises(ToolMissing, match="pulumi is not on PATH"):
        read_record(project, STACK)
