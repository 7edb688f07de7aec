"""Whole workflows on real clusters: waves, values, moves, and the simulation beside them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import yaml

from tests.clusters import PROD, STAGING, Project

HEAD = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: APP, namespace: NS}
spec:
  components:
  - {name: web, type: worker, properties: {image: busybox}}
"""

WAVES = """\
  policies:
  - {name: all, type: topology, properties: {clusters: [cluster-prod, cluster-staging]}}
  - {name: health, type: health, properties: {probeInterval: 1, probeTimeout: 20}}
  workflow:
    steps:
    - name: roll
      type: deploy
      properties:
        policies: [all]
        decisionGroups: [{groupName: canary, clusters: [cluster-staging]}]
        rolloutStrategy:
          type: ProgressivePerGroup
          progressivePerGroup:
            mandatoryDecisionGroups: [{groupName: canary}]
            minSuccessTime: 2s
            progressDeadline: 8s
            maxFailures: FAILURES
    - name: after
      type: print-message-in-status
      if: status.roll.failed
      properties: {message: it has failed}
    - name: settle
      type: suspend
      if: always
      properties: {duration: 1s}
"""

VALUES = """\
  policies:
  - {name: prod, type: topology, properties: {clusters: [cluster-prod]}}
  workflow:
    steps:
    - {name: go, type: deploy, properties: {policies: [prod]}}
    - name: object
      type: apply-object
      properties:
        cluster: cluster-prod
        value: {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {colour: red}}
      outputs: [{name: colour, valueFrom: output.data.colour}]
    - name: seal
      type: export2secret
      inputs: [{from: colour, parameterKey: data.colour}]
      properties: {secretName: sealed, cluster: cluster-prod, data: {word: hush-hush}}
    - name: read
      type: read-object
      properties: {apiVersion: v1, kind: Secret, name: sealed, cluster: cluster-prod, namespace: NS}
      outputs: [{name: word, valueFrom: output.value.data.word}]
    - name: use
      type: export2secret
      inputs: [{from: word, parameterKey: data.copy}]
      properties: {secretName: copied, cluster: cluster-prod, data: {}}
    - name: command
      type: run
      properties: {command: [sh, -c, "echo $VELAPULUMI_STEP_ID"]}
      outputs: [{name: id, valueFrom: output}]
    - name: check
      type: run
      properties: {command: ["false"]}
    - name: tell
      type: print-message-in-status
      if: status.check.failed && inputs.id != ""
      inputs: [{from: id, parameterKey: message}]
      properties: {}
"""


def filled(text: str, name: str, namespace: str, **values: str) -> str:
    for key, value in {"APP": name, "NS": namespace, **values}.items():
        text = text.replace(key, value)
    return text


def journal(project: Project, name: str) -> list[dict[str, Any]]:
    path = project.root / "stacks" / f"{name}.journal.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def told(entries: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What entries say of order, places and phases; looks between two transitions left out."""
    kinds = ("start", "apply", "applied", "cluster", "end", "finish")
    return [
        (
            entry["kind"],
            entry.get("step", ""),
            tuple(entry.get("clusters", ())),
            entry.get("cluster"),
            entry.get("phase"),
            entry.get("reason"),
            tuple(sorted(entry.get("failed", ()))),
        )
        for entry in entries
        if entry["kind"] in kinds
    ]


def simulated(project: Project, *options: str) -> list[tuple[Any, ...]]:
    done = project.run("simulate", "-f", "app.yaml", "-o", "json", *options)
    return told(json.loads(done.stdout)["events"])


def broken(text: str) -> str:
    """The application with pods that never start."""
    document = yaml.safe_load(text)
    document["spec"]["components"][0]["traits"] = [
        {"type": "labels", "properties": {"velapulumi.dev/sim": "pending"}}
    ]
    return yaml.safe_dump(document, sort_keys=False)


def test_waves_go_as_the_simulation_says(project: Project, namespace: str) -> None:
    project.write(filled(HEAD + WAVES, "fleet", namespace, FAILURES='"0"'))
    done = project.run("up", "-f", "app.yaml")
    assert done.returncode == 0, done.stderr
    assert told(journal(project, "fleet")) == simulated(project)
    assert {name: set(c.deployments(namespace)) for name, c in project.clusters.items()} == {
        STAGING: {"web"},
        PROD: {"web"},
    }


def test_a_canary_that_fails_stops_the_rest(project: Project, namespace: str) -> None:
    project.write(broken(filled(HEAD + WAVES, "fleet", namespace, FAILURES="100%")))
    done = project.run("up", "-f", "app.yaml")
    assert done.returncode == 6, done.stderr
    assert "ImagePullBackOff" in done.stderr
    assert project.clusters[PROD].deployments(namespace) == {}
    entries = journal(project, "fleet")
    assert [entry.get("message") for entry in entries if entry.get("step") == "after"][-1] == (
        "it has failed"
    )
    ends = {e["step"]: e["phase"] for e in entries if e["kind"] == "end"}
    assert ends == {"roll": "failed", "after": "succeeded", "settle": "succeeded"}
    project.write(filled(HEAD + WAVES, "fleet", namespace, FAILURES="100%"))
    mended = project.run("up", "-f", "app.yaml")
    assert mended.returncode == 0, mended.stderr


def test_by_hand_waves_are_refused(project: Project, namespace: str) -> None:
    project.write(filled(HEAD + WAVES, "fleet", namespace, FAILURES='"0"'))
    assert project.run("up", "-f", "app.yaml").returncode == 0
    assert project.pulumi("up", "--yes", "-s", "fleet.roll").returncode == 0
    text = (project.root / "app.yaml").read_text()
    project.write(text.replace("busybox", "busybox:2"))
    refused = project.pulumi("up", "--yes", "-s", "fleet.roll")
    assert refused.returncode != 0
    assert "step roll goes in waves, `velapulumi up` does that" in refused.stdout + refused.stderr


def test_values_go_from_step_to_step_and_secret_ones_into_no_file(
    project: Project, namespace: str
) -> None:
    project.write(filled(HEAD + VALUES, "acts", namespace))
    first = project.run("up", "-f", "app.yaml")
    assert first.returncode == 1
    assert "check: false ended with code 1" in first.stderr
    again = project.run("up", "-f", "app.yaml")
    assert again.returncode == 1
    entries = journal(project, "acts")
    ids = [e["values"]["id"] for e in entries if e.get("step") == "command" and "values" in e]
    assert len(ids) == 1
    assert len(ids[0]) == 10
    messages = [e.get("message") for e in entries if e.get("step") == "tell" and e["kind"] == "end"]
    assert messages == [ids[0], ids[0]]
    secret = json.loads(
        project.clusters[PROD].kubectl("get", "secret", "copied", "-n", namespace, "-o", "json")
    )
    assert set(secret["data"]) == {"copy"}
    for name, content in project.files().items():
        assert b"hush-hush" not in content or name.endswith((".gate.yaml", "acts-v1.yaml")), name
        assert b"aHVzaC1odXNo" not in content, name
    applied = [e for e in entries if e["kind"] == "apply"]
    assert len(applied) == len({e["step"] for e in applied}), "something was applied twice"


def test_what_moves_is_there_before_it_goes(project: Project, namespace: str) -> None:
    policies = """\
  policies:
  - {name: here, type: topology, properties: {clusters: [CLUSTER]}}
  workflow:
    steps:
    - {name: STEP, type: deploy, properties: {policies: [here]}}
"""
    write: Callable[..., Any] = lambda **values: project.write(  # noqa: E731
        filled(HEAD + policies, "move", namespace, **values)
    )
    write(CLUSTER=STAGING, STEP="one")
    assert project.run("up", "-f", "app.yaml").returncode == 0
    write(CLUSTER=PROD, STEP="one")
    assert project.run("up", "-f", "app.yaml").returncode == 0
    assert project.clusters[STAGING].deployments(namespace) == {}
    before = project.clusters[PROD].deployments(namespace)["web"]
    kinds = [(e["kind"], e.get("step")) for e in journal(project, "move")]
    assert kinds.index(("collect", "one")) > max(
        index for index, kind in enumerate(kinds) if kind == ("end", "one")
    )
    write(CLUSTER=PROD, STEP="two")  # the same place, another stage
    done = project.run("up", "-f", "app.yaml")
    assert done.returncode == 0, done.stderr
    after = project.clusters[PROD].deployments(namespace)["web"]
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["creationTimestamp"] == before["metadata"]["creationTimestamp"]
    assert [path.name for path in (project.root / "stacks").glob("Pulumi.*")] == [
        "Pulumi.move.two.yaml"
    ]


def test_somebody_else_may_hold_end_and_restart_a_run(project: Project, namespace: str) -> None:
    policies = """\
  policies:
  - {name: here, type: topology, properties: {clusters: [cluster-prod]}}
  workflow:
    steps:
    - {name: settle, type: suspend, properties: {duration: 60s}}
    - {name: go, type: deploy, properties: {policies: [here]}}
"""
    project.write(filled(HEAD + policies, "held", namespace))
    process = project.start("up", "-f", "app.yaml")
    deadline = time.monotonic() + 20
    while not (project.root / "stacks" / "held.journal.jsonl").exists():
        assert time.monotonic() < deadline, "it does not begin"
        time.sleep(0.1)
    held = project.run("workflow", "suspend", "held")
    assert held.stdout == "Successfully suspend workflow: held\n"
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 4, errors
    assert project.run("workflow", "terminate", "held").returncode == 0
    refused = project.run("up", "-f", "app.yaml")
    assert refused.returncode == 1
    assert "is terminated" in refused.stderr
    assert project.clusters[PROD].deployments(namespace) == {}
    assert project.run("workflow", "restart", "held").returncode == 0
    process = project.start("up", "-f", "app.yaml")
    deadline = time.monotonic() + 20
    while project.run("workflow", "resume", "held").stdout.startswith("workflow held is not"):
        assert time.monotonic() < deadline, "it does not wait"
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert set(project.clusters[PROD].deployments(namespace)) == {"web"}
