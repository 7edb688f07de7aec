"""Builds appear all at once, are made once, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from velapulumi.errors import ToolMissing
from velapulumi.playground.build import build_all, build_key, built_dir
from velapulumi.playground.tools import RECIPES, Recipe

from .conftest import Script

TINY = Recipe("tiny", "1.0.0", ("tiny",), ".", ("main.greeting=hello",))
MAIN = """package main

var greeting = "nothing"

func main() { println(greeting) }
"""
# What runs in a process of its own, to be killed or to compete.
BUILDER = """
import sys
from pathlib import Path
from velapulumi.playground.build import build_all
from velapulumi.playground.progress import Progress
from velapulumi.playground.tools import Recipe
recipe = Recipe("tiny", "1.0.0", ("tiny",), ".", ("main.greeting=hello",))
build_all([recipe], Progress(), Path(sys.argv[1]))
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "toolchain" / "tiny"
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text("module velapulumi.invalid/tiny\n\ngo 1.26.0\n")
    (folder / "go.sum").write_text("")
    (folder / "main.go").write_text(MAIN)
    return folder.parent


def start(sources: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(sources)], stderr=subprocess.PIPE, text=True
    )


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.01)


def slow_go(script: Script, real_go: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Go whose builds tell that they have begun, and go on when they are released."""
    script(
        "go",
        f'[ "$1" = build ] && {{ echo $$ >>"{tmp_path}/begun"; '
        f'while [ ! -e "{tmp_path}/released" ]; do sleep 0.05; done; }}\n'
        f'exec "{real_go}" "$@"',
    )
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")


def scratch_folders(cache: Path) -> list[Path]:
    return list((cache / "toolchain").glob(".tiny.build-*"))


def test_builds_with_stamps_and_never_twice(
    cache: Path, sources: Path, real_go: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{real_go.parent}{os.pathsep}{os.environ['PATH']}")
    lines: list[str] = []
    folder = build_all([TINY], lines.append, sources)["tiny"]
    said = subprocess.run([folder / "tiny"], capture_output=True, text=True, check=True).stderr
    assert said == "hello\n"
    assert [line.split(" in ")[0] for line in lines[1:]] == ["tiny: building 1.0.0", "tiny: built"]
    assert sorted(file.name for file in (sources / "tiny").iterdir()) == [
        "go.mod",
        "go.sum",
        "main.go",
    ]
    assert scratch_folders(cache) == []
    lines.clear()
    assert build_all([TINY], lines.append, sources)["tiny"] == folder
    assert lines == []


def test_a_killed_build_leaves_nothing_half_made(
    cache: Path,
    sources: Path,
    real_go: Path,
    script: Script,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow_go(script, real_go, tmp_path, monkeypatch)
    process = start(sources)
    until((tmp_path / "begun").is_file)
    process.kill()
    process.communicate()
    assert not built_dir(TINY, sources).exists()
    assert len(scratch_folders(cache)) == 1
    (tmp_path / "released").touch()

    folder = build_all([TINY], lambda _: None, sources)["tiny"]
    assert [file.name for file in folder.iterdir()] == ["tiny"]
    assert scratch_folders(cache) == []


def test_an_interrupted_build_stops_its_compiler(
    cache: Path,
    sources: Path,
    real_go: Path,
    script: Script,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow_go(script, real_go, tmp_path, monkeypatch)
    process = start(sources)
    until(lambda: (tmp_path / "begun").is_file() and (tmp_path / "begun").read_text().strip())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode != 0
    compiler = int((tmp_path / "begun").read_text())
    assert not Path(f"/proc/{compiler}").exists()
    assert scratch_folders(cache) == []
    assert not built_dir(TINY, sources).exists()


def test_two_builds_at_once_build_once(
    cache: Path,
    sources: Path,
    real_go: Path,
    script: Script,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow_go(script, real_go, tmp_path, monkeypatch)
    first = start(sources)
    until((tmp_path / "begun").is_file)
    second = start(sources)
    assert second.stderr is not None
    said = ""
    while "waiting" not in said:
        line = second.stderr.readline()
        assert line, said
        said += line
    (tmp_path / "released").touch()
    first.communicate(timeout=60)
    rest = second.communicate(timeout=60)[1]
    assert (first.returncode, second.returncode) == (0, 0)
    assert "there already" in rest
    assert len((tmp_path / "begun").read_text().split()) == 1


def test_a_failed_build_shows_what_the_compiler_said(
    cache: Path, sources: Path, real_go: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{real_go.parent}{os.pathsep}{os.environ['PATH']}")
    (sources / "tiny" / "main.go").write_text("package main\n\nfunc main() { nothing() }\n")
    with pytest.raises(ToolMissing, match="undefined: nothing") as caught:
        build_all([TINY], lambda _: None, sources)
    assert "doctor --fix" in caught.value.next_step
    assert scratch_folders(cache) == []
    assert not built_dir(TINY, sources).exists()


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "main.go"])
def test_the_key_follows_the_sources(sources: Path, file: str) -> None:
    before = build_key(TINY, sources)
    with (sources / "tiny" / file).open("a") as handle:
        handle.write("// changed\n")
    assert build_key(TINY, sources) != before


def test_the_key_follows_the_recipe_only(sources: Path) -> None:
    before = build_key(TINY, sources)
    assert build_key(replace(TINY, stamps=()), sources) != before
    (sources / "tiny" / "schema.json").write_text("{}")  # made by a build
    assert build_key(TINY, sources) == before


def test_every_recipe_has_its_module() -> None:
    assert len({build_key_of(name) for name in RECIPES}) == len(RECIPES)


def build_key_of(name: str) -> str:
    return built_dir(RECIPES[name]).name
