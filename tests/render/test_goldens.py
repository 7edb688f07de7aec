"""The cases made with KubeVela itself, beside the checkout; skipped when they are not there."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from velapulumi.definitions import (
    ClusterVersion,
    ComponentDefinition,
    PolicyDefinition,
    StepDefinition,
    TraitDefinition,
    types_of,
)
from velapulumi.definitions.refused import REFUSED_STEPS
from velapulumi.errors import InvalidApplication
from velapulumi.render import (
    Environment,
    RevisionNames,
    Surroundings,
    parse,
    render_environment,
    shown_environments,
)
from velapulumi.render.objects import CLUSTER_SCOPED

ROOT = Path(__file__).parents[2]
CASES = ROOT / os.environ.get("VELAPULUMI_GOLDENS", "../shared/goldens") / "cases"

KINDS = {
    "components": ComponentDefinition,
    "traits": TraitDefinition,
    "policies": PolicyDefinition,
    "workflowSteps": StepDefinition,
}
REFUSED_ON_PURPOSE = {
    "e2e-app-app8": "two components of one name",
    "docdef-workflowstep-export-service": "a step without its targetPort",
    "docdef-workflowstep-read-config": "an output of a step without valueFrom",
    "e2e-app-app10": "a step for a component which is not there",
    "ex-advanced-cue-app2": "a Service without ports",
    "ex-workflow-notification-app": "a port of a step which is no number",
    "own-err-dependson-missing": "dependsOn a component which is not there",
    "own-err-duplicate-component": "two components of one name",
    "own-err-duplicate-volume-storage": "a number in a ConfigMap",
    "own-err-expose-twice": "two Services of one name",
    "own-err-gateway-missing-http": "a Service and an Ingress which lead nowhere",
    "own-err-gateway-twice-unnamed": "two Ingresses of one name",
    "own-err-mc-topology-unknown-field": "an unknown field of a policy",
    "own-err-ports-missing-port": "a port without its number",
    "own-scaler-on-daemon": "a trait on a workload it does not apply to",
}
DIFFERENT_ON_PURPOSE = {
    "own-mc-env-name-substring": "names match as a whole",
    "own-trait-gateway-same-port": "a Service has each port once",
    "own-trait-storage": "a block device is no empty mount as well",
}
PARAMETERS_KUBEVELA_IGNORES = {
    "docdef-workflowstep-check-metrics",
    "ex-app-with-policy-gc-policy-reverse-dependency",
    "ex-enduser-sample",
    "own-unknown-trait-parameter",
}
"""Refused, and equal when unknown parameters are allowed."""
BLANKS = {"TEST_NAMESPACE": "test-namespace", "SHARD": "0", "VERSION": "1", "ID": "1"}
"""What the examples leave to be filled in, in the file and in what is expected of it."""
NEWER_API_ON_PURPOSE = {
    "docdef-workflowstep-apply-component": "ingress, whose API is gone since Kubernetes 1.22",
    "docdef-workflowstep-depends-on-app": "ingress likewise",
    "ex-advanced-cue-app1": "ingress likewise",
}
"""Different on a current cluster only."""
MINORS = (0, 30)
"""Kubernetes versions the cases were made for; where one file serves both there is no second."""
BOOKKEEPING = ("app.oam.dev/appRevision", "app.oam.dev/revision")


def supported(meta: dict[str, Any]) -> bool:
    definitions = meta["definitions"]
    known = all(
        set(definitions[key]) <= {*types_of(kind), *REFUSED_STEPS} for key, kind in KINDS.items()
    )
    return known and meta["class"] != "unsupported"


def filled(path: Path) -> str:
    """Content of a file of a case with its blanks filled in."""
    text = path.read_text("utf-8")
    for blank, value in BLANKS.items():
        text = re.sub(rf"(?<![A-Z]){blank}(?![A-Z])", value, text)
    return text


def application(case: Path) -> str:
    """The Application with the documents that stand beside it."""
    beside = sorted(case.glob("extra-*.yaml"))
    return "\n---\n".join(filled(path) for path in (case / "app.yaml", *beside))


def cases() -> list[Path]:
    found = sorted(CASES.glob("*/meta.json"))
    return [path.parent for path in found if supported(json.loads(path.read_text("utf-8")))]


def normal(manifest: Any) -> Any:
    """A manifest without what only the oracle has (see the README of the goldens)."""
    if isinstance(manifest, dict):
        values = {key: normal(value) for key, value in manifest.items() if key not in BOOKKEEPING}
        if values.get("app.oam.dev/cluster") == "local":
            del values["app.oam.dev/cluster"]
        return {key: value for key, value in values.items() if value not in (None, [], {})}
    return [normal(item) for item in manifest] if isinstance(manifest, list) else manifest


def in_order(documents: list[Any]) -> list[str]:
    return sorted(json.dumps(normal(document), sort_keys=True) for document in documents)


def expected(case: Path, minor: int) -> list[Any]:
    special = case / f"expected-minor{minor}.yaml"
    path = special if special.exists() else case / "expected.yaml"
    return list(yaml.safe_load_all(filled(path)))


def rendered(case: Path, minor: int, *, allow_unknown: bool = False) -> list[Any]:
    surroundings = Surroundings(allow_unknown=allow_unknown)
    loaded = parse(application(case), "app.yaml", surroundings)
    return [
        item.manifest
        for environment in shown_environments(loaded)
        for item in render_environment(
            loaded.application, on_version(environment, minor), RevisionNames("r"), surroundings
        )
    ]


def on_version(environment: Environment, minor: int) -> Environment:
    version = ClusterVersion(minor=minor)
    places = tuple(replace(place, version=version) for place in environment.placements)
    return replace(environment, placements=places)


@pytest.mark.skipif(not CASES.is_dir(), reason="the golden cases are not beside this checkout")
def test_there_are_cases_to_compare() -> None:
    assert len(cases()) > 180


@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("case", cases(), ids=lambda path: path.name)
def test_objects_equal_those_of_kubevela(case: Path, minor: int) -> None:
    meta = json.loads((case / "meta.json").read_text("utf-8"))
    if meta.get("upstream_bug"):
        assert rendered(case, minor)
        return
    if meta.get("expect") == "error" or case.name in REFUSED_ON_PURPOSE:
        with pytest.raises(InvalidApplication) as refused:
            rendered(case, minor)
        assert all(word in str(refused.value) for word in meta.get("mention") or ())
        return
    allow_unknown = case.name in PARAMETERS_KUBEVELA_IGNORES
    if allow_unknown:
        with pytest.raises(InvalidApplication, match="unknown field"):
            rendered(case, minor)
    ours = rendered(case, minor, allow_unknown=allow_unknown)
    theirs = expected(case, minor)
    for document in (*ours, *theirs):
        metadata = document["metadata"]
        if meta.get("match") != "placed":  # the oracle has not placed it
            metadata["labels"].pop("app.oam.dev/cluster", None)
        group = document["apiVersion"].rpartition("/")[0]
        scoped = (group, document["kind"]) in CLUSTER_SCOPED
        if scoped or meta.get("placement_note") == "label-selector":
            metadata.pop("namespace", None)
    same = in_order(ours) == in_order(theirs)
    newer = case.name in NEWER_API_ON_PURPOSE and minor == MINORS[-1]
    assert same == (case.name not in DIFFERENT_ON_PURPOSE and not newer)
