"""What did not get ready, what is being deleted and what holds things of others: told as it is."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable

import pytest
import yaml

from tests.clusters import PROD, STAGING, Project
from tests.e2e.test_failures import wait_for
from tests.e2e.test_policies import app, config_map, deployment
from tests.e2e.test_truth_drift import Truth, section

HELD = "example.org/hold"


@pytest.fixture
def story(copied: Callable[[str], Project], namespace: str) -> Truth:
    return Truth(copied("project"), namespace)


def test_after_a_failed_rollout_the_plan_shows_what_changes(story: Truth) -> None:
    def text(number: int, label: str = "ready") -> str:
        web = deployment("web", image=f"nginx:{number}")
        labels = {"app": "web", "velapulumi.dev/sim": label}
        web["spec"]["template"]["metadata"]["labels"] = labels
        return app(story.namespace, {"main": [web, config_map("data", a="b")]})

    story.up(text(1))
    failed = text(2, "pending")
    path = story.project.write(failed)
    done = story.project.run("up", "-f", str(path), "--timeout", "2")
    words = "'web' timed out waiting to be Ready"
    told = story.status()
    assert f"Deployment {story.namespace}/web on {STAGING} did not get ready: {words}" in told
    assert f"(did not get ready: {words}; " in story.plan(failed, code=0)
    mended = text(3)
    plan = story.plan(mended, code=3)
    changes = [
        'spec.template.metadata.labels["velapulumi.dev/sim"]: pending → ready',
        "spec.template.spec.containers[0].image: nginx:2 → nginx:3",
    ]
    for shown in (plan, story.delivered(mended)):
        found = section(shown, "Deployment", "web")
        assert found.splitlines() == [f"~ Deployment {story.namespace}/web", *changes]
    assert "2 unchanged" in story.plan(mended, code=0)
    assert "; the last delivery did not finish: it holds parts of shop-v2\n" in plan
    assert done.returncode == 6, done.stderr
    assert "[VP303]: stage deploy-place is not healthy after 2s: " in done.stderr
    assert words in done.stderr


@pytest.mark.parametrize("ends", ["stopped", "late"])
def test_an_unfinished_update_is_taken_back(story: Truth, ends: str) -> None:
    """Its stack says nothing of what the server has taken, or only that it did not get ready."""

    def text(*, more: bool) -> str:
        web = deployment("web")
        pod = web["spec"]["template"]
        pod["metadata"]["labels"] = {"app": "web"}
        if more:
            web["spec"]["minReadySeconds"] = 7
            pod["metadata"]["labels"]["velapulumi.dev/sim"] = "pending"
            pod["spec"]["containers"][0] |= {"args": ["-v"], "env": [{"name": "A", "value": "1"}]}
            pod["spec"]["containers"].append({"name": "side", "image": "envoy"})
        return app(story.namespace, {"main": [web]})

    story.up(text(more=False))
    before = story.value("deployment", "web", "spec")
    path = str(story.project.write(text(more=True)))
    if ends == "stopped":
        running = story.project.start("up", "-f", path)
        wait_for(lambda: story.value("deployment", "web", "spec") != before)
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
        assert running.returncode == 130
    else:
        assert story.project.run("up", "-f", path, "--timeout", "2").returncode == 6
    by = " (changed by a run that did not finish)" if ends == "stopped" else ""
    pod = "spec.template.spec.containers"
    for shown in (story.plan(text(more=False), code=3), story.delivered(text(more=False))):
        found = section(shown, "Deployment", "web") + "\n"
        assert "revision labels only" not in found
        assert f"spec.minReadySeconds: 7 → (none){by}\n" in found
        assert f'{pod}[0].args: ["-v"] → (none){by}\n' in found
        assert f"{pod}[0].env[0]" in found
        assert f"{pod}[1].name: side → (none){by}\n" in found
    assert story.value("deployment", "web", "spec") == before
    assert "1 unchanged" in story.plan(text(more=False), code=0)


def test_what_is_being_deleted_is_waited_for_and_its_finalizer_named(story: Truth) -> None:
    held = config_map("held", a="b")
    held["metadata"]["finalizers"] = [HELD]
    text = app(story.namespace, {"main": [held, config_map("data", a="b")]})
    story.up(text)
    uid = story.uid("configmap", "held")
    story.kubectl("delete", "configmap", "held", "--wait=false")
    held_by = rf"is being deleted since [^ ]+Z; it waits for {HELD}"
    assert re.search(held_by, section(story.plan(text, code=3), "ConfigMap", "held"))
    assert re.search(f"/held on {STAGING} {held_by}", story.refused(text, "--timeout", "1"))

    running = story.project.start("up", "-f", "app.yaml")
    lines = running.stderr
    assert lines is not None
    try:
        wait_for(lambda: "/held is being deleted" in lines.readline(), 30)
        free(story)
        _, errors = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 0, errors
    assert "/held (create again: deleted in the cluster by others)" in errors
    assert story.uid("configmap", "held") != uid
    free(story)


@pytest.mark.exhaustive
def test_what_cannot_be_made_anew_for_its_finalizer_is_named(story: Truth) -> None:
    def text(value: str) -> str:
        held = {**config_map("held", a=value), "immutable": True}
        held["metadata"]["finalizers"] = [HELD]
        return app(story.namespace, {"main": [held, config_map("data", a=value)]})

    story.up(text("1"))
    path = story.project.write(text("2"))
    failed = story.project.run("up", "-f", str(path), "--timeout", "3")
    assert failed.returncode == 1, failed.stderr
    waits = rf"\[VP206\]: .*/held on {STAGING} is being deleted since [^ ]+Z; it waits for {HELD}\n"
    assert re.search(waits, failed.stderr), failed.stderr
    assert "context canceled" not in failed.stderr
    free(story)
    story.up(text("2"))
    assert story.value("configmap", "held", "data") == {"a": "2"}
    free(story)


@pytest.mark.exhaustive
def test_what_a_killed_run_had_made_goes_with_the_file_that_wanted_it(story: Truth) -> None:
    late = deployment("late")
    late["spec"]["template"]["metadata"]["labels"]["velapulumi.dev/sim"] = "pending"
    plain = app(story.namespace, {"main": [config_map("data")]})
    more = app(story.namespace, {"main": [config_map("data"), late]})
    story.up(plain)
    kill_in_the_middle(story, more)
    shown = story.plan(plain, code=3)
    assert f"- Deployment {story.namespace}/late (made by an interrupted run)" in shown
    story.up(plain)
    assert story.get("deployment", "late") is None
    assert "no change" in story.plan(plain, code=0)
    kill_in_the_middle(story, more)
    done = story.project.run("delete", "shop", "-y")
    assert done.returncode == 0, done.stderr
    assert f"- Deployment {story.namespace}/late (made by an interrupted run)" in done.stderr
    assert story.get("deployment", "late") is None
    assert story.get("configmap", "data") is None


def kill_in_the_middle(story: Truth, text: str) -> None:
    """Kill an up and its engine when the Deployment is there and not ready."""
    running = story.project.start("up", "-f", str(story.project.write(text)))
    try:
        wait_for(lambda: story.get("deployment", "late") is not None, 60)
        folder = story.project.root / ".velapulumi/backend/.pulumi/locks/organization"
        (lock,) = folder.glob("*/shop.deploy-place/*.json")
        engine = int(json.loads(lock.read_text())["pid"])
        os.killpg(engine, signal.SIGKILL)  # a session of its own, with its provider
    finally:
        running.kill()
        running.communicate()


@pytest.mark.exhaustive
def test_a_kind_grows_together_with_its_objects_and_back(story: Truth) -> None:
    """The server knows the new schema a moment later; and the engine updates it by another verb."""
    group = f"{story.namespace}.example.org"[-60:].lstrip("-.")

    def text(*fields: str) -> str:
        properties = {name: {"type": "string"} for name in fields}
        spec = {"type": "object", "properties": properties}
        schema = {"type": "object", "properties": {"spec": spec}}
        version = {"name": "v1", "served": True, "storage": True}
        crd = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"widgets.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
                "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
            },
        }
        widget = {
            "apiVersion": f"{group}/v1",
            "kind": "Widget",
            "metadata": {"name": "one"},
            "spec": dict.fromkeys(fields, "x"),
        }
        return app(story.namespace, {"main": [crd, widget]})

    for fields in ("a", "ab", "abc", "ab"):
        if fields == "abc":  # the engine replaces the definition, and with it what others have set
            story.kubectl("annotate", "crd", f"widgets.{group}", "others=theirs")
            lost = "what others have set goes: metadata.annotations.others"
            assert lost in story.plan(text(*fields), code=3)
        story.up(text(*fields))
        assert story.value(f"widgets.{group}", "one", "spec") == dict.fromkeys(fields, "x")
        assert "2 unchanged" in story.plan(text(*fields), code=0)


def free(story: Truth) -> None:
    """Take the finalizer away."""
    patch = json.dumps({"metadata": {"finalizers": None}})
    story.kubectl("patch", "configmap", "held", "-p", patch)


@pytest.mark.exhaustive
def test_a_namespace_that_holds_things_of_others_is_not_deleted(story: Truth) -> None:
    name = f"{story.namespace}-x"
    place = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    ours = {**config_map("ours"), "metadata": {"name": "ours", "namespace": name}}
    story.up(app(story.namespace, {"main": [config_map("data"), place, ours]}))
    for each in ("one", "two"):
        story.cluster.kubectl("create", "configmap", each, "-n", name)
    story.cluster.kubectl("create", "deployment", "theirs", "--image=x", "-n", name)
    fewer = app(story.namespace, {"main": [config_map("data")]})
    words = "cannot be deleted: it holds 2 ConfigMap of nobody, 1 Deployment of nobody"
    for shown in (story.plan(fewer, code=1), story.refused(fewer)):
        assert words in shown
    with story.silence():
        done = story.project.run("delete", "shop", "-y")
    assert (done.returncode, words in done.stderr) == (1, True), done.stderr
    assert story.get("configmap", "data") is not None
    inside = story.cluster.kubectl("get", "configmap,deployment", "-n", name, "-o", "name")
    assert {"configmap/ours", "configmap/one", "deployment.apps/theirs"} <= set(inside.split())


@pytest.mark.exhaustive
def test_what_goes_from_a_cluster_that_a_stage_leaves_is_named(story: Truth) -> None:
    def text(*clusters: str) -> str:
        document = yaml.safe_load(app(story.namespace, {"main": [config_map("data", a="b")]}))
        document["spec"]["policies"][0]["properties"]["clusters"] = list(clusters)
        return yaml.safe_dump(document)

    story.up(text(STAGING, PROD))
    shown = story.plan(text(STAGING), code=3)
    assert "does not answer" not in shown
    left = section(shown, PROD, r"\(no longer part of this stage\)")
    assert left.splitlines()[1:] == [f"- ConfigMap {story.namespace}/data"]
    story.delivered(text(STAGING))
    gone = story.project.clusters[PROD].kubectl("get", "cm", "-n", story.namespace, "-o", "name")
    assert "data" not in gone
    assert story.get("configmap", "data") is not None
