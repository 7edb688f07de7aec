"""The cases made with KubeVela itself, beside the checkout; skipped when they are not there."""

from __future__ import annotations

import json
import os
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
from velapulumi.errors import InvalidApplication
from velapulumi.render import (
    Environment,
    RevisionNames,
    base_environment,
    load,
    render_environment,
)

ROOT = Path(__file__).parents[2]
CASES = ROOT / os.environ.get("VELAPULUMI_GOLDENS", "../shared/goldens") / "cases"

KINDS = {
    "components": ComponentDefinition,
    "traits": TraitDefinition,
    "policies": PolicyDefinition,
    "workflowSteps": StepDefinition,
}
REFUSED_ON_PURPOSE = {
    "e2emc-app-example-vela-cli-tool-test-app": "a namespace that is no valid name",
    "e2e-app-app8": "two components of one name",
    "e2emc-app-app-with-env-and-storage": "a namespace that is no valid name",
    "ex-advanced-cue-app2": "an unknown parameter, and a Service without ports",
    "ex-enduser-sample": "an unknown parameter",
    "own-err-dependson-missing": "dependsOn a component which is not there",
    "own-err-duplicate-component": "two components of one name",
    "own-err-duplicate-volume-storage": "a number in a ConfigMap",
    "own-err-expose-twice": "two Services of one name",
    "own-err-gateway-missing-http": "a Service and an Ingress which lead nowhere",
    "own-err-gateway-twice-unnamed": "two Ingresses of one name",
    "own-err-mc-topology-unknown-field": "an unknown field of a policy",
    "own-err-ports-missing-port": "a port without its number",
    "own-scaler-on-daemon": "a trait on a workload it does not apply to",
    "own-unknown-trait-parameter": "an unknown parameter",
}
DIFFERENT_ON_PURPOSE = {
    "own-mc-env-name-substring": "names match as a whole",
    "own-trait-storage": "a block device is no empty mount as well",
}
NEWER_API_ON_PURPOSE = {
    "docdef-workflowstep-apply-component": "ingress, whose API is gone since Kubernetes 1.22",
    "docdef-workflowstep-depends-on-app": "ingress likewise",
    "ex-advanced-cue-app1": "ingress likewise",
    "ex-workflow-notification-app": "ingress likewise",
}
"""Different on a current cluster only."""
MINORS = (0, 30)
"""Kubernetes versions the cases were made for; where one file serves both there is no second."""
BOOKKEEPING = ("app.oam.dev/appRevision", "app.oam.dev/revision")


def supported(meta: dict[str, Any]) -> bool:
    definitions = meta["definitions"]
    known = all(set(definitions[key]) <= set(types_of(kind)) for key, kind in KINDS.items())
    return known and not meta.get("extra_files") and meta["class"] != "unsupported"


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
    return list(yaml.safe_load_all(path.read_text("utf-8")))


def rendered(path: Path, minor: int) -> list[Any]:
    loaded = load(path)
    application = loaded.application
    return [
        item.manifest
        for environment in loaded.environments.values() or [base_environment(application)]
        for item in render_environment(
            application, on_version(environment, minor), RevisionNames("r")
        )
    ]


def on_version(environment: Environment, minor: int) -> Environment:
    version = ClusterVersion(minor=minor)
    places = tuple(replace(place, version=version) for place in environment.placements)
    return replace(environment, placements=places)


@pytest.mark.skipif(not CASES.is_dir(), reason="the golden cases are not beside this checkout")
def test_there_are_cases_to_compare() -> None:
    assert len(cases()) > 10


@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("case", cases(), ids=lambda path: path.name)
def test_objects_equal_those_of_kubevela(case: Path, minor: int) -> None:
    meta = json.loads((case / "meta.json").read_text("utf-8"))
    if meta.get("upstream_bug"):
        assert rendered(case / "app.yaml", minor)
        return
    if meta.get("expect") == "error" or case.name in REFUSED_ON_PURPOSE:
        with pytest.raises(InvalidApplication) as refused:
            load(case / "app.yaml")
        assert all(word in str(refused.value) for word in meta.get("mention") or ())
        return
    same = in_order(rendered(case / "app.yaml", minor)) == in_order(expected(case, minor))
    newer = case.name in NEWER_API_ON_PURPOSE and minor == MINORS[-1]
    assert same == (case.name not in DIFFERENT_ON_PURPOSE and not newer)
