"""What people decide about a change: they look at its plan, and say yes or no to exactly that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from velapulumi import signatures
from velapulumi.delivery.gatekeeper import Signer, keep, state
from velapulumi.delivery.remove import Removal
from velapulumi.delivery.source import current_application
from velapulumi.errors import (
    ClusterUnreachable,
    RunEnded,
    UsageProblem,
    VelapulumiError,
)
from velapulumi.gate.approver import who
from velapulumi.gate.decision import Decision
from velapulumi.gate.file import read_gate
from velapulumi.gate.ledger import append
from velapulumi.gate.statement import StatementKind
from velapulumi.plan.document import PlanDocument
from velapulumi.program.application import Application, read_application
from velapulumi.program.authority import Authority, read_trust
from velapulumi.program.leaving import abandoned
from velapulumi.program.standing import Standing, read_standing
from velapulumi.project import Project
from velapulumi.stage.approval import current_plan, stale
from velapulumi.stage.look import Look
from velapulumi.stage.plan import plan_document
from velapulumi.stage.refusals import raise_refusals
from velapulumi.workflow.gates import opened
from velapulumi.workflow.phases import StepPhase
from velapulumi.workflow.steps import WorkflowStep

COUNTS = timedelta(hours=24)
"""How long an approval counts where no policy says it."""


@dataclass(frozen=True)
class Proposal:
    """What somebody is asked to decide.

    Attributes:
        application: The application.
        gate: The gate.
        plan: The plan of what the gate opens.
        decision: How the gate stands.
        standing: Where the application stands.
    """

    application: Application
    gate: WorkflowStep
    plan: PlanDocument
    decision: Decision
    standing: Standing


@dataclass(frozen=True)
class Decided:
    """What was decided.

    Attributes:
        proposal: About what.
        by: By whom.
        signed: Whether it is signed.
        decision: How the gate stands then.
    """

    proposal: Proposal
    by: str
    signed: bool
    decision: Decision


def plan_of(
    project: Project,
    file: Path,
    stage: str | None = None,
    *,
    allow_unknown: bool = False,
    takes_fields: bool = False,
) -> PlanDocument:
    """The plan of an Application file as it is now; writes nothing.

    Args:
        project: The project.
        file: The file.
        stage: Only this stage; when not given all of them, and those that no step delivers to any
            more and that are deleted in the end.
        allow_unknown: Whether unknown parameters are ignored.
        takes_fields: Whether new fields that others hold are taken from them.

    Raises:
        InvalidApplication: The file has problems.
        UsageProblem: There is no such stage.
    """
    application = read_application(
        project, file, allow_unknown=allow_unknown, takes_fields=takes_fields
    )
    stages = application.workflow.stages
    if stage is not None and stage not in stages:
        raise UsageProblem(
            f"{file}: no step of its workflow delivers stage {stage}",
            next_step=f"Its stages are: {', '.join(stages) or 'none'}.",
        )
    chosen = [name for name in stages if stage in (None, name)]
    steps = {name: stages[name].steps for name in chosen}
    plan = plan_document(application, steps, Look(project), asks=True)
    if stage is not None:
        return plan
    going = (Removal.of(project, stack, application).plan for stack in abandoned(application))
    return plan.model_copy(update={"stages": (*plan.stages, *going)})


def propose(
    project: Project,
    application: str,
    stage: str | None = None,
    step: str | None = None,
    *,
    approved: bool = False,
    takes_fields: bool = False,
) -> tuple[Proposal, ...]:
    """Find out what is to be decided, and make its plans; writes nothing.

    That is every gate the workflow waits at, and every one whose approval does not count any more
    since something has changed.

    Args:
        project: The project.
        application: The application.
        stage: Only what opens this stage.
        step: Only this gate.
        approved: Whether to take also what is approved and has not been delivered yet.
        takes_fields: Whether new fields that others hold are taken from them.

    Returns:
        The proposals in the order of the workflow; none when nothing of that waits.

    Raises:
        UnknownApplication: Nothing of it has been delivered.
        RunEnded: The run is terminated.
        LedgerDamaged: The ledger says what nobody has signed, or was cut or rewritten.
        NotInForce: Policy or keys of the project are not those in force.
        ClusterProblem: A cluster cannot be asked which the delivery may not fail on.
    """
    standing = read_standing(project, application)
    if standing.run.terminated:
        raise RunEnded(
            f"the workflow of {application} is terminated",
            next_step=f"Begin anew with: velapulumi workflow restart {application}",
        )
    described = replace(current_application(project, standing), takes_fields=takes_fields)
    described.authority.check()
    chosen = [
        gate
        for gate in _open_questions(described, standing, approved=approved)
        if step in (None, gate.name)
        and (stage is None or stage in described.subject(gate.name).stages)
    ]
    return tuple(_proposal(described, standing, gate) for gate in chosen)


def _proposal(application: Application, standing: Standing, gate: WorkflowStep) -> Proposal:
    look = Look(application.project, standing.clusters)
    plan = current_plan(application, gate.name, look, asks=True)
    for silent in _silent(application, gate, plan):
        raise ClusterUnreachable(
            f"cluster {silent} does not answer, so nobody can tell what would change there"
        )
    return Proposal(application, gate, plan, application.decision(gate.name), standing)


def _silent(application: Application, gate: WorkflowStep, plan: PlanDocument) -> Iterator[str]:
    """The clusters that do not answer, and that no step may fail on which the gate opens."""
    steps = opened(application.workflow.steps, gate.name)
    rollouts = application.workflow.rollouts
    tolerant = {s.stage for s in steps if any(w.budget for w in rollouts[s.name].waves)}
    for stage in plan.stages:
        for cluster in stage.clusters:
            if not cluster.reached and stage.stage not in tolerant:
                yield cluster.cluster


def one_by_one(
    proposals: Sequence[Proposal], decide: Callable[[Proposal], Decided | None]
) -> tuple[Decided, ...]:
    """Decide about several plans, each with what was decided before it in mind.

    Args:
        proposals: The proposals.
        decide: Decides about one; None when nothing was decided.

    Raises:
        VelapulumiError: Somebody else has decided meanwhile, or what ``decide`` raises.
    """
    found: list[Decided] = []
    for proposal in proposals:
        if found:
            proposal = replace(proposal, application=proposal.application.reread())
        if (decided := decide(proposal)) is not None:
            found.append(decided)
    return tuple(found)


def approve(
    proposal: Proposal,
    *,
    comment: str = "",
    key: Path | None = None,
    break_glass: bool = False,
    reverse: bool = False,
) -> Decided:
    """Approve a plan; it is kept beside the ledger.

    Args:
        proposal: What is approved.
        comment: Why.
        key: What to sign with, instead of the key that is found.
        break_glass: Whether to go past the gate policy.
        reverse: Whether to approve the way back as well.

    Raises:
        UsageProblem: It has to be signed and there is no key, or the key is nobody's.
        SigningFailed: It could not be signed.
        VelapulumiError: Something of the plan is refused, or somebody else has decided meanwhile;
            nothing was written.
    """
    authority = proposal.application.authority
    raise_refusals(proposal.plan.refusals)
    if break_glass and not comment:
        raise UsageProblem("going past the policy needs a reason", next_step="Give it with -m.")
    if break_glass and authority.policy is None:
        raise UsageProblem("there is no gate policy to go past", next_step="Approve without it.")
    expires = datetime.now(UTC) + _counts(authority, proposal.plan)
    return _decide(
        proposal,
        StatementKind.APPROVE,
        key,
        comment=comment,
        expires=f"{expires:%Y-%m-%dT%H:%M:%SZ}",
        break_glass=break_glass,
        reverse=reverse,
    )


def reject(proposal: Proposal, reason: str, *, key: Path | None = None) -> Decided:
    """Say no to a plan: what was approved of it before counts no more.

    Args:
        proposal: What is rejected.
        reason: Why.
        key: What to sign with, instead of the key that is found.

    Raises:
        UsageProblem: It has to be signed and there is no key, or the key is nobody's.
        SigningFailed: It could not be signed.
        VelapulumiError: Somebody else has decided meanwhile; nothing was written.
    """
    return _decide(proposal, StatementKind.REJECT, key, comment=reason)


@dataclass(frozen=True)
class Asked:
    """That somebody has asked for approval.

    Attributes:
        revision: Of which revision.
        by: Who.
        signed: Whether that is signed.
    """

    revision: str
    by: str
    signed: bool


def ask(
    project: Project, application: str, *, subject: str, comment: str, key: Path | None = None
) -> Asked:
    """Note who asks for the approval of the current run.

    Args:
        project: The project.
        application: The application.
        subject: For whom, if not for who asks.
        comment: Why.
        key: What to sign with, instead of the key that is found.

    Raises:
        UnknownApplication: Nothing of it has been delivered.
        UsageProblem: It has to be signed and there is no key, or the key is nobody's.
        SigningFailed: It could not be signed.
    """
    standing = read_standing(project, application, contact=False)
    by, sign = signer(standing.authority, key)
    append(
        project.ledger_file(application),
        application,
        {
            "kind": StatementKind.REQUEST,
            "by": by,
            "subject": subject,
            "comment": comment,
            "revision": standing.gate.current,
            "run": standing.gate.run,
        },
        sign,
        lambda: read_trust(project),
    )
    return Asked(standing.gate.current, by, sign is not None)


def _decide(proposal: Proposal, kind: StatementKind, key: Path | None, **fields: object) -> Decided:
    application, gate = proposal.application, proposal.standing.gate
    if read_gate(application.project.gate_file(application.name), application.name) != gate:
        raise VelapulumiError(
            f"application {application.name} has moved on meanwhile",
            next_step=f"Look again with: velapulumi status {application.name}",
        )
    by, sign = signer(application.authority, key)
    keep(application, proposal.plan)
    state(application, proposal.gate.name, proposal.plan, kind, by=by, sign=sign, **fields)
    after = application.reread().decision(proposal.gate.name)
    return Decided(proposal, by, sign is not None, after)


def signer(authority: Authority, key: Path | None) -> tuple[str, Signer | None]:
    """Who signs, and with what; without allowed signers nobody does.

    Args:
        authority: Says who may sign.
        key: The key that was asked for; None for the one that is found.

    Raises:
        UsageProblem: There is no key, or it is nobody's.
    """
    signers = authority.trust.signers
    if not signers:
        return who(), None
    found = signatures.find_key(key)
    if found is None:
        raise UsageProblem(
            "this has to be signed, and there is no key to sign with",
            next_step="Name one with --key, in VELAPULUMI_SIGNING_KEY or as git's user.signingkey.",
        )
    names = signatures.principals_of(found, signers)
    if not names:
        raise UsageProblem(
            f"key {found} is none of the allowed signers in force",
            next_step="Sign with another key, or have this one allowed: velapulumi trust adopt.",
        )
    return names[0], partial(signatures.sign, found)


def _counts(authority: Authority, plan: PlanDocument) -> timedelta:
    rules = (
        rule
        for stage in plan.stages
        for rule in authority.rules(stage.stage, [each.cluster for each in stage.clusters])
    )
    return min((rule.lifetime for rule in rules), default=COUNTS)


def _open_questions(
    application: Application, standing: Standing, *, approved: bool
) -> Iterator[WorkflowStep]:
    """The gates that wait, and those whose approval does not count for what is there now."""
    waiting = {step.name for step in standing.progress.waiting}
    held = standing.run.suspended
    for gate in application.workflow.steps:
        if not gate.gate:
            continue
        if gate.name in waiting:
            phase = standing.run.step(gate.name).phase
            if not held or phase is StepPhase.SUSPENDING:
                yield gate
        elif (
            standing.decision(gate.name).open
            and not _is_done(application, gate)
            and (approved or any(stale(application, gate.name, Look(application.project))))
        ):
            yield gate


def _is_done(application: Application, gate: WorkflowStep) -> bool:
    """Whether all that a gate opens has been delivered."""
    revision = str(application.revision)
    steps = opened(application.workflow.steps, gate.name)
    records = {step: application.records[step.stage or ""] for step in steps}
    return all(record and record.steps.get(s.name) == revision for s, record in records.items())
