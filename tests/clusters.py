"""Two real clusters for all end-to-end tests, and a fresh project for each."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from socket import SHUT_RDWR, create_connection, socket
from typing import Any

import pytest
import yaml

from velapulumi.files import locked
from velapulumi.playground import find_cluster_tools
from velapulumi.playground.clusters import Playground

SEED = Path(__file__).parents[1] / "examples" / "01-seed" / "app.yaml"
STAGING, PROD = "cluster-staging", "cluster-prod"
VELAPULUMI = Path(sys.executable).with_name("velapulumi")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if not {here / "e2e", here / "attacks"}.isdisjoint(item.path.parents):
            item.add_marker(pytest.mark.e2e)


@dataclass
class Cluster:
    """A running cluster as a test sees it."""

    name: str
    kubeconfig: Path
    user: str

    def kubectl(self, *args: str) -> str:
        command = [str(find_cluster_tools().kubectl), "--kubeconfig", str(self.kubeconfig), *args]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def deployments(self, namespace: str) -> dict[str, Any]:
        answer = json.loads(self.kubectl("get", "deployments", "-n", namespace, "-o", "json"))
        return {item["metadata"]["name"]: item for item in answer["items"]}

    @property
    def audit_log(self) -> Path:
        folder = self.kubeconfig.parent / "playground" / "clusters" / self.name
        return folder / "logs" / "audit.log"

    @property
    def server(self) -> str:
        view = self.kubectl("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}")
        return view.strip()


@pytest.fixture(scope="session")
def clusters(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Iterator[dict[str, Cluster]]:
    """Two clusters that all workers of a run share, with a user for each worker."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "clusters"
    folder.mkdir(exist_ok=True)
    slot = int(os.environ.get("VELAPULUMI_TEST_SLOT", "70"))  # another one beside another run
    playground = Playground(folder / "playground", first_slot=slot)
    user = folder / f"{worker_id}.user"
    try:
        with locked(folder / "lock"):
            user.touch()
            playground.up([STAGING, PROD])
        found = {}
        for name in (STAGING, PROD):
            path = folder / f"{worker_id}-{name}.kubeconfig"
            path.write_text(kubeconfig(folder / "playground", name, worker_id))
            found[name] = Cluster(name, path, worker_id)
        yield found
    finally:
        with locked(folder / "lock"):
            user.unlink()
            if not any(folder.glob("*.user")):
                playground.down()


def kubeconfig(folder: Path, name: str, user: str) -> str:
    """A kubeconfig for an administrator of that name, by which the audit log tells who wrote."""
    signed = subprocess.run(
        [
            *(find_cluster_tools().kwokctl, "--name", name, "get", "kubeconfig"),
            *("--user", user, "--group", "system:masters"),
        ],
        env=os.environ | {"KWOK_WORKDIR": str(folder)},
        check=True,
        capture_output=True,
        text=True,
    )
    theirs, ours = (
        yaml.safe_load(signed.stdout),
        yaml.safe_load(Playground(folder).kubeconfig(name)),
    )
    ours["users"][0]["user"] = theirs["users"][0]["user"]
    return yaml.safe_dump(ours)


@dataclass
class Project:
    """A velapulumi project in a folder of its own."""

    root: Path
    clusters: dict[str, Cluster]
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(VELAPULUMI), *args],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
            **options,
        )

    def start(self, *args: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(VELAPULUMI), *args],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def pulumi(self, *args: str) -> subprocess.CompletedProcess[str]:
        script = f'eval "$({VELAPULUMI} env)" && exec pulumi --non-interactive "$@"'
        return subprocess.run(
            ["sh", "-c", script, "pulumi", *args],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )

    def write(self, text: str) -> Path:
        path = self.root / "app.yaml"
        path.write_text(text)
        return path

    def join(self) -> None:
        for name, cluster in self.clusters.items():
            done = self.run("cluster", "join", str(cluster.kubeconfig), "--name", name)
            assert done.returncode == 0, done.stderr

    def files(self) -> dict[str, bytes]:
        """Content of everything a team shares and of the backend."""
        folders = (self.root / "stacks", self.root / ".velapulumi" / "backend")
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for folder in folders
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


def surroundings() -> dict[str, str]:
    """The environment that commands run in."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PULUMI_BACKEND", "PULUMI_CONFIG", "PYTEST_"))
    }
    return kept | {"VELAPULUMI_OFFLINE": "1"}


@pytest.fixture
def project(tmp_path: Path, clusters: dict[str, Cluster]) -> Project:
    made = Project(tmp_path, clusters, surroundings())
    assert made.run("init", "--name", "delivery").returncode == 0
    made.join()
    return made


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, clusters: dict[str, Cluster]) -> Project:
    """A project with both clusters joined, to be copied and not to be used."""
    made = Project(tmp_path_factory.mktemp("template"), clusters, surroundings())
    assert made.run("init", "--name", "delivery").returncode == 0
    made.join()
    return made


@pytest.fixture
def copied(tmp_path: Path, template: Project) -> Callable[[str], Project]:
    """Makes fresh projects, by the name of their folder."""

    def copy(name: str) -> Project:
        root = tmp_path / name
        shutil.copytree(template.root, root)
        return Project(root, template.clusters, template.environment)

    return copy


@pytest.fixture
def namespace(clusters: dict[str, Cluster], request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own in both clusters."""
    name = request.node.name.replace("_", "-").replace("[", "-").replace("]", "").lower()
    name = name[:60].rstrip("-")
    for cluster in clusters.values():
        cluster.kubectl("create", "namespace", name)
    return name


@pytest.fixture
def application(namespace: str) -> str:
    """The seed's application in the test's own namespace."""
    return SEED.read_text().replace("namespace: default", f"namespace: {namespace}")


class Forwarder:
    """A port on loopback that passes everything to a cluster, until it is cut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        self._open: list[socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        for connection in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = create_connection(("127.0.0.1", self._target))
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket, sink: socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        sink.close()


@pytest.fixture
def forward() -> Iterator[Any]:
    """Makes forwarders to a cluster's port and cuts them at the end."""
    made: list[Forwarder] = []

    def make(port: int) -> Forwarder:
        made.append(Forwarder(port))
        return made[-1]

    yield make
    for forwarder in made:
        forwarder.cut()
