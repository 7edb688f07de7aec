"""Looks at the gates of a run: whether they are open, and for what is there now."""

from __future__ import annotations

from collections.abc import Callable, Collection

from velapulumi import files
from velapulumi.errors import (
    ApprovalRejected,
    ClusterProblem,
    GateProblem,
    VelapulumiError,
    WaitingForApproval,
)
from velapulumi.gate.approver import who
from velapulumi.gate.decision import Decision
from velapulumi.gate.file import read_gate
from velapulumi.gate.ledger import append, read_ledger
from velapulumi.gate.statement import StatementKind
from velapulumi.plan.document import PlanDocument
from velapulumi.program.application import Application
from velapulumi.program.authority import read_trust
from velapulumi.project import Project
from velapulumi.stage.approval import current_plan, stale
from velapulumi.stage.look import Look, SharedLook
from velapulumi.workflow.gates import clusters_of, sure_gates
from velapulumi.workflow.steps import WorkflowStep

Signer = Callable[[bytes], str]
"""Gives the signature of some bytes."""


class Gatekeeper:
    """Looks at gates, each approved plan once.

    Args:
        look: What the clusters have.
    """

    def __init__(self, look: SharedLook) -> None:
        self._look = look
        self.closed: dict[str, VelapulumiError] = {}
        self._held: set[tuple[str, str]] = set()
        self._tried: set[str] = set()

    def look(self, application: Application, gate: str) -> Decision | None:
        """How a gate was opened; None while it is closed, which ``closed`` then explains.

        Args:
            application: The application as it is now.
            gate: The gate's name.
        """
        decision = application.decision(gate)
        error = self._why_closed(application, gate, decision)
        if not (decision.open and error is None) and gate not in self._tried:
            self._tried.add(gate)
            if approve_by_rule(application, gate, self._look.get()):
                application = application.reread()
                decision = application.decision(gate)
                error = self._why_closed(application, gate, decision)
        self.closed.pop(gate, None)
        if error is not None:
            self.closed[gate] = error
        return decision if decision.open and error is None else None

    def _why_closed(
        self, application: Application, gate: str, decision: Decision
    ) -> VelapulumiError | None:
        """Why a gate is closed; None also where it only waits for a first approval."""
        if not decision.open:
            return _why(application, gate, decision)
        if (gate, decision.plan) in self._held:
            return None
        try:
            error = next(stale(application, gate, self._look.get()), None)
        except ClusterProblem:
            return None  # whether it can be reached is told when it is delivered
        if error is None:
            self._held.add((gate, decision.plan))
        return error


def approve_by_rule(application: Application, gate: str, look: Look) -> bool:
    """Note that a gate needs nobody's approval, where the policy says so of what it opens.

    Args:
        application: The application.
        gate: The gate's name.
        look: What the clusters have.
    """
    authority, subject = application.authority, application.subject(gate)
    by_stage = [authority.rules(stage, subject.clusters[stage]) for stage in subject.stages]
    rules = [rule for found in by_stage for rule in found]
    if not by_stage or not all(by_stage) or any(rule.auto is None for rule in rules):
        return False
    try:
        plan = current_plan(application, gate, look)
    except ClusterProblem:
        return False
    if not all(authority.needs_nobody(plan, rule) for rule in rules):
        return False
    keep(application, plan)
    state(application, gate, plan, StatementKind.AUTO, by=who())
    return True


def why_untouched(application: Application, step: WorkflowStep, cluster: str) -> str:
    """Why an acting step may not touch a cluster; empty when it may.

    A step touches a governed cluster only behind gates that are open and that ask for all that the
    policy asks for before a delivery to it.

    Args:
        application: The application as it is now.
        step: The step.
        cluster: The cluster.
    """
    authority, workflow = application.authority, application.workflow
    names = {cluster, *authority.names.every_name([cluster])}
    needed = list(authority.rules("", [cluster]))
    for stage in {*workflow.stages, *application.abandoned}:
        delivered = clusters_of(workflow.steps, stage)
        if not names.isdisjoint((*delivered, *authority.held.get(stage, ()))):
            needed += authority.rules(stage, delivered)
    asked = [
        rule
        for gate in sure_gates(workflow.steps, step)
        if application.approved(gate.name)
        for stage, clusters in application.subject(gate.name).clusters.items()
        for rule in authority.rules(stage, clusters)
    ]
    if all(rule in asked for rule in needed):
        return ""
    return (
        f"cluster {cluster} is under the gate policy, and step {step.name} comes before the "
        "approvals that it asks for"
    )


def keep(application: Application, plan: PlanDocument) -> None:
    """Keep a plan document beside the ledger that names it."""
    path = application.project.plan_file(application.name, plan.digest)
    if not path.exists():
        files.write(path, plan.text.decode() + "\n")


def state(
    application: Application,
    gate: str,
    plan: PlanDocument,
    kind: StatementKind,
    *,
    by: str,
    sign: Signer | None = None,
    **fields: object,
) -> None:
    """Write a statement about a gate and a plan into the ledger.

    Args:
        application: The application.
        gate: The gate's name.
        plan: The plan.
        kind: What is stated.
        by: By whom.
        sign: Signs the entry; it stays unsigned when not given.
        fields: What else it says.

    Raises:
        VelapulumiError: Somebody else has decided meanwhile, or it cannot be written.
    """
    clusters = {each.cluster: each.uid for stage in plan.stages for each in stage.clusters}
    append(
        application.project.ledger_file(application.name),
        application.name,
        {
            "kind": kind,
            "by": by,
            "step": gate,
            "stages": tuple(stage.stage for stage in plan.stages),
            "clusters": clusters,
            "revision": str(application.revision),
            "run": application.run.number,
            "plan": plan.digest,
            **fields,
        },
        sign,
        lambda: read_trust(application.project),
        application.authority.ledger.head,
    )


def withdraw(project: Project, application: str, steps: Collection[str]) -> None:
    """Take back the approvals of gates which start over in the current run; none is no change.

    Args:
        project: The project.
        application: The application.
        steps: Names of the steps that start over.

    Raises:
        VelapulumiError: It cannot be written.
    """
    gate = read_gate(project.gate_file(application), application)
    path = project.ledger_file(application)
    given = [
        line.entry
        for line in read_ledger(path, application).lines
        if line.entry.kind in (StatementKind.APPROVE, StatementKind.AUTO)
    ]
    revision, run = gate.current, gate.run
    gone = [e.step for e in given if e.step in steps and (e.revision, e.run) == (revision, run)]
    if gone:
        append(
            path,
            application,
            {
                "kind": StatementKind.WITHDRAW,
                "by": who(),
                "revision": revision,
                "run": run,
                "steps": tuple(dict.fromkeys(gone)),
            },
            None,
            lambda: read_trust(project),
        )


def words(decision: Decision) -> str:
    """By whom a gate was opened."""
    names = ", ".join(decision.by) or "the gate policy"
    if decision.break_glass:
        names += ", PAST THE POLICY (break-glass)"
    elif decision.by and not decision.signed:
        names += " (unsigned)"
    return f"{names}, as the way back" if decision.way_back else names


def _why(application: Application, gate: str, decision: Decision) -> VelapulumiError | None:
    """Why a gate is closed, when somebody has decided or nobody may yet."""
    name = application.name
    if decision.rejected:
        return ApprovalRejected(
            f"{gate} was {decision.rejected}",
            next_step="Deliver something else, or begin anew with: "
            f"velapulumi workflow restart {name}",
        )
    try:
        application.authority.check()
    except GateProblem as error:
        return error
    if application.authority.policy is None:
        return None
    reasons = "\n".join(f"  - {reason}" for reason in decision.reasons)
    return WaitingForApproval(
        f"{gate} is not approved as the gate policy asks for:\n{reasons}",
        next_step=f"Look at it and decide: velapulumi approve {name}",
    )
