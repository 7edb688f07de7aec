"""A law: the plan that is made right after an ``up`` is empty, whatever the objects are like.

The objects of many files are delivered at once, a namespace for each file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
import yaml

from tests.clusters import STAGING, Project
from tests.definitions.test_cases import CASES
from tests.render.test_goldens import MINORS, rendered
from tests.render.test_goldens import cases as goldens
from velapulumi.errors import VelapulumiError
from velapulumi.plan.document import read_plan
from velapulumi.render import RevisionNames, base_environment, load, render_environment
from velapulumi.render.objects import CLUSTER_SCOPED
from velapulumi.render.rules import NO_WAIT

SAMPLE = (
    "affinity/pods", "cron-task/full", "daemon/full", "gateway/full", "hpa/all-metrics",
    "init-container/full", "k8s-objects/odd-metadata", "service-account/privileges",
    "startup-probe/probes", "statefulset/minimal", "storage/config-maps", "webservice/full",
)  # fmt: skip
BATCH = 20


def own(case: str) -> list[dict[str, Any]]:
    """The objects of one of our own cases."""
    loaded = load(CASES / case / "app.yaml")
    environments = loaded.environments.values() or [base_environment(loaded)]
    return [
        entry.manifest
        for each in environments
        for entry in render_environment(loaded.application, each, RevisionNames("r"))
    ]


def placed(objects: Sequence[dict[str, Any]], namespace: str) -> Iterator[dict[str, Any]]:
    """Objects in a namespace, each once, without what an application says of them."""
    seen = set()
    for each in objects:
        group, kind = each["apiVersion"].rpartition("/")[0], each["kind"]
        metadata = {**each["metadata"], "namespace": namespace}
        # Not all of them would get ready where no volume, node or image is.
        metadata["annotations"] = {**metadata.get("annotations", {}), NO_WAIT[-1]: "true"}
        metadata["labels"] = {
            key: value for key, value in metadata["labels"].items() if "oam.dev/" not in key
        }
        if (group, kind) in CLUSTER_SCOPED:
            metadata["name"] = f"{namespace}-{metadata['name']}"
            del metadata["namespace"]
        if (group, kind, metadata["name"]) not in seen:
            seen.add((group, kind, metadata["name"]))
            yield {**each, "metadata": metadata}


class Batch:
    """Files whose objects are delivered as one application."""

    def __init__(self, project: Project, name: str, files: dict[str, list[dict[str, Any]]]) -> None:
        self.project = project
        self.name = name
        self.objects = {
            f"{name}-{number}": list(placed(objects, f"{name}-{number}"))
            for number, objects in enumerate(files.values())
        }
        self.titles = dict(zip(self.objects, files, strict=True))
        spaces = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            for name in self.objects
        ]
        path = project.root / "spaces.yaml"
        path.write_text(yaml.safe_dump_all(spaces))
        project.clusters[STAGING].kubectl("create", "-f", str(path))

    def drop(self) -> dict[str, str]:
        """Leave out the files that a cluster refuses; why, by file."""
        found: dict[str, str] = {}
        while True:
            done = self.run("plan")
            assert done.returncode in (1, 3), done.stderr
            if done.returncode == 3:
                return found
            lines = [line for line in done.stderr.splitlines() if self.name in line]
            gone = {name for line in lines for name in re.findall(rf"{self.name}-\d+", line)}
            assert gone, done.stderr
            for name in gone:
                del self.objects[name]
                found[self.titles[name]] = next(line for line in lines if name in line)

    def empty(self) -> str:
        """Deliver all, and what the plan after it says; empty when that is nothing."""
        done = self.run("up")
        assert done.returncode == 0, done.stdout + done.stderr
        plan = self.run("plan", "-o", "json")
        operations = {
            f"{self.titles.get(each.namespace, each.name)}: {each.title} {each.operation}"
            for stage in read_plan(plan.stdout.encode(), "plan").stages
            for cluster in stage.clusters
            for each in cluster.objects
            if not each.operation.is_quiet
        }
        spaces = ("delete", "namespace", "--wait=false", *self.objects)
        self.project.clusters[STAGING].kubectl(*spaces)  # its pods take the place of others'
        return "\n".join(sorted(operations)) or ("" if plan.returncode == 0 else plan.stdout)

    def run(self, command: str, *more: str) -> Any:
        document = {
            "apiVersion": "core.oam.dev/v1beta1",
            "kind": "Application",
            "metadata": {"name": "law", "namespace": "default"},
            "spec": {
                "components": [
                    {
                        "name": f"c{number}",
                        "type": "k8s-objects",
                        "properties": {"objects": objects},
                    }
                    for number, objects in enumerate(self.objects.values())
                    if objects
                ],
                "policies": [
                    {"name": "here", "type": "topology", "properties": {"clusters": [STAGING]}}
                ],
            },
        }
        path = self.project.write(json.dumps(document))
        return self.project.run(command, "-f", str(path), *more)


def test_a_plan_right_after_up_is_empty(copied: Callable[[str], Project], namespace: str) -> None:
    batch = Batch(copied("law"), namespace, {name: own(name) for name in SAMPLE})
    assert batch.empty() == ""


REFUSED = {
    "expose/external-name": "no external name",
    "helm/existing-source": "a kind that is not there",
    "helm/release": "likewise",
    "helm/sources": "likewise",
    "k8s-objects/several": "likewise",
    "kustomize/image-updates": "likewise",
    "kustomize/options": "likewise",
    "kustomize/sources": "likewise",
}
"""What a cluster without further kinds does not take."""


def own_files() -> dict[str, list[dict[str, Any]]]:
    names = sorted("/".join(path.parts[-3:-1]) for path in CASES.glob("*/*/app.yaml"))
    return {name: own(name) for name in names}


def golden_files() -> dict[str, list[dict[str, Any]]]:
    found = {}
    for case in goldens():
        with suppress(VelapulumiError):
            found[case.name] = rendered(case, MINORS[-1], allow_unknown=True)
    return found


@pytest.mark.exhaustive
@pytest.mark.parametrize("files", [own_files, golden_files])
def test_that_law_for_every_file(
    files: Callable[[], dict[str, list[dict[str, Any]]]],
    copied: Callable[[str], Project],
    namespace: str,
) -> None:
    found = files()
    refused: dict[str, str] = {}
    problems = []
    for number in range(0, len(found), BATCH):
        names = list(found)[number : number + BATCH]
        project = copied(f"law-{number}")
        batch = Batch(project, f"{namespace}-{number}", {name: found[name] for name in names})
        refused |= batch.drop()
        problems.append(batch.empty())
    assert "\n".join(filter(None, problems)) == ""
    if files is own_files:
        assert refused.keys() == REFUSED.keys(), refused
