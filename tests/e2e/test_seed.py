"""The document the project must make true, line by line."""

import re
from pathlib import Path

import yaml

from tests.clusters import PROD, SEED, STAGING, Project

HASH = r"example-app-v1:[0-9a-f]{16}"


def scope(uid: str) -> list[dict[str, str]]:
    return [
        {
            "apiVersion": "core.oam.dev/v1alpha2",
            "kind": "HealthScope",
            "name": "health-policy-demo",
            "namespace": "default",
            "uid": uid,
        }
    ]


def service(env: str, name: str, message: str, uid: str, *, scaler: bool) -> dict[str, object]:
    found: dict[str, object] = {
        "env": env,
        "healthy": True,
        "message": message,
        "name": name,
        "scopes": scope(uid),
        "workloadDefinition": {"apiVersion": "apps/v1", "kind": "Deployment"},
    }
    if scaler:
        found["traits"] = [{"healthy": True, "type": "scaler"}]
    return found


def test_the_seed_from_join_to_running_to_edit_to_delete(project: Project, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    project.environment["TMPDIR"] = str(temporary)
    staging, prod = project.clusters[STAGING], project.clusters[PROD]
    listed = project.run("cluster", "list")
    assert listed.stdout == (
        "CLUSTER         TYPE    ENDPOINT               \n"
        f"cluster-prod    tls     {prod.server}\n"
        f"cluster-staging tls     {staging.server}\n"
    )
    file = str(project.write(SEED.read_text()))

    first = project.run("up", "-f", file)
    assert first.returncode == 4, first.stderr
    assert "waits at manual-approval" in first.stdout
    assert "velapulumi workflow resume example-app" in first.stderr
    deployment = staging.deployments("default")["hello-world-server"]
    assert deployment["spec"]["replicas"] == 1
    assert "data-worker" not in staging.deployments("default")
    assert prod.deployments("default") == {}

    table = project.run("status", "example-app").stdout.splitlines()
    assert table[0].split() == [
        "NAME", "COMPONENT", "TYPE", "PHASE", "HEALTHY", "STATUS", "AGE",
    ]  # fmt: skip
    assert re.fullmatch(
        r"example-app   hello-world-server   webservice   workflowSuspending   true      "
        r"Ready:1/1   \d+s",
        table[1],
    )
    document = yaml.safe_load(project.run("status", "example-app", "-o", "yaml").stdout)
    status = document["status"]
    uid = status["services"][0]["scopes"][0]["uid"]
    assert status["services"] == [
        service("staging", "hello-world-server", "Ready:1/1 ", uid, scaler=True)
    ]
    workflow = status["workflow"]
    assert re.fullmatch(HASH, workflow["appRevision"])
    assert workflow["mode"] == "StepByStep"
    assert (workflow["suspend"], workflow["terminated"]) == (True, False)
    assert [(step["name"], step["phase"], step["type"]) for step in workflow["steps"]] == [
        ("deploy-staging", "succeeded", "deploy2env"),
        ("manual-approval", "succeeded", "suspend"),
    ]
    assert all(re.fullmatch(r"[a-z0-9]{10}", step["id"]) for step in workflow["steps"])

    resumed = project.run("workflow", "resume", "example-app", "-m", "verified")
    assert resumed.stdout == "Successfully resume workflow: example-app\n"
    assert project.run("workflow", "resume", "example-app").stdout == (
        "workflow example-app is not suspended.\n"
    )
    second = project.run("up", "-f", file)
    assert second.returncode == 0, second.stderr
    assert prod.deployments("default")["hello-world-server"]["status"]["readyReplicas"] == 3
    worker = prod.deployments("default")["data-worker"]["spec"]["template"]["spec"]
    assert worker["containers"][0]["command"] == ["sleep", "1000000"]

    table = project.run("status", "example-app").stdout.splitlines()
    assert re.fullmatch(
        r"example-app   hello-world-server   webservice   running   true      Ready:1/1   \d+s",
        table[1],
    )
    status = yaml.safe_load(project.run("status", "example-app", "-o", "yaml").stdout)["status"]
    assert status["services"] == [
        service("staging", "hello-world-server", "Ready:1/1 ", uid, scaler=True),
        service("prod", "hello-world-server", "Ready:3/3 ", uid, scaler=True),
        service("prod", "data-worker", "Ready:1/1 ", uid, scaler=False),
    ]
    assert [step["name"] for step in status["workflow"]["steps"]] == [
        "deploy-staging", "manual-approval", "deploy-prod",
    ]  # fmt: skip
    assert {step["phase"] for step in status["workflow"]["steps"]} == {"succeeded"}
    assert (status["workflow"]["suspend"], status["workflow"]["terminated"]) == (False, False)

    before, live = project.files(), prod.deployments("default")
    again = project.run("up", "-f", file)
    assert again.returncode == 0
    assert "no change" in again.stdout
    assert project.files() == before
    assert prod.deployments("default") == live

    edited = str(project.write(SEED.read_text().replace("busybox", "busybox:1.36")))
    third = project.run("up", "-f", edited)
    assert third.returncode == 4, third.stderr
    assert re.search(r"waits at manual-approval to promote example-app-v2:", third.stdout)
    image = prod.deployments("default")["data-worker"]["spec"]["template"]["spec"]["containers"]
    assert image[0]["image"] == "busybox"

    refused = project.run("cluster", "detach", PROD)
    assert refused.returncode == 1
    assert (
        f"cluster {PROD} is in use now: application default/example-app (env: prod) "
        f"is currently using cluster {PROD}" in refused.stderr
    )
    unanswered = project.run("delete", "example-app", input="n\n")
    assert unanswered.returncode != 0
    assert prod.deployments("default") != {}
    deleted = project.run("delete", "example-app", "-y")
    assert deleted.returncode == 0, deleted.stderr
    assert prod.deployments("default") == staging.deployments("default") == {}
    assert deleted.stderr.index("prod: deleting") < deleted.stderr.index("staging: deleting")
    detached = project.run("cluster", "detach", PROD)
    assert (detached.returncode, detached.stdout) == (0, f"Detach cluster {PROD} successfully.\n")
    assert not (project.root / ".velapulumi" / "credentials" / f"{PROD}.kubeconfig").exists()
    assert list(temporary.iterdir()) == [], "the provider leaves a kubeconfig with its key"
    assert list((project.root / ".velapulumi" / "tmp").iterdir()) == []


def test_no_secret_lies_in_clear(project: Project, application: str) -> None:
    file = str(project.write(application))
    assert project.run("up", "-f", file).returncode == 4
    kubeconfig = yaml.safe_load(project.clusters[STAGING].kubeconfig.read_text())
    key = kubeconfig["users"][0]["user"]["client-key-data"]
    holders = [
        path.relative_to(project.root)
        for path in project.root.rglob("*")
        if path.is_file() and key[100:160].encode() in path.read_bytes()
    ]
    assert holders == [Path(".velapulumi/credentials/cluster-staging.kubeconfig")]
    for path in (project.root / ".velapulumi" / "credentials").glob("*.kubeconfig"):
        assert path.stat().st_mode & 0o777 == 0o600
