"""Small makers of the values that the unit tests turn over and over."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from velapulumi.clusters.client import DryRun, Identity
from velapulumi.clusters.identity import Reached
from velapulumi.clusters.kubeconfig import Kubeconfig, parse_kubeconfig
from velapulumi.clusters.registry import JoinedCluster
from velapulumi.definitions import ClusterVersion
from velapulumi.delivery.approvals import Proposal
from velapulumi.gate.decision import Decision
from velapulumi.gate.file import read_gate
from velapulumi.gate.ledger import Trust, append, read_ledger
from velapulumi.gate.statement import StatementKind
from velapulumi.plan.document import PlanDocument, Tools
from velapulumi.program.application import subject_of
from velapulumi.program.authority import Authority, read_authority
from velapulumi.program.standing import Standing, read_standing
from velapulumi.project import Project, StackName
from velapulumi.render import Loaded, parse
from velapulumi.render.targets import DEPLOY2ENV
from velapulumi.workflow.phases import StepPhase
from velapulumi.workflow.revision import Revision
from velapulumi.workflow.run import Run
from velapulumi.workflow.steps import SUSPEND, WorkflowStep

SEED = (Path(__file__).parents[2] / "examples" / "01-seed" / "app.yaml").read_text("utf-8")
SECRET = "very-secret"
V1, V2 = "shop-v1:0123456789abcdef", "shop-v2:fedcba9876543210"
PROJECT_ID = "00112233445566ff"
MANAGER = "pulumi-kubernetes-1a2b"
CLUSTER_SCOPED = ("Namespace", "CustomResourceDefinition", "PersistentVolume", "ClusterRole")


def seed(change: Callable[[dict[str, Any]], None] = lambda document: None) -> Loaded:
    """The seed's application, changed as told."""
    document = yaml.safe_load(SEED)
    change(document)
    return parse(yaml.safe_dump(document, sort_keys=False), "app.yaml")


def revision(text: str) -> Revision:
    name, _, digest = text.partition(":")
    return Revision(name=name, hash=digest)


def deploy(stage: str, **fields: Any) -> WorkflowStep:
    return WorkflowStep(name=f"deploy-{stage}", type=DEPLOY2ENV, stage=stage, **fields)


def suspend(name: str = "ask", message: str = "") -> WorkflowStep:
    return WorkflowStep(name=name, type=SUSPEND, message=message)


def manifest(name: str = "web", **changes: Any) -> dict[str, Any]:
    """A Deployment as the renderer labels it."""
    labels = {
        "app.oam.dev/name": "shop",
        "app.oam.dev/namespace": "default",
        "app.oam.dev/component": name,
        "app.oam.dev/appRevision": "shop-v1",
        "app.oam.dev/resourceType": "WORKLOAD",
        "workload.oam.dev/type": "webservice",
    }
    metadata = {"name": name, "namespace": "default", "labels": labels}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}},
        **changes,
    }


def with_uid(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An object with the UID that it has in each cluster, unless it says another one."""
    metadata = {"uid": f"{entry['kind']}-{entry['metadata']['name']}", **entry["metadata"]}
    return {**entry, "metadata": metadata}


def marked(entry: Mapping[str, Any], project: str = PROJECT_ID) -> dict[str, Any]:
    """An object with the mark of a project."""
    labels = {**(entry["metadata"].get("labels") or {}), "velapulumi.dev/project": project}
    return {**entry, "metadata": {**entry["metadata"], "labels": labels}}


def resource(cluster: str, inputs: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A Kubernetes object as a checkpoint writes it, in the cluster as it was asked for."""
    if inputs.get("metadata"):
        more = {"outputs": {**with_uid(inputs), "__fieldManager": MANAGER}} | more
    return {
        "urn": f"urn:pulumi:shop.s::p::kubernetes:apps/v1:Deployment::{cluster}/default/x",
        "type": "kubernetes:apps/v1:Deployment",
        "provider": f"urn:pulumi:shop.s::p::pulumi:providers:kubernetes::{cluster}::0a1b",
        "inputs": dict(inputs),
        **more,
    }


def deployment(*resources: Mapping[str, Any], **outputs: Any) -> dict[str, Any]:
    """A deployment document with a stack that exported the outputs."""
    revision = outputs.get("revision", V1)
    steps = {f"deploy-{stage}": revision for stage in ("staging", "prod")}
    exported = {"revision": revision, "steps": steps, **outputs}
    stack = {"type": "pulumi:pulumi:Stack", "outputs": exported}
    return {"resources": [stack, *resources]}


def store(project: Project, stack: StackName, document: Mapping[str, Any] | str) -> Path:
    """Put a deployment into the project's own backend, as the engine would."""
    folder = project.state / "backend" / ".pulumi" / "stacks" / project.name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stack}.json"
    if not isinstance(document, str):
        document = json.dumps({"version": 3, "checkpoint": {"latest": document}})
    path.write_text(document)
    project.stacks.mkdir(exist_ok=True)
    project.config_file(stack).touch()
    return path


def kubeconfig(server: str = "https://127.0.0.1:1", **user: Any) -> dict[str, Any]:
    """A kubeconfig document with one context."""
    return {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "one", "user": "me"}}],
        "clusters": [{"name": "one", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": user or {"token": SECRET}}],
    }


def parsed(document: Mapping[str, Any], folder: Path) -> Kubeconfig:
    return parse_kubeconfig(yaml.safe_dump(dict(document)), "kubeconfig", folder)


def joined(name: str, uid: str = "") -> JoinedCluster:
    return JoinedCluster(
        name=name,
        type="token",
        endpoint="https://127.0.0.1:1",
        uid=uid or f"uid-{name}",
        joined="2026-01-02T03:04:05Z",
    )


class AllKinds(Mapping[str, tuple[str, bool]]):
    """Every kind but some, as a cluster serves them."""

    def __init__(self, lacking: Container[str] = ()) -> None:
        self._lacking = lacking

    def __getitem__(self, kind: str) -> tuple[str, bool]:
        if kind in self._lacking:
            raise KeyError(kind)
        return f"{kind.lower()}s", kind not in CLUSTER_SCOPED

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class FakeCluster:
    """A cluster that holds some objects and takes down what is asked of it.

    Args:
        live: The objects; those of the same name are one, whatever their namespace.
        pods: Its pods.
        error: What asking it for an object ends with.
        lacking: The kinds and namespaces that it does not have.
        contents: What its namespaces, and its kinds by their definitions, hold.
    """

    def __init__(
        self,
        *live: Mapping[str, Any],
        pods: tuple[Any, ...] = (),
        error: Exception | None = None,
        lacking: Container[str] = (),
        contents: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._live = {self._key(entry): entry for entry in live}
        self._pods, self._error = pods, error
        self._lacking, self._contents = lacking, contents
        self.calls: list[tuple[Any, ...]] = []

    @staticmethod
    def _key(entry: Mapping[str, Any]) -> tuple[str, str]:
        return entry["kind"], entry["metadata"]["name"]

    def read(self, wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if self._error:
            raise self._error
        found = self._live.get(self._key(wanted))
        if found is None and wanted["kind"] == "Namespace":
            return None if wanted["metadata"]["name"] in self._lacking else wanted
        return None if found is None else with_uid(found)

    def pods(self, namespace: str, labels: Mapping[str, str]) -> list[Any]:
        self.calls.append(("pods", namespace, dict(labels)))
        return list(self._pods)

    def apply(self, wanted: Mapping[str, Any], manager: str, *, force: bool = True) -> Any:
        unforced = () if force else ("unforced",)
        self.calls.append(("apply", wanted["metadata"]["name"], manager, *unforced))

    def merge(self, wanted: Mapping[str, Any], patch: Mapping[str, Any]) -> None:
        self.calls.append(("merge", wanted["metadata"]["name"], patch))

    def dry_run(self, wanted: Mapping[str, Any], manager: str, *, force: bool = False) -> DryRun:
        if self._error:
            raise self._error
        self.calls.append(("dry_run", wanted["metadata"]["name"], manager))
        return DryRun(dict(wanted))

    def kinds(self, api_version: str) -> Mapping[str, tuple[str, bool]]:
        if self._error:
            raise self._error
        return AllKinds(self._lacking)

    def forget_kinds(self) -> None:
        """It has forgotten nothing."""

    def serves(self, wanted: Mapping[str, Any]) -> bool:
        return wanted["kind"] in self.kinds(wanted["apiVersion"])

    def list_all(self, namespace: str) -> Iterator[Mapping[str, Any]]:
        yield from self._contents

    def list_kind(self, api_version: str, kind: str) -> list[Mapping[str, Any]]:
        return [entry for entry in self._contents if entry["kind"] == kind]


def reached(name: str, client: Any) -> Reached:
    entry = joined(name)
    return Reached(entry, Identity(entry.uid, ClusterVersion(1, 36, "v1.36.3")), client)


def give(project: Project, step: str, *, by: str = "alice", **fields: Any) -> None:
    """Write an unsigned approval into the ledger, of the current run and of no plan."""
    gate = read_gate(project.gate_file("shop"), "shop")
    wanted = {
        "kind": StatementKind.APPROVE,
        "by": by,
        "step": step,
        "revision": gate.current,
        "run": gate.run,
    }
    append(project.ledger_file("shop"), "shop", wanted | fields, None, Trust)


def approvals(project: Project) -> list[tuple[str, str, int, str, str]]:
    """Gate, revision, run, person and comment of every approval in the ledger."""
    lines = read_ledger(project.ledger_file("shop"), "shop").lines
    return [
        (each.step, each.revision, each.run, each.by, each.comment)
        for each in (line.entry for line in lines)
        if each.kind is StatementKind.APPROVE
    ]


@dataclass(frozen=True)
class Described:
    """Stands for an application whose file nobody needs."""

    project: Project
    steps: tuple[WorkflowStep, ...]
    revision: Revision
    run: Run
    name: str = "shop"

    @property
    def authority(self) -> Authority:
        return read_authority(self.project, self.name, self.run.number)

    def reread(self) -> Described:
        return self

    def decision(self, gate: str) -> Decision:
        subject = subject_of(self.name, self.steps, gate, str(self.revision), self.run.number)
        return self.authority.decide(subject, None)


def empty_plan(text: str) -> PlanDocument:
    """A plan that changes nothing."""
    tools = Tools(velapulumi="1", engine="2", provider="3")
    return PlanDocument(application="shop", namespace="default", revision=text, tools=tools)


def propose(project: Project, name: str) -> tuple[Proposal, ...]:
    """What waits, with plans that change nothing; needs neither file nor cluster."""
    standing: Standing = read_standing(project, name, contact=False)
    gate = standing.gate
    found = Described(project, standing.steps, revision(gate.current), Run(gate.current, gate.run))
    plan = empty_plan(gate.current)
    held = standing.run.suspended
    return tuple(
        Proposal(found, step, plan, found.decision(step.name), standing)  # type: ignore[arg-type]
        for step in standing.progress.waiting
        if not held or standing.run.step(step.name).phase is StepPhase.SUSPENDING
    )
