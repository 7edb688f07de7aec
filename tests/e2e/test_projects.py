"""Projects that are not quite the seed's: other backends, other workflows."""

import pytest
import yaml

from tests.clusters import STAGING, Project


@pytest.mark.exhaustive
def test_another_backend_with_a_passphrase_of_ones_own(
    project: Project, application: str, namespace: str
) -> None:
    backend = project.root / "elsewhere"
    backend.mkdir()
    project.environment |= {
        "PULUMI_BACKEND_URL": f"file://{backend}",
        "PULUMI_CONFIG_PASSPHRASE": "of one's own",
        "PULUMI_DIY_BACKEND_GZIP": "true",
    }
    file = str(project.write(application))
    first = project.run("up", "-f", file)
    assert first.returncode == 4, first.stderr
    assert list((backend / ".pulumi" / "stacks" / "delivery").glob("*.json.gz"))
    assert not (project.root / ".velapulumi" / "backend").exists()
    assert "Ready:1/1" in project.run("status", "example-app").stdout
    project.run("workflow", "resume", "example-app")
    assert project.run("up", "-f", file).returncode == 0
    again = project.run("up", "-f", file)
    assert (again.returncode, "no change" in again.stdout) == (0, True)
    assert project.run("delete", "example-app", "-y").returncode == 0
    assert project.clusters[STAGING].deployments(namespace) == {}


def test_a_gate_before_the_first_stage(project: Project, application: str, namespace: str) -> None:
    document = yaml.safe_load(application)
    steps = document["spec"]["workflow"]["steps"]
    document["spec"]["workflow"]["steps"] = [steps[1], steps[0], steps[2]]
    file = str(project.write(yaml.safe_dump(document)))
    assert project.run("up", "-f", file).returncode == 4
    assert project.clusters[STAGING].deployments(namespace) == {}
    assert project.run("workflow", "resume", "example-app").returncode == 0
    done = project.run("up", "-f", file)
    assert done.returncode == 0, done.stderr


def test_nowhere_to_deliver_to_is_refused(project: Project, application: str) -> None:
    document = yaml.safe_load(application)
    del document["spec"]["policies"][0]["properties"]["envs"][1]["placement"]
    before = project.files()
    refused = project.run("up", "-f", str(project.write(yaml.safe_dump(document))))
    assert refused.returncode == 2
    assert "stage prod is placed on the control plane's own cluster" in refused.stderr
    del document["spec"]["policies"], document["spec"]["workflow"]
    refused = project.run("up", "-f", str(project.write(yaml.safe_dump(document))))
    assert refused.returncode == 2
    assert "no step delivers to a cluster" in refused.stderr
    assert project.files() == before


def test_a_cluster_that_is_not_joined_is_refused_before_anything(
    project: Project, application: str, namespace: str
) -> None:
    assert project.run("cluster", "detach", "cluster-prod").returncode == 0
    refused = project.run("up", "-f", str(project.write(application)))
    assert refused.returncode == 2
    assert "[VP105]: no such cluster: cluster-prod" in refused.stderr
    assert project.clusters[STAGING].deployments(namespace) == {}
