"""The ``cue`` command, its errors and its memory."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from velapulumi.errors import ToolMissing
from velapulumi.extensions import cue
from velapulumi.extensions.cue import CueError, Engine
from velapulumi.playground import ensure_cue, resolve
from velapulumi.playground.build import built_dir
from velapulumi.playground.checkup import checkup
from velapulumi.playground.tools import CUE, RECIPES


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path / "memory")


def no_process(*_: Any, **__: Any) -> None:
    raise AssertionError("a process was started")


def test_values_are_exported(engine: Engine) -> None:
    text = 'import "strings"\na: {b: strings.ToUpper("x"), c: *3 | int}\nd: string\n'
    assert json.loads(engine.export(text, "a")) == {"b": "X", "c": 3}


def test_an_answer_is_remembered_by_content(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.export("a: 1", "a")
    with pytest.raises(CueError, match="incomplete value int"):
        engine.export("a: int", "a")
    monkeypatch.setattr(subprocess, "run", no_process)
    again = Engine(tmp_path / "memory")
    assert again.export("a: 1", "a") == "1\n"
    with pytest.raises(CueError, match="incomplete value int"):
        again.export("a: int", "a")
    with pytest.raises(AssertionError, match="a process was started"):
        again.export("a: 2", "a")


def test_the_older_half_is_forgotten(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cue, "KEPT", 4)
    for number in range(5):
        engine.export(f"a: {number}", "a")
    assert len(list((tmp_path / "memory").iterdir())) == 3


def test_answers_are_for_their_owner_alone(engine: Engine, tmp_path: Path) -> None:
    engine.export('password: "x"', "password")
    (answer,) = (tmp_path / "memory").iterdir()
    assert answer.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "else", "\0"])
def test_what_is_no_answer_is_asked_again(engine: Engine, tmp_path: Path, text: str) -> None:
    engine.export("a: 1", "a")
    (answer,) = (tmp_path / "memory").iterdir()
    answer.write_text(text)
    assert Engine(tmp_path / "memory").export("a: 1", "a") == "1\n"
    assert answer.read_text() == "O1\n"


@pytest.mark.parametrize("code", [1, 2, 127])
def test_an_end_without_a_word_is_not_remembered(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    broken = tmp_path / "cue"
    broken.write_text(f"#!/bin/sh\nexit {code}\n")
    broken.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(cue, "ensure_cue", lambda: broken)
        with pytest.raises(CueError, match=f"cue ended with {code}"):
            engine.export("a: 1", "a")
    assert engine.export("a: 1", "a") == "1\n"


def test_a_memory_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert Engine(tmp_path / "file" / "memory").export("a: 1", "a") == "1\n"


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        pytest.param(
            'a: {b: "c/d": [{e: int}]}\na: b: "c/d": [{e: "x"}]',
            [(("a", "b", "c/d", 0, "e"), 'conflicting values int and "x" (mismatched types')],
            id="conflict",
        ),
        pytest.param(
            "a: close({b?: int})\na: {c: 1, d: 2}",
            [(("a", "c"), "field not allowed"), (("a", "d"), "field not allowed")],
            id="closed",
        ),
        pytest.param(
            "a: b: string | null\na: b: 3",
            [(("a", "b"), "conflicting values 3 and null (mismatched types int and null); confl")],
            id="disjunction",
        ),
        pytest.param("a: {", [((), "expected '}', found 'EOF'")], id="syntax"),
        pytest.param("a: nowhere", [(("a",), 'reference "nowhere" not found')], id="reference"),
        pytest.param('import "a.example/b"\na: b.c', [((), "import failed: ")], id="import"),
    ],
)
def test_errors_have_a_place_and_one_line(
    engine: Engine, text: str, findings: list[tuple[Any, str]]
) -> None:
    with pytest.raises(CueError) as caught:
        engine.export(text, "a")
    found = caught.value.findings
    assert [place for place, _ in found] == [place for place, _ in findings]
    for (_, message), (_, beginning) in zip(found, findings, strict=True):
        assert message.startswith(beginning)
        assert "\n" not in message


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x: [1]\na: [0] + x", id="written"),
        pytest.param("x: *[0] | []\ny: z: [1]\na: x + y.z", id="referred"),
        pytest.param('import "list"\nx: list.Range(0, 1, 1)\ny: [1]\na: x + y', id="imported"),
    ],
)
def test_lists_added_as_once_are_understood(engine: Engine, text: str) -> None:
    assert json.loads(engine.export(text, "a")) == [0, 1]


def test_what_cannot_be_rewritten_is_told(engine: Engine) -> None:
    with pytest.raises(CueError, match=r"superseded by list.Concat"):
        engine.export("x: [1]\na: x +\n  x", "a")


def test_a_text_that_takes_too_long_is_given_up(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "cue"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(cue, "TIMEOUT", 0.2)
    monkeypatch.setattr(cue, "ensure_cue", lambda: slow)
    with pytest.raises(CueError, match=r"takes longer than 0\.2 seconds"):
        engine.export("a: 1", "a")
    assert not (tmp_path / "memory").exists()


def test_an_end_by_force_is_no_answer(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = tmp_path / "cue"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(cue, "ensure_cue", lambda: killed)
    with pytest.raises(CueError, match="cue ended with -9"):
        engine.export("a: 1", "a")
    killed.write_text("no program")
    with pytest.raises(ToolMissing, match="cannot be run: Exec format error"):
        engine.export("a: 1", "a")
    assert not (tmp_path / "memory").exists()


def test_the_command_of_the_right_version_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VELAPULUMI_CACHE", str(tmp_path / "cache"))
    program = tmp_path / "bin" / "cue"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    program.write_text("#!/bin/sh\necho cue version v0.17.0\n")
    program.chmod(0o755)
    assert ensure_cue(no_process) == program
    program.write_text("#!/bin/sh\necho cue version v0.9.10\n")
    built = built_dir(RECIPES["cue"])
    built.mkdir(parents=True)
    (built / "cue").touch()
    assert ensure_cue(no_process) == built / "cue"
    found = resolve.find_tool(CUE)
    assert found is not None
    assert (found.origin, found.fits) == ("built", True)


def test_doctor_needs_no_cue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VELAPULUMI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    check = next(check for check in checkup() if check.name == "cue")
    assert check.fits
    assert "not needed" in check.advice
