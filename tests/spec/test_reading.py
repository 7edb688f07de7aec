from __future__ import annotations

from pathlib import Path

import pytest

from velapulumi.errors import InvalidApplication
from velapulumi.spec import load_application, parse_application

SEED = Path(__file__).parents[2] / "examples/01-seed/app.yaml"

WITH_ALIASES = """\
---
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: app
  creationTimestamp: null
  uid: 5
spec:
  components:
  - &web
    name: web
    type: webservice
    properties: &defaults {image: nginx, port: 22:22, when: 2021-01-01, mode: 0644, big: 1_000}
    traits:
  - <<: *web
    name: other
    properties: {<<: [*defaults, {image: not-used, cmd: [a]}], port: 1}
  policies:
  - type: health
  workflow:
    steps:
    - type: suspend
    - {type: group, name: g, meta: {alias: G}}
status: {anything: 1}
---
"""


def test_seed_is_read() -> None:
    application = load_application(SEED)
    server, worker = application.components
    assert (application.name, application.namespace) == ("example-app", "default")
    assert (server.name, server.type, server.traits[0].properties) == (
        "hello-world-server",
        "webservice",
        {"replicas": 1},
    )
    assert worker.properties == {"image": "busybox", "cmd": ["sleep", "1000000"]}
    assert application.workflow is not None
    names = [step.name for step in application.workflow.steps]
    assert names == ["deploy-staging", "manual-approval", "deploy-prod"]
    assert application.spec["components"][1]["name"] == "data-worker"
    path = ("spec", "components", 1, "properties", "cmd", 1)
    assert application.problem(path, "x").line == 24
    assert application.problem((*path, "deeper", 3), "x").line == 24


def test_yaml_values_aliases_and_merge_keys() -> None:
    application = parse_application(WITH_ALIASES, "app.yaml")
    web, other = application.components
    assert web.properties == {
        "image": "nginx",
        "port": "22:22",
        "when": "2021-01-01",
        "mode": 0o644,
        "big": 1000,
    }
    assert other.type == "webservice"
    assert other.properties == {**web.properties, "port": 1, "cmd": ["a"]}
    place = ("spec", "components", 1, "properties", "image")
    assert application.problem(place, "x").line == 13


def test_unnamed_policies_and_steps_get_names() -> None:
    application = parse_application(WITH_ALIASES, "app.yaml")
    assert application.policies[0].name == "health-auto-gen-0"
    assert application.workflow is not None
    assert [step.name for step in application.workflow.steps] == ["step-0", "g"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "cannot be read: No such file or directory", id="missing"),
        pytest.param(b"a: \xff", "is not UTF-8 text", id="encoding"),
        pytest.param(b"#" * (2**20 + 1), "is larger than 1 MiB", id="too-large"),
        pytest.param(b"[" * 2000, "exceeded maximum nesting depth", id="too-deep"),
    ],
)
def test_unusable_file(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "app.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidApplication, match=message) as refused:
        load_application(file)
    assert [problem.line for problem in refused.value.problems] == [1]


def test_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidApplication, match="cannot be read"):
        load_application(tmp_path)
