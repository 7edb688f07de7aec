"""What goes wrong in one stage never reaches the next, and a second run goes on cleanly."""

import json
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from tests.clusters import PROD, STAGING, Forwarder, Project

RARE = pytest.mark.exhaustive


def never_ready(application: str, *, timeout: int) -> str:
    """The application with a label that keeps its pods pending in the playground."""
    document = yaml.safe_load(application)
    server = document["spec"]["components"][0]
    server["properties"]["labels"] = {"velapulumi.dev/sim": "pending"}
    document["spec"]["policies"][1]["properties"]["probeTimeout"] = timeout
    return yaml.safe_dump(document)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.05)


def test_staging_that_never_gets_ready_leaves_prod_untouched(
    project: Project, application: str, namespace: str
) -> None:
    broken = never_ready(application, timeout=4)
    file = str(project.write(broken))
    failed = project.run("up", "-f", file)
    assert failed.returncode == 6, failed.stderr
    assert "[VP303]: stage staging is not healthy after 4s" in failed.stderr
    assert "Ready:0/1" in failed.stderr
    assert "ImagePullBackOff" in failed.stderr
    assert project.clusters[PROD].deployments(namespace) == {}
    status = project.run("status", "example-app")
    assert status.stdout.splitlines()[1].split()[3:6] == ["workflowFailed", "false", "Ready:0/1"]
    assert "ImagePullBackOff" in status.stderr
    assert project.run("workflow", "resume", "example-app").stdout == (
        "workflow example-app is not suspended.\n"
    )
    by_hand = project.pulumi("stack", "init", "example-app.prod")
    assert by_hand.returncode == 0

    mended = project.run("up", "-f", str(project.write(application)))
    assert mended.returncode == 4, mended.stderr
    assert "example-app-v2" in mended.stdout


def test_unreachable_prod_is_named_and_nothing_is_changed(
    project: Project, application: str, namespace: str, forward: Callable[[int], Forwarder]
) -> None:
    prod = project.clusters[PROD]
    port = int(prod.server.rpartition(":")[2])
    forwarder = forward(port)
    config = prod.kubeconfig.read_text().replace(f":{port}", f":{forwarder.port}")
    path = project.root / "forwarded.kubeconfig"
    path.write_text(config)
    assert project.run("cluster", "join", str(path), "--name", PROD).returncode == 0
    file = str(project.write(application))
    assert project.run("up", "-f", file).returncode == 4
    assert project.run("workflow", "resume", "example-app").returncode == 0
    forwarder.cut()
    before = project.files()
    failed = project.run("up", "-f", file)
    assert failed.returncode == 1
    assert f"[VP201]: cluster {PROD} at https://127.0.0.1:{forwarder.port} cannot be reached" in (
        failed.stderr
    )
    assert "Traceback" not in failed.stderr
    journal = "stacks/example-app.journal.jsonl"
    after = project.files()
    assert after.pop(journal).startswith(before.pop(journal))  # it tells what was tried
    assert after == before

    again = project.run("cluster", "join", str(prod.kubeconfig), "--name", PROD)
    assert again.returncode == 0, again.stderr
    assert project.run("up", "-f", file).returncode == 0
    assert prod.deployments(namespace)["data-worker"]["status"]["readyReplicas"] == 1


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        *(pytest.param(each, marks=RARE) for each in (signal.SIGTERM, signal.SIGKILL)),
    ],
)
def test_an_interrupted_up_goes_on(
    project: Project, application: str, namespace: str, number: signal.Signals
) -> None:
    staging = project.clusters[STAGING]
    slow = never_ready(application, timeout=60)
    running = project.start("up", "-f", str(project.write(slow)))
    wait_for(lambda: "hello-world-server" in staging.deployments(namespace))
    os.kill(running.pid, number)
    _, errors = running.communicate(timeout=60)
    if number is signal.SIGKILL:
        assert running.returncode == -signal.SIGKILL
    else:
        assert running.returncode == 130, errors
        assert "[VP900]" in errors
        assert "Traceback" not in errors
    assert project.clusters[PROD].deployments(namespace) == {}

    done = project.run("up", "-f", str(project.write(application)))
    assert done.returncode == 4, done.stderr
    assert list(staging.deployments(namespace)) == ["hello-world-server"]
    state = project.pulumi("stack", "export", "-s", "example-app.staging").stdout
    assert not yaml.safe_load(state)["deployment"].get("pending_operations")


def test_what_a_killed_engine_left_is_taken_over(
    project: Project, application: str, namespace: str
) -> None:
    staging = project.clusters[STAGING]
    slow = never_ready(application, timeout=60)
    running = project.start("up", "-f", str(project.write(slow)))
    wait_for(lambda: "hello-world-server" in staging.deployments(namespace))
    folder = ".velapulumi/backend/.pulumi/locks/organization/delivery/example-app.staging"
    (lock,) = (project.root / folder).glob("*.json")
    engine = json.loads(lock.read_text())["pid"]
    tasks = Path(f"/proc/{engine}/task").glob("*/children")
    providers = [int(pid) for task in tasks for pid in task.read_text().split()]
    for pid in (engine, *providers):
        os.kill(pid, signal.SIGKILL)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "[VP301]" in errors
    assert "Traceback" not in errors

    done = project.run("up", "-f", str(project.write(application)))
    assert done.returncode == 4, done.stderr
    template = staging.deployments(namespace)["hello-world-server"]["spec"]["template"]
    assert "velapulumi.dev/sim" not in template["metadata"]["labels"]
    state = project.pulumi("stack", "export", "-s", "example-app.staging").stdout
    assert not yaml.safe_load(state)["deployment"].get("pending_operations")


def test_a_killed_engine_leaves_a_lock_that_is_cleared(project: Project, application: str) -> None:
    file = str(project.write(application))
    assert project.run("up", "-f", file).returncode == 4
    folder = ".velapulumi/backend/.pulumi/locks/organization/delivery/example-app.staging"
    lock = project.root / folder / "0000.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    owner = {"username": "ghost", "timestamp": datetime.now(UTC).isoformat()}
    living = owner | {"pid": os.getpid(), "hostname": os.uname().nodename}
    lock.write_text(json.dumps(living))
    edited = str(project.write(application.replace("port: 8000", "port: 8001")))
    held = project.run("up", "-f", edited)
    assert held.returncode == 1
    assert f"[VP302]: stack example-app.staging is in use by ghost@{os.uname().nodename}" in (
        held.stderr
    )
    lock.write_text(json.dumps(living | {"pid": 2**22 + 1}))
    assert project.run("up", "-f", edited).returncode == 4
    assert not lock.exists()
    # the number of a process that is gone may be that of another one meanwhile
    lock.write_text(json.dumps(living | {"timestamp": "2026-01-01T00:00:00Z"}))
    edited = str(project.write(application.replace("port: 8000", "port: 8002")))
    assert project.run("up", "-f", edited).returncode == 4
    assert not lock.exists()


def test_a_component_taken_out_of_an_environment_is_removed(
    project: Project, application: str, namespace: str
) -> None:
    file = str(project.write(application))
    project.run("up", "-f", file)
    project.run("workflow", "resume", "example-app")
    assert project.run("up", "-f", file).returncode == 0
    document = yaml.safe_load(application)
    prod = document["spec"]["policies"][0]["properties"]["envs"][1]
    prod["selector"] = {"components": ["hello-world-server"]}
    project.write(yaml.safe_dump(document))
    assert project.run("up", "-f", file).returncode == 4
    assert set(project.clusters[PROD].deployments(namespace)) == {
        "data-worker",
        "hello-world-server",
    }
    project.run("workflow", "resume", "example-app")
    done = project.run("up", "-f", file)
    assert done.returncode == 0, done.stderr
    assert "- Deployment" in done.stderr
    assert set(project.clusters[PROD].deployments(namespace)) == {"hello-world-server"}


def test_an_object_lost_in_the_cluster_is_made_again(
    project: Project, application: str, namespace: str
) -> None:
    staging = project.clusters[STAGING]
    file = str(project.write(application))
    project.run("up", "-f", file)
    staging.kubectl("delete", "deployment", "hello-world-server", "-n", namespace)
    assert "is not there" in project.run("status", "example-app").stderr
    assert project.run("up", "-f", file).returncode == 4
    assert staging.deployments(namespace)["hello-world-server"]["status"]["readyReplicas"] == 1


def test_a_tampered_gate_file_is_named_with_its_line(project: Project, application: str) -> None:
    file = str(project.write(application))
    project.run("up", "-f", file)
    gate = project.root / "stacks" / "example-app.gate.yaml"
    text = gate.read_text()
    gate.write_text(text.replace("run: 1\n", "run: soon\n"))
    before = project.files()
    refused = project.run("up", "-f", file)
    assert refused.returncode == 2
    line = text.splitlines().index("run: 1") + 1
    assert f'{gate}:{line}: run: must be an integer, is the string "soon"' in refused.stderr
    assert project.files() == before


def test_bad_input_changes_nothing(project: Project, application: str) -> None:
    path: Path = project.write(application.replace("type: webservice", "type: webservise"))
    before = project.files()
    refused = project.run("up", "-f", str(path))
    assert refused.returncode == 2
    assert "[VP101]" in refused.stderr
    assert f"{path}:" in refused.stderr
    assert project.files() == before


def test_an_object_that_is_not_ours_is_never_taken_over(
    project: Project, application: str, namespace: str
) -> None:
    staging = project.clusters[STAGING]
    staging.kubectl("create", "deployment", "hello-world-server", "--image=other", "-n", namespace)
    refused = project.run("up", "-f", str(project.write(application)))
    assert refused.returncode == 1
    assert (
        f"[VP204]: Deployment {namespace}/hello-world-server exists on {STAGING} "
        "but not managed by any application now" in refused.stderr
    )
    containers = staging.deployments(namespace)["hello-world-server"]["spec"]["template"]["spec"]
    assert containers["containers"][0]["image"] == "other"
    staging.kubectl(
        "label", "deployment", "hello-world-server", "-n", namespace,
        "app.oam.dev/name=shop", "app.oam.dev/namespace=other",
    )  # fmt: skip
    refused = project.run("up", "-f", str(project.write(application)))
    assert "is managed by other application other/shop" in refused.stderr


@RARE
def test_what_was_deleted_beside_a_workload_comes_back(project: Project, namespace: str) -> None:
    text = f"""\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {{name: back, namespace: {namespace}}}
spec:
  components:
  - name: web
    type: webservice
    properties: {{image: i, ports: [{{port: 80, expose: true}}]}}
  policies:
  - {{name: place, type: topology, properties: {{clusters: [{STAGING}]}}}}
"""
    file = str(project.write(text))
    assert project.run("up", "-f", file).returncode == 0
    cluster = project.clusters[STAGING]
    cluster.kubectl("delete", "service", "web", "-n", namespace)
    done = project.run("up", "-f", file)
    assert done.returncode == 0, done.stderr
    assert "web" in cluster.kubectl("get", "services", "-n", namespace)
    assert "no change" in project.run("up", "-f", file).stdout

    nowhere = text.replace(f"namespace: {namespace}", "namespace: nowhere").replace("back", "gone")
    refused = project.run("up", "-f", str(project.write(nowhere)))
    assert refused.returncode == 1
    assert "namespace nowhere does not exist on cluster-staging" in refused.stderr
    assert "kubectl create namespace nowhere" in refused.stderr
    assert project.run("delete", "back", "--yes").returncode == 0
