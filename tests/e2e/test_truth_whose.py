"""Whose an object is, what is shared and handed over: decided by identity, and told before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.clusters import STAGING, Project
from tests.e2e.test_policies import app, config_map, deployment, rules
from tests.e2e.test_truth_drift import Truth, section


@pytest.fixture
def story(copied: Callable[[str], Project], namespace: str) -> Truth:
    return Truth(copied("project"), namespace)


@pytest.mark.exhaustive
def test_a_second_project_is_refused_and_takes_nothing_away(
    story: Truth, copied: Callable[[str], Project]
) -> None:
    def text(image: str, *more: dict[str, Any], policy: bool = False) -> str:
        objects = [deployment("web", image=image), *more]
        take = ("take-over", rules({"resourceTypes": ["Deployment"]}))
        return app(story.namespace, {"main": objects}, *([take] if policy else ()))

    story.up(text("first:1"))
    uid = story.uid("deployment", "web")
    other = Truth(copied("other"), story.namespace)
    words = (
        f"existing object Deployment {story.namespace}/web on {STAGING} is managed by other "
        f"application {story.namespace}/shop of another project"
    )
    second = text("second:1", config_map("own"))
    for shown in (other.plan(second, code=1), other.refused(second)):
        assert words in shown
    other.up(app(story.namespace, {"main": [config_map("own")]}))
    other.delete()
    assert story.uid("deployment", "web") == uid

    taken = text("second:1", policy=True)
    full = other.plan(taken, "--full", code=3)
    back = section(full, "Deployment", r"web \(on the way back\)")
    assert "spec.template.spec.containers[0].image: second:1 → first:1" in back
    for shown in (full, other.delivered(taken)):
        assert section(shown, "!", "web").splitlines()[:2] == [
            f"! Deployment {story.namespace}/web (taken over from {story.namespace}/shop)",
            "spec.template.spec.containers[0].image: first:1 → second:1",
        ]
    assert "1 unchanged" in other.plan(taken, code=0)
    lost = f"Deployment {story.namespace}/web on {STAGING} was taken over by application"
    assert lost in story.plan(text("first:1"), code=1)
    with story.silence():
        story.delete()
    assert story.uid("deployment", "web") == uid
    assert "1 unchanged" in other.plan(taken, code=0)


@pytest.mark.exhaustive
def test_what_another_project_has_taken_over_is_not_shared_with_it(
    story: Truth, copied: Callable[[str], Project]
) -> None:
    def text(policy: str) -> str:
        rule = (policy, rules({"resourceNames": ["data"]}))
        return app(story.namespace, {"main": [config_map("data", a="b")]}, rule)

    mine, theirs = text("shared-resource"), text("take-over")
    story.up(mine)
    other = Truth(copied("other"), story.namespace)
    said = f'annotations["app.oam.dev/shared-by"] removed:\n- {story.namespace}/shop'
    assert said in section(other.plan(theirs, code=3), "!", "data")
    other.up(theirs)
    taken = f"was taken over by application {story.namespace}/shop of another project"
    assert taken in story.plan(mine, code=1)
    labels = story.value("configmap", "data", "metadata")["labels"]
    with story.silence():
        story.delete()
    assert story.value("configmap", "data", "metadata")["labels"] == labels
    assert "1 unchanged" in other.plan(theirs, code=0)


def test_an_object_of_another_application_is_refused_in_the_plan(story: Truth) -> None:
    story.up(app(story.namespace, {"main": [config_map("data", a="b")]}))
    again = app("default", {"main": [config_map("data", a="b")]})
    for shown in (story.plan(again, code=2), story.refused(again, code=2)):
        assert f"{story.namespace}/shop" in shown
        assert "default/shop" in shown
    sibling = app(story.namespace, {"main": [config_map("data", a="c")]}, name="other")
    owner = f"is managed by other application {story.namespace}/shop"
    assert owner in story.plan(sibling, code=1, file="other.yaml")
    assert owner in story.refused(sibling, file="other.yaml")
    assert story.get("configmap", "data") is not None


def test_what_is_somebody_elses_by_now_is_refused_and_never_deleted(story: Truth) -> None:
    names = ("gone", "anew", "foreign", "sibling")
    text = app(story.namespace, {"main": [config_map(n, a="b") for n in ("ours", *names)]})
    story.up(text)
    story.kubectl("delete", "configmap", "gone", "anew")
    story.kubectl("create", "configmap", "anew", "--from-literal=a=theirs")
    mark = "velapulumi.dev/project=0123456789abcdef"
    story.kubectl("label", "configmap", "foreign", "--overwrite", mark)
    story.kubectl("label", "configmap", "sibling", "--overwrite", "app.oam.dev/name=other")
    for shown in (story.plan(text, code=1), story.refused(text)):
        assert "/anew exists on cluster-staging but not managed by any application now" in shown
        taken = f"was taken over by application {story.namespace}"
        assert f"/foreign on {STAGING} {taken}/shop of another project" in shown
        assert f"/sibling on {STAGING} {taken}/other" in shown
    told = story.status()
    for name, words in (
        ("gone", "was deleted in the cluster by others"),
        ("anew", "was deleted and created again by others; it is nobody's now"),
        ("foreign", f"was taken over by application {story.namespace}/shop"),
        ("sibling", f"was taken over by application {story.namespace}/other"),
    ):
        assert f"ConfigMap {story.namespace}/{name} on {STAGING} {words}\n" in told
    assert "/ours" not in told
    fewer = app(story.namespace, {"main": [config_map("ours", a="b")]})
    shown = story.plan(fewer, code=3)
    for name, words in (
        ("gone", "no longer in the cluster, nothing to delete"),
        ("anew", "belongs to others now"),
        ("foreign", f"belongs to {story.namespace}/shop now"),
        ("sibling", f"belongs to {story.namespace}/other now"),
    ):
        title = f"· ConfigMap {story.namespace}/{name} ({words})"
        assert section(shown, "ConfigMap", name).startswith(title)
    story.delivered(fewer)
    assert story.written == {f"ConfigMap {story.namespace}/ours"}
    for name in names[1:]:
        assert story.get("configmap", name) is not None
    assert "1 unchanged" in story.plan(fewer, code=0)


def test_a_renamed_stage_hands_its_objects_over(story: Truth) -> None:
    def text(name: str) -> str:
        document = yaml.safe_load(app(story.namespace, {"main": [deployment("web")]}))
        document["spec"]["policies"][0]["name"] = name
        return yaml.safe_dump(document)

    story.up(text("before"))
    web = story.value("deployment", "web", "metadata")
    shown = story.plan(text("after"), code=3)
    stages = dict(zip(("after", "before"), shown.split("Stage deploy-")[1:], strict=True))
    title = f"⇄ Deployment {story.namespace}/web"
    assert section(stages["after"], "Deployment", "web") == f"{title} (from stage deploy-before)"
    given = section(stages["before"], "Deployment", "web")
    delivered = story.delivered(text("after"))
    assert f"{title} (from stage deploy-before)" in delivered
    assert f"- Deployment {story.namespace}/web" not in delivered
    now = story.value("deployment", "web", "metadata")
    assert (now["uid"], now["generation"]) == (web["uid"], web["generation"])
    assert "1 unchanged" in story.plan(text("after"), code=0)
    assert given == f"{title} (handed over to stage deploy-after)"


@pytest.mark.exhaustive
def test_what_is_done_beside_the_engine_is_in_the_plan(story: Truth) -> None:
    share = ("shared-resource", rules({"resourceNames": ["common", "forever"]}))
    keep = ("garbage-collect", rules({"resourceNames": ["forever"]}, strategy="never"))

    def text(name: str, *more: str) -> str:
        objects = [config_map(f"of-{name}"), *(config_map(each, a="b") for each in more)]
        return app(story.namespace, {"main": objects}, share, keep, name=name)

    def told(shown: str) -> list[str]:
        """What is said of the shared objects, without where they are."""
        found = (section(shown, "ConfigMap", name) for name in ("common", "forever"))
        return [text.replace(f"{story.namespace}/", "") for text in found]

    story.up(text("first", "common", "forever"), file="first.yaml")
    second = text("second", "common", "forever")
    joined: list[str] = []
    joins = 'metadata.annotations["app.oam.dev/shared-by"]:\n- first\n+ first,second'
    for shown in (
        story.plan(second, code=3, file="second.yaml"),
        story.delivered(second, file="second.yaml"),
    ):
        joined += told(shown)
    first = text("first")
    for shown in (
        story.plan(first, code=3, file="first.yaml"),
        story.delivered(first, file="first.yaml"),
    ):
        assert told(shown) == [
            f"= ConfigMap {name} (no longer managed; left to second)"
            for name in ("common", "forever")
        ]
    assert story.owner("configmap", "common") == "second"
    assert story.owner("configmap", "forever") == "second"
    assert set(joined) == {
        f"= ConfigMap {name} (shared with first)\n{joins}" for name in ("common", "forever")
    }
    last = ["- ConfigMap common", "= ConfigMap forever (no longer managed; left in the cluster)"]
    with story.silence():
        done = story.project.run("delete", "second", input="n\n")
    assert told(done.stdout + done.stderr) == last
    alone = text("second")
    assert told(story.plan(alone, code=3, file="second.yaml")) == last
    assert told(story.delivered(alone, file="second.yaml")) == last
    assert story.get("configmap", "common") is None
    assert story.get("configmap", "forever") is not None
    assert story.owner("configmap", "forever") is None
