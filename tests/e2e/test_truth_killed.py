"""What a killed run made or deleted is known, and the next run finishes it or takes it back."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.clusters import PROD, STAGING, Forwarder, Project
from tests.e2e.test_failures import wait_for
from tests.e2e.test_policies import app, config_map, deployment, rules
from tests.e2e.test_truth_drift import Truth, section

SIM = "velapulumi.dev/sim"
RARE = pytest.mark.exhaustive
"""One of each kind runs every time."""


@pytest.fixture
def story(copied: Callable[[str], Project], namespace: str) -> Truth:
    return Truth(copied("project"), namespace)


def late(selector: str = "late", *, ready: bool = False) -> dict[str, Any]:
    """A Deployment that gets ready, or does not."""
    made = deployment("late")
    labels = {"app": selector, **({} if ready else {SIM: "pending"})}
    made["spec"]["selector"] = {"matchLabels": {"app": selector}}
    made["spec"]["template"]["metadata"]["labels"] = labels
    return made


def late_job(content: str = "late", *, ready: bool = False) -> dict[str, Any]:
    """A Job that comes to its end, or does not begin."""
    pod = late(ready=ready)["spec"]["template"]
    pod["spec"] |= {"restartPolicy": "Never"}
    pod["spec"]["containers"][0]["args"] = [content]
    name = {"name": "late"}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": name, "spec": {"template": pod}}


def kill(story: Truth, text: str, when: Callable[[], object], name: str = "shop") -> None:
    """Kill an up, its engine and its provider when something is so in the cluster."""
    running = story.project.start("up", "-f", str(story.project.write(text)))
    try:
        wait_for(lambda: bool(when()), 60)
        folder = story.project.root / ".velapulumi/backend/.pulumi/locks/organization"
        (lock,) = folder.glob(f"*/{name}.deploy-place/*.json")
        os.killpg(int(json.loads(lock.read_text())["pid"]), signal.SIGKILL)
    finally:
        running.kill()
        running.communicate()


def delete(story: Truth, name: str = "shop") -> str:
    done = story.project.run("delete", name, "-y")
    assert done.returncode == 0, done.stderr
    return done.stderr


MAKERS = {"replaced": late, "job": late_job, "lost": late}


@pytest.mark.parametrize(
    "how", [h if h == "replaced" else pytest.param(h, marks=RARE) for h in MAKERS]
)
def test_a_killed_replacement_is_gone_on_with_and_goes(story: Truth, how: str) -> None:
    """The engine has deleted the old object, and its stack holds nothing of the new one."""
    make = MAKERS[how]
    kind = "Job" if how == "job" else "Deployment"

    def text(*objects: dict[str, Any]) -> str:
        return app(story.namespace, {"main": [config_map("data"), *objects]})

    def interrupt(content: str) -> None:
        before = story.uid(kind, "late")
        if how == "lost":
            story.kubectl("delete", kind, "late")

        def is_another() -> bool:
            found = story.get(kind, "late")
            return found is not None and found["metadata"]["uid"] != before

        kill(story, text(make(content)), is_another)

    old = text(make(ready=True))
    story.up(old)
    second, third = ("late", "late") if how == "lost" else ("second", "third")
    interrupt(second)
    going = text(make(second, ready=True))
    shown = story.plan(going, code=3)
    goes_on = "goes on with what an interrupted run made"
    anew = "made by an interrupted run; deleted and created again"  # its pods never change
    assert (anew if how == "job" else goes_on) in section(shown, kind, "late")
    assert "by others" not in shown
    if how != "job":  # what its pods are of never changes
        story.up(going)
        assert "2 unchanged" in story.plan(going, code=0)
        interrupt(third)
    shown = story.plan(text(), code=3)
    assert f"- {kind} {story.namespace}/late (made by an interrupted run)" in shown
    told = delete(story)
    assert f"- {kind} {story.namespace}/late (made by an interrupted run)" in told
    assert story.get(kind, "late") is None
    story.up(old)


@RARE
def test_what_a_killed_first_run_has_made_is_deleted_with_the_application(story: Truth) -> None:
    """Its stack has no outputs and holds nothing."""
    text = app(story.namespace, {"main": [late()]})
    kill(story, text, lambda: story.get("deployment", "late"))
    # As in a fresh checkout: only the stack tells of the project.
    for name in ("stacks/project.yaml", ".velapulumi/project-id"):
        (story.project.root / name).unlink(missing_ok=True)
    told = delete(story)
    assert f"- Deployment {story.namespace}/late (made by an interrupted run)" in told
    assert story.get("deployment", "late") is None
    kept = ("garbage-collect", rules({"resourceNames": ["late"]}, strategy="never"))
    kill(story, app(story.namespace, {"main": [late()]}, kept), lambda: story.get("deploy", "late"))
    delete(story)
    assert story.owner("deployment", "late") in (None, "")


@RARE
def test_what_a_killed_first_run_has_joined_is_left(story: Truth) -> None:
    shared = ("shared-resource", rules({"resourceTypes": ["ConfigMap"]}))

    def text(name: str, *objects: dict[str, Any]) -> str:
        return app(story.namespace, {"main": [config_map("data"), *objects]}, shared, name=name)

    story.up(text("shop"))
    second = text("second", late())
    kill(
        story,
        second,
        lambda: (
            story.get("deploy", "late")
            and story.sharers("configmap", "data") == "ns/shop,ns/second"
        ),
        "second",
    )
    delete(story, "second")
    assert story.get("deployment", "late") is None
    assert story.sharers("configmap", "data") == "ns/shop"
    delete(story)
    assert story.get("configmap", "data") is None


@RARE
def test_a_killed_replacement_is_taken_back(story: Truth) -> None:
    """What was made has another selector, which never changes."""

    def text(*objects: dict[str, Any]) -> str:
        return app(story.namespace, {"main": [config_map("data"), *objects]})

    old = text(late(ready=True))
    story.up(old)
    before = story.uid("deployment", "late")
    new = text(late("new"))
    kill(story, new, lambda: story.uid("deployment", "late") != before)
    shown = story.plan(old, code=3)
    words = "made by an interrupted run; deleted and created again"
    assert words in section(shown, "Deployment", "late")
    story.up(old)
    assert story.value("deployment", "late", "spec")["selector"]["matchLabels"] == {"app": "late"}
    assert "2 unchanged" in story.plan(old, code=0)


@RARE
def test_what_is_taken_over_waits_its_turn_and_is_known_from_then_on(story: Truth) -> None:
    """Nothing is written to what is others' before what it depends on is ready."""
    take_over = ("take-over", rules({"resourceNames": ["theirs", "settings"]}))
    story.kubectl("create", "configmap", "settings", "--from-literal=a=theirs")
    story.kubectl("create", "deployment", "theirs", "--image=theirs:1", "--replicas=2")
    before = story.value("configmap", "settings", "data"), story.uid("deployment", "theirs")

    def text(first: dict[str, Any], *second: dict[str, Any]) -> str:
        components = {"first": [first], **({"second": [*second]} if second else {})}
        document = yaml.safe_load(app(story.namespace, components, take_over))
        for component in document["spec"]["components"][1:]:
            component["dependsOn"] = ["first"]
        return yaml.safe_dump(document)

    def theirs(**labels: str) -> dict[str, Any]:
        made = deployment("theirs", image="ours:2")
        made["spec"]["template"]["metadata"]["labels"] = {"app": "theirs", **labels}
        return made

    plain = text(config_map("data"))
    story.up(plain)
    settings = config_map("settings", a="ours")
    story.up(text(late(), settings, theirs()), "--timeout", "2", code=6)
    assert story.value("configmap", "settings", "data") == before[0]
    assert "velapulumi" not in json.dumps(story.get("deployment", "theirs"))
    story.up(plain)
    assert "no change" in story.plan(plain, code=0)

    def is_taken() -> bool:
        return "ours:2" in json.dumps(story.value("deployment", "theirs", "spec"))

    pending = text(config_map("data"), settings, theirs(**{SIM: "pending"}))
    kill(story, pending, is_taken)
    shown = story.plan(plain, code=3)
    assert "gets back what it was before" in section(shown, "Deployment", "theirs")
    story.up(plain)
    assert (
        story.value("configmap", "settings", "data"),
        story.uid("deployment", "theirs"),
    ) == before
    assert story.value("deployment", "theirs", "spec")["replicas"] == 2
    assert not is_taken()
    assert "no change" in story.plan(plain, code=0)
    story.up(text(config_map("data"), settings, theirs()))
    assert is_taken()
    assert "3 unchanged" in story.plan(text(config_map("data"), settings, theirs()), code=0)


@RARE
def test_what_nobody_may_read_is_not_forgotten(story: Truth) -> None:
    plain = app(story.namespace, {"main": [config_map("data")]})
    story.up(plain)
    more = app(story.namespace, {"main": [config_map("data"), late()]})
    kill(story, more, lambda: story.get("deployment", "late"))
    cluster, name = story.cluster, story.namespace
    story.kubectl("create", "serviceaccount", "reader")
    may = ("--verb=get,list,watch", "--resource=configmaps,namespaces")
    cluster.kubectl("create", "clusterrole", name, *may)
    account = f"--serviceaccount={name}:reader"
    cluster.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", account)
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": story.kubectl("create", "token", "reader").strip()}
    join(story, STAGING, yaml.safe_dump(config))
    for shown in (story.plan(plain, code=1), story.refused(plain)):
        assert 'cannot get resource "deployments"' in shown
    with story.silence():
        done = story.project.run("delete", "shop", "-y")
    assert (done.returncode, 'cannot get resource "deployments"' in done.stderr) == (1, True)
    join(story, STAGING, cluster.kubeconfig.read_text())
    story.up(plain)
    assert story.get("deployment", "late") is None
    assert "no change" in story.plan(plain, code=0)


@RARE
def test_what_is_on_a_silent_cluster_is_owed(
    story: Truth, forward: Callable[[int], Forwarder]
) -> None:
    prod = story.project.clusters[PROD]

    def text(clusters: list[str], *objects: dict[str, Any]) -> str:
        document = yaml.safe_load(app(story.namespace, {"main": [*objects]}))
        document["spec"]["policies"][0]["properties"]["clusters"] = clusters
        return yaml.safe_dump(document)

    def is_there() -> bool:
        return "late" in prod.kubectl("get", "deploy", "-n", story.namespace, "-o", "name")

    plain = text([STAGING], config_map("data"))
    story.up(plain)
    kill(story, text([PROD], late()), is_there)
    port = int(prod.server.rpartition(":")[2])
    forwarder = forward(port)
    join(story, PROD, prod.kubeconfig.read_text().replace(f":{port}", f":{forwarder.port}"))
    forwarder.cut()
    more = text([STAGING], config_map("data", a="b"))
    assert "cluster does not answer" in section(story.plan(more, code=3), "Deployment", "late")
    story.up(more)
    assert story.value("configmap", "data", "data") == {"a": "b"}
    assert is_there()
    join(story, PROD, prod.kubeconfig.read_text())
    shown = story.plan(more, code=3)
    assert f"- Deployment {story.namespace}/late (made by an interrupted run)" in shown
    story.up(more)
    assert not is_there()
    assert "no change" in story.plan(more, code=0)


def join(story: Truth, name: str, config: str) -> None:
    """Join a cluster again, by another way."""
    path = story.project.root / "again.kubeconfig"
    path.write_text(config)
    done = story.project.run("cluster", "join", str(path), "--name", name)
    assert done.returncode == 0, done.stderr
