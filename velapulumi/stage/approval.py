"""Holding what is about to be done against what was approved, before anything is written.

The plan is made once more of what is there now. On a cluster on which the delivery has not begun
all of it must be as it was approved; where it has begun, as after an interruption, what the cluster
shall hold must still be, so that an approval of what was interrupted goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from velapulumi.errors import ApprovalStale
from velapulumi.gate.approver import who
from velapulumi.gate.decision import Decision
from velapulumi.gate.ledger import append
from velapulumi.gate.statement import StatementKind
from velapulumi.plan.approved import differences, differences_back
from velapulumi.plan.document import PlanDocument
from velapulumi.program.application import Application
from velapulumi.program.authority import kept_plan, read_trust
from velapulumi.stage.look import Look
from velapulumi.stage.plan import plan_document
from velapulumi.stage.prepare import Prepared
from velapulumi.workflow.gates import guards, opened

_SHOWN = 12


@dataclass(frozen=True)
class Use:
    """That the delivery of an approved plan begins.

    Attributes:
        gate: The gate's name.
        decision: By whom it was approved.
        stage: The stage.
        clusters: The clusters it begins on: the identity of each by its name.
    """

    gate: str
    decision: Decision
    stage: str
    clusters: dict[str, str]


def authorize(prepared: Prepared, look: Look) -> tuple[Use, ...]:
    """Refuse what is not as it was approved; writes nothing.

    A stage that no gate guards needs no approval.

    Args:
        prepared: The stage.
        look: What the clusters have.

    Returns:
        What is to be noted before anything is written.

    Raises:
        ApprovalStale: Something is not as it was approved; all of it is named.
        LedgerDamaged: The ledger says what nobody has signed, or was cut or rewritten.
    """
    application, stage = prepared.application, prepared.stage.name
    if application.authority.problems:  # nobody can tell which gates there are
        application.authority.check()
    steps = application.workflow.steps
    governed = application.authority.governs(stage, prepared.stage.clusters)
    uses = []
    for gate in guards(steps, prepared.step):
        decision = application.decision(gate.name)
        if not decision.open and governed:
            raise ApprovalStale(
                f"stage {stage} is under the gate policy, and {gate.name} is not open:\n"
                + "\n".join(f"  - {reason}" for reason in decision.reasons),
                next_step=f"See where it stands with: velapulumi status {application.name}",
            )
        if not decision.open:
            continue  # passed in time, or skipped: the promotion tells whether it may
        begun = application.authority.used(
            decision.plan, stage, str(application.revision), application.run.number
        )
        now = current_plan(application, gate.name, look, stage)
        held = [cluster.cluster for each in now.stages for cluster in each.clusters]
        clusters = [name for name in held if _is_written(prepared, name)]
        check_current(application, gate.name, decision, now, stage, begun, clusters)
        new = {
            cluster.cluster: cluster.uid
            for found in now.stages
            for cluster in found.clusters
            if cluster.cluster in clusters and cluster.cluster not in begun
        }
        if new:
            uses.append(Use(gate.name, decision, stage, new))
    return tuple(uses)


def _is_written(prepared: Prepared, cluster: str) -> bool:
    """Whether a delivery writes to a cluster: where the stage has left, only to collect."""
    if cluster in prepared.without:
        return False
    if cluster not in prepared.stage.clusters:
        return prepared.collecting
    return prepared.only is None or cluster in prepared.only


def note(application: Application, uses: tuple[Use, ...]) -> None:
    """Write into the ledger that the delivery of approved plans begins.

    Raises:
        VelapulumiError: It cannot be written; then nothing may be delivered.
    """
    for use in uses:
        append(
            application.project.ledger_file(application.name),
            application.name,
            {
                "kind": StatementKind.USE,
                "by": who(),
                "step": use.gate,
                "stages": (use.stage,),
                "clusters": use.clusters,
                "revision": str(application.revision),
                "run": application.run.number,
                "plan": use.decision.plan,
                "approvals": use.decision.approvals,
                "reverse": use.decision.way_back,
            },
            None,
            lambda: read_trust(application.project),
        )


def current_plan(
    application: Application,
    gate: str,
    look: Look,
    stage: str | None = None,
    *,
    asks: bool = False,
) -> PlanDocument:
    """The plan of what a gate opens, as it is now.

    Args:
        application: The application.
        gate: The gate's name.
        look: What the clusters have.
        stage: Only this stage of it; all of them when not given.
        asks: Whether to ask the clusters in dry runs what they would refuse.
    """
    steps = opened(application.workflow.steps, gate)
    stages = dict.fromkeys(step.stage for step in steps if step.stage)
    return plan_document(
        application,
        {
            name: [step for step in steps if step.stage == name]
            for name in stages
            if stage in (None, name)
        },
        look,
        asks=asks,
    )


def check_current(
    application: Application,
    gate: str,
    decision: Decision,
    now: PlanDocument,
    stage: str,
    begun: frozenset[str],
    clusters: list[str] | None = None,
) -> None:
    """Refuse a stage that is not as it was approved.

    Args:
        application: The application.
        gate: The gate's name.
        decision: Its approval.
        now: The plan as it is now.
        stage: The stage.
        begun: The clusters on which its delivery has begun.
        clusters: The clusters that are looked into; None for all of them.

    Raises:
        ApprovalStale: Something is not as it was approved.
    """
    approved = kept_plan(application.project, application.name, decision.plan)
    if decision.way_back:
        found = tuple(differences_back(approved, now, stage, clusters))
    else:
        found = tuple(differences(approved, now, stage, begun, clusters))
    if not found:
        return
    lines = [f"  - {text}" for text in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(f"  - and {len(found) - _SHOWN} more")
    raise ApprovalStale(
        f"stage {stage} is not as it was approved at {gate}:\n" + "\n".join(lines),
        next_step=f"Look at what it is now and approve that: velapulumi approve {application.name}",
    )


def stale(application: Application, gate: str, look: Look) -> Iterator[ApprovalStale]:
    """Why the approval of a gate, whose delivery has not begun, does not count any more."""
    decision = application.decision(gate)
    if not decision.open:
        return
    now = current_plan(application, gate, look)
    for stage in now.stages:
        begun = application.authority.used(
            decision.plan, stage.stage, str(application.revision), application.run.number
        )
        # That a cluster does not answer is told when it is delivered to.
        reached = [cluster.cluster for cluster in stage.clusters if cluster.reached]
        try:
            check_current(application, gate, decision, now, stage.stage, begun, reached)
        except ApprovalStale as error:
            yield error
