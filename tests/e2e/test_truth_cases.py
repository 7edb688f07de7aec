"""Small inputs of others' reports: what was said of them must be so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clusters import STAGING, Project
from tests.e2e.test_failures import wait_for
from tests.e2e.test_truth_drift import Truth, section

CASES = Path(__file__).with_name("cases")


@pytest.fixture
def story(copied: Callable[[str], Project], namespace: str) -> Truth:
    return Truth(copied("project"), namespace)


def case(story: Truth, name: str) -> str:
    return (CASES / f"{name}.yaml").read_text().replace("NAMESPACE", story.namespace)


def test_what_the_server_writes_in_another_way_is_no_change(story: Truth) -> None:
    text = case(story, "plan-never-empty")
    story.up(text)
    shown = story.plan(text, code=0)
    assert "7 unchanged" in shown, shown
    with story.silence():
        story.up(text)


def test_what_was_deleted_is_made_again_and_that_is_said(story: Truth) -> None:
    text = case(story, "plan-silent-about-deleted")
    story.up(text)
    story.kubectl("delete", "configmap", "gone")
    for shown in (story.plan(text, code=3), story.delivered(text)):
        assert "(create again: deleted in the cluster by others)" in section(shown, "+", "gone")
    assert story.get("configmap", "gone") is not None


@pytest.mark.exhaustive
def test_a_finished_job_that_its_ttl_has_removed_is_done(story: Truth) -> None:
    text = case(story, "job-with-ttl")
    story.up(text, code=4)
    wait_for(lambda: story.get("job", "migrate") is None, 30)
    shown = story.plan(text, code=3)
    assert f"· Job {story.namespace}/migrate (done)" in shown
    assert "Stage staging: 1 unchanged" in shown
    told = story.status("migrate")
    assert "not healthy" not in told, told
    assert story.project.run("approve", "migrate", "-y").returncode == 0
    story.delivered(text, "--timeout", "5")
    assert story.get("job", "migrate") is None


def test_a_refused_update_has_the_words_of_the_server(story: Truth) -> None:
    text = case(story, "refused-update")
    story.up(text)
    bad = text.replace("x: ok", '"x": "not valid!"')
    for shown in (story.plan(bad, code=1), story.refused(bad)):
        assert "not healthy" not in shown
        assert 'metadata.labels: Invalid value: "not valid!": a valid label must be' in shown
    assert story.value("configmap", "refused", "metadata")["labels"]["x"] == "ok"


def test_an_unknown_kind_is_refused_before_anything_is_written(story: Truth) -> None:
    text = case(story, "unknown-kind")
    for shown in (story.plan(text, code=1), story.refused(text)):
        assert f"Widget {story.namespace}/w on {STAGING}: the cluster serves no kind" in shown
    assert story.get("deployment", "beside") is None
