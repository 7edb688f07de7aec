"""Real clusters: they start, behave as documented, survive a crash, and go without a trace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from velapulumi.playground.clusters import Playground
from velapulumi.playground.kwok import SIM_LABEL
from velapulumi.playground.places import cache_dir
from velapulumi.playground.processes import STOP_ORDER, cluster_processes
from velapulumi.playground.resolve import find_cluster_tools

pytestmark = pytest.mark.e2e

SLOT = 50
STARTER = """
import sys
from pathlib import Path
from velapulumi.playground.clusters import Playground
Playground(Path(sys.argv[1]), first_slot=int(sys.argv[2])).up(["one"])
"""


@pytest.fixture
def playground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Playground]:
    monkeypatch.setenv("VELAPULUMI_OFFLINE", "1")
    made = Playground(tmp_path / "playground", first_slot=SLOT)
    yield made
    made.down()


def deployment(name: str, labels: dict[str, str]) -> str:
    labels = {"app": name, **labels}
    return yaml.safe_dump(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {
                "replicas": 2,
                "progressDeadlineSeconds": 2,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "app", "image": "registry.invalid/app:1"}]},
                },
            },
        }
    )


def kubectl(kubeconfig: Path, *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        [find_cluster_tools().kubectl, "--kubeconfig", kubeconfig, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_cluster_from_start_to_end(
    playground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    mine = home / ".kube" / "config"
    mine.parent.mkdir(parents=True)
    mine.write_text("untouched\n")
    folder = tmp_path / "playground" / "clusters" / "one"
    lines: list[str] = []
    with monkeypatch.context() as patch:
        patch.setenv("VELAPULUMI_CACHE", str(cache_dir()))
        patch.setenv("HOME", str(home))
        patch.setenv("KUBECONFIG", str(mine))
        patch.setenv("KWOK_KUBE_APISERVER_PORT", "1")
        (status,) = playground.up(["one"], report=lines.append)
    assert (status.state, status.server) == ("running", "https://127.0.0.1:22510")
    assert mine.read_text() == "untouched\n"
    assert [file.name for file in mine.parent.iterdir()] == ["config"]
    assert [process.component for process in cluster_processes(folder)] == list(STOP_ORDER)

    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(playground.kubeconfig("one"))
    assert kubectl(kubeconfig, "get", "nodes", "--no-headers").count(" Ready ") == 2
    for name, labels in (("good", {}), ("bad", {SIM_LABEL: "pending"})):
        kubectl(kubeconfig, "apply", "-f", "-", stdin=deployment(name, labels))
    kubectl(kubeconfig, "wait", "--for=condition=Available", "deployment/good", "--timeout=30s")
    condition = "jsonpath={.status.conditions[?(@.type=='Progressing')].reason}"
    wait = f"--for={condition}=ProgressDeadlineExceeded"
    kubectl(kubeconfig, "wait", wait, "deployment/bad", "--timeout=30s")
    pods = kubectl(kubeconfig, "get", "pods", "-l", "app=bad", "--no-headers").splitlines()
    assert [pod.split()[2] for pod in pods] == ["ImagePullBackOff"] * 2
    kubectl(kubeconfig, "label", "pods", "-l", "app=bad", f"{SIM_LABEL}-")
    kubectl(kubeconfig, "wait", "--for=condition=Available", "deployment/bad", "--timeout=30s")

    lines.clear()
    playground.up(["one"], report=lines.append)
    assert lines == ["one: already running at https://127.0.0.1:22510"]

    os.kill(cluster_processes(folder)[-1].pid, signal.SIGKILL)  # etcd
    end = time.monotonic() + 30
    while [status.state for status in playground.status()] != ["broken"]:
        assert time.monotonic() < end
        time.sleep(0.05)
    (status,) = playground.up(["one"], report=lines.append)
    assert status.state == "running"
    assert "deployment.apps/good" in kubectl(kubeconfig, "get", "deployments", "-o", "name")

    assert playground.down(["one"]) == ["one"]
    assert cluster_processes(folder) == []
    assert playground.status() == []
    assert not folder.exists()


def test_an_interrupted_start_cleans_up(playground: Playground, tmp_path: Path) -> None:
    directory = tmp_path / "playground"
    process = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(directory), str(SLOT)],
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 60
    while not cluster_processes(directory / "clusters" / "one"):
        assert time.monotonic() < end
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "interrupted: cleaning up" in said
    assert cluster_processes(directory / "clusters" / "one") == []
    assert playground.status() == []
