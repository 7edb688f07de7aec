"""Acting steps touch no governed cluster before its gate: attack 6."""

from __future__ import annotations

import json

import pytest

from tests.attacks.shop import APP, Shop
from tests.clusters import PROD

CLEAN = (
    f"{{name: tidy, type: clean-jobs, properties: "
    f"{{cluster: {PROD}, labelselector: {{app: theirs}}}}}}"
)
READ = (
    f"{{name: look, type: read-object, properties: {{apiVersion: v1, kind: Secret, name: theirs, "
    f"namespace: NAMESPACE, cluster: {PROD}}}}}"
)


JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "theirs", "labels": {"app": "theirs"}},
    "spec": {
        "template": {
            "spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a"}]},
        },
    },
}


def with_step(step: str, *, behind: bool) -> str:
    before, line, rest = APP.partition("    - {name: prod, type: deploy")
    here, _, after = rest.partition("\n")
    prod = f"{line}{here}\n"
    return before + (f"{prod}    - {step}\n" if behind else f"    - {step}\n{prod}") + after


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(CLEAN, id="clean-jobs"),
        pytest.param(READ, id="read-object", marks=pytest.mark.exhaustive),
    ],
)
def test_a_step_before_the_gate_touches_nothing(shop: Shop, step: str) -> None:
    shop.prod.kubectl("-n", shop.namespace, "create", "secret", "generic", "theirs",
                      "--from-literal=key=hunter2")  # fmt: skip
    path = shop.project.root / "job.json"
    path.write_text(json.dumps(JOB))
    shop.prod.kubectl("-n", shop.namespace, "apply", "-f", str(path))
    shop.write(2, with_step(step, behind=False))
    said = shop.refused(1)
    assert "cluster cluster-prod is under the gate policy" in said
    assert "hunter2" not in said + shop.file("journal.jsonl").read_text()
    assert "theirs" in shop.prod.kubectl("-n", shop.namespace, "get", "jobs", "-o", "name")

    shop.write(3, with_step(step, behind=True))
    shop.deliver("alice")
    assert shop.image() == "web:3"
