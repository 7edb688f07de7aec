"""`pulumi up` by hand holds to the same gates as `velapulumi up`."""

import json

from tests.clusters import PROD, STAGING, Project

CONFIG = """\
config:
  velapulumi:application: app.yaml
  velapulumi:stage: {stage}
  pulumi:disable-default-providers: ["*"]
"""


def configure(project: Project, stage: str) -> None:
    path = project.root / "stacks" / f"Pulumi.example-app.{stage}.yaml"
    path.write_text(CONFIG.format(stage=stage))
    made = project.pulumi("stack", "init", f"example-app.{stage}")
    assert made.returncode == 0, made.stderr


def test_by_hand_refused_and_then_allowed(
    project: Project, application: str, namespace: str
) -> None:
    prod = project.clusters[PROD]
    project.write(application)
    for stage in ("staging", "prod"):
        configure(project, stage)

    early = project.pulumi("preview", "-s", "example-app.prod")
    assert early.returncode == 0, early.stdout + early.stderr
    assert "stage staging has not been delivered completely" in early.stdout
    assert "step manual-approval is not approved" in early.stdout
    assert "Deployment cluster-prod" in early.stdout

    done = project.pulumi("up", "--yes", "-s", "example-app.staging")
    assert done.returncode == 0, done.stdout + done.stderr
    refused = project.pulumi("up", "--yes", "-s", "example-app.prod")
    assert refused.returncode != 0
    assert "[VP402]" in refused.stdout
    assert "step manual-approval is not approved for example-app-v1:" in refused.stdout
    assert "Traceback" not in refused.stdout + refused.stderr
    assert prod.deployments(namespace) == {}

    assert project.run("workflow", "resume", "example-app").returncode == 0
    allowed = project.pulumi("up", "--yes", "-s", "example-app.prod")
    assert allowed.returncode == 0, allowed.stdout + allowed.stderr
    assert prod.deployments(namespace)["hello-world-server"]["status"]["readyReplicas"] == 3
    services = json.loads(
        project.pulumi("stack", "output", "-s", "example-app.prod", "services", "--json").stdout
    )
    assert [(entry["name"], entry["healthy"], entry["message"]) for entry in services] == [
        ("hello-world-server", True, "Ready:3/3"),
        ("data-worker", True, "Ready:1/1"),
    ]
    both = project.run("up", "-f", "app.yaml")
    assert (both.returncode, "no change" in both.stdout) == (0, True), both.stderr

    project.write(application.replace("replicas: 3", "replicas: 2"))
    stale = project.pulumi("up", "--yes", "-s", "example-app.prod")
    assert stale.returncode != 0
    assert "stage staging holds example-app-v1:" in stale.stdout
    assert prod.deployments(namespace)["hello-world-server"]["spec"]["replicas"] == 3
    outputs = project.pulumi("stack", "output", "-s", "example-app.prod", "revision")
    assert outputs.stdout.startswith("example-app-v1:")

    preview = project.pulumi("preview", "-s", "example-app.prod", "--diff")
    assert preview.returncode == 0
    assert "3 => 2" in preview.stdout


def test_a_cluster_that_is_not_the_one_joined_is_refused_everywhere(
    project: Project, application: str, namespace: str
) -> None:
    registry = project.root / "stacks" / "clusters.yaml"
    uid = project.clusters[STAGING].kubectl(
        "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"
    )
    registry.write_text(registry.read_text().replace(uid, "another-uid"))
    project.write(application)
    configure(project, "staging")
    for command in (("preview",), ("up", "--yes")):
        refused = project.pulumi(*command, "-s", "example-app.staging")
        assert refused.returncode != 0
        assert "[VP202] cluster cluster-staging" in refused.stdout
        assert "is not the one joined under that name" in refused.stdout
    refused_up = project.run("up", "-f", "app.yaml")
    assert refused_up.returncode == 1
    assert "[VP202]" in refused_up.stderr
    assert project.clusters[STAGING].deployments(namespace) == {}
