"""What is on PATH is used when its version fits, and only then."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from velapulumi.errors import ToolMissing
from velapulumi.playground import resolve
from velapulumi.playground.build import built_dir
from velapulumi.playground.tools import (
    CLUSTER_TOOLS,
    LANGUAGE_EXECUTOR,
    LANGUAGE_HOST,
    PROVIDER,
    PROVIDER_VERSION,
    PULUMI,
    RECIPES,
    Tool,
)

from .conftest import Script

TOOLS = {tool.name: tool for tool in CLUSTER_TOOLS}


@pytest.fixture(autouse=True)
def only_path(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    # Whatever the machine has of its own must not matter.
    which = resolve.shutil.which
    monkeypatch.setattr(resolve.shutil, "which", lambda name: which(name, path=tmp_path / "bin"))


def put(module: str) -> Path:
    folder = built_dir(RECIPES[module])
    folder.mkdir(parents=True)
    for output in RECIPES[module].outputs:
        (folder / output).write_text("")
        (folder / output).chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("name", "says", "fits"),
    [
        ("kubectl", "Client Version: v1.36.1", True),
        ("kubectl", "Client Version: v1.32.4-dispatcher", False),
        ("kube-apiserver", "Kubernetes v1.36.3", True),
        ("kube-apiserver", "Kubernetes v1.37.0", False),
        ("etcd", "etcd Version: 3.6.14\nGit SHA: Not provided", True),
        ("etcd", "etcd Version: 3.5.1", False),
        ("kwok", "kwok version v0.8.3 go1.26.8 (linux/amd64)", True),
        ("kwok", "kwok version v0.7.0 go1.26.8 (linux/amd64)", False),
        ("kwokctl", "no version at all", False),
    ],
)
def test_a_tool_on_path_must_fit(script: Script, name: str, says: str, fits: bool) -> None:
    path = script(name, f"printf '%s\\n' '{says}'")
    found = resolve.find_tool(TOOLS[name])
    assert found is not None
    assert (found.path, found.origin, found.fits) == (path, "PATH", fits)


def test_the_cache_is_used_when_path_does_not_fit(script: Script) -> None:
    folder = put("kubernetes")
    script("kubectl", "echo Client Version: v1.32.4")
    script("kube-scheduler", "echo Kubernetes v1.36.0")
    origins = {}
    for name in ("kubectl", "kube-scheduler", "kube-apiserver"):
        found = resolve.find_tool(TOOLS[name])
        assert found is not None
        assert found.fits
        origins[name] = found.origin
    assert origins == {"kubectl": "built", "kube-scheduler": "PATH", "kube-apiserver": "built"}
    assert resolve.find_tool(TOOLS["kubectl"]) == resolve.Found(
        folder / "kubectl", "1.36.3", "built", True
    )


def test_a_version_is_asked_once_until_the_file_changes(script: Script, tmp_path: Path) -> None:
    def ask() -> str:
        found = resolve.find_tool(TOOLS["etcd"])
        assert found is not None
        return found.version

    script("etcd", f"echo asked >>{tmp_path}/asked; echo etcd Version: 3.6.1")
    assert [ask(), ask()] == ["3.6.1", "3.6.1"]
    assert (tmp_path / "asked").read_text() == "asked\n"
    script("etcd", "echo etcd Version: 3.6.10")
    assert ask() == "3.6.10"


@pytest.mark.parametrize(
    ("version", "beside", "fits"),
    [
        ("v3.259.0", [LANGUAGE_HOST, LANGUAGE_EXECUTOR], True),
        ("v3.300.1", [LANGUAGE_HOST, LANGUAGE_EXECUTOR], True),
        ("v3.258.0", [LANGUAGE_HOST, LANGUAGE_EXECUTOR], False),
        ("v4.0.0", [LANGUAGE_HOST, LANGUAGE_EXECUTOR], False),
        ("v3.259.0", [LANGUAGE_HOST], False),
        ("v3.259.0", [], False),
    ],
)
def test_pulumi_needs_its_language_host(
    script: Script, version: str, beside: list[str], fits: bool
) -> None:
    path = script(PULUMI, f"echo {version}")
    for name in beside:
        script(name, "")
    found = resolve.find_pulumi()
    assert found is not None
    assert (found.path, found.fits) == (path, fits)


def test_pulumi_may_be_a_link_to_where_its_host_is(script: Script, tmp_path: Path) -> None:
    home = tmp_path / "elsewhere" / "bin"
    for name in (PULUMI, LANGUAGE_HOST, LANGUAGE_EXECUTOR):
        made = script(name, "echo v3.260.0")
        home.mkdir(parents=True, exist_ok=True)
        made.rename(home / name)
    (tmp_path / "bin" / PULUMI).symlink_to(home / PULUMI)
    found = resolve.find_pulumi()
    assert found is not None
    assert (found.path, found.fits) == (home / PULUMI, True)


def test_an_absent_engine_is_told() -> None:
    with pytest.raises(ToolMissing, match="Pulumi engine") as caught:
        resolve.find_engine()
    assert "doctor --fix" in caught.value.next_step


def test_absent_cluster_tools_are_named(script: Script) -> None:
    script("etcd", "echo etcd Version: 3.6.1")
    with pytest.raises(ToolMissing, match=r"kube-apiserver.*kwokctl") as caught:
        resolve.find_cluster_tools()
    assert "etcd" not in str(caught.value)


def test_the_provider_must_be_installed_for_the_engine(
    script: Script, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(PULUMI, "echo v3.259.0")
    script(LANGUAGE_HOST, "")
    script(LANGUAGE_EXECUTOR, "")
    script(PROVIDER, f"echo {PROVIDER_VERSION}")
    with pytest.raises(ToolMissing, match="is not installed in"):
        resolve.find_engine()
    plugin = cache / "pulumi-home" / "plugins" / f"resource-kubernetes-v{PROVIDER_VERSION}"
    plugin.mkdir(parents=True)
    (plugin / PROVIDER).write_text("")
    assert resolve.find_engine() == resolve.Engine(tmp_path, cache / "pulumi-home")
    plugin.with_name(f"{plugin.name}.partial").touch()
    with pytest.raises(ToolMissing):
        resolve.find_engine()
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "own"))
    assert resolve.pulumi_home() == tmp_path / "own"


def test_the_engine_is_joined_from_its_builds_and_found_without_a_process(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    put("pulumi")
    put("language-python")
    installed = cache / "pulumi-home" / "plugins" / f"resource-kubernetes-v{PROVIDER_VERSION}"
    installed.mkdir(parents=True)
    (installed / PROVIDER).write_text("")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "run", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    engine = resolve.ensure_engine(lambda _: None)
    assert resolve.find_engine() == engine
    names = sorted(file.name for file in (engine.root / "bin").iterdir())
    assert names == [PULUMI, LANGUAGE_HOST, LANGUAGE_EXECUTOR]
    # Not symbolic links: Pulumi follows those and then looks for its host in the wrong place.
    assert not any(file.is_symlink() for file in (engine.root / "bin").iterdir())


def test_all_tools_are_surveyed() -> None:
    names = [tool.name for tool, _ in resolve.survey()]
    assert names == [PULUMI, PROVIDER, *TOOLS]


@pytest.mark.parametrize("tool", CLUSTER_TOOLS, ids=lambda tool: tool.name)
def test_the_built_version_fits(tool: Tool) -> None:
    put(tool.module)
    found = resolve.find_tool(tool)
    assert found is not None
    assert found.fits
