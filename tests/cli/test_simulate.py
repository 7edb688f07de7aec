"""`velapulumi simulate` as a person sees it: what would happen, and how `up` would end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.unit.helpers import joined, kubeconfig, parsed
from velapulumi.cli.dry_run import dry_run
from velapulumi.cli.simulate import simulate
from velapulumi.clusters.registry import Registry
from velapulumi.errors import InvalidApplication, UnknownCluster, UsageProblem
from velapulumi.project import Project

ROOT = Path(__file__).parents[2]
SEED = ROOT / "examples/01-seed/app.yaml"
TOPOLOGY = ROOT / "examples/02-topology/app.yaml"
PLAIN = ROOT / "tests/definitions/cases/webservice/minimal/app.yaml"

HEAD = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop, namespace: retail}
spec:
  components:
  - {name: web, type: worker, properties: {image: busybox}}
  policies:
  - {name: all, type: topology, properties: {clusters: [canary, east, west]}}
  - {name: health, type: health, properties: {probeInterval: 1, probeTimeout: 20}}
  workflow:
    steps:
"""

FLEET = """\
    - name: roll
      type: deploy
      properties:
        policies: [all]
        decisionGroups: [{groupName: first, GROUP}]
        rolloutStrategy:
          type: ProgressivePerGroup
          progressivePerGroup:
            mandatoryDecisionGroups: [{groupName: first}]
            minSuccessTime: 5s
            maxFailures: 1
    - name: after
      type: step-group
      subSteps:
      - {name: tell, type: webhook, properties: {url: {value: "http://127.0.0.1:1"}}}
      - {name: settle, type: suspend, properties: {duration: 3h, message: Let caches warm up.}}
    - {name: ask, type: suspend, properties: {message: Is all well?}}
    - {name: mourn, type: run, if: status.roll.failed, properties: {command: ["true"]}}
"""


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file outside any project."""
    monkeypatch.chdir(tmp_path)
    return write(tmp_path, HEAD + FLEET.replace("GROUP", "clusters: [canary]"))


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The clusters of a project, in its folder."""
    (tmp_path / "Pulumi.yaml").write_text("name: test\nstackConfigDir: stacks\n")
    (tmp_path / "stacks").mkdir()
    monkeypatch.chdir(tmp_path)
    return Registry(Project(tmp_path, "test", tmp_path / "stacks"))


def write(folder: Path, text: str) -> Path:
    file = folder / "app.yaml"
    file.write_text(text, "utf-8")
    return file


def join(registry: Registry, folder: Path, **labels: dict[str, str]) -> None:
    for name, given in labels.items():
        cluster = joined(name.replace("_", "-")).model_copy(update={"labels": given})
        registry.add(cluster, parsed(kubeconfig(), folder))


def run(*arguments: str | Path) -> Result:
    texts = [str(argument) for argument in arguments]
    return CliRunner().invoke(simulate, texts, standalone_mode=False)


def told(file: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the document of a simulation."""
    result = run("-f", file, "-o", "json", *options)
    assert result.exception is None, result.exception
    return result.return_value, json.loads(result.stdout)


def test_what_happens_when_and_where_one_cluster_of_three_gets_sick(fleet: Path) -> None:
    result = run("-f", fleet, "--fail", "east@roll")
    assert result.return_value == 7
    assert re.sub(r"v1:[0-9a-f]{16}", "v1:HASH", result.stdout).splitlines() == [
        "TIME    STEP     CLUSTER      EVENT",
        "0s                            run 1 of shop-v1:HASH begins",
        "0s      roll                  begins",
        "0s      roll     canary       applies, wave 1 of 2",
        "7s      roll     canary       applied",
        "7s      roll     canary       healthy, has to stay so for 5s",
        "12s     roll     canary       healthy for 5s",
        "12s     roll     east, west   applies, wave 2 of 2",
        "34s     roll     east         failed: roll is not healthy on east after 20s",
        "34s     roll     west         applied",
        "34s     roll     west         healthy, has to stay so for 5s",
        "39s     roll     west         healthy for 5s",
        "39s     roll                  done, but on east, within what may fail",
        "39s     after                 begins, after roll",
        "39s     tell                  begins",
        "39s     settle                waits 10800s, or for approval: Let caches warm up.",
        "39s     tell                  acts",
        "40s     tell                  done",
        "3h39s   settle                goes on",
        "3h39s   after                 done",
        "3h39s   ask                   begins, after after; its approval is taken as given",
        "3h39s   ask                   goes on",
        "3h39s   mourn                 skipped, as its condition does not hold: status.roll.failed",
        "3h39s                         the workflow has succeeded",
        "",
        "CLUSTER   REACHED   STEPS",
        "canary    yes       roll Succeeded",
        "east      no        roll Failed",
        "west      yes       roll Succeeded",
        "",
        "Phase: succeeded, after 3h39s.",
        "Needs approval, taken as given: ask.",
        "`up` would end with exit code 7: shop-v1:HASH is delivered but for roll on east, within "
        "what may fail",
    ]


def test_a_canary_that_fails_halts_the_rest(fleet: Path) -> None:
    result = run("-f", fleet, "--fail", "canary@roll")
    assert result.return_value == 6
    text = result.stdout
    assert "east, west   applies" not in text
    assert "roll is not healthy on canary after 20s; halts, so nothing goes to east, west" in text
    assert re.search(r" after +skipped, as roll did not succeed\n", text)
    assert re.search(r" mourn +begins, after ask\n", text)
    assert "canary    no        roll Failed\n" in text
    assert "west      no        roll ToApply\n" in text
    assert "Phase: failed, after 23s.\n" in text


@pytest.mark.parametrize(
    ("options", "code", "phase", "reached"),
    [
        ([], 0, "succeeded", {"canary", "east", "west"}),
        (["--fail", "east@roll"], 7, "succeeded", {"canary", "west"}),
        (["--fail", "east@roll", "--fail", "west@roll"], 6, "failed", {"canary"}),
        (["--fail", "canary@roll"], 6, "failed", set()),
        (["--fail", "tell"], 1, "failed", {"canary", "east", "west"}),
        (["--unreachable", "east"], 7, "succeeded", {"canary", "west"}),
        (["--unreachable", "canary"], 1, "failed", set()),
        (["--reject", "ask"], 4, "suspending", {"canary", "east", "west"}),
        (["--reject", "ask", "--fail", "east@roll"], 4, "suspending", {"canary", "west"}),
        (["--fail", "mourn"], 0, "succeeded", {"canary", "east", "west"}),
    ],
)
def test_how_it_ends(
    fleet: Path, options: list[str], code: int, phase: str, reached: set[str]
) -> None:
    found, document = told(fleet, *options)
    assert (found, document["exit"], document["phase"]) == (code, code, phase)
    places = document["clusters"]
    assert {name for name, place in places.items() if place["reached"]} == reached
    assert set(places) == {"canary", "east", "west"}


def test_a_gate_is_listed_with_its_message_and_whether_it_is_given(fleet: Path) -> None:
    gate = {"step": "ask", "message": "Is all well?"}
    assert told(fleet)[1]["approvals"] == [{**gate, "given": True}]
    assert told(fleet, "--reject", "ask")[1]["approvals"] == [{**gate, "given": False}]
    assert told(fleet, "--fail", "canary@roll")[1]["approvals"] == []


def test_what_never_begins_tells_what_it_waits_for(fleet: Path) -> None:
    result = run("-f", fleet, "--reject", "ask")
    rows = [line.split(maxsplit=2)[1:] for line in result.stdout.splitlines() if "h24s" in line]
    assert ["ask", "waits for approval: Is all well?"] in rows
    assert ["mourn", "has not begun: waits for ask"] in rows
    assert result.stdout.endswith("Phase: suspending, after 3h24s.\nWaits for approval: ask.\n")


def test_events_are_the_entries_of_the_journal_in_virtual_seconds(fleet: Path) -> None:
    _, document = told(fleet)
    events = document["events"]
    assert events[0]["kind"] == "begin"
    assert events[-1] == {"kind": "finish", "phase": "succeeded", "seconds": document["seconds"]}
    assert [event["seconds"] for event in events] == sorted(event["seconds"] for event in events)
    applied = [(e["seconds"], e["clusters"]) for e in events if e["kind"] == "applied"]
    assert applied == [(7, ["canary"]), (19, ["east", "west"])]
    assert not any("at" in event or "healthy" in event for event in events)


def test_it_says_the_same_whenever_it_is_asked(fleet: Path) -> None:
    assert run("-f", fleet).stdout == run("-f", fleet).stdout


@pytest.mark.parametrize(
    ("options", "message", "next_step"),
    [
        (["--fail", "esat@roll"], 'there is no cluster of step roll "esat", did you mean', ""),
        (["--fail", "east@rol"], 'there is no delivering step "rol", did you mean "roll"?', ""),
        (["--fail", "east@tell"], 'there is no delivering step "tell"', ""),
        (["--fail", "tel"], 'there is no acting step "tel", did you mean "tell"?', ""),
        (["--fail", "settle"], 'there is no acting step "settle"', ""),
        (["--fail", "@"], 'there is no delivering step ""', ""),
        (["--fail", "@roll"], 'there is no cluster of step roll ""', ""),
        (["--fail", "roll"], "step roll delivers, so it fails on a cluster", "canary@roll"),
        (["--unreachable", "wets"], 'there is no cluster "wets", did you mean "west"?', ""),
        (["--reject", "aks"], 'there is no step that waits for approval "aks", did you', ""),
        (["--reject", "settle"], "step settle goes on by itself when its duration", "need one: "),
    ],
)
def test_what_cannot_go_wrong_is_refused(
    fleet: Path, options: list[str], message: str, next_step: str
) -> None:
    result = run("-f", fleet, *options)
    assert isinstance(result.exception, UsageProblem)
    assert str(result.exception).startswith(message)
    assert next_step in result.exception.next_step
    assert (result.exception.exit_code, result.stdout) == (2, "")


def test_a_cluster_may_be_given_by_any_of_its_names(tmp_path: Path, registry: Registry) -> None:
    file = write(tmp_path, HEAD + FLEET.replace("GROUP", "clusters: [canary]"))
    join(registry, tmp_path, canary={}, east={}, west={})
    other = joined("x-east", "uid-east").model_copy(update={"joined": "2026-01-02T03:04:06Z"})
    registry.add(other, parsed(kubeconfig(), tmp_path))
    for options in (["--fail", "x-east@roll"], ["--unreachable", "x-east"]):
        code, document = told(file, *options)
        assert code == 7
        assert not document["clusters"]["east"]["reached"]
    result = CliRunner().invoke(dry_run, ["-f", str(file), "--cluster", "x-east"])
    assert "cluster: east" in result.stdout


def test_clusters_chosen_by_labels_have_to_be_known(tmp_path: Path, registry: Registry) -> None:
    refused = run("-f", TOPOLOGY).exception
    assert isinstance(refused, UsageProblem)
    assert str(refused).endswith(
        "step canary chooses clusters by their labels, and no labelled cluster is known here"
    )
    join(registry, tmp_path, cluster_staging={}, here={"tier": "production"}, there={"tier": "x"})
    code, document = told(TOPOLOGY)
    assert (code, list(document["clusters"])) == (0, ["cluster-staging", "here"])
    assert [gate["step"] for gate in document["approvals"]] == ["canary", "everyone"]


def test_waves_by_labels_need_the_labels(tmp_path: Path, registry: Registry) -> None:
    file = write(tmp_path, HEAD + FLEET.replace("GROUP", "clusterLabelSelector: {ring: '0'}"))
    refused = run("-f", file).exception
    assert isinstance(refused, UsageProblem)
    assert "step roll chooses clusters by their labels" in str(refused)
    join(registry, tmp_path, canary={}, east={}, west={"ring": "0"})
    events = told(file)[1]["events"]
    waves = [event["clusters"] for event in events if event["kind"] == "apply"]
    assert waves == [["west"], ["canary", "east"]]


def test_what_up_refuses_is_refused(tmp_path: Path, registry: Registry) -> None:
    join(registry, tmp_path, cluster_staging={})
    unknown = run("-f", SEED).exception
    assert isinstance(unknown, UnknownCluster)
    assert str(unknown) == "no such cluster: cluster-prod"
    nowhere = run("-f", PLAIN).exception
    assert isinstance(nowhere, UsageProblem)
    assert "no step delivers to a cluster" in str(nowhere)
    own = write(tmp_path, HEAD.replace("[canary, east, west]", "[local]").partition("  wor")[0])
    local = run("-f", own).exception
    assert isinstance(local, UsageProblem)
    assert "the control plane's own cluster" in str(local)
    assert isinstance(run("-f", tmp_path / "none.yaml").exception, InvalidApplication)


def test_nothing_is_written(tmp_path: Path, registry: Registry) -> None:
    join(registry, tmp_path, cluster_staging={}, cluster_prod={})
    before = sorted(tmp_path.rglob("*"))
    assert told(SEED)[0] == 0
    assert sorted(tmp_path.rglob("*")) == before


def test_unknown_parameters_are_refused_or_ignored_with_a_warning(fleet: Path) -> None:
    fleet.write_text(fleet.read_text().replace("{image: busybox}", "{image: busybox, imgae: x}"))
    assert isinstance(run("-f", fleet).exception, InvalidApplication)
    allowed = run("-f", fleet, "--allow-unknown-parameters")
    assert allowed.return_value == 0
    assert allowed.stderr == "Warning: component web: properties.imgae is unknown and ignored\n"


def test_importing_the_command_loads_neither_yaml_nor_the_rest() -> None:
    program = (
        "import sys, velapulumi.cli.simulate\n"
        "print([name for name in ('yaml', 'pydantic', 'pulumi', 'velapulumi.render') "
        "if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout == "[]\n"
